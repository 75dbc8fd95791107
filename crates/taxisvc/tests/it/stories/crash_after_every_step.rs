//! The process dies at any step, before its commit or right after it: whoever asks again finds the same end.

use crate::world::Standing;
use crate::world::by_hand::{ByHand, Setup};
use engine::memory::Fault;
use taxi::time::Millis;
use wiring::Layout;

/// A call of every outcome. Riders and drivers ask again until they are answered.
fn a_day(system: &mut ByHand) {
    system.place(1, "10", None);
    system.place(2, "120", None);
    system.place(3, "10", None);
    system.place(4, "10", Some("test:refused"));
    system.place(5, "10", Some("test:lost"));
    system.settle();
    for id in [1, 3, 5] {
        until_started(system, id);
    }
    system.end(1).unwrap();
    system.cancel(3).unwrap();
    system.end(5).unwrap();
    system.finish();
}

/// A ride that has not begun yet is waited for, as its driver would.
fn until_started(system: &mut ByHand, id: u64) {
    for _ in 0..2_000 {
        if system.standing(id) == ["driveStart", "paid", "start"] {
            return;
        }
        system.leap_ms(500);
    }
    panic!("the ride never starts: {:?}", system.standing(id));
}

fn ends(system: &ByHand) -> Vec<Standing> {
    (1..=5).flat_map(|id| [system.standing(id), system.view_standing(id)]).collect()
}

fn each_layout(check: impl Fn(&Setup, &[Standing], u64)) {
    for layout in [Layout::Together, Layout::Apart] {
        let setup = Setup { layout, ..Setup::default() };
        let mut undisturbed = ByHand::with(setup.clone());
        a_day(&mut undisturbed);
        undisturbed.assert_standing(1, ["driveComplete", "paid", "end"]);
        undisturbed.assert_standing(2, ["requestCancel", "refunded", "requestCancel"]);
        undisturbed.assert_standing(3, ["requestCancel", "refunded", "cancel"]);
        undisturbed.assert_standing(4, ["payFail", "failed", "-"]);
        undisturbed.assert_standing(5, ["driveComplete", "paid", "end"]);
        undisturbed.audit();
        check(&setup, &ends(&undisturbed), undisturbed.commits());
    }
}

#[test]
fn a_crash_at_any_step_changes_no_end() {
    each_layout(|setup, expected, commits| {
        assert!(commits > 10, "{commits} commits");
        for number in 1..=commits {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                let mut system = ByHand::with(setup.clone());
                system.plan_faults(move |commit| (commit == number).then_some(fault));
                a_day(&mut system);
                assert_eq!(system.lives, 2, "{fault:?} at commit {number}");
                assert_eq!(ends(&system), expected, "{fault:?} at commit {number}");
                assert_eq!(system.audit().earned, 200_000, "{fault:?} at commit {number}");
            }
        }
    });
}

/// Each life is so short that little gets done in it; every so many commits, done or not, the process dies again.
#[test]
fn a_process_that_dies_again_and_again_comes_to_the_same_end() {
    each_layout(|setup, expected, _| {
        // Each life costs time, and what this is about is not the deadlines.
        let mut setup = setup.clone();
        setup.rules.deadlines.provider = Millis::from_hours(1);
        setup.rules.deadlines.call_unpaid = Millis::from_hours(2);
        for every in 3..=9 {
            let mut system = ByHand::with(setup.clone());
            system.plan_faults(move |commit| {
                let fault = if commit % (2 * every) == 0 { Fault::CrashAfter } else { Fault::CrashBefore };
                (commit % every == 0 && commit < 40 * every).then_some(fault)
            });
            a_day(&mut system);
            assert!(system.lives >= 3, "every {every}: {} lives", system.lives);
            assert_eq!(ends(&system), expected, "every {every}");
            system.audit();
        }
    });
}
