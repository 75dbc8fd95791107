//! Several replicas and a dead letter: what one puts aside, the others let nothing pass; what one takes up, they know of.

use crate::rank::{self, RIDE, State};
use crate::world::{RANK_SHARD, Replica, World};
use engine::clock::{ManualClock, Timestamp};
use engine::letters::{Retried, TIMER_AGAIN_MS};
use engine::store::{Commit, WriteSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const OVER: Option<State> = Some(State::Ride { driver: 0, over: true });
const UNDER_WAY: Option<State> = Some(State::Ride { driver: 1, over: false });

/// A ride whose timer has run out, and another replica, which has looked at the store before.
fn ran_out() -> (World, Replica) {
    let mut world = World::new();
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    let mut other = world.replica(Vec::new());
    other.turn_until_idle();
    world.clock.advance_ms(rank::RIDE_MAX_MS);
    (world, other)
}

/// The same, where the timer was poison to the first replica.
fn put_aside() -> (World, Replica) {
    let (mut world, other) = ran_out();
    world.fails_on_timers.store(true, Ordering::SeqCst);
    world.turn_until_idle();
    assert_eq!(world.dead_letters().len(), 1);
    (world, other)
}

#[test]
fn a_timer_that_is_poison_to_all_of_them_is_put_aside_once() {
    let (mut world, mut other) = ran_out();
    for fails in [&world.fails_on_timers, &other.fails_on_timers] {
        fails.store(true, Ordering::SeqCst);
    }
    for _ in 0..3 {
        other.turn_until_idle();
        world.turn_until_idle();
        world.clock.advance_ms(5_000);
    }
    assert_eq!(world.dead_letters().len(), 1);
}

#[test]
fn what_one_put_aside_no_other_carries_out() {
    let (world, mut other) = put_aside();
    other.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), UNDER_WAY, "the timer waits for somebody to take it up");
    assert_eq!(world.dead_letters().len(), 1);
}

#[test]
fn what_comes_later_waits_behind_it_whoever_hears_of_it() {
    let (mut world, mut other) = put_aside();
    world.hear("RideWanted", 1);
    world.hear("RideWanted", 2);
    other.turn_until_idle();
    let behind: Vec<u64> = world.dead_letters().into_iter().map(|(ride, _)| ride).collect();
    assert_eq!(behind, [1, 1], "the first ride's alone");
    world.fails_on_timers.store(false, Ordering::SeqCst);
    let told = world.retry(1);
    world.turn_until_idle();
    assert_eq!(told.take(), Some(Retried::CarriedOut));
    assert_eq!((world.state(RIDE, 1), world.dead_letters()), (OVER, vec![]), "with what waited behind it");
    // The other one knows that nothing waits any more.
    world.hear("RideWanted", 1);
    other.turn_until_idle();
    assert_eq!(world.dead_letters(), []);
}

#[test]
fn a_timer_that_another_has_passed_over_runs_out_again_for_all() {
    let (mut world, mut other) = put_aside();
    other.turn_until_idle();
    world.skip(1);
    world.turn_until_idle();
    world.clock.advance_ms(TIMER_AGAIN_MS);
    other.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), OVER, "the one that passed it over may be gone by now");
}

/// Between the decision to put a message aside and its commit another takes up what it was to wait behind.
#[test]
fn nothing_is_put_aside_behind_what_is_gone_by_then() {
    let (world, other) = put_aside();
    drop(other);
    let mut rival = world.store.writer();
    let is_rash = Arc::new(AtomicBool::new(false));
    let strikes = is_rash.clone();
    let mut other = world.replica_beside(move || {
        if strikes.swap(false, Ordering::SeqCst) {
            let mut set = WriteSet::new(RANK_SHARD, 1 << 40);
            set.dead_letters_done.push(1);
            assert!(matches!(rival.commit(&[set]), Commit::Done(_)));
        }
    });
    other.fails_on_timers.store(true, Ordering::SeqCst);
    other.turn_until_idle();
    assert_eq!(world.dead_letters().len(), 1, "it could not take it up itself");
    is_rash.store(true, Ordering::SeqCst);
    world.hear("RideWanted", 1);
    other.turn().expect("no crash is planned here");
    other.fails_on_timers.store(false, Ordering::SeqCst);
    other.turn_until_idle();
    assert_eq!(world.dead_letters(), [], "nobody would take it up");
}

const MINUTE_MS: i64 = 60_000;
/// Longer than from one look for what is due to the next.
const POLL_MS: i64 = 51;

#[test]
fn a_clock_that_is_ahead_ends_nothing_of_others_before_its_time() {
    let (mut world, its) = World::with_a_clock();
    world.hear("RideWanted", 1);
    world.turn_until_idle();
    let ahead = Arc::new(ManualClock::starting_at(Timestamp(1_000_000 + MINUTE_MS)));
    let mut other = world.replica_by(&ahead);
    other.turn_until_idle();
    assert_eq!(other.clock_ahead_ms(), MINUTE_MS, "it is told");
    for _ in 0..59 {
        [&its, &world.clock, &ahead].iter().for_each(|clock| clock.advance_ms(1_000));
        other.turn_until_idle();
        assert_eq!(world.state(RIDE, 1), UNDER_WAY);
    }
    [&its, &world.clock, &ahead].iter().for_each(|clock| clock.advance_ms(1_000));
    other.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), OVER, "nor much later");
    assert_eq!(world.clock_ahead_ms(), 0);
}

#[test]
fn what_a_clock_that_is_behind_has_begun_ends_not_before_its_time() {
    let (mut world, its) = World::with_a_clock();
    let behind = Arc::new(ManualClock::starting_at(Timestamp(1_000_000 - MINUTE_MS)));
    let mut other = world.replica_by(&behind);
    world.hear("RideWanted", 1);
    other.turn_until_idle();
    assert_eq!((world.state(RIDE, 1), other.clock_ahead_ms()), (UNDER_WAY, -MINUTE_MS));
    [&its, &world.clock].iter().for_each(|clock| clock.advance_ms(rank::RIDE_MAX_MS - 1));
    world.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), UNDER_WAY);
    [&its, &world.clock].iter().for_each(|clock| clock.advance_ms(POLL_MS));
    world.turn_until_idle();
    assert_eq!(world.state(RIDE, 1), OVER);
    // It is set right, and says so no more.
    behind.advance_ms(2 * MINUTE_MS + POLL_MS - 1);
    other.turn_until_idle();
    assert_eq!(other.clock_ahead_ms(), 0);
}
