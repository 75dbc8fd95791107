//! Looking at a store in memory.

use super::{Data, MemoryStore};
use crate::clock::Timestamp;
use crate::dead_letter::DeadLetter;
use crate::effect::Effect;
use crate::handle::lock;
use crate::idempotency::IdempotencyRow;
use crate::log::{EntityKey, LogId, Recorded, ShardName, Source};
use crate::store::{Backlog, EntityRow, InboxKey, Query, Reader, Rebuild, Schema, Snapshot, Stored, Visit};
use std::sync::Arc;

impl Reader for MemoryStore {
    fn log(&self) -> LogId {
        lock(&self.data).log
    }

    fn apart(&self) -> Arc<dyn Reader> {
        self.reader()
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        Ok(lock(&self.data).tables(service)?.entities.get(&key).cloned())
    }

    fn rows(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(keys.iter().map(|key| tables.entities.get(key).cloned()).collect())
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        lock(&self.data).snapshot_inbox(shard)
    }

    fn published_last(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        let data = lock(&self.data);
        let tables = data.tables(service)?;
        Ok(keys.iter().map(|key| tables.published_last(*key)).collect())
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        Ok(lock(&self.data).tables(query.service)?.list(query))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        Ok(lock(&self.data).tables(service)?.counts(kind))
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        Ok(lock(&self.data).tables(shard.service)?.after(shard.index, position, limit))
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        Ok(lock(&self.data).tables(shard.service)?.last(shard.index))
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        Ok(lock(&self.data).tables(service)?.backlog(overdue_before))
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        Ok(lock(&self.data).tables(service)?.armed(limit))
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
        let mut story: Vec<Recorded> = events.filter(|event| event.entity_id == entity_id).cloned().collect();
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
        Ok(self.tables(shard.service)?.letters(shard.index, self.shards(shard.service), None))
    }

    fn passed_over(&self, shard: ShardName) -> Stored<Vec<(Source, u64)>> {
        Ok(self.tables(shard.service)?.passed_over[usize::from(shard.index)].iter().cloned().collect())
    }

    fn answers(&self, service: &'static str, visit: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()> {
        for row in self.tables(service)?.idempotency.values() {
            if visit(row.clone()) == Visit::Enough {
                break;
            }
        }
        Ok(())
    }

    fn rebuild(&self, service: &'static str) -> Stored<Option<Rebuild>> {
        Ok(self.tables(service)?.rebuild)
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        Ok(self.tables(service)?.counts(kind))
    }
}
