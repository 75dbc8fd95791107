//! Two kinds of entity in one command: a rank where drivers are given rides, so that a driver in two places cannot be
//! written. What real drivers will need of the engine, shown on the smallest service that needs it.

mod letters;
mod rank;
mod replicas;
mod world;

use std::sync::atomic::Ordering;

use engine::handle::Reply;
use engine::log::EntityKey;
use engine::memory::Fault;
use engine::runner::Turn;
use rank::{Command, DRIVER, RIDE, State};
use world::{Asked, World};

fn give(ride: u64, driver: u64) -> Command {
    Command::Give { ride, driver }
}

#[test]
fn a_ride_and_its_driver_change_in_one_commit() {
    let mut world = World::new();
    let reply = world.ask(give(1, 1));
    let Reply::Done { position, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(position.number, 2, "both events are before the position that is answered");
    assert_eq!(world.state(RIDE, 1), Some(State::Ride { driver: 1, over: false }));
    assert_eq!(world.state(DRIVER, 1), Some(State::Driver { ride: Some(1) }));
}

#[test]
fn a_driver_is_never_given_a_second_ride() {
    let mut world = World::new();
    world.ask(give(1, 1));
    let reply = world.ask(give(2, 1));
    assert_eq!(reply, Reply::Refused { refusal: rank::Refusal::DriverIsBusy, repeated: false });
    assert_eq!(world.state(RIDE, 2), None);
    world.ask(Command::Finish { ride: 1, driver: 1 });
    assert!(matches!(world.ask(give(2, 1)), Reply::Done { .. }));
}

#[test]
fn two_replicas_that_give_one_driver_at_once_make_one_ride() {
    let world = World::new();
    let (mut left, mut right) = (world.replica(Vec::new()), world.replica(Vec::new()));
    // Both have the free driver in their memory before either gives a ride.
    left.ask(give(1, 7));
    right.ask(Command::Finish { ride: 1, driver: 7 });
    left.ask(Command::Finish { ride: 1, driver: 7 });
    let (first, second) = (left.submit(give(2, 7)), right.submit(give(3, 7)));
    left.turn_until_idle();
    right.turn_until_idle();
    assert!(matches!(first.take(), Some(Reply::Done { .. })));
    let refused = Reply::Refused { refusal: rank::Refusal::DriverIsBusy, repeated: false };
    assert_eq!(
        second.take(),
        Some(refused),
        "the second was decided on a stale driver, and again on a fresh one"
    );
    assert_eq!(world.state(RIDE, 3), None);
}

/// What a store has no room or time for at once goes to it in parts.
#[test]
fn a_batch_that_is_not_taken_again_and_again_gets_smaller() {
    let world = World::new();
    let mut replica = world.replica(vec![Fault::Unavailable; 2]);
    let asked: Vec<_> = (1..=8).map(|ride| replica.submit(give(ride, ride))).collect();
    for _ in 0..3 {
        assert!(replica.turn().is_ok());
    }
    let answered = asked.iter().filter(|asked| asked.take().is_some()).count();
    assert_eq!(answered, 4, "the third attempt is made with half of them");
    replica.turn_until_idle();
    assert_eq!((1..=8).filter(|ride| world.state(RIDE, *ride).is_some()).count(), 8);
}

/// One driver of all is changed by somebody who is always faster; his rides wait, and nobody else's do.
#[test]
fn what_conflicts_again_and_again_does_not_hold_up_the_rest() {
    let mut world = World::new();
    for driver in 1..=4 {
        world.ask(give(driver, driver));
        world.ask(Command::Finish { ride: driver, driver });
    }
    let mut replica = world.replica_with_a_rival(1);
    let hopeless: Vec<Asked> = (10..13).map(|ride| replica.submit(give(ride, 1))).collect();
    let mut asked = Vec::new();
    for round in 0..40_u64 {
        let (ride, driver) = (100 + round, 2 + round % 3);
        asked.push(replica.submit(give(ride, driver)));
        asked.push(replica.submit(Command::Finish { ride, driver }));
        for _ in 0..12 {
            assert!(replica.turn().is_ok());
        }
    }
    for _ in 0..400 {
        assert!(replica.turn().is_ok());
    }
    assert!(asked.iter().all(|asked| matches!(asked.take(), Some(Reply::Done { .. }))));
    assert!(hopeless.iter().all(|asked| asked.take().is_none()));
    let mut calm = world.replica(Vec::new());
    assert!(matches!(calm.ask(give(20, 1)), Reply::Done { .. }));
}

#[test]
fn a_no_op_decided_on_a_stale_entity_is_not_answered() {
    let world = World::new();
    let (mut left, mut right) = (world.replica(Vec::new()), world.replica(Vec::new()));
    left.ask(give(1, 7));
    right.ask(give(1, 7));
    left.ask(Command::Finish { ride: 1, driver: 7 });
    // To `right` the ride is still under way and giving it again would be a no-op; in truth it is over.
    assert_eq!(right.ask(give(1, 7)), Reply::Refused { refusal: rank::Refusal::RideIsOver, repeated: false });
}

#[test]
fn every_fault_of_a_commit_ends_in_one_ride() {
    let faults = [
        Fault::Conflict,
        Fault::Fenced,
        Fault::Unavailable,
        Fault::UnknownStored,
        Fault::UnknownLost,
        Fault::UnknownLate,
    ];
    for fault in faults {
        let world = World::new();
        let mut replica = world.replica(vec![fault]);
        assert!(matches!(replica.ask(give(1, 1)), Reply::Done { .. }), "{fault:?}");
        assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"], "{fault:?}");
    }
}

#[test]
fn a_crash_on_either_side_of_the_commit_leaves_all_or_nothing() {
    for (fault, events) in [(Fault::CrashBefore, 0), (Fault::CrashAfter, 2)] {
        let world = World::new();
        let mut replica = world.replica(vec![fault]);
        let reply = replica.submit(give(1, 1));
        assert!(replica.turn().is_err(), "{fault:?} ends the process");
        assert_eq!(reply.take(), None, "{fault:?}: nobody is told what nobody knows");
        assert_eq!(world.event_types().len(), events, "{fault:?}");
        let mut again = world.replica(Vec::new());
        assert!(matches!(again.ask(give(1, 1)), Reply::Done { .. }), "{fault:?}");
        assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"], "{fault:?}");
    }
}

#[test]
fn a_request_said_twice_is_carried_out_once() {
    let mut world = World::new();
    let first = world.ask_keyed("k", b"same", give(1, 1));
    assert!(matches!(first, Reply::Done { repeated: false, .. }), "{first:?}");
    let again = world.ask_keyed("k", b"same", give(2, 1));
    let Reply::Done { key, repeated: true, .. } = again else { panic!("{again:?}") };
    assert_eq!(key, EntityKey { kind: RIDE, id: 1 }, "the first one's answer, whatever the second asked");
    assert_eq!(world.ask_keyed("k", b"other", give(3, 3)), Reply::KeyReused);
    let refused = world.ask_keyed("r", b"same", give(4, 1));
    assert_eq!(refused, Reply::Refused { refusal: rank::Refusal::DriverIsBusy, repeated: false });
    world.ask(Command::Finish { ride: 1, driver: 1 });
    let again = world.ask_keyed("r", b"same", give(4, 1));
    assert_eq!(again, Reply::Refused { refusal: rank::Refusal::DriverIsBusy, repeated: true });
}

#[test]
fn one_key_in_two_replicas_at_once_is_carried_out_once() {
    let world = World::new();
    let (mut left, mut right) = (world.replica(Vec::new()), world.replica(Vec::new()));
    let first = left.submit_keyed("k", b"same", give(1, 1));
    let second = right.submit_keyed("k", b"same", give(2, 2));
    left.turn_until_idle();
    right.turn_until_idle();
    assert!(matches!(first.take(), Some(Reply::Done { repeated: false, .. })));
    let Some(Reply::Done { key, repeated: true, .. }) = second.take() else {
        panic!("not the first's answer")
    };
    assert_eq!(key.id, 1);
    assert_eq!(world.state(RIDE, 2), None);
}

#[test]
fn a_command_that_breaks_an_invariant_or_panics_stores_nothing_and_harms_nobody() {
    let mut world = World::new();
    let poison = [
        Command::PanicLater { ride: 1 },
        Command::Panic { ride: 1 },
        Command::BreakInvariant { ride: 1 },
        Command::ForgetTimer { ride: 1 },
    ];
    for command in poison {
        let text = format!("{command:?}");
        let bad = world.submit(command);
        let good = world.submit(Command::Finish { ride: 9, driver: 9 });
        world.turn_until_idle();
        assert!(matches!(bad.take(), Some(Reply::Bug(_))), "{text}");
        assert!(
            good.take().is_some_and(|reply| !matches!(reply, Reply::Bug(_))),
            "{text}: its batch goes on"
        );
    }
    assert_eq!(world.event_types(), [""; 0]);
}

#[test]
fn a_command_may_change_only_what_it_named() {
    let mut world = World::new();
    let reply = world.ask(Command::Sneak { ride: 1, driver: 5 });
    let Reply::Bug(reason) = reply else { panic!("{reply:?}") };
    assert!(reason.contains("driver/5") && reason.contains("without having been named"), "{reason}");
    assert_eq!(world.event_types(), [""; 0]);
}

#[test]
fn timers_are_fired_by_whoever_finds_them_due_and_only_once() {
    let world = World::new();
    let (mut left, mut right) = (world.replica(Vec::new()), world.replica(Vec::new()));
    left.ask(give(1, 1));
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    left.turn_until_idle();
    right.turn_until_idle();
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken", "RideOver", "DriverFreed"]);
}

#[test]
fn effects_run_in_order_and_each_is_begun_again_until_it_is_answered() {
    let mut world = World::new();
    world.ask(give(1, 1));
    world.ask(Command::Finish { ride: 1, driver: 1 });
    assert_eq!(world.begun(), [("tell".into(), 1)], "the second waits for the first one's outcome");
    world.clock.advance_ms(2_000);
    world.turn_until_idle();
    assert_eq!(world.begun(), [("tell".into(), 1), ("tell".into(), 2)], "asked again");
    world.answer("told");
    world.clock.advance_ms(100);
    world.turn_until_idle();
    assert_eq!(world.begun(), [("tell".into(), 1), ("tell".into(), 2), ("thank".into(), 1)]);
    world.answer("told");
    world.answer("told");
    world.clock.advance_ms(1_000_000);
    world.turn_until_idle();
    assert_eq!(world.begun().len(), 3, "what is answered is not begun again");
}

#[test]
fn what_cannot_be_read_is_put_aside_and_only_its_own_key_waits_behind_it() {
    let mut world = World::new();
    world.hear("Gibberish", 1);
    world.hear("RideWanted", 1);
    world.hear("RideWanted", 2);
    world.turn_until_idle();
    let letters = world.dead_letters();
    assert_eq!(letters.iter().map(|(ride, _)| *ride).collect::<Vec<_>>(), [1, 1]);
    assert!(letters[0].1.contains("gibberish") && letters[1].1.contains("waits"), "{letters:?}");
    assert_eq!(world.state(RIDE, 1), None, "in order: what came later waits behind the poison");
    assert!(world.state(RIDE, 2).is_some(), "another key goes on");
}

#[test]
fn a_state_that_cannot_be_read_harms_nobody_who_does_not_need_it() {
    let mut world = World::new();
    world.garble(1);
    world.hear("RideWanted", 1);
    world.hear("RideWanted", 2);
    let (garbled, sound) = (world.submit(give(1, 3)), world.submit(give(3, 3)));
    world.turn_until_idle();
    assert!(matches!(garbled.take(), Some(Reply::Bug(_))));
    assert!(matches!(sound.take(), Some(Reply::Done { .. })));
    assert_eq!(world.dead_letters().iter().map(|(ride, _)| *ride).collect::<Vec<_>>(), [1]);
    assert!(world.state(RIDE, 2).is_some(), "another key goes on");
}

#[test]
fn a_dead_letter_that_is_still_poison_stays_with_all_behind_it() {
    let mut world = World::new();
    world.hear("Gibberish", 1);
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    world.handle.retry_dead_letters(1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters().len(), 2);
    assert_eq!(world.state(RIDE, 1), None);
}

#[test]
fn an_event_is_heard_once_however_many_replicas_read_it() {
    let world = World::new();
    let (mut left, mut right) = (world.replica(vec![Fault::Fenced]), world.replica(Vec::new()));
    world.hear("RideWanted", 1);
    left.turn().expect("a fence is no crash");
    right.turn_until_idle();
    left.turn_until_idle();
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"]);
    assert_eq!(world.dead_letters(), []);
}

#[test]
fn dead_letters_are_taken_up_again_in_their_order_once_the_program_is_mended() {
    let mut world = World::new();
    world.hear("Gibberish", 1);
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters().len(), 2);
    world.understands_gibberish.store(true, Ordering::SeqCst);
    world.handle.retry_dead_letters(1);
    world.handle.retry_dead_letters(1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters(), []);
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"], "the second is a no-op after the first");
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters(), [], "nothing waits behind what is gone");
}

#[test]
fn a_message_that_panics_wherever_it_may_is_put_aside_and_the_others_go_on() {
    let mut world = World::new();
    world.hear("Cursed", 1);
    world.hear("RideWanted", 2);
    world.turn_until_idle();
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].1.contains("nobody ever heard of"), "{letters:?}");
    assert!(world.state(RIDE, 2).is_some());
}

#[test]
fn who_waits_for_a_store_that_stays_away_is_told_that_nothing_was_stored() {
    let world = World::new();
    let mut replica = world.replica(vec![Fault::Unavailable; 6]);
    let asked = replica.submit_keyed("k", b"same", give(1, 1));
    for _ in 0..6 {
        assert_eq!(asked.take(), None, "a short absence is waited for");
        replica.turn().expect("it is no crash");
    }
    assert!(matches!(asked.take(), Some(Reply::NotStored(_))));
    assert_eq!(replica.turn(), Ok(Turn::Idle));
    assert_eq!(world.event_types(), [""; 0], "what was turned away is not carried out behind anybody's back");
    let again = replica.submit_keyed("k", b"same", give(1, 1));
    while replica.turn().expect("it is no crash") != Turn::Idle {}
    assert!(matches!(again.take(), Some(Reply::Done { repeated: false, .. })));
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"]);
}

#[test]
fn whoever_waits_when_the_engine_ends_is_told() {
    let world = World::new();
    let replica = world.replica(Vec::new());
    let asked = replica.submit(give(1, 1));
    let handle = replica.handle.clone();
    drop(replica);
    assert!(matches!(asked.take(), Some(Reply::NotStored(_))));
    let origin = engine::log::Origin::request("rider", "r2".into());
    let request =
        engine::handle::Request { command: give(2, 2), origin, idempotency: None, reply: Box::new(|_| ()) };
    assert_eq!(handle.submit(request), Err(engine::handle::Overloaded::ShuttingDown));
}

#[test]
fn a_refusal_that_only_says_not_yet_is_not_kept_under_the_key() {
    let mut world = World::new();
    let finish = Command::Finish { ride: 1, driver: 1 };
    let refused = world.ask_keyed("k", b"same", finish.clone());
    assert_eq!(refused, Reply::Refused { refusal: rank::Refusal::NoSuchRide, repeated: false });
    world.ask(give(1, 1));
    assert!(matches!(world.ask_keyed("k", b"same", finish), Reply::Done { repeated: false, .. }));
}

#[test]
fn a_clock_that_is_set_back_puts_no_timer_off() {
    let mut world = World::new();
    world.clock.advance_ms(7_200_000);
    world.turn_until_idle();
    world.clock.advance_ms(-7_200_000);
    world.ask(give(1, 1));
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    world.turn_until_idle();
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken", "RideOver", "DriverFreed"]);
}

#[test]
fn a_clock_that_leaps_ahead_makes_no_request_new() {
    let mut world = World::new();
    world.ask_keyed("k", b"same", give(1, 1));
    world.clock.advance_ms(25 * 60 * 60 * 1_000);
    world.turn_until_idle();
    let again = world.ask_keyed("k", b"same", give(2, 2));
    assert!(matches!(again, Reply::Done { repeated: true, .. }), "{again:?}");
}

#[test]
fn a_clock_that_is_ahead_at_a_start_makes_no_request_new_and_what_the_records_show_is_old_is_forgotten() {
    let mut world = World::new();
    world.ask_keyed("first", b"same", give(1, 1));
    let day_and_more = 25 * 60 * 60 * 1_000;
    world.clock.advance_ms(day_and_more);
    let mut next = world.replica(Vec::new());
    next.turn_until_idle();
    let again = next.ask_keyed("first", b"same", give(2, 2));
    assert!(matches!(again, Reply::Done { repeated: true, .. }), "{again:?}");
    next.ask_keyed("second", b"same", give(3, 3));
    world.clock.advance_ms(day_and_more);
    let mut last = world.replica(Vec::new());
    last.turn_until_idle();
    let again = last.ask_keyed("second", b"same", give(4, 4));
    assert!(matches!(again, Reply::Done { repeated: true, .. }), "{again:?}");
    let anew = last.ask_keyed("first", b"same", give(5, 5));
    assert!(matches!(anew, Reply::Done { repeated: false, .. }), "{anew:?}");
}

#[test]
fn parked_rides_whose_timers_ran_out_stand_in_nobodys_way() {
    let mut world = World::new();
    let many = engine::lane::BATCH_MAX as u64 + 8;
    for ride in 1..=many {
        world.hear("RideWanted", ride);
        world.hear("Gibberish", ride);
    }
    world.turn_until_idle();
    assert_eq!(world.dead_letters().len() as u64, many);
    world.clock.advance_ms(1_000);
    world.ask(give(many + 1, many + 1));
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    world.turn_until_idle();
    assert_eq!(world.state(RIDE, many + 1), Some(State::Ride { driver: 0, over: true }));
}

#[test]
fn dead_letters_are_taken_up_again_at_the_next_start() {
    let mut world = World::new();
    world.hear("Gibberish", 1);
    world.turn_until_idle();
    let mut mended = world.replica(Vec::new());
    mended.understands_gibberish.store(true, Ordering::SeqCst);
    mended.turn_until_idle();
    assert_eq!(world.dead_letters(), []);
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"]);
}
