//! A world with one rank in it, on a store in memory, turned by hand.

use crate::rank::{self, Command, Rank, Refusal, State};
use engine::bus::Bus;
use engine::clock::{ManualClock, Timestamp};
use engine::dead_letter::DeadLetter;
use engine::effect::{Effect, Performer};
use engine::handle::{Handle, Reply, Request};
use engine::idempotency::{Idempotency, RequestKey};
use engine::lane::LaneSettings;
use engine::letters::{Retried, Skipped};
use engine::log::{EntityKey, LogId, Origin, ShardName};
use engine::memory::{Fault, MemoryStore};
use engine::runner::{Fatal, Parts, Runner, Turn};
use engine::store::{Commit, EntityRow, EntityWrite, NewEvent, Schema, Store, WriteSet};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const RANK: Schema = Schema { service: "rank", kinds: &[rank::RIDE, rank::DRIVER], shards: 1 };
/// Another service, whose events the rank hears.
const STREET: Schema = Schema { service: "street", kinds: &["wish"], shards: 1 };
const STREET_SHARD: ShardName = ShardName { service: "street", index: 0 };
pub(crate) const RANK_SHARD: ShardName = ShardName { service: "rank", index: 0 };
const TURNS_MAX: usize = 1_000;

type Answer = Reply<State, Refusal>;

/// Where a reply will be.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Option<Answer>>>);

impl Asked {
    pub(crate) fn take(&self) -> Option<Answer> {
        self.0.lock().expect("nobody panics while holding it").take()
    }
}

/// Where an operator will be told what came of a wish: once.
pub(crate) struct Told<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Told<T> {
    fn set(&self, came_of: T) {
        let before = self.0.lock().expect("nobody panics while holding it").replace(came_of);
        assert!(before.is_none(), "told twice");
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().expect("nobody panics while holding it").take()
    }
}

/// One process.
pub(crate) struct Replica {
    runner: Runner,
    pub(crate) handle: Handle<Rank>,
    begun: Arc<Mutex<Vec<Effect>>>,
    pub(crate) understands_gibberish: Arc<AtomicBool>,
    pub(crate) fails_on_timers: Arc<AtomicBool>,
}

struct Note(Arc<Mutex<Vec<Effect>>>);

impl Performer for Note {
    fn perform(&mut self, effect: Effect) {
        self.0.lock().expect("nobody panics while holding it").push(effect);
    }
}

impl Replica {
    pub(crate) fn turn(&mut self) -> Result<Turn, Fatal> {
        self.runner.turn()
    }

    /// By how much its clock is ahead of the store's, as it tells.
    pub(crate) fn clock_ahead_ms(&self) -> i64 {
        self.runner.stats().clock_ahead_ms.load(Ordering::SeqCst)
    }

    pub(crate) fn turn_until_idle(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.turn().expect("no crash is planned here") == Turn::Idle {
                return;
            }
        }
        panic!("still busy after {TURNS_MAX} turns");
    }

    pub(crate) fn submit(&self, command: Command) -> Asked {
        self.send(command, None)
    }

    pub(crate) fn submit_keyed(&self, key: &str, body: &[u8], command: Command) -> Asked {
        let mut fingerprint = [0; 16];
        fingerprint[..body.len()].copy_from_slice(body);
        let request = RequestKey { route: "POST /rides", key: key.to_owned() };
        self.send(command, Some(Idempotency { request, fingerprint }))
    }

    fn send(&self, command: Command, idempotency: Option<Idempotency>) -> Asked {
        let asked = Asked::default();
        let answer = asked.clone();
        let reply =
            Box::new(move |reply| *answer.0.lock().expect("nobody panics while holding it") = Some(reply));
        let origin = Origin::request("rider", "r1".into());
        let request = Request { command, origin, idempotency, reply };
        assert_eq!(self.handle.submit(request), Ok(()));
        asked
    }

    pub(crate) fn ask(&mut self, command: Command) -> Answer {
        let asked = self.submit(command);
        self.turn_until_idle();
        asked.take().expect("a command is answered")
    }

    pub(crate) fn ask_keyed(&mut self, key: &str, body: &[u8], command: Command) -> Answer {
        let asked = self.submit_keyed(key, body, command);
        self.turn_until_idle();
        asked.take().expect("a command is answered")
    }

    /// Passes a letter over; returns where it will be told what came of it.
    pub(crate) fn skip(&self, number: u64) -> Told<Skipped> {
        let told = Told::default();
        let tell = told.clone();
        self.handle
            .skip_dead_letter((0, number), "operator eojin", "a test", move |came_of| tell.set(came_of));
        told
    }

    pub(crate) fn retry(&self, number: u64) -> Told<Retried> {
        let told = Told::default();
        let tell = told.clone();
        self.handle.retry_dead_letter(0, number, move |came_of| tell.set(came_of));
        told
    }

    /// The effects that were begun: name and attempt.
    pub(crate) fn begun(&self) -> Vec<(String, u32)> {
        let begun = self.begun.lock().expect("nobody panics while holding it");
        begun.iter().map(|effect| (effect.name.to_string(), effect.attempts)).collect()
    }

    /// Answers the effect that was begun last.
    pub(crate) fn answer(&mut self, outcome: &str) {
        let effect = self
            .begun
            .lock()
            .expect("nobody panics while holding it")
            .last()
            .cloned()
            .expect("an effect was begun");
        self.handle.answer(&effect, outcome.to_owned());
        self.turn_until_idle();
    }
}

/// A store, a clock, and a first replica.
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<ManualClock>,
    replica: Replica,
}

impl World {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new(&[RANK, STREET], LogId(1));
        let clock = Arc::new(ManualClock::starting_at(Timestamp(1_000_000)));
        let replica = start(&store, &clock, Vec::new());
        Self { store, clock, replica }
    }

    /// A store with a clock of its own, which all of them start in step with.
    pub(crate) fn with_a_clock() -> (Self, Arc<ManualClock>) {
        let its = Arc::new(ManualClock::starting_at(Timestamp(1_000_000)));
        let store = MemoryStore::new(&[RANK, STREET], LogId(1)).with_clock(its.clone());
        let clock = Arc::new(ManualClock::starting_at(Timestamp(1_000_000)));
        let replica = start(&store, &clock, Vec::new());
        (Self { store, clock, replica }, its)
    }

    /// Another process on the same store, with a clock of its own.
    pub(crate) fn replica_by(&self, clock: &Arc<ManualClock>) -> Replica {
        start(&self.store, clock, Vec::new())
    }

    /// Another process on the same store, whose first commits suffer these faults.
    pub(crate) fn replica(&self, faults: Vec<Fault>) -> Replica {
        start(&self.store, &self.clock, faults)
    }

    /// One that has a rival, who changes a driver right before each of its commits.
    pub(crate) fn replica_with_a_rival(&self, driver: u64) -> Replica {
        let (mut rival, mut batch) = (self.store.writer(), 1 << 40);
        let key = EntityKey { kind: rank::DRIVER, id: driver };
        self.replica_beside(move || {
            let row = rival.load("rank", &[key]).expect("a store in memory can be read").pop().flatten();
            let row = row.expect("the driver is there");
            batch += 1;
            let mut set = WriteSet::new(RANK_SHARD, batch);
            let replaces = row.version;
            set.entities.push(EntityWrite { row: EntityRow { version: replaces + 1, ..row }, replaces });
            assert!(matches!(rival.commit(&[set]), Commit::Done(_)));
        })
    }

    /// One before each of whose commits another does something.
    pub(crate) fn replica_beside(&self, mut does: impl FnMut() + Send + 'static) -> Replica {
        let faults = move || {
            does();
            None
        };
        start_over(self.store.faulty_writer(faults), &self.store, &self.clock)
    }

    pub(crate) fn state(&self, kind: &'static str, id: u64) -> Option<State> {
        let row = self
            .store
            .reader()
            .get("rank", EntityKey { kind, id })
            .expect("a store in memory can be read")?;
        Some(serde_json::from_str(&row.state).expect("a store in memory can be read"))
    }

    pub(crate) fn event_types(&self) -> Vec<String> {
        let events =
            self.store.reader().events_after(RANK_SHARD, 0, 1_000).expect("a store in memory can be read");
        events.into_iter().map(|event| event.event_type.into_owned()).collect()
    }

    /// Lets the street say something about a ride.
    pub(crate) fn hear(&self, event_type: &'static str, ride: u64) {
        let mut store = self.store.writer();
        let position = store.last_position(STREET_SHARD).expect("a store in memory can be read") + 1;
        let mut set = WriteSet::new(STREET_SHARD, position);
        set.events.push(NewEvent {
            key: EntityKey { kind: "wish", id: ride },
            version: position,
            event_type,
            schema: 1,
            published: true,
            at: Timestamp(1_000_000),
            actor: Cow::Borrowed("rider"),
            cause: "request r".into(),
            trace: None,
            body: "{}".into(),
        });
        assert_eq!(store.commit(&[set]), Commit::Done(vec![position]));
    }

    /// Leaves a ride that no program can read.
    pub(crate) fn garble(&self, ride: u64) {
        let mut store = self.store.writer();
        let mut set = WriteSet::new(RANK_SHARD, ride);
        let row = EntityRow {
            key: EntityKey { kind: rank::RIDE, id: ride },
            version: 1,
            tag: "given".into(),
            timer: None,
            effects_open: Vec::new(),
            state: "scrawl".into(),
        };
        set.entities.push(EntityWrite { row, replaces: 0 });
        assert_eq!(store.commit(&[set]), Commit::Done(vec![0]));
    }

    /// Every dead letter, also those that were passed over.
    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        let reader = self.store.reader();
        let snapshot = reader.snapshot().expect("a store in memory can be read");
        snapshot.dead_letters(RANK_SHARD).expect("a store in memory can be read")
    }

    /// The positions of the street's log that were passed over.
    pub(crate) fn passed_over(&self) -> Vec<u64> {
        let reader = self.store.reader();
        let snapshot = reader.snapshot().expect("a store in memory can be read");
        let passed_over = snapshot.passed_over(RANK_SHARD).expect("a store in memory can be read");
        passed_over.into_iter().map(|(_, position)| position).collect()
    }

    /// When a ride's timer runs out.
    pub(crate) fn due(&self, ride: u64) -> Option<Timestamp> {
        let key = EntityKey { kind: rank::RIDE, id: ride };
        let row = self.store.reader().get("rank", key).expect("a store in memory can be read")?;
        row.timer.map(|timer| timer.due)
    }

    /// Each dead letter that waits: its ride, and why.
    pub(crate) fn dead_letters(&self) -> Vec<(u64, String)> {
        let letters =
            self.store.writer().dead_letters(RANK_SHARD, None).expect("a store in memory can be read");
        letters.into_iter().map(|letter| (letter.entity_id, letter.reason)).collect()
    }
}

fn start(store: &MemoryStore, clock: &Arc<ManualClock>, faults: Vec<Fault>) -> Replica {
    let mut faults = faults.into_iter();
    start_over(store.faulty_writer(move || faults.next()), store, clock)
}

fn start_over(writer: Box<dyn Store>, store: &MemoryStore, clock: &Arc<ManualClock>) -> Replica {
    let mut bus = Bus::default();
    bus.add(STREET_SHARD, store.reader(), false).expect("a store in memory can be read");
    let mut runner = Runner::new(Parts {
        store: writer,
        bus: Arc::new(bus),
        clock: clock.clone(),
        replica: 77 + Arc::strong_count(clock) as u64 * 1_000_000,
        settings: LaneSettings::default(),
    });
    let begun = Arc::new(Mutex::new(Vec::new()));
    let understands_gibberish = Arc::new(AtomicBool::new(false));
    let fails_on_timers = Arc::new(AtomicBool::new(false));
    let rank = Rank {
        understands_gibberish: understands_gibberish.clone(),
        fails_on_timers: fails_on_timers.clone(),
    };
    let handle = runner.add(rank, RANK, |_| Box::new(Note(begun.clone())) as Box<dyn Performer>);
    Replica { runner, handle, begun, understands_gibberish, fails_on_timers }
}

impl Deref for World {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }
}
