//! A call is paid and no drive comes of it: after ten minutes the call is cancelled, and the fare goes back.

use crate::world::Money;
use crate::world::by_hand::{ByHand, MINUTE_MS, SECOND_MS};

#[test]
fn after_ten_minutes_the_call_is_cancelled_and_the_fare_goes_back() {
    let mut system = ByHand::new();
    system.stop("drive");
    system.place(1, "10", None);
    system.settle();
    system.leap_ms(10 * MINUTE_MS - SECOND_MS);
    system.assert_standing(1, ["driveRequest", "paid", "-"]);
    system.leap_ms(SECOND_MS);
    system.assert_standing(1, ["requestCancel", "paid", "-"]);
    assert_eq!(system.times_said("CancelRequested"), 1);
    let cancelled = system.log("call").into_iter().find(|event| event.event_type == "CancelRequested");
    let cancelled = cancelled.unwrap();
    assert_eq!((&*cancelled.actor, cancelled.cause.as_str()), ("system", "timer undriven"));
    assert_eq!(system.deadlines_passed(), [("undriven", 1), ("unpaid", 0)]);

    system.go_on("drive");
    system.finish();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    let back = Money { taken: 100_000, held: 0, earned: 0, returned: 100_000, at_provider: 0 };
    assert_eq!(system.audit(), back);
}
