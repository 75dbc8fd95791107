//! A store in memory that can fail like the hardest one: several writers, conflicts, fences, lost answers, crashes.

mod look;
mod tables;

use tables::Tables;

use crate::clock::{Clock, ManualClock, Timestamp};
use crate::dead_letter::DeadLetter;
use crate::effect::Effect;
use crate::handle::lock;
use crate::idempotency::{IdempotencyRow, RequestKey};
use crate::log::{EntityKey, LogId, ShardName, shard_of};
use crate::store::{
    Commit, EntityRow, InboxKey, Reader, Rebuild, Schema, Store, StoreError, Stored, WriteSet,
};
use crate::timer::DueTimer;
use std::collections::HashMap;
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
    /// The clock that all writers share, if it has one.
    clock: Option<Arc<ManualClock>>,
}

impl MemoryStore {
    pub fn new(schemas: &[Schema], log: LogId) -> Self {
        let services = schemas.iter().map(|schema| (schema.service, Tables::of(*schema))).collect();
        let data = Data { log, schemas: schemas.to_vec(), services, late: Vec::new() };
        Self { data: Arc::new(Mutex::new(data)), clock: None }
    }

    /// The same, with a clock of its own.
    pub fn with_clock(self, clock: Arc<ManualClock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// One of any number of writers.
    pub fn writer(&self) -> Box<dyn Store> {
        self.faulty_writer(|| None)
    }

    /// A writer whose commits suffer what `faults` says.
    pub fn faulty_writer(&self, faults: impl FnMut() -> Option<Fault> + Send + 'static) -> Box<dyn Store> {
        let (data, clock) = (self.data.clone(), self.clock.clone());
        Box::new(MemoryWriter { data, clock, faults: Box::new(faults) })
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    /// Lets a commit that was still on its way arrive, as it would when its writer has died.
    pub fn arrive(&self) {
        lock(&self.data).arrive();
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
        self.schemas.iter().find(|schema| schema.service == service).map_or(1, |schema| schema.shards)
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
    clock: Option<Arc<ManualClock>>,
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
        Ok(keys.iter().map(|key| tables.idempotency.get(key).cloned()).collect())
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        lock(&self.data).snapshot_inbox(shard)
    }

    fn last_position(&mut self, shard: ShardName) -> Stored<u64> {
        Ok(lock(&self.data).tables(shard.service)?.last(shard.index))
    }

    fn published_last(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(keys.iter().map(|key| tables.published_last(*key)).collect())
    }

    fn traces(&mut self, service: &'static str, wanted: &[(EntityKey, u64)]) -> Stored<Vec<Option<String>>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(wanted.iter().map(|(key, version)| tables.trace(*key, *version)).collect())
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
        let mut letters =
            data.tables(shard.service)?.letters(shard.index, data.shards(shard.service), entity_id);
        letters.retain(|letter| letter.skipped.is_none());
        Ok(letters)
    }

    fn dead_letter(&mut self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        let data = lock(&self.data);
        let letters = data.tables(shard.service)?.letters(shard.index, data.shards(shard.service), None);
        Ok(letters.into_iter().find(|letter| letter.number == number))
    }

    fn reserve(&mut self, service: &'static str, count: u32, least: u64) -> Stored<u64> {
        let mut data = lock(&self.data);
        let tables = data.tables_mut(service)?;
        let first = tables.next_number.max(least);
        tables.next_number = first + u64::from(count);
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
        let mut positions = Vec::with_capacity(sets.len());
        for set in sets {
            let batch = (set.shard.index, set.batch);
            match data.tables(set.shard.service)?.batches.get(&batch) {
                Some(position) => positions.push(*position),
                None => return Ok(Commit::Conflict),
            }
        }
        Ok(Commit::Done(positions))
    }

    fn clock(&mut self) -> Stored<Option<Timestamp>> {
        Ok(self.clock.as_ref().map(|clock| clock.now()))
    }

    fn answered_last(&mut self) -> Stored<Option<Timestamp>> {
        let data = lock(&self.data);
        Ok(data.services.values().flat_map(|tables| tables.idempotency.values()).map(|row| row.at).max())
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

    fn prune_skipped(&mut self, before: Timestamp) -> Stored<u64> {
        let mut pruned = 0;
        for tables in lock(&self.data).services.values_mut() {
            let known = tables.letters.len();
            tables.letters.retain(|_, letter| letter.skipped.as_ref().is_none_or(|skip| skip.at >= before));
            pruned += (known - tables.letters.len()) as u64;
        }
        Ok(pruned)
    }

    fn rebuild(&mut self, service: &'static str) -> Stored<Option<(u64, Rebuild)>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(tables.rebuild.map(|stage| (tables.rebuilds_ever, stage)))
    }

    fn begin_rebuild(&mut self, service: &'static str) -> Stored<u64> {
        let mut data = lock(&self.data);
        let tables = data.tables_mut(service)?;
        tables.rebuild = Some(Rebuild::Dropping);
        tables.rebuilds_ever += 1;
        Ok(tables.rebuilds_ever)
    }

    fn drop_some(&mut self, service: &'static str, limit: usize) -> Stored<Rebuild> {
        Ok(lock(&self.data).tables_mut(service)?.drop_some(limit))
    }

    fn end_rebuild(&mut self, service: &'static str, number: u64) -> Stored<bool> {
        let mut data = lock(&self.data);
        let tables = data.tables_mut(service)?;
        let is_read = tables.rebuild == Some(Rebuild::Reading) && tables.rebuilds_ever == number;
        tables.rebuild = tables.rebuild.filter(|_| !is_read);
        Ok(is_read)
    }
}

impl Data {
    fn snapshot_inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        let rows = &self.tables(shard.service)?.inbox[usize::from(shard.index)];
        Ok(rows.iter().map(|(key, position)| (key.clone(), *position)).collect())
    }
}
