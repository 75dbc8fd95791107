//! The database of a service that runs in another process, as this one sees it: not there.

use engine::clock::Timestamp;
use engine::dead_letter::DeadLetter;
use engine::effect::Effect;
use engine::idempotency::IdempotencyRow;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{
    Backlog, EntityRow, InboxKey, Query, Reader, Rebuild, Schema, Snapshot, StoreError, Stored, Visit,
};
use std::sync::Arc;

use crate::Readers;

/// Nobody's log.
const NO_LOG: LogId = LogId(0);

pub(crate) fn reader() -> Arc<dyn Reader> {
    Arc::new(Elsewhere { looks_empty: true })
}

/// Databases of which nobody knows yet where they are.
pub(crate) fn unreadable() -> Readers {
    let reader: Arc<dyn Reader> = Arc::new(Elsewhere { looks_empty: false });
    Readers { call: reader.clone(), payment: reader.clone(), drive: reader.clone(), view: reader }
}

fn unavailable<T>() -> Stored<T> {
    Err(StoreError::Unavailable("the service runs in another process".to_owned()))
}

/// Reading it is refused. Where the snapshot is empty, what operators look at in all services together is of those that
/// are here.
struct Elsewhere {
    looks_empty: bool,
}

impl Reader for Elsewhere {
    fn log(&self) -> LogId {
        NO_LOG
    }

    fn apart(&self) -> Arc<dyn Reader> {
        Arc::new(Self { ..*self })
    }

    fn get(&self, _: &'static str, _: EntityKey) -> Stored<Option<EntityRow>> {
        unavailable()
    }

    fn list(&self, _: &Query) -> Stored<Vec<EntityRow>> {
        unavailable()
    }

    fn counts(&self, _: &'static str, _: &'static str) -> Stored<Vec<(String, u64)>> {
        unavailable()
    }

    fn events_after(&self, _: ShardName, _: u64, _: usize) -> Stored<Vec<Recorded>> {
        unavailable()
    }

    fn last_position(&self, _: ShardName) -> Stored<u64> {
        unavailable()
    }

    fn backlog(&self, _: &'static str, _: Timestamp) -> Stored<Backlog> {
        unavailable()
    }

    fn armed(&self, _: &'static str, _: u32) -> Stored<Vec<EntityRow>> {
        unavailable()
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        if self.looks_empty { Ok(Box::new(Nothing)) } else { unavailable() }
    }
}

/// A database without anything in it.
struct Nothing;

impl Snapshot for Nothing {
    fn log(&self) -> LogId {
        NO_LOG
    }

    fn schemas(&self) -> &[Schema] {
        &[]
    }

    fn events(&self, _: ShardName, _: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        Ok(())
    }

    fn events_by_entity(&self, _: &'static str, _: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        Ok(())
    }

    fn story(&self, _: &'static str, _: u64) -> Stored<Vec<Recorded>> {
        Ok(Vec::new())
    }

    fn entities(&self, _: &'static str, _: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()> {
        Ok(())
    }

    fn entity(&self, _: &'static str, _: EntityKey) -> Stored<Option<EntityRow>> {
        Ok(None)
    }

    fn last_position(&self, _: ShardName) -> Stored<u64> {
        Ok(0)
    }

    fn inbox(&self, _: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        Ok(Vec::new())
    }

    fn effects(&self, _: &'static str) -> Stored<Vec<Effect>> {
        Ok(Vec::new())
    }

    fn dead_letters(&self, _: ShardName) -> Stored<Vec<DeadLetter>> {
        Ok(Vec::new())
    }

    fn passed_over(&self, _: ShardName) -> Stored<Vec<(Source, u64)>> {
        Ok(Vec::new())
    }

    fn answers(&self, _: &'static str, _: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()> {
        Ok(())
    }

    fn rebuild(&self, _: &'static str) -> Stored<Option<Rebuild>> {
        Ok(None)
    }

    fn counts(&self, _: &'static str, _: &'static str) -> Stored<Vec<(String, u64)>> {
        Ok(Vec::new())
    }
}
