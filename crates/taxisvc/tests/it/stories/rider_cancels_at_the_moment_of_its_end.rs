//! A rider cancels at the very moment in which the ride ends: whichever the drive hears first stands, money included.

use crate::world::by_hand::ByHand;
use crate::world::{Money, World};

/// A ride under way whose cancellation is said, and not heard by the drive yet.
fn cancelling() -> ByHand {
    let mut system = ByHand::new();
    system.place(1, "10", None);
    system.settle();
    system.assert_standing(1, ["driveStart", "paid", "start"]);
    system.hand_in_cancel(1);
    system.turn("call");
    assert_eq!(system.standing(1), ["requestCancel", "paid", "start"]);
    system
}

#[test]
fn the_end_is_heard_first_and_the_fare_stays() {
    let mut system = cancelling();
    system.stop("call");
    system.hand_in_end(1);
    system.turn("drive");
    system.go_on("call");
    system.finish();
    system.assert_standing(1, ["driveComplete", "paid", "end"]);
    assert_eq!(system.times_said("DriveCancelled") + system.times_said("CallCancelled"), 0);
    let stays = Money { taken: 100_000, held: 0, earned: 100_000, returned: 0, at_provider: 100_000 };
    assert_eq!(system.audit(), stays);
    assert!(system.cancel(1).is_err(), "it is over");
}

#[test]
fn the_cancellation_is_heard_first_and_the_fare_goes_back() {
    let mut system = cancelling();
    system.turn("drive");
    assert!(system.end(1).is_err(), "there is no ride any more");
    system.finish();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    assert_eq!(system.times_said("DriveEnded"), 0);
    let back = Money { taken: 100_000, held: 0, earned: 0, returned: 100_000, at_provider: 0 };
    assert_eq!(system.audit(), back);
}

#[test]
fn the_end_was_said_before_the_rider_cancelled() {
    let mut system = ByHand::new();
    system.place(1, "10", None);
    system.settle();
    system.hand_in_end(1);
    system.turn("drive");
    // The call has not heard of it, and lets itself be cancelled.
    system.hand_in_cancel(1);
    system.turn("call");
    system.finish();
    system.assert_standing(1, ["driveComplete", "paid", "end"]);
    assert_eq!(system.audit().earned, 100_000);
}

#[test]
fn rider_and_driver_who_ask_at_once_are_told_the_same() {
    let world = World::start();
    let calls: Vec<u64> = (0..24).map(|_| world.call(10.0)).collect();
    for call in &calls {
        world.comes_to(*call, ["driveStart", "paid", "start"]);
    }
    let mut completed = 0;
    for call in calls {
        let (cancelled, ended) = std::thread::scope(|scope| {
            let cancelled = scope.spawn(|| world.cancel(call).status);
            let ended = scope.spawn(|| world.end(call).status);
            (cancelled.join().unwrap(), ended.join().unwrap())
        });
        match (cancelled, ended) {
            (409, 200) => {
                world.comes_to(call, ["driveComplete", "paid", "end"]);
                completed += 1;
            }
            (200, 409) => world.comes_to(call, ["requestCancel", "refunded", "cancel"]),
            both => panic!("call {call}: {both:?}"),
        }
    }
    assert_eq!(world.money().earned, completed * 100_000);
}
