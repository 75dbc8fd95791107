//! A board that counts how often each train was said to depart, and a log book that notes each once as its own event.

use engine::bus::Bus;
use engine::clock::{ManualClock, Timestamp};
use engine::effect::{Effect, NoPerformer};
use engine::handle::Handle;
use engine::lane::LaneSettings;
use engine::log::{Encoded, EntityKey, LogId, Position, Recorded, ShardName, Source, shard_of};
use engine::memory::{Fault, MemoryStore};
use engine::runner::{Parts, Runner, Turn};
use engine::store::{Commit, NewEvent, Schema, Visit, WriteSet};
use engine::{Change, Context, Decision, Entities, Service, Unreadable};
use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const STREET_SHARDS: u16 = 2;
pub(crate) const BOARD_SHARDS: u16 = 3;
const STREET: Schema = Schema { service: "street", kinds: &["train"], shards: STREET_SHARDS };
pub(crate) const BOARD: Schema = Schema { service: "board", kinds: &["line"], shards: BOARD_SHARDS };
const LOG_BOOK: Schema = Schema { service: "log-book", kinds: &["entry"], shards: 1 };
const TURNS_MAX: usize = 1_000;

/// Counts, and says nothing.
#[derive(Default)]
pub(crate) struct Board {
    understands: Arc<AtomicBool>,
}

/// Notes what it has heard, once.
pub(crate) struct LogBook;

fn key(kind: &'static str, id: u64) -> EntityKey {
    EntityKey { kind, id }
}

impl Service for Board {
    type State = u64;
    type Command = u64;
    type Event = Infallible;
    type Refusal = String;

    fn name(&self) -> &'static str {
        BOARD.service
    }

    fn kinds(&self) -> &'static [&'static str] {
        BOARD.kinds
    }

    fn is_projection(&self) -> bool {
        true
    }

    fn entities(&self, train: &u64) -> Vec<EntityKey> {
        vec![key("line", *train)]
    }

    fn decide(
        &self,
        entities: &Entities<'_, u64>,
        train: &u64,
        _: &Context<'_>,
    ) -> Result<Decision<Self>, String> {
        let line = key("line", *train);
        let count = entities.get(line).copied().unwrap_or(0) + 1;
        Ok(Decision { changes: vec![Change::State(line, count)], ..Decision::default() })
    }

    fn evolve(&self, _: EntityKey, _: Option<u64>, never: &Infallible, _: Timestamp) -> Option<u64> {
        match *never {}
    }

    fn react(&self, event: &Recorded) -> Result<Option<u64>, Unreadable> {
        if event.event_type == "Scrawl" && !self.understands.load(Ordering::SeqCst) {
            return Err(Unreadable("scrawl".into()));
        }
        Ok(Some(event.entity_id))
    }

    fn due(&self, key: EntityKey, _: &str) -> u64 {
        key.id
    }

    fn answered(&self, _: &Effect, _: &str) -> Result<u64, Unreadable> {
        Err(Unreadable("a board asks nobody".into()))
    }

    fn encode(&self, never: &Infallible) -> Encoded {
        match *never {}
    }

    fn decode(&self, _: &Recorded) -> Result<Infallible, Unreadable> {
        Err(Unreadable("a board says nothing".into()))
    }

    fn tag(&self, _: &u64) -> &'static str {
        "shown"
    }

    fn is_open(&self, _: &u64) -> bool {
        false
    }

    fn check(&self, _: &u64) -> Result<(), String> {
        Ok(())
    }
}

impl Service for LogBook {
    type State = u64;
    type Command = u64;
    type Event = u64;
    type Refusal = String;

    fn name(&self) -> &'static str {
        LOG_BOOK.service
    }

    fn kinds(&self) -> &'static [&'static str] {
        LOG_BOOK.kinds
    }

    fn entities(&self, train: &u64) -> Vec<EntityKey> {
        vec![key("entry", *train)]
    }

    fn decide(
        &self,
        entities: &Entities<'_, u64>,
        train: &u64,
        _: &Context<'_>,
    ) -> Result<Decision<Self>, String> {
        let entry = key("entry", *train);
        let is_known = entities.get(entry).is_some();
        let noted = (!is_known).then_some(Change::Event(entry, *train));
        Ok(Decision { changes: noted.into_iter().collect(), ..Decision::default() })
    }

    fn evolve(&self, _: EntityKey, _: Option<u64>, train: &u64, _: Timestamp) -> Option<u64> {
        Some(*train)
    }

    fn react(&self, event: &Recorded) -> Result<Option<u64>, Unreadable> {
        Ok((event.event_type == "Departed").then_some(event.entity_id))
    }

    fn due(&self, key: EntityKey, _: &str) -> u64 {
        key.id
    }

    fn answered(&self, _: &Effect, _: &str) -> Result<u64, Unreadable> {
        Err(Unreadable("a log book asks nobody".into()))
    }

    fn encode(&self, train: &u64) -> Encoded {
        Encoded { event_type: "Noted", schema: 1, published: false, body: train.to_string() }
    }

    fn decode(&self, event: &Recorded) -> Result<u64, Unreadable> {
        event.body.parse().map_err(|_| Unreadable(event.body.clone()))
    }

    fn tag(&self, _: &u64) -> &'static str {
        "noted"
    }

    fn is_open(&self, _: &u64) -> bool {
        false
    }

    fn check(&self, _: &u64) -> Result<(), String> {
        Ok(())
    }
}

/// A store, and one process on it.
pub(crate) struct World {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    understands: Arc<AtomicBool>,
    runner: Option<Runner>,
    pub(crate) board: Handle<Board>,
    pub(crate) log_book: Handle<LogBook>,
    starts: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new(&[STREET, BOARD, LOG_BOOK], LogId(1));
        let clock = Arc::new(ManualClock::starting_at(Timestamp(1_000_000)));
        let understands = Arc::new(AtomicBool::new(false));
        let (runner, board, log_book) = start(&store, &clock, (&understands, 1, Vec::new()));
        Self { store, clock, understands, runner: Some(runner), board, log_book, starts: 1 }
    }

    pub(crate) fn start_again(&mut self, faults: Vec<Fault>) {
        self.starts += 1;
        self.runner = None;
        let how = (&self.understands, self.starts, faults);
        let (runner, board, log_book) = start(&self.store, &self.clock, how);
        (self.runner, self.board, self.log_book) = (Some(runner), board, log_book);
    }

    pub(crate) fn stop(&mut self) {
        self.runner = None;
    }

    pub(crate) fn understand(&self) {
        self.understands.store(true, Ordering::SeqCst);
    }

    /// How many inputs were decided and committed.
    pub(crate) fn inputs(&self) -> u64 {
        self.runner.as_ref().expect("it runs").stats().batch_inputs.read().sum
    }

    pub(crate) fn turn(&mut self) -> Turn {
        self.runner.as_mut().expect("it runs").turn().expect("no crash is planned here")
    }

    pub(crate) fn turn_until_idle(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.turn() == Turn::Idle {
                return;
            }
        }
        panic!("still busy after {TURNS_MAX} turns");
    }

    /// Each of these trains departs, as the street says.
    pub(crate) fn depart(&self, trains: RangeInclusive<u64>) {
        for index in 0..STREET_SHARDS {
            let own = trains.clone().filter(|train| shard_of(*train, STREET_SHARDS) == index);
            self.record(index, own.map(|train| ("Departed", train)));
        }
    }

    pub(crate) fn say(&self, event_type: &'static str, train: u64) {
        self.record(shard_of(train, STREET_SHARDS), std::iter::once((event_type, train)));
    }

    fn record(&self, index: u16, said: impl Iterator<Item = (&'static str, u64)>) {
        let shard = ShardName { service: STREET.service, index };
        let mut store = self.store.writer();
        let last = store.last_position(shard).expect("a store in memory can be read");
        let mut set = WriteSet::new(shard, last + 1);
        set.events = said
            .zip(last + 1..)
            .map(|((event_type, train), version)| NewEvent {
                key: key("train", train),
                version,
                event_type,
                schema: 1,
                published: true,
                at: Timestamp(1_000_000),
                actor: Cow::Borrowed("driver"),
                cause: "request r".into(),
                trace: None,
                body: "{}".into(),
            })
            .collect();
        assert!(matches!(store.commit(&[set]), Commit::Done(_)));
    }

    pub(crate) fn last(&self, index: u16) -> Position {
        let shard = ShardName { service: STREET.service, index };
        let number = self.store.reader().last_position(shard).expect("a store in memory can be read");
        let source = Source { log: LogId(1), service: Cow::Borrowed(STREET.service), shard: index };
        Position { source, number, about: None }
    }

    /// Every line of the board, as it is stored.
    pub(crate) fn rows(&self) -> Vec<(u64, String)> {
        let reader = self.store.reader();
        let snapshot = reader.snapshot().expect("a store in memory can be read");
        let mut rows = Vec::new();
        let visited = snapshot.entities(BOARD.service, &mut |row| {
            rows.push((row.key.id, row.state));
            Visit::On
        });
        visited.expect("a store in memory can be read");
        rows
    }

    /// How many lines the board's counters say that there are.
    pub(crate) fn counted(&self) -> u64 {
        let counts = self.store.reader().counts(BOARD.service, "line");
        counts.expect("a store in memory can be read").iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn count_of(&self, train: u64) -> u64 {
        let rows = self.rows();
        let row = rows.iter().find(|(id, _)| *id == train).expect("the board shows it");
        row.1.parse().expect("it is a number")
    }

    pub(crate) fn log_book_has(&self, train: u64) -> bool {
        let entry = self.store.reader().get(LOG_BOOK.service, key("entry", train));
        entry.expect("a store in memory can be read").is_some()
    }

    /// Each dead letter of the board: its train, and whether it was passed over.
    pub(crate) fn letters(&self) -> Vec<(u64, bool)> {
        let mut letters = Vec::new();
        for index in 0..BOARD_SHARDS {
            letters.extend(
                self.letters_of(index).iter().map(|letter| (letter.entity_id, letter.skipped.is_some())),
            );
        }
        letters
    }

    fn letters_of(&self, index: u16) -> Vec<engine::dead_letter::DeadLetter> {
        let reader = self.store.reader();
        let snapshot = reader.snapshot().expect("a store in memory can be read");
        let shard = ShardName { service: BOARD.service, index };
        snapshot.dead_letters(shard).expect("a store in memory can be read")
    }

    /// Where the first dead letter about a train is.
    pub(crate) fn first_letter(&self, train: u64) -> (u16, u64) {
        let index = shard_of(train, BOARD_SHARDS);
        (index, self.letters_of(index)[0].number)
    }
}

fn start(
    store: &MemoryStore,
    clock: &Arc<ManualClock>,
    (understands, replica, faults): (&Arc<AtomicBool>, u64, Vec<Fault>),
) -> (Runner, Handle<Board>, Handle<LogBook>) {
    let mut bus = Bus::default();
    for index in 0..STREET_SHARDS {
        let shard = ShardName { service: STREET.service, index };
        bus.add(shard, store.reader(), false).expect("a store in memory can be read");
    }
    let mut faults = faults.into_iter();
    let mut runner = Runner::new(Parts {
        store: store.faulty_writer(move || faults.next()),
        bus: Arc::new(bus),
        clock: clock.clone(),
        replica,
        settings: LaneSettings::default(),
    });
    let log_book = runner.add(LogBook, LOG_BOOK, |_| Box::new(NoPerformer));
    let board = runner.add(Board { understands: understands.clone() }, BOARD, |_| Box::new(NoPerformer));
    (runner, board, log_book)
}
