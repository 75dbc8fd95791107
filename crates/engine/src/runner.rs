//! The loop around the lanes of one store: everything that waits is decided, committed together, then settled.
//!
//! All shards that live in one store share a turn and so a commit: one fsync for all of them. After a commit that was
//! not done, the next turn commits each by itself, so that one shard's trouble is not the others'.

use crate::Service;
use crate::bus::Bus;
use crate::clock::{Clock, Stopwatch, Timestamp, is_time};
use crate::effect::Performer;
use crate::figures::{BATCH_BOUNDS, COMMIT_MICROS_BOUNDS, Histogram, TOOK_MS_BOUNDS, Words};
use crate::handle::{Doorbell, Handle, Queue};
use crate::idempotency::WINDOW_MS;
use crate::lane::{AnyLane, Lane, LaneParts, LaneSettings, Redo};
use crate::log::ShardName;
use crate::progress::Road;
use crate::projection::{Ground, Projection};
use crate::skew::{Skew, Times};
use crate::store::{Commit, Schema, Store, StoreError, WriteSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How often timers and effects that are due are looked for.
const POLL_EVERY_MS: i64 = 50;
/// How long the loop sleeps when nothing waits and nobody rings.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long it waits before it asks a store again that was unavailable: doubling between these.
const BACKOFF_MS_FIRST: u64 = 10;
const BACKOFF_MS_MAX: u64 = 5_000;
const PRUNE_EVERY_MS: i64 = 60_000;
/// How soon it goes on when there is more to forget.
const PRUNE_AGAIN_MS: i64 = 1_000;
/// Turns in a row that a store may be unavailable, some 0.6 s, before whoever waits is told that nothing was stored.
const UNAVAILABLE_TURNS_MAX: u32 = 6;
/// Conflicts in a row on a store that nobody else writes, before they are taken for poison.
const CONFLICTS_MAX: u32 = 16;

/// Nothing can be promised any more: the process must stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal(pub String);

impl std::fmt::Display for Fatal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the store failed, and nothing can be promised any more: {}", self.0)
    }
}

impl std::error::Error for Fatal {}

/// What one turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Idle,
    Worked,
    /// The store could not be reached; everything that waited still waits.
    Unavailable,
}

/// What the loop did, for metrics.
#[derive(Debug)]
pub struct Stats {
    pub commits: AtomicU64,
    /// Events recorded, by type.
    pub events: Words,
    /// Deadlines that passed, by timer.
    pub deadlines: Words,
    pub commit_micros: AtomicU64,
    pub redone: AtomicU64,
    pub dead_letters: AtomicU64,
    /// Events that say that somebody should look.
    pub alarms: AtomicU64,
    /// Commands that wait, and entities with a dead letter, as of the last turn.
    pub waiting: AtomicU64,
    pub parked: AtomicU64,
    pub is_available: AtomicBool,
    /// By how much this machine's clock is ahead of the database's, or behind it, if that is too much.
    pub clock_ahead_ms: AtomicI64,
    /// How many inputs a commit carried.
    pub batch_inputs: Histogram,
    /// How long a commit took, in microseconds.
    pub commit_duration_micros: Histogram,
    /// How long what a service measures took, in milliseconds.
    pub took_ms: Histogram,
    started: Stopwatch,
    last_turn_ms: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            commits: AtomicU64::new(0),
            events: Words::default(),
            deadlines: Words::default(),
            commit_micros: AtomicU64::new(0),
            redone: AtomicU64::new(0),
            dead_letters: AtomicU64::new(0),
            alarms: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            parked: AtomicU64::new(0),
            is_available: AtomicBool::new(true),
            clock_ahead_ms: AtomicI64::new(0),
            batch_inputs: Histogram::new(BATCH_BOUNDS),
            commit_duration_micros: Histogram::new(COMMIT_MICROS_BOUNDS),
            took_ms: Histogram::new(TOOK_MS_BOUNDS),
            started: Stopwatch::default(),
            last_turn_ms: AtomicU64::new(0),
        }
    }
}

impl Stats {
    /// How long ago the last turn ended: a healthy loop turns several times a second, busy or not.
    pub fn silent_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_turn_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    fn note_turn(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_turn_ms.store(elapsed, Ordering::Relaxed);
    }
}

/// What a runner is made of besides its lanes.
pub struct Parts {
    pub store: Box<dyn Store>,
    pub bus: Arc<Bus>,
    pub clock: Arc<dyn Clock>,
    /// Drawn anew for every start: it makes this process's batches its own.
    pub replica: u64,
    pub settings: LaneSettings,
}

/// What was known at the first turn.
#[derive(Debug, Clone, Copy)]
struct Began {
    at: Timestamp,
    /// When the last answer was given that was on record then.
    answered_last: Option<Timestamp>,
}

impl Began {
    /// The time by which ages are judged. What passed before the start is known from a clock alone, which may have been
    /// wrong, so until the loop has run for a whole window it goes on from the last answer before it.
    fn known(self, now: Timestamp, ran_ms: i64) -> Timestamp {
        let last = self.answered_last.filter(|_| ran_ms < WINDOW_MS);
        let from = last.map_or(self.at, |last| last.min(self.at));
        now.min(from.plus_ms(ran_ms))
    }
}

pub struct Runner {
    parts: Parts,
    lanes: Vec<Box<dyn AnyLane>>,
    projections: Vec<Projection>,
    doorbell: Arc<Doorbell>,
    stats: Arc<Stats>,
    in_doubt: Option<Vec<WriteSet>>,
    is_alone: bool,
    backoff_ms: u64,
    next_poll: Timestamp,
    next_prune: Timestamp,
    /// From which, with how long the loop has really run, it is known how old an answer is.
    began: Option<Began>,
    unavailable_turns: u32,
    conflicts: u32,
    skew: Skew,
}

impl Runner {
    pub fn new(parts: Parts) -> Self {
        let stats = Arc::new(Stats::default());
        Self {
            parts,
            lanes: Vec::new(),
            projections: Vec::new(),
            doorbell: Arc::new(Doorbell::default()),
            stats,
            in_doubt: None,
            is_alone: false,
            backoff_ms: BACKOFF_MS_FIRST,
            next_poll: Timestamp(0),
            next_prune: Timestamp(0),
            began: None,
            unavailable_turns: 0,
            conflicts: 0,
            skew: Skew::default(),
        }
    }

    pub fn doorbell(&self) -> Arc<Doorbell> {
        self.doorbell.clone()
    }

    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Adds every shard of a service. `performer` is asked for one per shard, and may keep the handle.
    pub fn add<S: Service>(
        &mut self,
        service: S,
        schema: Schema,
        performer: impl Fn(&Handle<S>) -> Box<dyn Performer>,
    ) -> Handle<S> {
        let is_projection = service.is_projection();
        self.stats.events.expect(service.event_types());
        self.stats.deadlines.expect(service.deadlines());
        let topic = self.parts.bus.topic(schema.service);
        topic.iter().for_each(|topic| topic.wake_with(self.doorbell.clone()));
        let queues = (0..schema.shards).map(|_| Arc::new(Queue::new(self.doorbell.clone()))).collect();
        let handle = Handle::new(service, queues);
        if topic.is_some() {
            // Before anybody asks: a row of one partition says nothing of the others.
            handle.progress.hear_by(Road::Topic(None));
        }
        for (index, queue) in (0..schema.shards).zip(&handle.queues) {
            let parts =
                LaneParts { handle: handle.clone(), queue: queue.clone(), performer: performer(&handle) };
            let shard = ShardName { service: schema.service, index };
            let replica = crate::log::shard_seed(self.parts.replica, shard);
            let lane = Lane::new(parts, shard, schema.shards, self.parts.settings, replica);
            self.lanes.push(Box::new(lane));
        }
        if is_projection {
            let mut projection = Projection::new(schema, handle.anew.clone(), handle.progress.clone());
            // A store that cannot be read now is asked again at the first turn.
            let mut ground = Ground {
                store: &mut *self.parts.store,
                bus: &self.parts.bus,
                lanes: &mut self.lanes,
                now: self.parts.clock.now(),
            };
            if let Err(error) = projection.look(&mut ground) {
                tracing::warn!(%error, service = schema.service, "whether the projection is whole is not known yet");
            }
            self.projections.push(projection);
        }
        handle
    }

    /// Does once all that waits.
    pub fn turn(&mut self) -> Result<Turn, Fatal> {
        let turned = self.try_turn();
        match turned {
            Ok(worked) => {
                self.stats.is_available.store(true, Ordering::Relaxed);
                self.backoff_ms = BACKOFF_MS_FIRST;
                self.unavailable_turns = 0;
                self.tell_stats();
                Ok(if worked { Turn::Worked } else { Turn::Idle })
            }
            Err(StoreError::Unavailable(why)) => {
                tracing::warn!(why, "the store is unavailable");
                self.stats.is_available.store(false, Ordering::Relaxed);
                self.unavailable_turns = self.unavailable_turns.saturating_add(1);
                if self.unavailable_turns >= UNAVAILABLE_TURNS_MAX {
                    self.lanes.iter_mut().for_each(|lane| lane.turn_away(&why));
                    self.projections.iter().for_each(|projection| projection.turn_away(&why));
                }
                self.tell_stats();
                Ok(Turn::Unavailable)
            }
            Err(StoreError::Fatal(why)) => Err(Fatal(why)),
        }
    }

    fn tell_stats(&self) {
        let waiting: usize = self.lanes.iter().map(|lane| lane.waiting()).sum();
        let parked: usize = self.lanes.iter().map(|lane| lane.parked()).sum();
        self.stats.waiting.store(waiting as u64, Ordering::Relaxed);
        self.stats.parked.store(parked as u64, Ordering::Relaxed);
        self.stats.note_turn();
    }

    fn try_turn(&mut self) -> Result<bool, StoreError> {
        if let Some(sets) = self.in_doubt.take() {
            let resolved = self.parts.store.resolve(&sets);
            let commit = match resolved {
                Ok(commit) => commit,
                Err(error) => {
                    self.in_doubt = Some(sets);
                    return Err(error);
                }
            };
            let places: Vec<usize> = (0..self.lanes.len()).collect();
            self.conclude(sets, commit, &places)?;
            return Ok(true);
        }
        let (store, clock) = (&mut *self.parts.store, &*self.parts.clock);
        let Times { now, due_by } = self.skew.look(store, clock, &self.stats.clock_ahead_ms)?;
        let is_to_poll = is_time(now, self.next_poll, POLL_EVERY_MS);
        if is_to_poll {
            self.next_poll = now.plus_ms(POLL_EVERY_MS);
        }
        let due_by = is_to_poll.then_some(due_by);
        let mut has_rebuilt = false;
        for projection in &mut self.projections {
            let (store, bus) = (&mut *self.parts.store, &*self.parts.bus);
            has_rebuilt |= projection.turn(&mut Ground { store, bus, lanes: &mut self.lanes, now })?;
        }
        let mut busy = Vec::new();
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            if lane.gather(&mut *self.parts.store, &self.parts.bus, now, due_by)? > 0 {
                busy.push(place);
            }
        }
        self.prune(now)?;
        let alone = std::mem::take(&mut self.is_alone);
        let groups: Vec<Vec<usize>> =
            if alone { busy.iter().map(|place| vec![*place]).collect() } else { vec![busy.clone()] };
        for group in groups.iter().filter(|group| !group.is_empty()) {
            self.commit(group, now)?;
            if self.in_doubt.is_some() {
                break;
            }
        }
        Ok(!busy.is_empty() || has_rebuilt)
    }

    fn commit(&mut self, places: &[usize], now: Timestamp) -> Result<(), StoreError> {
        let mut sets = Vec::with_capacity(places.len());
        for place in places {
            match self.lanes[*place].decide(&mut *self.parts.store, now) {
                Ok(set) => sets.push(set),
                Err(error) => {
                    self.redo(places, &Redo::Unavailable);
                    return Err(error);
                }
            }
        }
        let is_exclusive = self.parts.store.is_exclusive();
        let nothing_to_do = |set: &WriteSet| set.changes_nothing() && (is_exclusive || set.reads.is_empty());
        if sets.iter().all(nothing_to_do) {
            let store = &mut self.parts.store;
            let last: Result<Vec<u64>, StoreError> =
                sets.iter().map(|set| store.last_position(set.shard)).collect();
            return match last {
                Ok(last) => self.conclude(sets, Commit::Done(last), places),
                Err(error) => {
                    self.redo(places, &Redo::Unavailable);
                    Err(error)
                }
            };
        }
        let stopwatch = Stopwatch::start();
        let commit = self.parts.store.commit(&sets);
        let micros = u64::try_from(stopwatch.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.stats.commit_micros.fetch_add(micros, Ordering::Relaxed);
        if matches!(commit, Commit::Done(_)) {
            let inputs: usize = places.iter().map(|place| self.lanes[*place].deciding()).sum();
            self.stats.batch_inputs.observe(inputs as u64);
            self.stats.commit_duration_micros.observe(micros);
        }
        self.conclude(sets, commit, places)
    }

    fn conclude(&mut self, sets: Vec<WriteSet>, commit: Commit, places: &[usize]) -> Result<(), StoreError> {
        let why = match commit {
            Commit::Done(last_positions) => {
                self.conflicts = 0;
                self.settle(sets, &last_positions);
                return Ok(());
            }
            Commit::Unknown => {
                self.in_doubt = Some(sets);
                return Ok(());
            }
            Commit::Fatal(why) => return Err(StoreError::Fatal(why)),
            Commit::Unavailable(why) => {
                self.redo(places, &Redo::Unavailable);
                return Err(StoreError::Unavailable(why));
            }
            Commit::Conflict if self.is_conflict_without_end(&sets) => {
                Redo::Refused("it conflicts with nobody, again and again".to_owned())
            }
            Commit::Conflict => Redo::Conflict,
            Commit::Fenced => Redo::Fenced,
            // Whose data it is shows only when each is committed by itself.
            Commit::Refused(_) if sets.len() > 1 => Redo::Conflict,
            Commit::Refused(reason) => Redo::Refused(reason),
        };
        self.stats.redone.fetch_add(1, Ordering::Relaxed);
        self.is_alone = true;
        self.redo(places, &why);
        Ok(())
    }

    /// Nobody else writes an exclusive store: a conflict that comes again when it is decided again is in the data.
    fn is_conflict_without_end(&mut self, sets: &[WriteSet]) -> bool {
        self.conflicts = self.conflicts.saturating_add(1);
        self.parts.store.is_exclusive() && sets.len() == 1 && self.conflicts > CONFLICTS_MAX
    }

    fn settle(&mut self, sets: Vec<WriteSet>, last_positions: &[u64]) {
        let log = self.parts.store.log();
        self.stats.commits.fetch_add(1, Ordering::Relaxed);
        for (set, last_position) in sets.into_iter().zip(last_positions) {
            let lane = self.lanes.iter_mut().find(|lane| lane.shard() == set.shard);
            let lane = lane.expect("a write set comes from one of the lanes");
            lane.count(&set, &self.stats);
            lane.settle(set, *last_position, log, &self.parts.bus);
        }
    }

    fn redo(&mut self, places: &[usize], why: &Redo) {
        if *why == Redo::Fenced {
            self.projections.iter_mut().for_each(Projection::look_soon);
        }
        for place in places {
            self.lanes[*place].redo(why);
        }
    }

    /// Forgets old answers. How old they are is judged by how long the loop has run as well as by the clock: one that
    /// leaps ahead, or is ahead at a start, must not make a request that is said again a new one.
    fn prune(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let began = match self.began {
            Some(began) => began,
            None => {
                let answered_last = self.parts.store.answered_last()?;
                *self.began.insert(Began { at: now, answered_last })
            }
        };
        if is_time(now, self.next_prune, PRUNE_EVERY_MS) {
            let ran_ms = i64::try_from(self.stats.started.elapsed().as_millis()).unwrap_or(i64::MAX);
            let known = began.known(now, ran_ms);
            let skipped_before = known.plus_ms(-self.parts.settings.keep_skipped_ms);
            let store = &mut self.parts.store;
            let forgotten = store
                .prune(known.plus_ms(-WINDOW_MS))
                .and_then(|answers| Ok(answers + store.prune_skipped(skipped_before)?));
            let forgotten = match forgotten {
                Ok(forgotten) => forgotten,
                // On a full disk even that may have no room; it must not stand in the way of those who have.
                Err(StoreError::Unavailable(why)) => {
                    tracing::debug!(why, "nothing is forgotten this time");
                    0
                }
                Err(fatal @ StoreError::Fatal(_)) => return Err(fatal),
            };
            self.next_prune = now.plus_ms(if forgotten > 0 { PRUNE_AGAIN_MS } else { PRUNE_EVERY_MS });
        }
        Ok(())
    }

    /// Turns until it is told to stop, then answers what was accepted, for as long as `drain_max`.
    pub fn run(mut self, stop: &AtomicBool, drain_max: Duration) -> Result<(), Fatal> {
        while !stop.load(Ordering::SeqCst) {
            let turn = self.turn()?;
            self.rest(turn);
        }
        let stopwatch = Stopwatch::start();
        while !self.close() || self.in_doubt.is_some() {
            let turn = self.turn()?;
            self.rest(turn);
            if stopwatch.elapsed() >= drain_max {
                tracing::warn!("stopped before everything that waited was answered");
                break;
            }
        }
        Ok(())
    }

    /// Closes every lane and says whether all are done.
    fn close(&mut self) -> bool {
        let still_busy = self.lanes.iter_mut().filter_map(|lane| (!lane.close()).then_some(())).count();
        still_busy == 0
    }

    fn rest(&mut self, turn: Turn) {
        match turn {
            Turn::Worked => {}
            Turn::Idle => self.doorbell.wait(IDLE_WAIT),
            Turn::Unavailable => {
                self.doorbell.wait(Duration::from_millis(self.backoff_ms));
                self.backoff_ms = (self.backoff_ms * 2).min(BACKOFF_MS_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_judged_by_what_is_known_of_the_time_that_passed() {
        const HOUR: i64 = 60 * 60 * 1_000;
        let known = |at: i64, last: Option<i64>, now: i64, ran: i64| {
            let began =
                Began { at: Timestamp(at * HOUR), answered_last: last.map(|last| Timestamp(last * HOUR)) };
            began.known(Timestamp(now * HOUR), ran * HOUR).0 / HOUR
        };
        assert_eq!(known(100, Some(99), 101, 1), 100, "an hour after the last answer");
        assert_eq!(known(900, Some(99), 901, 1), 100, "however far ahead the clock was at the start");
        assert_eq!(known(900, Some(99), 923, 23), 122);
        assert_eq!(
            known(900, Some(99), 924, 24),
            924,
            "what was answered before the start is a day old by now"
        );
        assert_eq!(known(50, Some(99), 51, 1), 51, "a clock that was set back forgets later");
        assert_eq!(known(100, None, 101, 1), 101);
        assert_eq!(known(100, None, 900, 1), 101, "it leaps while the loop runs");
    }
}
