//! A rider cancels while the provider is still being asked: there is no ride, and nothing stays taken.

use crate::world::by_hand::ByHand;
use crate::world::{World, number};

#[test]
fn a_fare_that_was_being_taken_goes_back() {
    let world = World::with(&[("ANSWERS_WAIT_MS", "10")]);
    let call = number(&world.place_paid_by(10.0, "test:late=3000").with(202));
    let cancelled = world.cancel(call);
    assert!([200, 202].contains(&cancelled.status), "{cancelled:?}");
    world.comes_to(call, ["requestCancel", "refunded", "cancel"]);
    world.cancel(call).with(200);
    assert_eq!(world.money().returned, 100_000);
    let told = world.told(call);
    assert_eq!(told, ["CallRequested", "CancelRequested", "DriveCancelled", "CallCancelled", "FareRefunded"]);
}

#[test]
fn a_fare_that_is_refused_later_is_void() {
    let mut system = ByHand::with(slow_provider());
    system.place(1, "10", Some("test:refused"));
    system.cancel(1).unwrap();
    system.settle();
    assert_eq!(system.standing(1), ["requestCancel", "refunding", "cancel"]);
    assert!(system.answer_arrives());
    system.settle();
    system.assert_standing(1, ["requestCancel", "voided", "cancel"]);
    assert_eq!(system.audit().taken, 0);
    assert_eq!(system.told(1), ["CallRequested", "CancelRequested", "CallCancelled", "DriveCancelled"]);
}

#[test]
fn a_call_that_payment_had_not_heard_of_is_never_asked_for() {
    let mut system = ByHand::new();
    system.stop("payment");
    system.place(1, "10", None);
    system.cancel(1).unwrap();
    system.settle();
    assert_eq!(system.standing(1), ["requestCancel", "-", "cancel"]);
    system.go_on("payment");
    system.finish();
    // It hears of both at once: it may have asked before it hears that the call is off, and then it gives back.
    let [call, payment, drive] = system.standing(1);
    assert_eq!([call.as_str(), drive.as_str()], ["requestCancel", "cancel"]);
    assert!(["voided", "refunded"].contains(&payment.as_str()), "{payment}");
    let money = system.audit();
    assert_eq!((money.held, money.earned, money.at_provider), (0, 0, 0));
}

/// Its answers arrive when the test says so.
fn slow_provider() -> crate::world::by_hand::Setup {
    let mut setup = crate::world::by_hand::Setup::default();
    (setup.provider.delay_ms_min, setup.provider.delay_ms_max) = (60_000, 60_000);
    setup.provider.refuse_per_mille = 1_000;
    setup.provider.obey_test_methods = false;
    setup
}
