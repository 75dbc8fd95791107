//! What an operator does about dead letters: takes one up again, or passes it over.

use crate::rank::{self, Command, RIDE, State};
use crate::world::World;
use engine::clock::Timestamp;
use engine::handle::Reply;
use engine::lane::BATCH_MAX;
use engine::letters::{Retried, Skipped, TIMER_AGAIN_MS};
use engine::memory::Fault;
use engine::runner::Turn;
use std::sync::atomic::Ordering;

/// A world where a ride's first message is poison, and its second waits behind it.
fn stuck() -> World {
    let mut world = World::new();
    world.hear("Gibberish", 1);
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    assert_eq!(numbers(&world), [1, 2]);
    world
}

fn numbers(world: &World) -> Vec<u64> {
    world.letters().iter().map(|letter| letter.number).collect()
}

fn is_done(came_of: Option<Skipped>) -> bool {
    matches!(came_of, Some(Skipped::Done(letter)) if letter.skipped.is_some())
}

#[test]
fn one_that_waits_is_taken_up_after_those_before_it_and_before_those_behind_it() {
    let mut world = stuck();
    let told = world.retry(2);
    world.turn_until_idle();
    let came_of = told.take();
    assert!(matches!(&came_of, Some(Retried::StillWaits(why)) if why.contains("waits")), "{came_of:?}");
    let told = world.retry(1);
    world.turn_until_idle();
    let came_of = told.take();
    assert!(matches!(&came_of, Some(Retried::StillWaits(why)) if why.contains("gibberish")), "{came_of:?}");
    world.understands_gibberish.store(true, Ordering::SeqCst);
    let told = world.retry(1);
    world.turn_until_idle();
    assert_eq!(told.take(), Some(Retried::CarriedOut));
    assert_eq!(numbers(&world), [0; 0], "what waited behind it went on with it");
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"]);
    let told = world.retry(1);
    world.turn_until_idle();
    assert_eq!(told.take(), Some(Retried::NoSuchLetter));
}

#[test]
fn a_letter_that_means_nothing_any_more_is_gone() {
    let mut world = World::new();
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    world.fails_on_timers.store(true, Ordering::SeqCst);
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    world.turn_until_idle();
    assert_eq!(numbers(&world), [1], "the timer is poison");
    // Who rides ends it by hand, and no timer is armed any more.
    world.ask(Command::Finish { ride: 1, driver: 1 });
    let told = world.retry(1);
    world.turn_until_idle();
    let still = told.take();
    assert!(matches!(&still, Some(Retried::StillWaits(why)) if why.contains("out of joint")), "{still:?}");
    world.fails_on_timers.store(false, Ordering::SeqCst);
    let told = world.retry(1);
    world.turn_until_idle();
    assert_eq!(told.take(), Some(Retried::OfThePast));
    assert_eq!(numbers(&world), [0; 0]);
}

#[test]
fn what_is_refused_in_the_end_is_gone_and_says_why() {
    let mut world = stuck();
    world.ask(Command::Give { ride: 1, driver: 5 });
    world.ask(Command::Finish { ride: 1, driver: 5 });
    world.understands_gibberish.store(true, Ordering::SeqCst);
    let told = world.retry(1);
    world.turn_until_idle();
    assert_eq!(told.take(), Some(Retried::NotWanted("RideIsOver".to_owned())));
    assert_eq!(numbers(&world), [0; 0]);
}

#[test]
fn an_event_that_is_passed_over_stays_on_record_and_what_waits_behind_it_goes_on() {
    let mut world = stuck();
    let told = world.skip(1);
    world.turn_until_idle();
    assert!(is_done(told.take()));
    let letters = world.letters();
    let skip = letters[0].skipped.clone().expect("it is on record");
    let known = (skip.by.as_str(), skip.reason.as_str(), skip.at);
    assert_eq!(known, ("operator eojin", "a test", Timestamp(1_000_000)));
    assert_eq!(letters.len(), 1, "the one behind it was carried out: {letters:?}");
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"]);
    assert_eq!(world.passed_over(), [1], "and it is known which event stays without consequence");
    assert_eq!(world.dead_letters(), [], "it waits for nothing");
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters(), [], "and nothing waits behind it");
}

#[test]
fn one_that_was_passed_over_is_never_taken_up_again() {
    let mut world = stuck();
    world.skip(1);
    world.turn_until_idle();
    world.understands_gibberish.store(true, Ordering::SeqCst);
    let told = world.retry(1);
    world.handle.retry_dead_letters(1);
    world.turn_until_idle();
    assert!(matches!(told.take(), Some(Retried::WasSkipped(skip)) if skip.reason == "a test"));
    let mut next = world.replica(Vec::new());
    next.understands_gibberish.store(true, Ordering::SeqCst);
    next.turn_until_idle();
    assert_eq!(numbers(&world), [1], "nor at the next start");
    let told = world.skip(1);
    world.turn_until_idle();
    assert!(matches!(told.take(), Some(Skipped::Already(_))));
}

#[test]
fn one_in_the_middle_may_be_passed_over_and_the_first_still_waits() {
    let mut world = stuck();
    let (second, unknown) = (world.skip(2), world.skip(7));
    world.turn_until_idle();
    assert!(is_done(second.take()));
    assert_eq!(unknown.take(), Some(Skipped::NoSuchLetter));
    assert_eq!(world.dead_letters().len(), 1);
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters().len(), 2, "the ride is parked still");
}

#[test]
fn a_timer_that_is_passed_over_runs_out_again_later_and_the_ride_is_never_without_one() {
    let mut world = World::new();
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    world.fails_on_timers.store(true, Ordering::SeqCst);
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    world.turn_until_idle();
    let version = |world: &World| {
        let key = engine::log::EntityKey { kind: RIDE, id: 1 };
        world.store.reader().get("rank", key).unwrap().unwrap().version
    };
    let before = version(&world);
    let told = world.skip(1);
    world.turn_until_idle();
    assert!(is_done(told.take()));
    assert_eq!(world.due(1), Some(Timestamp(1_000_000 + rank::RIDE_MAX_MS + TIMER_AGAIN_MS)));
    assert_eq!(version(&world), before, "no event tells of it, so it is no version");
    assert_eq!(world.dead_letters(), [], "it does not run out at once");
    world.fails_on_timers.store(false, Ordering::SeqCst);
    world.clock.advance_ms(TIMER_AGAIN_MS);
    world.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), Some(State::Ride { driver: 0, over: true }));
    assert_eq!(world.due(1), None);
}

#[test]
fn a_timer_moved_by_one_replica_runs_out_in_another_that_knew_it_before() {
    let mut world = World::new();
    let mut other = world.replica(Vec::new());
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    // The other one has the ride, and its timer, in its memory.
    other.ask(Command::Give { ride: 1, driver: 1 });
    world.fails_on_timers.store(true, Ordering::SeqCst);
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    world.turn_until_idle();
    world.skip(1);
    world.turn_until_idle();
    world.clock.advance_ms(TIMER_AGAIN_MS);
    other.turn_until_idle();
    world.clock.advance_ms(100);
    other.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), Some(State::Ride { driver: 0, over: true }));
}

#[test]
fn an_answer_that_is_passed_over_is_asked_for_again() {
    let mut world = World::new();
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    world.answer("gibberish");
    assert_eq!(world.dead_letters().len(), 1);
    world.clock.advance_ms(2_000);
    world.turn_until_idle();
    assert_eq!(world.begun(), [("tell".into(), 1)], "while its answer waits, nobody is asked");
    let told = world.skip(1);
    world.turn_until_idle();
    assert!(is_done(told.take()));
    world.clock.advance_ms(100);
    world.turn_until_idle();
    assert_eq!(world.begun(), [("tell".into(), 1), ("tell".into(), 2)]);
    world.answer("told");
    assert_eq!(world.event_types(), ["RideGiven", "DriverTaken", "RiderTold"]);
    assert_eq!(world.passed_over(), [0; 0], "no event was passed over");
}

#[test]
fn what_arrives_while_a_letter_is_taken_up_is_not_left_behind() {
    let mut world = stuck();
    world.understands_gibberish.store(true, Ordering::SeqCst);
    world.retry(1);
    // Read in the very batch that takes the letters up, while the ride still counts as parked.
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    assert_eq!(world.dead_letters(), []);
}

#[test]
fn every_fault_of_the_commit_passes_it_over_once_and_tells_once() {
    for fault in
        [Fault::Conflict, Fault::UnknownStored, Fault::UnknownLost, Fault::UnknownLate, Fault::Unavailable]
    {
        let world = stuck();
        let mut replica = world.replica(vec![fault]);
        let told = replica.skip(1);
        replica.turn_until_idle();
        let came_of = told.take();
        let is_known = matches!(came_of, Some(Skipped::Done(_) | Skipped::Already(_)));
        assert!(is_known, "{fault:?}: {came_of:?}");
        assert_eq!(world.passed_over(), [1], "{fault:?}");
        assert_eq!(world.event_types(), ["RideGiven", "DriverTaken"], "{fault:?}: what waited went on");
    }
}

#[test]
fn a_store_that_stays_away_is_told_and_nothing_is_passed_over_behind_anybodys_back() {
    let world = stuck();
    let mut replica = world.replica(vec![Fault::Unavailable; 6]);
    let (skip, retry) = (replica.skip(1), replica.retry(2));
    for _ in 0..6 {
        assert_eq!((skip.take(), retry.take()), (None, None), "a short absence is waited for");
        replica.turn().expect("it is no crash");
    }
    assert!(matches!(skip.take(), Some(Skipped::NotNow(_))));
    assert!(matches!(retry.take(), Some(Retried::NotNow(_))));
    while replica.turn().expect("it is no crash") != Turn::Idle {}
    assert!(world.letters().iter().all(|letter| letter.skipped.is_none()));
}

#[test]
fn whoever_asks_when_the_engine_ends_is_told() {
    let world = stuck();
    let replica = world.replica(Vec::new());
    let (skip, retry) = (replica.skip(1), replica.retry(1));
    let handle = replica.handle.clone();
    drop(replica);
    assert!(matches!(skip.take(), Some(Skipped::NotNow(_))));
    assert!(matches!(retry.take(), Some(Retried::NotNow(_))));
    handle.skip_dead_letter((0, 1), "operator", "late", |came_of| {
        assert!(matches!(came_of, Skipped::NotNow(_)))
    });
    handle.skip_dead_letter((9, 1), "operator", "nowhere", |came_of| {
        assert_eq!(came_of, Skipped::NoSuchLetter)
    });
}

#[test]
fn letters_that_were_passed_over_are_forgotten_by_age_and_their_events_are_not() {
    let mut world = stuck();
    world.skip(1);
    world.turn_until_idle();
    let mut store = world.store.writer();
    assert_eq!(store.prune_skipped(Timestamp(1_000_000)), Ok(0));
    assert_eq!(store.prune_skipped(Timestamp(1_000_001)), Ok(1));
    assert_eq!(numbers(&world), [0; 0]);
    assert_eq!(world.passed_over(), [1]);
}

#[test]
fn a_shut_gate_turns_commands_away_and_lets_what_is_under_way_go_on() {
    let mut world = World::new();
    let gate = std::sync::Arc::new(engine::gate::Gate::default());
    let handle = world.handle.clone().gated_by(gate.clone());
    let request = || engine::handle::Request {
        command: Command::Give { ride: 2, driver: 2 },
        origin: engine::log::Origin::request("rider", "r".into()),
        idempotency: None,
        reply: Box::new(|_| ()),
    };
    gate.shut();
    assert_eq!(handle.submit(request()), Err(engine::handle::Overloaded::NoRoom));
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    world.answer("told");
    world.turn_until_idle();
    let events = world.event_types();
    assert!(
        events.contains(&"RiderTold".to_owned()) && events.contains(&"RideOver".to_owned()),
        "{events:?}"
    );
    gate.open();
    assert_eq!(handle.submit(request()), Ok(()));
    world.turn_until_idle();
    assert!(world.state(RIDE, 2).is_some());
}

/// What remains after each turn, until nothing is left to do.
fn left_after_each_turn(replica: &mut crate::world::Replica, world: &World) -> Vec<Vec<u64>> {
    let mut left = Vec::new();
    while replica.turn().expect("no crash is planned here") != Turn::Idle {
        left.push(numbers(world));
    }
    left
}

#[test]
fn however_many_there_are_at_a_start_a_turn_takes_up_no_more_than_a_batch_and_commands_are_served() {
    let mut world = World::new();
    let many = 2 * BATCH_MAX as u64 + 100;
    for ride in 1..=many {
        world.hear("Gibberish", ride);
    }
    world.turn_until_idle();
    let mut mended = world.replica(Vec::new());
    mended.understands_gibberish.store(true, Ordering::SeqCst);
    let asked = mended.submit(Command::Give { ride: many + 1, driver: many + 1 });
    let told = mended.retry(1);
    mended.turn().expect("no crash is planned here");
    assert!(asked.take().is_some(), "it does not wait for all of them");
    assert_eq!(told.take(), Some(Retried::CarriedOut), "nor does what somebody asks for");
    let mut lengths = vec![many as usize, numbers(&world).len()];
    lengths.extend(left_after_each_turn(&mut mended, &world).iter().map(Vec::len));
    assert!(lengths.windows(2).all(|pair| pair[0] - pair[1] <= BATCH_MAX), "{lengths:?}");
    assert_eq!(lengths.last(), Some(&0));
}

#[test]
fn those_of_one_key_are_taken_up_in_their_order_over_as_many_turns_as_it_takes() {
    let mut world = stuck();
    for _ in 0..2 * BATCH_MAX {
        world.hear("RideWanted", 1);
    }
    world.turn_until_idle();
    let all = numbers(&world);
    let last = all[all.len() - 1];
    let told = world.retry(last);
    world.turn_until_idle();
    let still = told.take();
    assert!(matches!(&still, Some(Retried::StillWaits(why)) if why.contains("earlier")), "{still:?}");
    let mut mended = world.replica(Vec::new());
    mended.understands_gibberish.store(true, Ordering::SeqCst);
    let told = mended.retry(last);
    let left = left_after_each_turn(&mut mended, &world);
    assert!(left.iter().all(|left| all.ends_with(left)), "{left:?}");
    assert!(left.iter().any(|left| !left.is_empty()), "it took more than one turn");
    assert_eq!((told.take(), numbers(&world)), (Some(Retried::CarriedOut), vec![]));
    world.hear("RideWanted", 1);
    mended.turn_until_idle();
    assert_eq!(numbers(&world), [0; 0], "and nothing waits any more");
}

#[test]
fn a_shut_gate_still_tells_what_was_answered_under_a_key() {
    let mut world = World::new();
    world.ask_keyed("known", b"same", Command::Give { ride: 1, driver: 1 });
    let gate = std::sync::Arc::new(engine::gate::Gate::default());
    world.handle = world.handle.clone().gated_by(gate.clone());
    gate.shut();
    let again = world.ask_keyed("known", b"same", Command::Give { ride: 2, driver: 2 });
    assert!(matches!(again, Reply::Done { repeated: true, .. }), "{again:?}");
    let other = world.ask_keyed("known", b"other", Command::Give { ride: 2, driver: 2 });
    assert_eq!(other, Reply::KeyReused);
    let new = world.ask_keyed("new", b"same", Command::Give { ride: 2, driver: 2 });
    assert_eq!((new, world.state(RIDE, 2)), (Reply::NoRoom, None));
    gate.open();
    let new = world.ask_keyed("new", b"same", Command::Give { ride: 2, driver: 2 });
    assert!(matches!(new, Reply::Done { repeated: false, .. }), "{new:?}");
}
