//! The drive service is down for a while: riders call and pay as ever, and the taxis come when it is back.

use crate::world::by_hand::{ByHand, MINUTE_MS};

#[test]
fn calls_are_answered_meanwhile_and_driven_afterwards() {
    let mut system = ByHand::new();
    system.stop("drive");
    for id in 1..=20 {
        system.place(id, "10", None);
    }
    system.settle();
    for id in 1..=20 {
        system.assert_standing(id, ["driveRequest", "paid", "-"]);
    }
    system.leap_ms(5 * MINUTE_MS);
    system.assert_standing(1, ["driveRequest", "paid", "-"]);
    system.go_on("drive");
    for id in 1..=20 {
        system.assert_standing(id, ["driveStart", "paid", "start"]);
        system.end(id).unwrap();
    }
    system.finish();
    assert_eq!(system.audit().earned, 2_000_000);
}

#[test]
fn whoever_cancelled_meanwhile_gets_the_money_and_no_taxi() {
    let mut system = ByHand::new();
    system.stop("drive");
    system.place(1, "10", None);
    system.settle();
    system.cancel(1).unwrap();
    system.settle();
    // Drive alone decides whether there was a ride, so the fare waits for its word.
    system.assert_standing(1, ["requestCancel", "paid", "-"]);
    system.leap_ms(MINUTE_MS);
    assert_eq!(system.audit().held, 100_000);
    assert_eq!(system.deadlines_passed(), [("undriven", 0), ("unpaid", 0)], "nobody but the rider asked");
    system.go_on("drive");
    system.finish();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    assert_eq!(system.audit().returned, 100_000);
}
