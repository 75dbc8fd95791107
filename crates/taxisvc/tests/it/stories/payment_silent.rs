//! The provider says nothing at all: past payment's deadline the call has failed, and what it takes later goes back.

use crate::world::by_hand::{ByHand, SECOND_MS};
use crate::world::{World, number};

#[test]
fn a_rider_is_told_that_payment_is_still_out_and_then_that_it_failed() {
    let world = World::with(&[
        ("ANSWERS_WAIT_MS", "50"),
        ("DEADLINES_PROVIDER_MS", "1000"),
        ("PROVIDER_SILENT_ATTEMPTS", "1000000"),
    ]);
    let placed = world.place_paid_by(10.0, "test:silent").with(202);
    assert_eq!(placed.json()["callStatus"], "payRequest");
    let call = number(&placed);
    world.comes_to(call, ["payFail", "failed", "-"]);
    assert_eq!(world.get(&format!("/payments/{call}")).json()["payReason"], "provider silent");
    let money = world.money();
    assert_eq!((money.taken, money.at_provider), (0, 0));
    let told = world.told(call);
    assert_eq!(told, ["CallRequested", "PaymentFailed"]);
}

#[test]
fn what_a_provider_takes_when_it_speaks_at_last_goes_back() {
    let mut system = ByHand::new();
    system.place(1, "10", Some("test:silent"));
    system.assert_standing(1, ["payRequest", "asked", "-"]);
    system.pass_ms(9 * SECOND_MS);
    system.assert_standing(1, ["payRequest", "asked", "-"]);
    system.pass_ms(SECOND_MS);
    system.assert_standing(1, ["payFail", "failed", "-"]);
    assert_eq!(system.audit().at_provider, 0);
    // It is asked again until it answers; then it has taken the fare, which nobody wants any more.
    system.finish();
    system.assert_standing(1, ["payFail", "refunded", "-"]);
    let money = system.audit();
    assert_eq!((money.taken, money.returned, money.at_provider), (100_000, 100_000, 0));
    assert_eq!(system.told(1), ["CallRequested", "PaymentFailed", "FareRefunded"]);
    assert!(system.account(1).unwrap().takes_heard == 1);
}
