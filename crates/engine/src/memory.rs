//! A store in memory that can fail like the hardest one: several writers, conflicts, fences, lost answers, crashes.

use crate::clock::Timestamp;
use crate::dead_letter::DeadLetter;
use crate::effect::Effect;
use crate::handle::lock;
use crate::idempotency::{IdempotencyRow, RequestKey};
use crate::log::{EntityKey, LogId, Recorded, ShardName, Source, shard_of};
use crate::store::{
    Commit, EntityRow, InboxKey, Order, Query, Reader, Schema, Snapshot, Start, Store, StoreError, Stored,
    Visit, WriteSet,
};
use crate::timer::DueTimer;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// What a commit is made to suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Refused, as if another writer had been there.
    Conflict,
    Fenced,
    Unavailable,
    /// Stored, but the answer is lost.
    UnknownStored,
    /// Not stored, and the answer is lost.
    UnknownLost,
    /// The answer is lost and the commit is still on its way: a plain look does not see it yet.
    UnknownLate,
    /// The process dies before anything is stored.
    CrashBefore,
    /// The process dies right after it was stored, before anybody was told.
    CrashAfter,
}

type FaultPlan = Box<dyn FnMut() -> Option<Fault> + Send>;

/// The rows of one service.
#[derive(Debug, Clone, Default, PartialEq)]
struct Tables {
    entities: BTreeMap<EntityKey, EntityRow>,
    events: Vec<Vec<Recorded>>,
    inbox: Vec<BTreeMap<InboxKey, u64>>,
    effects: BTreeMap<(EntityKey, u64), Effect>,
    idempotency: HashMap<RequestKey, IdempotencyRow>,
    letters: BTreeMap<u64, DeadLetter>,
    letters_ever: u64,
    counts: BTreeMap<(&'static str, String), i64>,
    batches: HashSet<(u16, u64)>,
    next_number: u64,
}

#[derive(Debug, Clone)]
struct Data {
    log: LogId,
    schemas: Vec<Schema>,
    services: HashMap<&'static str, Tables>,
    /// Commits whose answer was lost while they were on their way.
    late: Vec<Vec<WriteSet>>,
}

/// A database in memory; clones share it.
#[derive(Clone)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
}

impl MemoryStore {
    pub fn new(schemas: &[Schema], log: LogId) -> Self {
        let services = schemas
            .iter()
            .map(|schema| (schema.service, Tables::of(*schema)))
            .collect();
        let data = Data {
            log,
            schemas: schemas.to_vec(),
            services,
            late: Vec::new(),
        };
        Self {
            data: Arc::new(Mutex::new(data)),
        }
    }

    /// One of any number of writers.
    pub fn writer(&self) -> Box<dyn Store> {
        Box::new(MemoryWriter {
            data: self.data.clone(),
            faults: Box::new(|| None),
        })
    }

    /// A writer whose commits suffer what `faults` says.
    pub fn faulty_writer(&self, faults: impl FnMut() -> Option<Fault> + Send + 'static) -> Box<dyn Store> {
        Box::new(MemoryWriter {
            data: self.data.clone(),
            faults: Box::new(faults),
        })
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    /// Lets a commit that was still on its way arrive, as it would when its writer has died.
    pub fn arrive(&self) {
        lock(&self.data).arrive();
    }
}

impl Tables {
    fn of(schema: Schema) -> Self {
        let shards = usize::from(schema.shards);
        Self {
            events: vec![Vec::new(); shards],
            inbox: vec![BTreeMap::new(); shards],
            next_number: 1,
            ..Self::default()
        }
    }

    fn check(&self, set: &WriteSet) -> Result<(), Commit> {
        let version = |key: &EntityKey| self.entities.get(key).map_or(0, |row| row.version);
        let reads = set.reads.iter().all(|(key, read)| version(key) == *read);
        let writes = set
            .entities
            .iter()
            .all(|write| version(&write.row.key) == write.replaces);
        let claims = set.effects_claimed.iter().all(|claim| {
            let effect = self.effects.get(&(claim.key, claim.sequence));
            effect.is_some_and(|effect| effect.attempts == claim.attempts_before)
        });
        let done = set.effects_done.iter().all(|key| self.effects.contains_key(key));
        let keys = set
            .idempotency
            .iter()
            .all(|row| !self.idempotency.contains_key(&row.request));
        if !(reads && writes && claims && done && keys) {
            return Err(Commit::Conflict);
        }
        let rows = &self.inbox[usize::from(set.shard.index)];
        let inbox = set
            .inbox
            .iter()
            .all(|step| rows.get(&step.key).copied().unwrap_or(0) == step.from);
        if inbox { Ok(()) } else { Err(Commit::Fenced) }
    }

    fn apply(&mut self, set: &WriteSet, log: LogId) {
        let shard = usize::from(set.shard.index);
        let source = Source {
            log,
            service: Cow::Borrowed(set.shard.service),
            shard: set.shard.index,
        };
        for event in &set.events {
            let position = self.events[shard].len() as u64 + 1;
            self.events[shard].push(event.clone().recorded(source.clone(), position));
        }
        for write in &set.entities {
            self.entities.insert(write.row.key, write.row.clone());
        }
        for step in &set.inbox {
            self.inbox[shard].insert(step.key.clone(), step.to);
        }
        for effect in &set.effects_new {
            self.effects.insert((effect.key, effect.sequence), effect.clone());
        }
        for claim in &set.effects_claimed {
            if let Some(effect) = self.effects.get_mut(&(claim.key, claim.sequence)) {
                effect.attempts = claim.attempts_before + 1;
                effect.claimed_until = claim.claimed_until;
            }
        }
        for done in &set.effects_done {
            self.effects.remove(done);
        }
        for row in &set.idempotency {
            self.idempotency.insert(row.request.clone(), row.clone());
        }
        for letter in &set.dead_letters {
            self.letters_ever += 1;
            self.letters.insert(
                self.letters_ever,
                DeadLetter {
                    number: self.letters_ever,
                    ..letter.clone()
                },
            );
        }
        for number in &set.dead_letters_done {
            self.letters.remove(number);
        }
        for ((kind, tag), change) in &set.counts {
            *self.counts.entry((kind, tag.to_string())).or_default() += change;
        }
        self.batches.insert((set.shard.index, set.batch));
    }

    fn list(&self, query: &Query) -> Vec<EntityRow> {
        let mut rows: Vec<&EntityRow> = self
            .entities
            .values()
            .filter(|row| row.key.kind == query.kind)
            .filter(|row| query.tag.as_ref().is_none_or(|tag| row.tag == *tag))
            .collect();
        let place = |tag: &str, id: u64| match query.order {
            Order::Id => (String::new(), id),
            Order::Tag => (tag.to_owned(), id),
        };
        rows.sort_by_key(|row| place(&row.tag, row.key.id));
        if query.descending {
            rows.reverse();
        }
        let is_before = |row: &EntityRow, tag: &str, id: u64| {
            let (left, right) = (place(&row.tag, row.key.id), place(tag, id));
            if query.descending {
                left > right
            } else {
                left < right
            }
        };
        let limit = query.limit as usize;
        let skip = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let (from, to) = match &query.start {
            Start::First { skip: count } => (skip(*count), skip(*count).saturating_add(limit)),
            Start::Last { skip: count } => {
                let to = rows.len().saturating_sub(skip(*count));
                (to.saturating_sub(limit), to)
            }
            Start::After { tag, id } => {
                let at = place(tag, *id);
                let from = rows
                    .iter()
                    .filter(|row| is_before(row, tag, *id) || place(&row.tag, row.key.id) == at);
                let from = from.count();
                (from, from.saturating_add(limit))
            }
            Start::Before { tag, id } => {
                let to = rows.iter().filter(|row| is_before(row, tag, *id)).count();
                (to.saturating_sub(limit), to)
            }
        };
        let (from, to) = (from.min(rows.len()), to.min(rows.len()));
        rows[from..to].iter().map(|row| (*row).clone()).collect()
    }

    fn counts(&self, kind: &'static str) -> Vec<(String, u64)> {
        let of_kind = self
            .counts
            .iter()
            .filter(|((known, _), count)| *known == kind && **count != 0);
        of_kind
            .map(|((_, tag), count)| (tag.clone(), u64::try_from(*count).unwrap_or(0)))
            .collect()
    }

    fn after(&self, shard: u16, position: u64, limit: usize) -> Vec<Recorded> {
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        self.events[usize::from(shard)]
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect()
    }

    fn last(&self, shard: u16) -> u64 {
        self.events[usize::from(shard)].len() as u64
    }

    fn letters(&self, shard: u16, shards: u16, entity_id: Option<u64>) -> Vec<DeadLetter> {
        let letters = self
            .letters
            .values()
            .filter(|letter| shard_of(letter.entity_id, shards) == shard);
        letters
            .filter(|letter| entity_id.is_none_or(|id| letter.entity_id == id))
            .cloned()
            .collect()
    }
}

impl Data {
    fn tables(&self, service: &str) -> Stored<&Tables> {
        let unknown = || StoreError::Fatal(format!("the store does not hold {service:?}"));
        self.services.get(service).ok_or_else(unknown)
    }

    fn tables_mut(&mut self, service: &str) -> Stored<&mut Tables> {
        let unknown = || StoreError::Fatal(format!("the store does not hold {service:?}"));
        self.services.get_mut(service).ok_or_else(unknown)
    }

    fn shards(&self, service: &str) -> u16 {
        self.schemas
            .iter()
            .find(|schema| schema.service == service)
            .map_or(1, |schema| schema.shards)
    }

    fn commit(&mut self, sets: &[WriteSet]) -> Commit {
        // Later sets must hold on top of earlier ones, so the whole is tried on a copy of what it changes.
        let mut changed: HashMap<&'static str, Tables> = HashMap::new();
        for set in sets {
            let service = set.shard.service;
            if !changed.contains_key(service) {
                match self.tables(service) {
                    Ok(tables) if sets.len() > 1 => changed.insert(service, tables.clone()),
                    Ok(tables) => match tables.check(set) {
                        Err(refused) => return refused,
                        Ok(()) => break,
                    },
                    Err(error) => return Commit::Fatal(error.to_string()),
                };
            }
            let log = self.log;
            let tables = changed.get_mut(service).expect("it was put there just now");
            if let Err(refused) = tables.check(set) {
                return refused;
            }
            tables.apply(set, log);
        }
        match sets {
            [set] => {
                let log = self.log;
                if let Ok(tables) = self.tables_mut(set.shard.service) {
                    tables.apply(set, log);
                }
            }
            _ => self.services.extend(changed),
        }
        self.done(sets)
    }

    fn done(&self, sets: &[WriteSet]) -> Commit {
        let last = |set: &WriteSet| self.services[set.shard.service].last(set.shard.index);
        Commit::Done(sets.iter().map(last).collect())
    }

    fn arrive(&mut self) {
        for sets in std::mem::take(&mut self.late) {
            self.commit(&sets);
        }
    }
}

/// One writer of a store in memory.
struct MemoryWriter {
    data: Arc<Mutex<Data>>,
    faults: FaultPlan,
}

impl Store for MemoryWriter {
    fn log(&self) -> LogId {
        lock(&self.data).log
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    fn load(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(keys.iter().map(|key| tables.entities.get(key).cloned()).collect())
    }

    fn recall(&mut self, service: &'static str, keys: &[RequestKey]) -> Stored<Vec<Option<IdempotencyRow>>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(keys
            .iter()
            .map(|key| tables.idempotency.get(key).cloned())
            .collect())
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        lock(&self.data).snapshot_inbox(shard)
    }

    fn last_position(&mut self, shard: ShardName) -> Stored<u64> {
        Ok(lock(&self.data).tables(shard.service)?.last(shard.index))
    }

    fn timers_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<DueTimer>> {
        let data = lock(&self.data);
        let shards = data.shards(shard.service);
        let armed = data.tables(shard.service)?.entities.values().filter_map(|row| {
            let timer = row.timer.clone().filter(|timer| timer.due <= now)?;
            (shard_of(row.key.id, shards) == shard.index).then_some(DueTimer { key: row.key, timer })
        });
        let mut due: Vec<DueTimer> = armed.collect();
        due.sort_by_key(|due| (due.timer.due, due.key));
        due.truncate(limit);
        Ok(due)
    }

    fn effects_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<Effect>> {
        let data = lock(&self.data);
        let shards = data.shards(shard.service);
        let mut due: Vec<Effect> = Vec::new();
        let mut last_key = None;
        for ((key, _), effect) in &data.tables(shard.service)?.effects {
            let is_first = last_key.replace(*key) != Some(*key);
            let is_ours = shard_of(key.id, shards) == shard.index;
            if is_first && is_ours && effect.claimed_until <= now && due.len() < limit {
                due.push(effect.clone());
            }
        }
        Ok(due)
    }

    fn dead_letters(&mut self, shard: ShardName, entity_id: Option<u64>) -> Stored<Vec<DeadLetter>> {
        let data = lock(&self.data);
        Ok(data
            .tables(shard.service)?
            .letters(shard.index, data.shards(shard.service), entity_id))
    }

    fn reserve(&mut self, service: &'static str, count: u32) -> Stored<u64> {
        let mut data = lock(&self.data);
        let tables = data.tables_mut(service)?;
        let first = tables.next_number;
        tables.next_number += u64::from(count);
        Ok(first)
    }

    fn commit(&mut self, sets: &[WriteSet]) -> Commit {
        let fault = (self.faults)();
        let mut data = lock(&self.data);
        match fault {
            None => data.commit(sets),
            Some(Fault::Conflict) => Commit::Conflict,
            Some(Fault::Fenced) => Commit::Fenced,
            Some(Fault::Unavailable) => Commit::Unavailable("planned".into()),
            Some(Fault::UnknownLost) => Commit::Unknown,
            Some(Fault::UnknownStored) => {
                data.commit(sets);
                Commit::Unknown
            }
            Some(Fault::UnknownLate) => {
                data.late.push(sets.to_vec());
                Commit::Unknown
            }
            Some(Fault::CrashBefore) => Commit::Fatal("a planned crash before the commit".into()),
            Some(Fault::CrashAfter) => {
                data.commit(sets);
                Commit::Fatal("a planned crash after the commit".into())
            }
        }
    }

    fn resolve(&mut self, sets: &[WriteSet]) -> Stored<Commit> {
        let mut data = lock(&self.data);
        // The lock is had only once whatever was on its way has arrived.
        data.arrive();
        for set in sets {
            let batch = (set.shard.index, set.batch);
            if !data.tables(set.shard.service)?.batches.contains(&batch) {
                return Ok(Commit::Conflict);
            }
        }
        Ok(data.done(sets))
    }

    fn prune(&mut self, before: Timestamp) -> Stored<u64> {
        let mut pruned = 0;
        for tables in lock(&self.data).services.values_mut() {
            let known = tables.idempotency.len();
            tables.idempotency.retain(|_, row| row.at >= before);
            pruned += (known - tables.idempotency.len()) as u64;
        }
        Ok(pruned)
    }

    fn drop_projection(&mut self, service: &'static str) -> Stored<()> {
        let mut data = lock(&self.data);
        let tables = data.tables_mut(service)?;
        tables.entities.clear();
        tables.counts.clear();
        tables.inbox.iter_mut().for_each(BTreeMap::clear);
        Ok(())
    }
}

impl Data {
    fn snapshot_inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        let rows = &self.tables(shard.service)?.inbox[usize::from(shard.index)];
        Ok(rows
            .iter()
            .map(|(key, position)| (key.clone(), *position))
            .collect())
    }
}

impl Reader for MemoryStore {
    fn log(&self) -> LogId {
        lock(&self.data).log
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        Ok(lock(&self.data).tables(service)?.entities.get(&key).cloned())
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        Ok(lock(&self.data).tables(query.service)?.list(query))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        Ok(lock(&self.data).tables(service)?.counts(kind))
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        Ok(lock(&self.data)
            .tables(shard.service)?
            .after(shard.index, position, limit))
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        Ok(lock(&self.data).tables(shard.service)?.last(shard.index))
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        Ok(Box::new(lock(&self.data).clone()))
    }
}

impl Snapshot for Data {
    fn log(&self) -> LogId {
        self.log
    }

    fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    fn events(&self, shard: ShardName, visit: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        for event in &self.tables(shard.service)?.events[usize::from(shard.index)] {
            if visit(event.clone()) == Visit::Enough {
                break;
            }
        }
        Ok(())
    }

    fn events_by_entity(
        &self,
        service: &'static str,
        visit: &mut dyn FnMut(Recorded) -> Visit,
    ) -> Stored<()> {
        let mut events: Vec<&Recorded> = self.tables(service)?.events.iter().flatten().collect();
        events.sort_by_key(|event| (event.entity_kind.clone(), event.entity_id, event.version));
        for event in events {
            if visit(event.clone()) == Visit::Enough {
                break;
            }
        }
        Ok(())
    }

    fn story(&self, service: &'static str, entity_id: u64) -> Stored<Vec<Recorded>> {
        let events = self.tables(service)?.events.iter().flatten();
        let mut story: Vec<Recorded> = events
            .filter(|event| event.entity_id == entity_id)
            .cloned()
            .collect();
        story.sort_by_key(|event| (event.entity_kind.clone(), event.version));
        Ok(story)
    }

    fn entities(&self, service: &'static str, visit: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()> {
        for row in self.tables(service)?.entities.values() {
            if visit(row.clone()) == Visit::Enough {
                break;
            }
        }
        Ok(())
    }

    fn entity(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        Ok(self.tables(service)?.entities.get(&key).cloned())
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        Ok(self.tables(shard.service)?.last(shard.index))
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.snapshot_inbox(shard)
    }

    fn effects(&self, service: &'static str) -> Stored<Vec<Effect>> {
        Ok(self.tables(service)?.effects.values().cloned().collect())
    }

    fn dead_letters(&self, shard: ShardName) -> Stored<Vec<DeadLetter>> {
        Ok(self
            .tables(shard.service)?
            .letters(shard.index, self.shards(shard.service), None))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        Ok(self.tables(service)?.counts(kind))
    }
}
