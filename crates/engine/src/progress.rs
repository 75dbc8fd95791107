//! How far a service has read the logs of others, for those who wait until it has read their own write.

use crate::handle::{Doorbell, WATCHES_MAX, lock};
use crate::log::{Position, shard_of};
use crate::store::InboxKey;
use crate::topic::{Identity, after_key, count_in, heard_key, is_heard, partition_of};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

type Tell = Box<dyn FnOnce() + Send>;

/// Somebody who waits for a position to be read.
struct Waiter {
    number: u64,
    position: Position,
    tell: Tell,
}

/// By which road the logs of others come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Road {
    /// Every shard reads every log.
    #[default]
    Logs,
    /// What is said of an entity comes in its partition; which topic it is is not known while no broker has said so.
    Topic(Option<Identity>),
}

/// Rows that tell of a shard together whether a position was read: it is if `read` has come to it, and lies behind `after`,
/// where there is such a row.
struct Mark {
    shard: u16,
    read: InboxKey,
    after: Option<InboxKey>,
}

#[derive(Default)]
struct Known {
    road: Road,
    read: HashMap<(u16, InboxKey), u64>,
    /// The counts of partitions that a log may have been told by: those that the topic was seen with, and those of rows.
    counts: BTreeSet<u32>,
}

impl Known {
    fn read(&self, shard: u16, key: &InboxKey) -> u64 {
        self.read.get(&(shard, key.clone())).copied().unwrap_or(0)
    }

    /// The beginning of a log is read by everyone. Over a topic a position that does not say what it is about was not
    /// given for it, and is never read. What was told by one count of partitions came by its partition of that count.
    fn has_read(&self, position: &Position, shards: u16) -> bool {
        let says_so = |mark: &Mark| {
            let after = mark.after.as_ref().map_or(0, |after| self.read(mark.shard, after));
            is_heard(position.number, after, self.read(mark.shard, &mark.read))
        };
        let marks = self.marks(position, shards);
        position.number == 0
            || match self.road {
                Road::Logs => marks.iter().all(says_so),
                Road::Topic(_) => marks.iter().any(says_so),
            }
    }

    /// The rows by which it is known that a position was read: all of them within a process, one of them over a topic. None,
    /// where nothing can tell.
    fn marks(&self, position: &Position, shards: u16) -> Vec<Mark> {
        let source = &position.source;
        match (self.road, position.about) {
            (Road::Logs, _) => {
                let read = InboxKey { partition: 0, source: source.clone() };
                (0..shards).map(|shard| Mark { shard, read: read.clone(), after: None }).collect()
            }
            (Road::Topic(Some(Identity { id, .. })), Some(about)) => {
                let shard = shard_of(about, shards);
                let mark = |count: &u32| Mark {
                    shard,
                    read: heard_key(id, *count, partition_of(about, *count), source),
                    after: Some(after_key(id, *count, source)),
                };
                self.counts.iter().map(mark).collect()
            }
            (Road::Topic(_), _) => Vec::new(),
        }
    }
}

/// Shared by a service's lanes and handles.
#[derive(Default)]
pub(crate) struct Progress {
    known: Mutex<Known>,
    waiting: Mutex<Vec<Waiter>>,
    next: AtomicU64,
    /// Rung for the lookout, where there is one.
    doorbell: OnceLock<Arc<Doorbell>>,
}

impl Progress {
    /// A service has one lookout; only the first one counts.
    pub(crate) fn wake_with(&self, doorbell: Arc<Doorbell>) {
        let _ = self.doorbell.set(doorbell);
    }

    /// By which road the service hears.
    pub(crate) fn hear_by(&self, road: Road) {
        let mut known = lock(&self.known);
        known.road = road;
        if let Road::Topic(Some(identity)) = road {
            known.counts.insert(identity.partitions);
        }
    }

    pub(crate) fn note(&self, shard: u16, read: impl Iterator<Item = (InboxKey, u64)>, shards: u16) {
        {
            let mut known = lock(&self.known);
            for (key, position) in read {
                known.counts.extend(Some(count_in(key.partition)).filter(|count| *count > 0));
                let read = known.read.entry((shard, key)).or_default();
                *read = position.max(*read);
            }
        }
        let mut waiting = lock(&self.waiting);
        if waiting.is_empty() {
            return;
        }
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
        lock(&self.known).read.clear();
    }

    /// How many events up to these positions every shard has read.
    pub(crate) fn read_of(&self, wanted: &[(InboxKey, u64)], shards: u16) -> u64 {
        let known = lock(&self.known);
        let of_shard =
            |shard: u16| wanted.iter().map(|(key, until)| known.read(shard, key).min(*until)).sum::<u64>();
        (0..shards).map(of_shard).sum()
    }

    pub(crate) fn has_read(&self, position: &Position, shards: u16) -> bool {
        lock(&self.known).has_read(position, shards)
    }

    /// The rows that somebody waits for, by shard; `None` when nobody waits.
    pub(crate) fn awaited(&self, shards: u16) -> Option<BTreeMap<u16, BTreeSet<InboxKey>>> {
        let waiting = lock(&self.waiting);
        if waiting.is_empty() {
            return None;
        }
        let known = lock(&self.known);
        let mut awaited: BTreeMap<u16, BTreeSet<InboxKey>> = BTreeMap::new();
        for Waiter { position, .. } in waiting.iter() {
            for Mark { shard, read, after } in known.marks(position, shards) {
                awaited.entry(shard).or_default().extend(std::iter::once(read).chain(after));
            }
        }
        Some(awaited)
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
                drop(waiting);
                if let Some(doorbell) = self.doorbell.get() {
                    doorbell.ring();
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogId, Source};
    use std::borrow::Cow;

    const SHARDS: u16 = 2;
    const IDENTITY: Identity = Identity { id: LogId(7), partitions: 4 };

    fn position(number: u64, about: Option<u64>) -> Position {
        Position { source: Source { log: LogId(3), service: Cow::Borrowed("call"), shard: 0 }, number, about }
    }

    #[test]
    fn within_a_process_every_shard_has_to_have_read_the_log() {
        let progress = Progress::default();
        let wanted = position(5, Some(1));
        let row = (InboxKey { partition: 0, source: wanted.source.clone() }, 5);
        progress.note(0, [row.clone()].into_iter(), SHARDS);
        assert!(!progress.has_read(&wanted, SHARDS));
        progress.note(1, [row].into_iter(), SHARDS);
        assert!(progress.has_read(&wanted, SHARDS) && progress.has_read(&position(5, None), SHARDS));
        assert!(!progress.has_read(&position(6, None), SHARDS));
    }

    #[test]
    fn over_a_topic_the_shard_and_the_partition_of_what_it_is_about_tell() {
        let progress = Progress::default();
        progress.hear_by(Road::Topic(None));
        let (shard, partition) = (shard_of(1, SHARDS), partition_of(1, IDENTITY.partitions));
        let wanted = position(5, Some(1));
        // Rows of other partitions, of the other shard, of another topic, and as within a process.
        for partition in (0..IDENTITY.partitions).filter(|other| *other != partition) {
            let row = heard_key(IDENTITY.id, IDENTITY.partitions, partition, &wanted.source);
            progress.note(shard, [(row, 9)].into_iter(), SHARDS);
        }
        let mine = heard_key(IDENTITY.id, IDENTITY.partitions, partition, &wanted.source);
        progress.note(1 - shard, [(mine.clone(), 9)].into_iter(), SHARDS);
        let former = heard_key(LogId(8), IDENTITY.partitions, partition, &wanted.source);
        let plain = InboxKey { partition: 0, source: wanted.source.clone() };
        progress.note(shard, [(former, 9), (plain, 9)].into_iter(), SHARDS);
        for road in [Road::Topic(None), Road::Topic(Some(IDENTITY))] {
            progress.hear_by(road);
            assert!(!progress.has_read(&wanted, SHARDS), "{road:?}");
            assert!(progress.has_read(&position(0, None), SHARDS));
        }
        let progress = Arc::new(progress);
        let told = Arc::new(AtomicU64::new(0));
        let tell = told.clone();
        let tell: Tell = Box::new(move || {
            tell.fetch_add(1, Ordering::SeqCst);
        });
        let reading = progress.when_read(wanted.clone(), SHARDS, tell);
        let rows =
            BTreeSet::from([mine.clone(), after_key(IDENTITY.id, IDENTITY.partitions, &wanted.source)]);
        assert_eq!(progress.awaited(SHARDS), Some(BTreeMap::from([(shard, rows)])), "its rows alone");
        progress.note(shard, [(mine.clone(), 4)].into_iter(), SHARDS);
        assert_eq!(told.load(Ordering::SeqCst), 0);
        progress.note(shard, [(mine, 5)].into_iter(), SHARDS);
        assert_eq!(told.load(Ordering::SeqCst), 1);
        assert!(progress.has_read(&wanted, SHARDS) && progress.awaited(SHARDS).is_none());
        assert!(!progress.has_read(&position(5, None), SHARDS), "it does not say what it is about");
        drop(reading);
    }

    /// Told by four partitions up to 10, and by five since then.
    #[test]
    fn what_was_told_by_fewer_partitions_was_read_by_the_row_of_its_day_and_what_is_told_by_more_by_another()
    {
        let source = position(0, None).source;
        let about = (1..).find(|id| partition_of(*id, 4) != partition_of(*id, 5)).unwrap();
        let shard = shard_of(about, SHARDS);
        let by = |count| heard_key(IDENTITY.id, count, partition_of(about, count), &source);
        let after = (after_key(IDENTITY.id, 5, &source), 10);
        let check = |rows: &[(InboxKey, u64)], read: &[u64], not_read: &[u64]| {
            let progress = Progress::default();
            progress.hear_by(Road::Topic(Some(Identity { partitions: 5, ..IDENTITY })));
            progress.note(shard, rows.iter().cloned(), SHARDS);
            let has_read = |number: &u64| progress.has_read(&position(*number, Some(about)), SHARDS);
            assert!(read.iter().all(has_read) && !not_read.iter().any(has_read), "{rows:?}");
        };
        check(&[(by(4), 7)], &[6, 7], &[8, 11]);
        // What came before by four may still be on its way.
        check(&[after.clone(), (by(5), 12)], &[11, 12], &[7, 10, 13]);
        check(&[(by(4), 7), after, (by(5), 12)], &[7, 11, 12], &[8, 10, 13]);
    }
}
