//! A rider cancels when the fare is paid and no taxi is on its way yet: the fare goes back.

use crate::world::Money;
use crate::world::by_hand::ByHand;

#[test]
fn the_fare_goes_back_whichever_the_drive_hears_first() {
    for drive_hears_of_the_payment_first in [false, true] {
        let mut system = ByHand::new();
        system.stop("drive");
        system.place(1, "10", None);
        system.settle();
        system.assert_standing(1, ["driveRequest", "paid", "-"]);
        if drive_hears_of_the_payment_first {
            system.hand_in_cancel(1);
            system.go_on("drive");
        } else {
            system.cancel(1).unwrap();
            system.settle();
            system.assert_standing(1, ["requestCancel", "paid", "-"]);
            system.go_on("drive");
        }
        system.finish();
        system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
        let back = Money { taken: 100_000, held: 0, earned: 0, returned: 100_000, at_provider: 0 };
        assert_eq!(system.audit(), back);
        assert_eq!(system.times_said("FareRefunded"), 1);
        assert_eq!(system.times_said("CallCancelled"), 1);
    }
}
