//! A reader that calls for help: what is fatal when the writer sees it is so when a reader does.

use engine::clock::Timestamp;
use engine::log::{EntityKey, LogId, Recorded, ShardName};
use engine::store::{Backlog, EntityRow, InboxKey, Query, Reader, Snapshot, StoreError, Stored};
use std::sync::Arc;
use tokio::sync::watch;

/// Why the process has to stop, once it has to.
pub(crate) type Failing = Arc<watch::Sender<Option<String>>>;

/// Says why, unless somebody has said so before.
pub(crate) fn fail(failing: &Failing, why: String) {
    failing.send_if_modified(|reason| {
        let is_first = reason.is_none();
        if is_first {
            *reason = Some(why);
        }
        is_first
    });
}

/// Tells that a thread panicked, which must run as long as the process does.
pub(crate) struct OnPanic(pub(crate) Failing);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            fail(&self.0, format!("the thread {:?} panicked", thread.name().unwrap_or_default()));
        }
    }
}

/// Passes everything on to a reader, and tells when that says that nothing can be promised any more.
pub(crate) struct Sentinel {
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) failing: Failing,
}

impl Sentinel {
    fn watched<T>(&self, read: Stored<T>) -> Stored<T> {
        if let Err(StoreError::Fatal(why)) = &read {
            tracing::error!(why, "a read failed fatally");
            fail(&self.failing, format!("a read failed, and nothing can be promised any more: {why}"));
        }
        read
    }
}

impl Reader for Sentinel {
    fn log(&self) -> LogId {
        self.reader.log()
    }

    fn apart(&self) -> Arc<dyn Reader> {
        Arc::new(Self { reader: self.reader.apart(), failing: self.failing.clone() })
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.watched(self.reader.get(service, key))
    }

    fn rows(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        self.watched(self.reader.rows(service, keys))
    }

    fn published_last(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        self.watched(self.reader.published_last(service, keys))
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.watched(self.reader.inbox(shard))
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        self.watched(self.reader.list(query))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.watched(self.reader.counts(service, kind))
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        self.watched(self.reader.events_after(shard, position, limit))
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.watched(self.reader.last_position(shard))
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        self.watched(self.reader.backlog(service, overdue_before))
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        self.watched(self.reader.armed(service, limit))
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        self.watched(self.reader.snapshot())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails alike whatever it is asked.
    #[derive(Clone)]
    struct Broken(StoreError);

    impl Broken {
        /// What a store can be asked in one question, and otherwise is asked in several.
        fn at_once<T>(&self) -> Stored<T> {
            Err(match &self.0 {
                StoreError::Unavailable(why) => StoreError::Unavailable(format!("{why}, asked at once")),
                StoreError::Fatal(why) => StoreError::Fatal(format!("{why}, asked at once")),
            })
        }
    }

    impl Reader for Broken {
        fn log(&self) -> LogId {
            LogId(1)
        }

        fn apart(&self) -> Arc<dyn Reader> {
            Arc::new(self.clone())
        }

        fn get(&self, _: &'static str, _: EntityKey) -> Stored<Option<EntityRow>> {
            Err(self.0.clone())
        }

        fn rows(&self, _: &'static str, _: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
            self.at_once()
        }

        fn published_last(&self, _: &'static str, _: &[EntityKey]) -> Stored<Vec<u64>> {
            self.at_once()
        }

        fn inbox(&self, _: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
            self.at_once()
        }

        fn list(&self, _: &Query) -> Stored<Vec<EntityRow>> {
            Err(self.0.clone())
        }

        fn counts(&self, _: &'static str, _: &'static str) -> Stored<Vec<(String, u64)>> {
            Err(self.0.clone())
        }

        fn events_after(&self, _: ShardName, _: u64, _: usize) -> Stored<Vec<Recorded>> {
            Err(self.0.clone())
        }

        fn last_position(&self, _: ShardName) -> Stored<u64> {
            Err(self.0.clone())
        }

        fn backlog(&self, _: &'static str, _: Timestamp) -> Stored<Backlog> {
            Err(self.0.clone())
        }

        fn armed(&self, _: &'static str, _: u32) -> Stored<Vec<EntityRow>> {
            Err(self.0.clone())
        }

        fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
            Err(self.0.clone())
        }
    }

    /// Why the process stops after each way to read.
    fn reasons(error: &StoreError) -> Vec<Option<String>> {
        let shard = ShardName { service: "call", index: 0 };
        let ways: [fn(&dyn Reader, ShardName); 9] = [
            |reader, _| drop(reader.rows("call", &[EntityKey { kind: "call", id: 1 }])),
            |reader, _| drop(reader.published_last("call", &[EntityKey { kind: "call", id: 1 }])),
            |reader, shard| drop(reader.inbox(shard)),
            |reader, _| drop(reader.get("call", EntityKey { kind: "call", id: 1 })),
            |reader, _| drop(reader.counts("call", "call")),
            |reader, _| drop(reader.armed("call", 1)),
            |reader, shard| drop(reader.events_after(shard, 0, 1)),
            |reader, shard| drop(reader.apart().last_position(shard)),
            |reader, _| drop(reader.snapshot()),
        ];
        let reason = |read: &fn(&dyn Reader, ShardName)| {
            let failing = Failing::default();
            let sentinel = Sentinel { reader: Arc::new(Broken(error.clone())), failing: failing.clone() };
            read(&sentinel, shard);
            failing.borrow().clone()
        };
        ways.iter().map(reason).collect()
    }

    #[test]
    fn what_is_fatal_stops_the_process_whoever_reads_it() {
        for reason in reasons(&StoreError::Fatal("the disk image is malformed".into())) {
            assert!(reason.is_some_and(|reason| reason.contains("malformed")));
        }
        for reason in reasons(&StoreError::Unavailable("locked".into())) {
            assert_eq!(reason, None, "it may pass");
        }
    }

    #[test]
    fn what_can_be_asked_at_once_is_not_asked_one_by_one() {
        let reader = Arc::new(Broken(StoreError::Unavailable("locked".into())));
        let sentinel = Sentinel { reader, failing: Failing::default() };
        let key = EntityKey { kind: "call", id: 1 };
        let shard = ShardName { service: "call", index: 0 };
        let answers = [
            sentinel.rows("call", &[key]).err(),
            sentinel.published_last("call", &[key]).err(),
            sentinel.inbox(shard).err(),
        ];
        for error in answers {
            assert!(error.as_ref().is_some_and(|error| error.to_string().contains("at once")), "{error:?}");
        }
    }

    #[test]
    fn the_first_reason_is_kept() {
        let failing = Failing::default();
        fail(&failing, "first".into());
        fail(&failing, "second".into());
        assert_eq!(failing.borrow().as_deref(), Some("first"));
    }
}
