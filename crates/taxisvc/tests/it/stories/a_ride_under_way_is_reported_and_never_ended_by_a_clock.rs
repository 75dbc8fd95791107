//! A ride takes days: every day it is reported to the operator, and no clock ends it.

use crate::world::by_hand::{ByHand, HOUR_MS};

#[test]
fn a_long_ride_is_reported_each_day_and_ended_by_its_driver_alone() {
    let mut system = ByHand::new();
    system.place(1, "10", None);
    system.settle();
    system.leap_ms(23 * HOUR_MS);
    assert_eq!(system.times_said("DriveOverdue"), 0);
    for day in 1..=7 {
        system.leap_ms(24 * HOUR_MS);
        system.assert_standing(1, ["driveStart", "paid", "start"]);
        for report in ["DriveOverdue", "CallOverdue", "PaymentOverdue"] {
            assert_eq!(system.times_said(report), day, "{report}");
        }
    }
    assert_eq!(
        system.told(1),
        ["CallRequested", "CallPlaced", "FarePaid", "DriveStarted"],
        "a report is nobody else's"
    );
    system.end(1).unwrap();
    system.finish();
    system.assert_standing(1, ["driveComplete", "paid", "end"]);
    assert_eq!(system.audit().earned, 100_000);
}
