//! The lookout of a replica: finds what others have committed, for those who wait here.
//!
//! Where several processes write one store, what somebody waits for here may be committed elsewhere. All who wait are
//! looked up together, one question every few milliseconds, not one each. Why so: docs/decisions/0019-lookout.md.

use crate::Service;
use crate::cache::Entry;
use crate::handle::{Doorbell, Handle, Watches};
use crate::log::{EntityKey, ShardName};
use crate::progress::Progress;
use crate::store::{InboxKey, Reader, StoreError, Stored};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the lookout rests between two looks while somebody waits.
pub const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Entities that one look asks for; where more are waited for, they take turns.
pub const LOOKED_UP_MAX: usize = 1_000;

/// Every so many looks at the inboxes of shards they are read whole.
const WHOLE_EVERY: u32 = 32;

/// How long it rests while nobody waits, unless somebody comes.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// How long it rests when the store cannot be read.
const UNAVAILABLE_WAIT: Duration = Duration::from_millis(200);

/// Looks at the store of one service for those who wait in this process.
pub struct Lookout<S: Service> {
    service: Arc<S>,
    shards: u16,
    watches: Arc<Watches<S>>,
    progress: Arc<Progress>,
    doorbell: Arc<Doorbell>,
    reader: Arc<dyn Reader>,
    /// The entity that was looked up last, where they take turns.
    last: Option<EntityKey>,
    /// Counts the looks at inboxes.
    looks: u32,
}

impl<S: Service> Lookout<S> {
    /// The reader should be its own ([`Reader::apart`]), so that it waits behind nobody.
    pub fn new(handle: &Handle<S>, reader: Arc<dyn Reader>) -> Self {
        let doorbell = Arc::new(Doorbell::default());
        handle.watches.wake_with(doorbell.clone());
        handle.progress.wake_with(doorbell.clone());
        Self {
            service: handle.service.clone(),
            shards: handle.shards(),
            watches: handle.watches.clone(),
            progress: handle.progress.clone(),
            doorbell,
            reader,
            last: None,
            looks: 0,
        }
    }

    /// One look for all who wait. Says whether anybody did.
    pub fn turn(&mut self) -> Stored<bool> {
        let is_watched = self.look_at_entities()?;
        let is_awaited = self.look_at_inboxes()?;
        Ok(is_watched || is_awaited)
    }

    /// Looks again and again until it is told to stop; asleep while nobody waits.
    pub fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            match self.turn() {
                Ok(true) => std::thread::park_timeout(LOOK_EVERY),
                Ok(false) => self.doorbell.wait(IDLE_WAIT),
                // The runner of the same store tells of it, and ends the process where it must end.
                Err(StoreError::Unavailable(why) | StoreError::Fatal(why)) => {
                    tracing::debug!(why, service = self.service.name(), "the lookout sees nothing");
                    std::thread::park_timeout(UNAVAILABLE_WAIT);
                }
            }
        }
    }

    /// Shows every watcher the state as it stands. Whether it is what they wait for they decide themselves, so it does
    /// no harm to see one twice; and what was committed before the first look is seen at it.
    fn look_at_entities(&mut self) -> Stored<bool> {
        let keys = self.watches.some(self.last, LOOKED_UP_MAX);
        let Some(last) = keys.last() else { return Ok(false) };
        let rows = self.reader.rows(self.service.name(), &keys)?;
        self.last = Some(*last);
        let mut states = Vec::with_capacity(keys.len());
        for (key, row) in keys.into_iter().zip(rows) {
            match Entry::<S::State>::from_row(row) {
                Ok(Entry { state: Some(state), .. }) => states.push((key, state)),
                Ok(Entry { state: None, .. }) => {}
                Err(reason) => tracing::debug!(%key, reason, "a state that is waited for cannot be read"),
            }
        }
        self.watches.notify(states.iter().map(|(key, state)| (*key, state)));
        Ok(true)
    }

    /// How far the shards have read what somebody waits for, whoever reads for them: those rows alone, for a shard has as
    /// many as there are partitions and logs. Only now and then all: another may have heard what was told by a count of
    /// partitions that this process has never seen.
    fn look_at_inboxes(&mut self) -> Stored<bool> {
        let Some(awaited) = self.progress.awaited(self.shards) else { return Ok(false) };
        self.looks = self.looks.wrapping_add(1);
        for (index, keys) in awaited {
            let shard = ShardName { service: self.service.name(), index };
            if self.looks.is_multiple_of(WHOLE_EVERY) {
                self.progress.note(index, self.reader.inbox(shard)?.into_iter(), self.shards);
                continue;
            }
            let keys: Vec<InboxKey> = keys.into_iter().collect();
            let rows = self.reader.inbox_rows(shard, &keys)?;
            self.progress.note(index, keys.into_iter().zip(rows), self.shards);
        }
        Ok(true)
    }
}
