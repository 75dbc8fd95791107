//! The core: one shard of one service. It gathers what waits, decides it in memory, and settles what was committed.
//!
//! `gather` → `decide` → (the store commits) → `settle`, or `redo` when the commit was refused. Nothing in here blocks,
//! reads a clock or draws a number, so the same code runs under the runner, the simulation and the benchmarks.

use crate::Service;
use crate::aside::Aside;
use crate::bus::Bus;
use crate::cache::Cache;
use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parcel};
use crate::decide::Batch;
use crate::effect::{Effect, Performer, Retry};
use crate::figures::count;
use crate::handle::{Handle, NUMBERS_BLOCK, Numbers, Queue, Queued, Reply, Watches, lock};
use crate::letters::{Asked, AskedSkip, Retried, Skipped, Watchers};
use crate::listen::Listening;
use crate::log::{EntityKey, LogId, Position, Recorded, ShardName, Source, shard_of};
use crate::progress::Progress;
use crate::reply::Place;
use crate::runner::Stats;
use crate::store::{InboxKey, NewEvent, Store, Stored, WriteSet};
use crate::timer::DueTimer;
use crate::topic::Spread;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use trace::Tracing;

/// Inputs of each sort that one batch takes. Past it only latency grows.
pub const BATCH_MAX: usize = 512;

/// 90 days.
pub const KEEP_SKIPPED_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// What may differ from one deployment, or one test, to another.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    pub batch_max: usize,
    pub effect_retry: Retry,
    /// Drop events that the inbox has seen. Off only where a test looks at the business rules alone.
    pub deduplicate: bool,
    /// Drop messages of a topic whose offset was passed already. Off only where a test looks at the rest alone.
    pub drop_passed: bool,
    /// For how long a dead letter that was passed over stays on record.
    pub keep_skipped_ms: i64,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            batch_max: BATCH_MAX,
            effect_retry: Retry { delay_ms_first: 2_000, delay_ms_max: 60_000 },
            deduplicate: true,
            drop_passed: true,
            keep_skipped_ms: KEEP_SKIPPED_MS,
        }
    }
}

/// One thing to decide.
pub(crate) enum Input<S: Service> {
    Command(Queued<S>),
    Event {
        partition: u32,
        event: Arc<Recorded>,
        /// Where it stands in the topic, if it comes by one.
        span: Option<Span>,
    },
    /// Messages of a topic that mean nothing to this shard: only how far it is read moves.
    Passed {
        partition: u32,
        span: Span,
    },
    Due(DueTimer),
    Answer(Parcel),
    Begin(Effect),
    Again(DeadLetter),
    /// A dead letter that is to be passed over; in a batch there are only such, or none.
    Skip(Box<AskedSkip>),
}

/// Messages of one partition that follow each other without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) topic: LogId,
    /// The offset before them, and the one behind them.
    pub(crate) after: u64,
    pub(crate) next: u64,
    /// How the log was told of which they tell.
    pub(crate) spread: Spread,
}

/// How far one log was read: in the store, in what is decided, in what was gathered.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    pub(crate) stored: u64,
    pub(crate) seen: u64,
    pub(crate) gathered: u64,
}

/// Why a batch is decided again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redo {
    Conflict,
    Fenced,
    Unavailable,
    /// The store cannot take the data: halve, until the poison is alone.
    Refused(String),
}

pub struct Lane<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) shard: ShardName,
    pub(crate) shards: u16,
    pub(crate) settings: LaneSettings,
    pub(crate) cache: Cache<S::State>,
    pub(crate) inbox: FxHashMap<InboxKey, Cursor>,
    pub(crate) aside: Aside,
    pub(crate) pending: VecDeque<Input<S>>,
    pub(crate) last_position: u64,
    /// Set while the store's refusal is narrowed down.
    pub(crate) narrowed: Option<Narrowed>,
    pub(crate) watchers: Watchers,
    /// Entities whose dead letters are taken up before those of all others: somebody waits for it.
    pub(crate) soon: VecDeque<u64>,
    /// The log that is read first in the next turn.
    pub(crate) log_next: usize,
    pub(crate) queue: Arc<Queue<S>>,
    watches: Arc<Watches<S>>,
    numbers: Arc<Numbers>,
    pub(crate) progress: Arc<Progress>,
    performer: Box<dyn Performer>,
    open: Option<Batch<S>>,
    /// Nothing is gathered or decided: the entities are being dropped.
    is_paused: bool,
    batches: u64,
    replica: u64,
    pub(crate) is_loaded: bool,
    pub(crate) has_started: bool,
    /// What is known of the topic, where the service hears one.
    pub(crate) listening: Option<Listening>,
    /// All rows may be gone: everything that comes by a topic is read again from where they are now.
    pub(crate) is_to_rewind: bool,
    /// Conflicts in a row.
    pub(crate) conflicts: u32,
    /// Batches in a row that the store had no room or time for.
    pub(crate) unavailable: u32,
    /// Others write the same store.
    pub(crate) is_shared: bool,
    pub(crate) tracing: Tracing,
}

#[derive(Debug, Clone)]
pub(crate) struct Narrowed {
    pub(crate) take: usize,
    pub(crate) reason: String,
}

pub(crate) struct LaneParts<S: Service> {
    pub(crate) handle: Handle<S>,
    pub(crate) queue: Arc<Queue<S>>,
    pub(crate) performer: Box<dyn Performer>,
}

/// A lane whose service is not named: what a runner drives.
pub trait AnyLane: Send {
    fn shard(&self) -> ShardName;
    /// Takes in what waits, and timers and effects that are due by then, if they are to be looked for. Returns how much is
    /// to decide.
    fn gather(
        &mut self,
        store: &mut dyn Store,
        bus: &Bus,
        now: Timestamp,
        due_by: Option<Timestamp>,
    ) -> Stored<usize>;
    fn decide(&mut self, store: &mut dyn Store, now: Timestamp) -> Stored<WriteSet>;
    fn settle(&mut self, set: WriteSet, last_position: u64, log: LogId, bus: &Bus);
    fn redo(&mut self, why: &Redo);
    /// Turns new commands away and says whether all that came before are answered.
    fn close(&mut self) -> bool;
    /// Answers every command that waits and is certainly not stored.
    fn turn_away(&mut self, why: &str);
    /// How many commands wait.
    fn waiting(&self) -> usize;
    /// How many entities have a dead letter that waits.
    fn parked(&self) -> usize;
    /// How many inputs are in the batch that is decided and not settled.
    fn deciding(&self) -> usize;
    /// Does nothing until it starts over.
    fn pause(&mut self);
    /// What its store held of it is dropped: whatever it knows is of the past.
    fn start_over(&mut self);
    /// Counts what was committed.
    fn count(&self, set: &WriteSet, stats: &Stats);
}

impl<S: Service> Lane<S> {
    pub(crate) fn new(
        parts: LaneParts<S>,
        shard: ShardName,
        shards: u16,
        settings: LaneSettings,
        replica: u64,
    ) -> Self {
        Self {
            service: parts.handle.service,
            shard,
            shards,
            settings,
            cache: Cache::default(),
            inbox: FxHashMap::default(),
            aside: Aside::default(),
            pending: VecDeque::new(),
            last_position: 0,
            narrowed: None,
            watchers: Watchers::default(),
            soon: VecDeque::new(),
            log_next: 0,
            queue: parts.queue,
            watches: parts.handle.watches,
            numbers: parts.handle.numbers,
            progress: parts.handle.progress,
            performer: parts.performer,
            open: None,
            is_paused: false,
            batches: 0,
            replica,
            is_loaded: false,
            has_started: false,
            listening: None,
            is_to_rewind: false,
            conflicts: 0,
            unavailable: 0,
            is_shared: false,
            tracing: None,
        }
    }

    pub(crate) fn asked(&self) -> MutexGuard<'_, Asked> {
        lock(&self.queue.asked)
    }

    pub(crate) fn retries(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        lock(&self.queue.retries)
    }

    fn gather_rest(
        &mut self,
        store: &mut dyn Store,
        bus: &Bus,
        (now, due_by): (Timestamp, Option<Timestamp>),
    ) -> Stored<()> {
        if self.service.hears() {
            self.gather_events(store, bus, now)?;
        }
        if let Some(due_by) = due_by {
            self.gather_due(store, due_by)?;
        }
        Ok(())
    }

    fn gather_queue(&mut self) {
        {
            let mut parcels = lock(&self.queue.parcels);
            let take = parcels.len().min(self.settings.batch_max);
            self.pending.extend(parcels.drain(..take).map(Input::Answer));
        }
        {
            let mut commands = lock(&self.queue.commands);
            let take = commands.len().min(self.settings.batch_max);
            self.pending.extend(commands.drain(..take).map(Input::Command));
        }
    }

    fn recorded(&self, events: Vec<NewEvent>, last_position: u64, log: LogId) -> Vec<Arc<Recorded>> {
        let first = last_position + 1 - events.len() as u64;
        let source = Source { log, service: Cow::Borrowed(self.shard.service), shard: self.shard.index };
        let numbered = events.into_iter().zip(first..);
        numbered.map(|(event, position)| Arc::new(event.recorded(source.clone(), position))).collect()
    }

    /// Where a reply was written; over a topic it says what it is about.
    fn position(&self, key: EntityKey, place: Place, (source, first): (&Source, u64)) -> Position {
        let about = self.listening.as_ref().map(|_| key.id);
        let at = |number: u64| Position { source: source.clone(), number, about };
        match place {
            Place::After { events: 0 } => at(self.last_position),
            Place::After { events } => at(first + events - 1),
            Place::Other { shard, end } => Position { source: Source { shard, ..source.clone() }, ..at(end) },
            Place::Said { position } => {
                let shard = shard_of(key.id, self.shards);
                Position { source: Source { shard, ..source.clone() }, ..at(position) }
            }
        }
    }

    fn reply(&self, inputs: Vec<Input<S>>, batch: &mut Batch<S>, source: &Source, first: u64) {
        for (index, input) in inputs.into_iter().enumerate() {
            let Input::Command(queued) = input else { continue };
            let Some(answer) = batch.answers.remove(&index) else {
                continue;
            };
            let reply = answer.into_reply(|key, place| self.position(key, place, (source, first)));
            (queued.request.reply)(reply);
        }
    }
}

impl<S: Service> AnyLane for Lane<S> {
    fn shard(&self) -> ShardName {
        self.shard
    }

    fn gather(
        &mut self,
        store: &mut dyn Store,
        bus: &Bus,
        now: Timestamp,
        due_by: Option<Timestamp>,
    ) -> Stored<usize> {
        if self.is_paused {
            return Ok(0);
        }
        self.is_shared = !store.is_exclusive();
        if self.tracing.is_none() {
            self.tracing = bus.tracing();
        }
        self.load_once(store)?;
        if self.shard.index == 0
            && let Some(least) = self.numbers.run_low()
        {
            self.numbers.add(store.reserve(self.shard.service, NUMBERS_BLOCK, least)?);
        }
        if self.pending.is_empty() {
            if !self.gather_asked(store)? {
                self.gather_queue();
                self.gather_letters(store)?;
                self.gather_rest(store, bus, (now, due_by))?;
            }
        } else if self.has_room_beside() {
            self.gather_queue();
            self.gather_rest(store, bus, (now, due_by))?;
        }
        Ok(self.pending.len() + usize::from(self.is_to_note_rows(now)))
    }

    fn decide(&mut self, store: &mut dyn Store, now: Timestamp) -> Stored<WriteSet> {
        self.batches += 1;
        let number = self.replica.wrapping_add(self.batches);
        let mut batch = Batch::new(WriteSet::new(self.shard, number));
        batch.steps.begin(self.tracing.as_deref());
        batch.decide(self, store, now)?;
        let set = std::mem::replace(&mut batch.set, WriteSet::new(self.shard, number));
        self.open = Some(batch);
        Ok(set)
    }

    fn settle(&mut self, set: WriteSet, last_position: u64, log: LogId, bus: &Bus) {
        let Some(mut batch) = self.open.take() else { return };
        let first = last_position + 1 - set.events.len() as u64;
        self.last_position = last_position;
        self.narrowed = None;
        (self.conflicts, self.unavailable) = (0, 0);
        for (key, cursor) in batch.inbox.drain() {
            let gathered = self.inbox.get(&key).map_or(0, |known| known.gathered);
            self.inbox.insert(key, Cursor { gathered: gathered.max(cursor.seen), ..cursor });
        }
        for moved in &set.inbox {
            self.inbox.entry(moved.key.clone()).or_default().stored = moved.to;
        }
        self.tell_progress();
        self.note_rows();
        self.aside.note(&set.dead_letters);
        batch.steps.tell(self.tracing.as_deref(), self.shard, first);
        let events = self.recorded(set.events, last_position, log);
        bus.append(self.shard, events);
        let changed = batch.touched.iter();
        self.watches.notify(changed.filter_map(|(key, touched)| Some((*key, touched.entry.state.as_ref()?))));
        for (key, touched) in std::mem::take(&mut batch.touched) {
            self.cache.put(key, touched.entry);
        }
        self.settle_letters(&mut batch);
        self.cache.age();
        let source = Source { log, service: Cow::Borrowed(self.shard.service), shard: self.shard.index };
        let inputs = std::mem::take(&mut batch.inputs);
        self.reply(inputs, &mut batch, &source, first);
        for effect in batch.begin {
            self.performer.perform(effect);
        }
    }

    fn redo(&mut self, why: &Redo) {
        let Some(batch) = self.open.take() else { return };
        let decided = batch.inputs.len();
        for input in batch.inputs.into_iter().rev() {
            self.pending.push_front(input);
        }
        self.cache.clear();
        match why {
            Redo::Conflict => {
                self.conflicts = self.conflicts.saturating_add(1);
                self.aside.may_be_more();
            }
            Redo::Unavailable => self.unavailable = self.unavailable.saturating_add(1),
            Redo::Fenced => {
                self.is_loaded = false;
                self.leave_told();
            }
            Redo::Refused(reason) => {
                self.narrowed = Some(Narrowed { take: (decided / 2).max(1), reason: reason.clone() });
                if decided == 1 {
                    self.narrowed = Some(Narrowed { take: 0, reason: reason.clone() });
                }
            }
        }
        if *why == Redo::Conflict {
            // Due timers, effects and letters are found again; what was decided on them may be of the past.
            self.pending.retain(|input| {
                if let Input::Again(letter) = input {
                    self.soon.push_back(letter.entity_id);
                }
                !matches!(input, Input::Due(_) | Input::Begin(_) | Input::Again(_))
            });
            if decided == 1 && self.is_shared {
                self.let_others_by();
            }
        }
    }

    fn close(&mut self) -> bool {
        self.queue.closed.store(true, Ordering::SeqCst);
        let commands = lock(&self.queue.commands);
        commands.is_empty() && !self.pending.iter().any(|input| matches!(input, Input::Command(_)))
    }

    fn turn_away(&mut self, why: &str) {
        let mut turned_away: Vec<Queued<S>> = Vec::new();
        for input in std::mem::take(&mut self.pending) {
            match input {
                Input::Command(queued) => turned_away.push(queued),
                Input::Skip(asked) => (asked.tell)(Skipped::NotNow(why.to_owned())),
                kept @ (Input::Event { .. }
                | Input::Passed { .. }
                | Input::Due(_)
                | Input::Answer(_)
                | Input::Begin(_)
                | Input::Again(_)) => self.pending.push_back(kept),
            }
        }
        turned_away.extend(lock(&self.queue.commands).drain(..));
        self.turn_letters_away(why);
        for queued in turned_away {
            (queued.request.reply)(Reply::NotStored(why.to_owned()));
        }
    }

    fn waiting(&self) -> usize {
        lock(&self.queue.commands).len()
    }

    fn parked(&self) -> usize {
        self.aside.entities.len()
    }

    fn deciding(&self) -> usize {
        self.open.as_ref().map_or(0, |batch| batch.inputs.len())
    }

    fn pause(&mut self) {
        self.is_paused = true;
    }

    fn start_over(&mut self) {
        self.pending.retain(|input| matches!(input, Input::Command(_) | Input::Skip(_)));
        self.cache.clear();
        self.inbox.clear();
        self.narrowed = None;
        self.watchers.tell_all(&Retried::NoSuchLetter);
        self.aside = Aside::default();
        self.is_to_rewind = true;
        self.is_loaded = false;
        self.is_paused = false;
    }

    fn count(&self, set: &WriteSet, stats: &Stats) {
        count(&*self.service, set, stats);
    }
}

/// Whoever still waits when a lane ends is told; what was on its way to the store is not, since nobody knows.
impl<S: Service> Drop for Lane<S> {
    fn drop(&mut self) {
        self.queue.closed.store(true, Ordering::SeqCst);
        self.turn_away("the engine has stopped");
    }
}
