//! Payment is down: past the call's own deadline the call is off, and payment, when it is back, takes nothing to keep.

use crate::world::by_hand::{ByHand, SECOND_MS};

#[test]
fn the_calls_own_deadline_cancels_it() {
    let mut system = ByHand::new();
    system.stop("payment");
    system.place(1, "10", None);
    system.pass_ms(59 * SECOND_MS);
    assert_eq!(system.standing(1), ["payRequest", "-", "-"]);
    system.pass_ms(SECOND_MS);
    assert_eq!(system.standing(1), ["requestCancel", "-", "cancel"]);
    assert_eq!(system.told(1), ["CallRequested", "CancelRequested", "CallCancelled", "DriveCancelled"]);
    assert_eq!(system.view_standing(1), ["requestCancel", "voided", "cancel"]);
    assert_eq!(system.deadlines_passed(), [("undriven", 0), ("unpaid", 1)]);

    system.go_on("payment");
    system.finish();
    let money = system.audit();
    assert_eq!((money.held, money.earned, money.at_provider), (0, 0, 0));
    assert_eq!(system.times_said("FarePaid") + system.times_said("DriveStarted"), 0);
    assert_eq!(system.standing(1)[0], "requestCancel");
}
