//! The port to a database: what one commit carries, what it answers, and what can be read.
//!
//! A store holds any number of services. One writer drives it ([`Store`]); any number of readers look on ([`Reader`]).

mod query;

pub use query::{Order, Query, Start};

use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parked, Side, Skip};
use crate::effect::Effect;
use crate::idempotency::{IdempotencyRow, RequestKey};
use crate::log::{EntityKey, LogId, Recorded, ShardName, Source};
use crate::timer::{DueTimer, Timer};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What a store must know of a service to hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    pub service: &'static str,
    pub kinds: &'static [&'static str],
    /// Fixed when the store is made.
    pub shards: u16,
}

/// An entity's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRow {
    pub key: EntityKey,
    /// Counts the entity's changes; a new one has 1.
    pub version: u64,
    pub tag: Cow<'static, str>,
    pub timer: Option<Timer>,
    /// The sequences of its effects that are not answered yet.
    pub effects_open: Vec<u64>,
    pub state: String,
}

/// An entity's row with the version it replaces: 0 for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityWrite {
    pub row: EntityRow,
    pub replaces: u64,
}

/// An event before the store gives it its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub key: EntityKey,
    pub version: u64,
    pub event_type: &'static str,
    pub schema: u16,
    pub published: bool,
    pub at: Timestamp,
    pub actor: Cow<'static, str>,
    pub cause: String,
    pub trace: Option<String>,
    pub body: String,
}

/// How far a shard has read one log, by one partition of the bus.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxKey {
    pub partition: u32,
    pub source: Source,
}

/// A step of the inbox, a compare-and-set: refused as `Fenced` unless the row still says `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxMove {
    pub key: InboxKey,
    pub from: u64,
    pub to: u64,
}

/// An effect begun again: a compare-and-set on its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectClaim {
    pub key: EntityKey,
    pub sequence: u64,
    pub attempts_before: u32,
    pub claimed_until: Timestamp,
}

/// A dead letter passed over: a compare-and-set, on its waiting still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterSkip {
    pub number: u64,
    pub skip: Skip,
    /// The event that the shard has heard and that stays without consequence, where the letter holds one. It is known
    /// for longer than the letter itself.
    pub passed_over: Option<(Source, u64)>,
}

/// A timer that is to run out later: a compare-and-set on the timer alone, since nothing of the entity changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerMove {
    pub key: EntityKey,
    pub from: Timer,
    pub due: Timestamp,
}

/// How far the making anew of a projection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// Its entities are being dropped.
    Dropping,
    /// They are dropped, and so is what it knew of the logs; it reads them from the beginning.
    Reading,
}

/// What a service has before it, for those who watch over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Timers that should have run out before the time asked for; counted up to [`BACKLOG_COUNTED_MAX`], as all here.
    pub timers_overdue: u64,
    /// When the first of all armed timers runs out, which may be yet to come.
    pub timer_first_due: Option<Timestamp>,
    /// Effects that are not answered.
    pub effects_open: u64,
    /// When the oldest of them was wanted: of those of the lowest ids, where there are more than are looked at.
    pub effect_oldest: Option<Timestamp>,
    /// Dead letters that wait.
    pub letters_waiting: u64,
    /// Dead letters that were passed over and are still on record.
    pub letters_skipped: u64,
}

/// How far a backlog is counted: past it, it is bad enough.
pub const BACKLOG_COUNTED_MAX: u64 = 10_000;

/// Open effects whose age is looked at.
pub const BACKLOG_AGED_MAX: u64 = 1_000;

/// Everything that one batch of one shard changes: stored together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteSet {
    pub shard: ShardName,
    /// Left behind by the commit, so that one whose outcome is unknown can be looked for.
    pub batch: u64,
    /// Entities that were decided on without being changed, at these versions.
    pub reads: Vec<(EntityKey, u64)>,
    /// The number of the last dead letter that was known when it was decided what waits behind one, where that matters: a
    /// `Conflict` when a later one waits, for what was decided may have to wait behind it.
    pub letters_known: Option<u64>,
    /// Entities of which messages are put aside only since an earlier one is: a `Conflict` when none waits any more, for
    /// nobody would take them up.
    pub behind: Vec<u64>,
    pub events: Vec<NewEvent>,
    pub entities: Vec<EntityWrite>,
    pub inbox: Vec<InboxMove>,
    pub effects_new: Vec<Effect>,
    pub effects_claimed: Vec<EffectClaim>,
    pub effects_done: Vec<(EntityKey, u64)>,
    pub idempotency: Vec<IdempotencyRow>,
    pub dead_letters: Vec<DeadLetter>,
    /// A compare-and-set, on their waiting still.
    pub dead_letters_done: Vec<u64>,
    pub dead_letters_skipped: Vec<LetterSkip>,
    pub timers_moved: Vec<TimerMove>,
    /// By how much the number of entities of a kind under a tag changes.
    pub counts: Vec<((&'static str, Cow<'static, str>), i64)>,
}

impl WriteSet {
    pub fn new(shard: ShardName, batch: u64) -> Self {
        Self { shard, batch, ..Self::default() }
    }

    /// Nothing to store: no-ops and refusals only, whose reads may still have to be checked.
    pub fn changes_nothing(&self) -> bool {
        self.events.is_empty()
            && self.entities.is_empty()
            && self.inbox.is_empty()
            && self.effects_claimed.is_empty()
            && self.effects_done.is_empty()
            && self.idempotency.is_empty()
            && self.dead_letters.is_empty()
            && self.dead_letters_done.is_empty()
            && self.dead_letters_skipped.is_empty()
            && self.timers_moved.is_empty()
    }
}

/// What a commit answers. Nothing of it is stored unless it says `Done`, or `Unknown` turns out so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// Stored. For each write set, the position of its shard's last event afterwards.
    Done(Vec<u64>),
    /// An entity, an effect, a timer, a dead letter or a key was not as it was when the batch was decided: load again, decide again.
    Conflict,
    /// Another consumer moved an inbox row, or the service is a projection that is being dropped: read the rows again,
    /// look whether it is, decide again.
    Fenced,
    /// The answer was lost; [`Store::resolve`] finds out.
    Unknown,
    /// The store cannot take this data, however often it is asked.
    Refused(String),
    /// The store cannot be reached or is busy: the same again later.
    Unavailable(String),
    /// Nothing can be promised any more: the process must stop.
    Fatal(String),
}

/// A read or a small write that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Try again.
    Unavailable(String),
    /// The process must stop.
    Fatal(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(formatter, "the store is unavailable: {why}"),
            Self::Fatal(why) => write!(formatter, "the store failed: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

pub type Stored<T> = Result<T, StoreError>;

/// The writing side of a database.
pub trait Store: Send {
    fn log(&self) -> LogId;

    /// Nobody else writes to it, so what was committed from here is still so: reads need no second look.
    fn is_exclusive(&self) -> bool;

    /// The rows of entities, in the order asked.
    fn load(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>>;

    /// What was answered under keys, in the order asked, over all shards of the service.
    fn recall(&mut self, service: &'static str, keys: &[RequestKey]) -> Stored<Vec<Option<IdempotencyRow>>>;

    /// Whether another answer can be remembered; past a store's limit, requests under a new key are turned away.
    fn can_remember(&self, _service: &'static str) -> bool {
        true
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>>;

    /// The position of the shard's last event, 0 for none.
    fn last_position(&mut self, shard: ShardName) -> Stored<u64>;

    /// The position of the last published event of each entity, in the order asked; 0 for none.
    fn published_last(&mut self, _service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        Ok(vec![0; keys.len()])
    }

    /// The trace of the last event of each entity that is not beyond a version, in the order asked; none for none.
    fn traces(&mut self, _service: &'static str, wanted: &[(EntityKey, u64)]) -> Stored<Vec<Option<String>>> {
        Ok(vec![None; wanted.len()])
    }

    /// Timers of the service's shard that ran out by `now`, the oldest first.
    fn timers_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<DueTimer>>;

    /// Effects of the service's shard that nobody holds by `now` and that no earlier one of their entity precedes.
    fn effects_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<Effect>>;

    /// Dead letters of the shard that wait, in the order they were put aside; of one key where one is named.
    fn dead_letters(&mut self, shard: ShardName, entity_id: Option<u64>) -> Stored<Vec<DeadLetter>>;

    /// The entities of the shard that have a dead letter that waits, of a number after this one. There may be very many,
    /// so the letters themselves are better left where they are.
    fn parked(&mut self, shard: ShardName, after: u64) -> Stored<Parked> {
        let letters = self.dead_letters(shard, None)?;
        Ok(Parked::of(&letters, after))
    }

    /// Which of these entities of the shard have a dead letter that waits.
    fn still_parked(&mut self, shard: ShardName, entities: &[u64]) -> Stored<Vec<u64>> {
        let letters = self.dead_letters(shard, None)?;
        let parked = Parked::of(&letters, 0).entities;
        Ok(entities.iter().copied().filter(|id| parked.contains(id)).collect())
    }

    /// The first of an entity's dead letters that wait, in the order they were put aside.
    fn dead_letters_first(
        &mut self,
        shard: ShardName,
        entity_id: u64,
        limit: usize,
    ) -> Stored<Vec<DeadLetter>> {
        let mut letters = self.dead_letters(shard, Some(entity_id))?;
        letters.truncate(limit);
        Ok(letters)
    }

    /// One dead letter, whether it waits or was passed over.
    fn dead_letter(&mut self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>>;

    /// `count` numbers that nobody was ever given, as the first of them; those that are not used are lost.
    /// None of them is below `least`.
    fn reserve(&mut self, service: &'static str, count: u32, least: u64) -> Stored<u64>;

    /// All write sets or none.
    fn commit(&mut self, sets: &[WriteSet]) -> Commit;

    /// After `Unknown`: whether the batch was stored. Holds the shard's lock while it looks, so that a commit that
    /// is still on its way has either arrived or never will.
    fn resolve(&mut self, sets: &[WriteSet]) -> Stored<Commit>;

    /// What time it is by a clock that all who write the database share; nothing where it has none.
    fn clock(&mut self) -> Stored<Option<Timestamp>> {
        Ok(None)
    }

    /// When the last answer that is remembered was given, over all services.
    fn answered_last(&mut self) -> Stored<Option<Timestamp>>;

    /// Forgets answers given before `before`; returns how many.
    fn prune(&mut self, before: Timestamp) -> Stored<u64>;

    /// Forgets dead letters that were passed over before `before`; returns how many. That their events were passed over
    /// is known for ever.
    fn prune_skipped(&mut self, before: Timestamp) -> Stored<u64>;

    /// Whether a projection is being made anew, also since before this process, and the number of that time.
    fn rebuild(&mut self, service: &'static str) -> Stored<Option<(u64, Rebuild)>>;

    /// From now on the projection is being made anew, until [`Store::end_rebuild`], also where it was already: it begins
    /// again, under a number that it never had. While it is being dropped every commit of it, by whomever, is
    /// [`Commit::Fenced`]; none that was on its way before arrives after.
    fn begin_rebuild(&mut self, service: &'static str) -> Stored<u64>;

    /// Drops at most `limit` entities of a projection that is being dropped; where it is not, another was faster: then
    /// nothing is dropped, and it says `Reading`. With the last of them go, in the same
    /// transaction, its inbox, its counts, its dead letters that wait and what is known of passed over events; what it
    /// reads then is read from the beginning.
    fn drop_some(&mut self, service: &'static str, limit: usize) -> Stored<Rebuild>;

    /// The projection has read all that it had to, of the rebuild of this number. Where another has begun since, nothing
    /// changes, and it says so: `false`, as where it is over.
    fn end_rebuild(&mut self, service: &'static str, number: u64) -> Stored<bool>;
}

/// The reading side of a database, for the edge and the operator; sees what was committed.
pub trait Reader: Send + Sync {
    fn log(&self) -> LogId;

    /// Another one of the same database, for who must not wait behind those who read from this one.
    fn apart(&self) -> Arc<dyn Reader>;

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>>;

    /// The rows of entities, in the order asked; one question where the store can.
    fn rows(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        keys.iter().map(|key| self.get(service, *key)).collect()
    }

    /// The position of the last published event of each entity, in the order asked; 0 for none.
    fn published_last(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        let last = |key: &EntityKey| {
            let story = self.snapshot()?.story(service, key.id)?;
            let own = story.iter().filter(|event| event.published && event.entity_kind == key.kind);
            Ok(own.map(|event| event.position).max().unwrap_or(0))
        };
        keys.iter().map(last).collect()
    }

    /// How far a shard has read the logs of others.
    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.snapshot()?.inbox(shard)
    }

    /// The same of some rows, in the order asked; 0 for one that is not there.
    fn inbox_rows(&self, shard: ShardName, keys: &[InboxKey]) -> Stored<Vec<u64>> {
        let rows = self.inbox(shard)?;
        let of = |key| rows.iter().find(|(known, _)| known == key).map_or(0, |(_, position)| *position);
        Ok(keys.iter().map(of).collect())
    }

    /// Always in the list's own order, also when it is read from its end.
    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>>;

    /// How many entities of a kind there are, by tag. Counters, never a scan.
    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>>;

    /// Published and private events of a shard after a position.
    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>>;

    fn last_position(&self, shard: ShardName) -> Stored<u64>;

    /// What is to be done in a service; timers are overdue that ran out before `overdue_before`. Never a scan: whatever
    /// is looked at is found by an index, and only so much of it.
    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog>;

    /// Entities of a service whose timer is armed, which are those that are open: of each kind so many at most, those whose
    /// timers run out first. Never a scan, as above.
    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>>;

    /// One moment of the whole database, to look at at leisure.
    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>>;
}

/// A moment of a database. Rows come in order and one by one, so that none of it need fit in memory.
pub trait Snapshot {
    fn log(&self) -> LogId;

    fn schemas(&self) -> &[Schema];

    /// Every event of a shard by position.
    fn events(&self, shard: ShardName, visit: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()>;

    /// Every event of a service by (entity kind, entity id, version).
    fn events_by_entity(&self, service: &'static str, visit: &mut dyn FnMut(Recorded) -> Visit)
    -> Stored<()>;

    /// Events of one entity id of a service by version.
    fn story(&self, service: &'static str, entity_id: u64) -> Stored<Vec<Recorded>>;

    /// Every entity of a service by (kind, id).
    fn entities(&self, service: &'static str, visit: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()>;

    fn entity(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>>;

    fn last_position(&self, shard: ShardName) -> Stored<u64>;

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>>;

    /// Every effect that is not answered, by (kind, id, sequence).
    fn effects(&self, service: &'static str) -> Stored<Vec<Effect>>;

    /// Every dead letter, also those that were passed over and are on record still.
    fn dead_letters(&self, shard: ShardName) -> Stored<Vec<DeadLetter>>;

    /// The first by number of those that wait, or of those that were passed over.
    fn dead_letters_first(&self, shard: ShardName, side: Side, limit: usize) -> Stored<Vec<DeadLetter>> {
        let letters = self.dead_letters(shard)?.into_iter();
        Ok(letters.filter(|letter| Side::of(letter) == side).take(limit).collect())
    }

    fn dead_letters_counted(&self, shard: ShardName, side: Side) -> Stored<u64> {
        let letters = self.dead_letters(shard)?;
        Ok(letters.iter().filter(|letter| Side::of(letter) == side).count() as u64)
    }

    /// All about one entity, as [`Snapshot::dead_letters`] tells them.
    fn dead_letters_of(&self, shard: ShardName, entity_id: u64) -> Stored<Vec<DeadLetter>> {
        let letters = self.dead_letters(shard)?.into_iter();
        Ok(letters.filter(|letter| letter.entity_id == entity_id).collect())
    }

    /// The numbers of those about one entity that wait, in order.
    fn numbers_waiting(&self, shard: ShardName, entity_id: u64) -> Stored<Vec<u64>> {
        let letters = self.dead_letters_of(shard, entity_id)?.into_iter();
        Ok(letters.filter(|letter| letter.skipped.is_none()).map(|letter| letter.number).collect())
    }

    fn dead_letter(&self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        Ok(self.dead_letters(shard)?.into_iter().find(|letter| letter.number == number))
    }

    /// The events of others that the shard has heard and that an operator passed over.
    fn passed_over(&self, shard: ShardName) -> Stored<Vec<(Source, u64)>>;

    /// Every answer that is remembered under a key, in any order.
    fn answers(&self, service: &'static str, visit: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()>;

    /// Whether the service is a projection that is being made anew.
    fn rebuild(&self, service: &'static str) -> Stored<Option<Rebuild>>;

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>>;
}

/// Whether a visitor wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    On,
    Enough,
}
