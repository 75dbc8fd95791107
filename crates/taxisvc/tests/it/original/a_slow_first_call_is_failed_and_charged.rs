//! The original: the first call takes longer than payment is waited for; its rider is told `payFail`, is charged, gets a
//! taxi, and the ride is in no view. Here: the rider is told that payment is still out, and is driven, and sees it.

use crate::world::{World, number};

#[test]
fn a_payment_that_takes_its_time_is_waited_for_and_told_truly() {
    let world = World::with(&[("ANSWERS_WAIT_MS", "20"), ("DEADLINES_PROVIDER_MS", "50000")]);
    // The first call after the start, and a provider that is slower than anybody waits.
    let placed = world.place_paid_by(10.0, "test:late=1000").with(202);
    assert_eq!(placed.json()["callStatus"], "payRequest");
    assert!(placed.header("location").is_some());
    let call = number(&placed);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.end(call).with(200);
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    assert!(!world.told(call).contains(&"PaymentFailed".to_owned()));
}

#[test]
fn who_is_told_that_payment_failed_is_never_charged_nor_driven() {
    let world = World::with(&[("ANSWERS_WAIT_MS", "40000"), ("DEADLINES_PROVIDER_MS", "50")]);
    let placed = world.place_paid_by(10.0, "test:late=5000").with(201);
    assert_eq!(placed.json()["callStatus"], "payFail");
    let call = number(&placed);
    world.comes_to(call, ["payFail", "refunded", "-"]);
    assert_eq!(world.money().at_provider, 0);
}
