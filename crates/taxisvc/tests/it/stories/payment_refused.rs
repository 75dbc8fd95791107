//! The provider refuses the fare: the rider is told so, pays nothing, and no taxi comes.

use crate::world::{Money, World, number};

#[test]
fn a_call_whose_payment_is_refused_fails_and_costs_nothing() {
    let world = World::start();
    let placed = world.place_paid_by(10.0, "test:refused").with(201);
    assert_eq!(placed.json()["callStatus"], "payFail");
    let call = number(&placed);
    world.comes_to(call, ["payFail", "failed", "-"]);
    assert_eq!(world.get(&format!("/payments/{call}")).json()["payReason"], "refused");
    assert_eq!(world.money(), Money { taken: 0, held: 0, earned: 0, returned: 0, at_provider: 0 });
    assert_eq!(world.told(call), ["CallRequested", "PaymentFailed"]);
}

#[test]
fn a_call_that_failed_can_neither_be_cancelled_nor_driven() {
    let world = World::start();
    let call = number(&world.place_paid_by(10.0, "test:refused").with(201));
    let refused = world.cancel(call).with(409);
    assert_eq!(
        (refused.problem(), &refused.json()["callStatus"]),
        ("not-allowed-now".into(), &"payFail".into())
    );
    assert_eq!(world.end(call).with(404).problem(), "not-found");
    world.comes_to(call, ["payFail", "failed", "-"]);
}
