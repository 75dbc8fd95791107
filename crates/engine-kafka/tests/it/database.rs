//! A database that is away when it is told to be.

use engine::clock::Timestamp;
use engine::log::{EntityKey, LogId, Recorded, ShardName};
use engine::memory::MemoryStore;
use engine::store::{Backlog, EntityRow, Query, Reader, Snapshot, StoreError, Stored};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone)]
pub(crate) struct Away {
    reader: Arc<dyn Reader>,
    is_away: Arc<AtomicBool>,
}

impl Away {
    pub(crate) fn not_yet(store: &MemoryStore) -> Self {
        Self { reader: store.reader(), is_away: Arc::default() }
    }

    pub(crate) fn set(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn reader(&self) -> Stored<&Arc<dyn Reader>> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the test wants it so".into()));
        }
        Ok(&self.reader)
    }
}

impl Reader for Away {
    fn log(&self) -> LogId {
        self.reader.log()
    }

    fn apart(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.reader()?.get(service, key)
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        self.reader()?.list(query)
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.reader()?.counts(service, kind)
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        self.reader()?.events_after(shard, position, limit)
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.reader()?.last_position(shard)
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        self.reader()?.backlog(service, overdue_before)
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        self.reader()?.armed(service, limit)
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        self.reader()?.snapshot()
    }
}
