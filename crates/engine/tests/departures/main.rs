//! A projection made anew while everything runs: a board of departures, read from what a street says, in three shards.

mod board;
mod topic;

use board::{STREET_SHARDS, World};
use engine::handle::Handle;
use engine::lane::BATCH_MAX;
use engine::log::Position;
use engine::memory::Fault;
use engine::projection::{DROPPED_PER_TURN_MAX, Rebuilding, Rebuilt};
use engine::runner::Turn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// More than one slice.
const MANY: u64 = DROPPED_PER_TURN_MAX as u64 + 1_000;

type Told = Arc<Mutex<Vec<Rebuilt>>>;

fn rebuild<S: engine::Service>(handle: &Handle<S>) -> Told {
    let told = Told::default();
    let tell = told.clone();
    handle.rebuild(move |came_of| tell.lock().expect("nobody panics while holding it").push(came_of));
    told
}

/// A board that has read many departures, each said twice.
fn read() -> World {
    let mut world = World::new();
    world.depart(1..=MANY);
    world.depart(1..=MANY);
    world.turn_until_idle();
    assert_eq!(world.rows().len() as u64, MANY);
    world
}

#[test]
fn it_is_read_anew_and_the_same_bytes_come_out() {
    let mut world = read();
    let before = world.rows();
    assert_eq!(world.board.rebuilding(), None);
    let told = rebuild(&world.board);
    world.turn();
    assert_eq!(*told.lock().unwrap(), [Rebuilt::Begun]);
    assert_eq!(world.board.rebuilding(), Some(Rebuilding { read: 0, to_read: 0 }), "it is being dropped");
    let again = rebuild(&world.board);
    let mut steps = Vec::new();
    while let Some(step) = world.board.rebuilding() {
        steps.push(step);
        world.turn();
    }
    assert_eq!(*again.lock().unwrap(), [Rebuilt::UnderWay]);
    let reading: Vec<&Rebuilding> = steps.iter().filter(|step| step.to_read > 0).collect();
    // Each of the shards reads every log.
    assert!(reading.iter().all(|step| step.to_read == 2 * MANY * 3), "{reading:?}");
    assert!(reading.windows(2).all(|pair| pair[0].read <= pair[1].read), "{reading:?}");
    assert!(reading.len() > 2 && reading[0].read < reading[0].to_read, "{reading:?}");
    world.turn_until_idle();
    assert_eq!(world.rows(), before);
    assert_eq!(world.counted(), MANY);
}

#[test]
fn what_is_said_meanwhile_is_read_too_and_others_of_its_store_go_on() {
    let mut world = read();
    rebuild(&world.board);
    let mut said = MANY;
    let mut heard = Vec::new();
    while world.turn() == Turn::Worked || world.board.rebuilding().is_some() {
        if said < MANY + 50 {
            said += 1;
            world.depart(said..=said);
            heard.push(world.log_book_has(said - 1));
        }
    }
    assert!(heard.iter().filter(|heard| **heard).count() > 40, "the other reader kept up: {heard:?}");
    assert_eq!(world.rows().len() as u64, MANY + 50);
    assert_eq!(world.counted(), MANY + 50);
}

#[test]
fn who_waits_for_a_position_waits_until_it_is_read_again() {
    let mut world = read();
    let position = world.last(0);
    assert!(world.board.has_read(&position));
    rebuild(&world.board);
    world.turn();
    assert!(!world.board.has_read(&position), "what was read is of the past");
    let seen = Arc::new(AtomicU64::new(0));
    let (told, board) = (seen.clone(), world.board.clone());
    let wanted = position.clone();
    let reading = world.board.when_read(position, move || {
        assert!(board.has_read(&wanted));
        told.fetch_add(1, Ordering::SeqCst);
    });
    assert!(reading.is_some());
    while world.board.rebuilding().is_some_and(|step| step.to_read == 0) {
        assert_eq!(seen.load(Ordering::SeqCst), 0);
        // Nothing of what is said meanwhile is read on top of what is being dropped.
        world.depart(MANY + 1..=MANY + 1);
        world.turn();
    }
    world.turn_until_idle();
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    let beginning = Position { number: 0, ..world.last(0) };
    assert!(world.board.has_read(&beginning));
}

#[test]
fn one_that_is_broken_off_goes_on_at_the_next_start() {
    for turns in 1..=12 {
        let mut world = read();
        let before = world.rows();
        rebuild(&world.board);
        for _ in 0..turns {
            world.turn();
        }
        let was_under_way = world.board.rebuilding().is_some();
        world.start_again(Vec::new());
        assert_eq!(
            world.board.rebuilding().is_some(),
            was_under_way,
            "after {turns} turns, before the first"
        );
        world.turn_until_idle();
        assert_eq!(world.board.rebuilding(), None);
        assert_eq!(world.rows(), before, "after {turns} turns");
        assert_eq!(world.counted(), MANY);
    }
}

#[test]
fn every_fault_of_a_commit_ends_in_the_same_board() {
    for fault in [
        Fault::Conflict,
        Fault::Fenced,
        Fault::Unavailable,
        Fault::UnknownStored,
        Fault::UnknownLost,
        Fault::UnknownLate,
    ] {
        let mut world = read();
        // What is being decided again when it begins is of the past.
        world.start_again(vec![fault; 3]);
        world.depart(1..=3);
        world.turn();
        let mut before = world.rows();
        before.iter_mut().take(3).for_each(|(_, count)| *count = "3".to_owned());
        rebuild(&world.board);
        world.turn();
        while world.board.rebuilding().is_some() {
            world.turn();
        }
        world.turn_until_idle();
        assert_eq!(world.rows(), before, "{fault:?}");
    }
}

#[test]
fn letters_of_a_projection_go_with_it_and_poison_is_put_aside_anew() {
    let mut world = World::new();
    world.depart(1..=3);
    world.say("Scrawl", 1);
    world.depart(1..=1);
    world.turn_until_idle();
    assert_eq!(world.letters(), [(1, false), (1, false)]);
    let first = world.first_letter(1);
    world.board.skip_dead_letter(first, "operator", "a test", |_| ());
    world.turn_until_idle();
    assert_eq!(world.letters(), [(1, true)]);
    rebuild(&world.board);
    world.turn_until_idle();
    assert_eq!(
        world.letters(),
        [(1, true), (1, false), (1, false)],
        "the skip is history, the poison is poison"
    );
    world.understand();
    rebuild(&world.board);
    world.turn_until_idle();
    assert_eq!(world.letters(), [(1, true)], "a mended program reads it");
    assert_eq!(world.count_of(1), 3);
}

#[test]
fn a_service_with_a_history_of_its_own_is_no_projection() {
    let mut world = World::new();
    let told = rebuild(&world.log_book);
    assert_eq!(*told.lock().unwrap(), [Rebuilt::NoProjection]);
    let untold = rebuild(&world.board);
    world.stop();
    assert!(matches!(untold.lock().unwrap()[..], [Rebuilt::NotNow(_)]));
    assert_eq!(STREET_SHARDS, 2);
}

#[test]
fn how_far_behind_it_is_can_be_read() {
    let mut world = World::new();
    world.depart(1..=1_500);
    world.turn();
    let heard = world.board.heard();
    assert!(heard.unread > 0 && heard.read > 0, "{heard:?}");
    world.turn_until_idle();
    let heard = world.board.heard();
    assert_eq!((heard.read, heard.unread, heard.behind_ms), (3 * 1_500, 0, 0));
}

#[test]
fn what_a_turn_reads_does_not_grow_with_the_logs_and_what_is_anothers_is_not_decided() {
    let mut world = read();
    rebuild(&world.board);
    while world.board.rebuilding().is_none_or(|step| step.to_read == 0) {
        world.turn();
    }
    let (inputs, mut read) = (world.inputs(), vec![world.board.heard().read]);
    while world.board.rebuilding().is_some() {
        world.turn();
        read.push(world.board.heard().read);
    }
    let most = 3 * BATCH_MAX as u64;
    assert!(read.windows(2).all(|pair| pair[1] - pair[0] <= most), "{read:?}");
    // Each train was said twice; a last one for each read of a log is there only to be seen.
    let (decided, reads) = (world.inputs() - inputs, 3 * read.len() as u64 * u64::from(STREET_SHARDS));
    assert!(decided <= 2 * MANY + reads, "{decided} inputs, of {} and {reads}", 2 * MANY);
}

#[test]
fn who_read_while_it_was_made_anew_can_know_of_it_afterwards() {
    let mut world = read();
    let before = world.board.rebuilds();
    world.depart(1..=1);
    world.turn_until_idle();
    assert_eq!(world.board.rebuilds(), before);
    rebuild(&world.board);
    world.turn_until_idle();
    assert_eq!(world.board.rebuilding(), None, "it is whole again");
    assert_eq!(world.board.rebuilds(), before + 1);
}
