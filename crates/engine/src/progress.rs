//! How far a service has read the logs of others, for those who wait until it has read their own write.

use crate::handle::{WATCHES_MAX, lock};
use crate::log::{Position, Source};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

type Tell = Box<dyn FnOnce() + Send>;

/// Somebody who waits for a position to be read.
struct Waiter {
    number: u64,
    position: Position,
    tell: Tell,
}

/// Shared by a service's lanes and handles.
#[derive(Default)]
pub(crate) struct Progress {
    read: Mutex<HashMap<(u16, Source), u64>>,
    waiting: Mutex<Vec<Waiter>>,
    next: AtomicU64,
}

impl Progress {
    pub(crate) fn note(&self, shard: u16, read: impl Iterator<Item = (Source, u64)>, shards: u16) {
        {
            let mut known = lock(&self.read);
            for (source, position) in read {
                let read = known.entry((shard, source)).or_default();
                *read = position.max(*read);
            }
        }
        let mut waiting = lock(&self.waiting);
        let (reached, still): (Vec<_>, Vec<_>) = std::mem::take(&mut *waiting)
            .into_iter()
            .partition(|waiter| self.has_read(&waiter.position, shards));
        *waiting = still;
        drop(waiting);
        for waiter in reached {
            (waiter.tell)();
        }
    }

    /// Everything is to be read again.
    pub(crate) fn forget(&self) {
        lock(&self.read).clear();
    }

    /// How many events up to these positions every shard has read.
    pub(crate) fn read_of(&self, wanted: &[(Source, u64)], shards: u16) -> u64 {
        let known = lock(&self.read);
        let of_shard = |shard: u16| {
            let read = |(source, until): &(Source, u64)| {
                known.get(&(shard, source.clone())).copied().unwrap_or(0).min(*until)
            };
            wanted.iter().map(read).sum::<u64>()
        };
        (0..shards).map(of_shard).sum()
    }

    /// The beginning of a log is read by everyone.
    pub(crate) fn has_read(&self, position: &Position, shards: u16) -> bool {
        let known = lock(&self.read);
        (0..shards).all(|shard| {
            let read = known.get(&(shard, position.source.clone())).copied().unwrap_or(0);
            read >= position.number
        })
    }

    pub(crate) fn when_read(
        self: &Arc<Self>,
        position: Position,
        shards: u16,
        tell: Tell,
    ) -> Option<Reading> {
        let (progress, number) = (self.clone(), self.next.fetch_add(1, Ordering::Relaxed));
        {
            let mut waiting = lock(&self.waiting);
            if !self.has_read(&position, shards) {
                if waiting.len() >= WATCHES_MAX {
                    return None;
                }
                waiting.push(Waiter { number, position, tell });
                return Some(Reading { progress, number });
            }
        }
        tell();
        Some(Reading { progress, number })
    }
}

/// An open wait for a position; dropping it ends it.
#[must_use]
pub struct Reading {
    progress: Arc<Progress>,
    number: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        lock(&self.progress.waiting).retain(|waiter| waiter.number != self.number);
    }
}
