//! The provider takes the fare after payment's deadline: the call has failed by then, so the fare goes back.

use crate::world::by_hand::{ByHand, SECOND_MS};
use crate::world::{Money, World, number};

#[test]
fn a_fare_that_is_taken_too_late_is_never_paid_and_goes_back() {
    let mut system = ByHand::new();
    system.place(1, "10", Some("test:late=10500"));
    system.settle();
    system.pass_ms(10 * SECOND_MS);
    system.assert_standing(1, ["payFail", "failed", "-"]);
    assert_eq!(system.account(1).map(|account| account.fare), Some(100_000), "it was taken at once");
    system.pass_ms(SECOND_MS);
    system.finish();
    system.assert_standing(1, ["payFail", "refunded", "-"]);
    let back = Money { taken: 100_000, held: 0, earned: 0, returned: 100_000, at_provider: 0 };
    assert_eq!(system.audit(), back);
    assert_eq!(system.told(1), ["CallRequested", "PaymentFailed", "FareRefunded"]);
}

#[test]
fn a_fare_that_is_taken_in_the_last_moment_is_paid() {
    let mut system = ByHand::new();
    system.place(1, "10", Some("test:late=9500"));
    system.settle();
    system.pass_ms(9 * SECOND_MS);
    system.assert_standing(1, ["payRequest", "asked", "-"]);
    system.leap_ms(500);
    system.assert_standing(1, ["driveStart", "paid", "start"]);
    assert_eq!(system.audit().held, 100_000);
}

#[test]
fn the_answer_and_the_deadline_in_the_same_moment_agree_on_one_end() {
    let mut system = ByHand::new();
    system.place(1, "10", Some("test:late=10000"));
    system.settle();
    system.pass_ms(10 * SECOND_MS);
    let standing = system.standing(1);
    assert!(standing == ["driveStart", "paid", "start"] || standing[0] == "payFail", "{standing:?}");
    assert_eq!(system.times_said("FarePaid") + system.times_said("PaymentFailed"), 1);
    system.audit();
}

/// The delay is so much longer than the deadline that a slow machine does not turn them around.
#[test]
fn a_rider_sees_it_fail_and_the_fare_come_back() {
    let world = World::with(&[("ANSWERS_WAIT_MS", "10"), ("DEADLINES_PROVIDER_MS", "50")]);
    let call = number(&world.place_paid_by(10.0, "test:late=5000").with(202));
    world.comes_to(call, ["payFail", "refunded", "-"]);
    assert_eq!(world.money().returned, 100_000);
    assert_eq!(world.told(call), ["CallRequested", "PaymentFailed", "FareRefunded"]);
}
