//! A store that cannot always be read, and that may belong to one process alone.

use crate::fate::Fate;
use crate::lock;
use engine::clock::Timestamp;
use engine::dead_letter::DeadLetter;
use engine::effect::Effect;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, InboxKey, Rebuild, Store, StoreError, Stored, WriteSet};
use engine::timer::DueTimer;
use std::sync::{Arc, Mutex};

pub(crate) struct Flaky {
    pub(crate) sound: Box<dyn Store>,
    pub(crate) fate: Arc<Mutex<Fate>>,
    pub(crate) is_exclusive: bool,
}

impl Flaky {
    fn readable(&mut self) -> Stored<&mut dyn Store> {
        if lock(&self.fate).draw_read() {
            return Err(StoreError::Unavailable("planned".to_owned()));
        }
        Ok(&mut *self.sound)
    }
}

impl Store for Flaky {
    fn log(&self) -> LogId {
        self.sound.log()
    }

    fn is_exclusive(&self) -> bool {
        self.is_exclusive
    }

    fn load(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        self.readable()?.load(service, keys)
    }

    fn recall(&mut self, service: &'static str, keys: &[RequestKey]) -> Stored<Vec<Option<IdempotencyRow>>> {
        self.readable()?.recall(service, keys)
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.readable()?.inbox(shard)
    }

    fn last_position(&mut self, shard: ShardName) -> Stored<u64> {
        self.readable()?.last_position(shard)
    }

    fn published_last(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        self.readable()?.published_last(service, keys)
    }

    fn traces(&mut self, service: &'static str, wanted: &[(EntityKey, u64)]) -> Stored<Vec<Option<String>>> {
        self.readable()?.traces(service, wanted)
    }

    fn timers_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<DueTimer>> {
        self.readable()?.timers_due(shard, now, limit)
    }

    fn effects_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<Effect>> {
        self.readable()?.effects_due(shard, now, limit)
    }

    fn dead_letters(&mut self, shard: ShardName, entity_id: Option<u64>) -> Stored<Vec<DeadLetter>> {
        self.readable()?.dead_letters(shard, entity_id)
    }

    fn dead_letter(&mut self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        self.readable()?.dead_letter(shard, number)
    }

    fn reserve(&mut self, service: &'static str, count: u32, least: u64) -> Stored<u64> {
        self.readable()?.reserve(service, count, least)
    }

    fn commit(&mut self, sets: &[WriteSet]) -> Commit {
        self.sound.commit(sets)
    }

    fn resolve(&mut self, sets: &[WriteSet]) -> Stored<Commit> {
        self.readable()?.resolve(sets)
    }

    fn clock(&mut self) -> Stored<Option<Timestamp>> {
        self.readable()?.clock()
    }

    fn answered_last(&mut self) -> Stored<Option<Timestamp>> {
        self.readable()?.answered_last()
    }

    fn prune(&mut self, before: Timestamp) -> Stored<u64> {
        self.readable()?.prune(before)
    }

    fn prune_skipped(&mut self, before: Timestamp) -> Stored<u64> {
        self.sound.prune_skipped(before)
    }

    fn rebuild(&mut self, service: &'static str) -> Stored<Option<(u64, Rebuild)>> {
        self.readable()?.rebuild(service)
    }

    fn begin_rebuild(&mut self, service: &'static str) -> Stored<u64> {
        self.readable()?.begin_rebuild(service)
    }

    fn drop_some(&mut self, service: &'static str, limit: usize) -> Stored<Rebuild> {
        self.readable()?.drop_some(service, limit)
    }

    fn end_rebuild(&mut self, service: &'static str, number: u64) -> Stored<bool> {
        self.readable()?.end_rebuild(service, number)
    }
}
