//! Figures of the running engine, for metrics: counted with atomics, read by whoever wants to know.

use crate::Service;
use crate::clock::Timestamp;
use crate::log::{Cause, EntityKey};
use crate::runner::Stats;
use crate::store::{NewEvent, WriteSet};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Inputs of a commit: upper bounds of the buckets.
pub const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048];

/// Duration of a commit in microseconds: upper bounds of the buckets.
pub const COMMIT_MICROS_BOUNDS: &[u64] =
    &[250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

/// How long what was measured took, in milliseconds: upper bounds of the buckets.
pub const TOOK_MS_BOUNDS: &[u64] =
    &[25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000];

/// How often each of some words was said.
#[derive(Debug, Default)]
pub struct Words(Mutex<BTreeMap<&'static str, u64>>);

impl Words {
    /// Those that may be said are counted from 0.
    pub fn expect(&self, words: &[&'static str]) {
        let mut counts = self.lock();
        for word in words {
            counts.entry(word).or_default();
        }
    }

    pub(crate) fn note(&self, words: impl Iterator<Item = &'static str>) {
        let mut counts = self.lock();
        words.for_each(|word| *counts.entry(word).or_default() += 1);
    }

    pub fn read(&self) -> Vec<(&'static str, u64)> {
        self.lock().iter().map(|(word, count)| (*word, *count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a figure lay within which bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound and one for what lies above the last.
    buckets: Vec<AtomicU64>,
    sum: AtomicU64,
}

/// A histogram as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub bounds: &'static [u64],
    /// How many lay in each bucket alone, the one above the last bound included.
    pub counts: Vec<u64>,
    pub sum: u64,
}

impl Observed {
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn read(&self) -> Observed {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        Observed { bounds: self.bounds, counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// Counts what a batch of a service recorded, and measures what ended with it.
pub(crate) fn count<S: Service>(service: &S, set: &WriteSet, stats: &Stats) {
    stats.events.note(set.events.iter().map(|event| event.event_type));
    stats.deadlines.note(set.events.iter().filter_map(|event| passed(service, event)));
    stats.dead_letters.fetch_add(set.dead_letters.len() as u64, Ordering::Relaxed);
    for event in set.events.iter().filter(|event| service.is_alarm(event.event_type)) {
        tracing::warn!(event = event.event_type, key = %event.key, "somebody should look");
        stats.alarms.fetch_add(1, Ordering::Relaxed);
    }
    let measured = set.events.iter().filter(|event| service.is_measured(event.event_type));
    let at: BTreeMap<EntityKey, Timestamp> = measured.map(|event| (event.key, event.at)).collect();
    if at.is_empty() {
        return;
    }
    for write in &set.entities {
        let took_ms = at.get(&write.row.key).and_then(|at| service.took_ms(&write.row.state, *at));
        took_ms.into_iter().for_each(|took_ms| stats.took_ms.observe(took_ms));
    }
}

/// The deadline that an event follows from, if it is one that is counted.
fn passed<S: Service>(service: &S, event: &NewEvent) -> Option<&'static str> {
    let cause = Cause::timer_in(&event.cause)?;
    service.deadlines().iter().find(|timer| **timer == cause).copied()
}

/// How far a service has got with what others say, over all of its shards, as of its last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Events it has read since it was started.
    pub read: u64,
    /// Events that are in the logs of others and that it has not read.
    pub unread: u64,
    /// How old the oldest of them is at least, in milliseconds; 0 where there is none.
    pub behind_ms: u64,
}

/// The same of one shard.
#[derive(Debug, Default)]
pub(crate) struct HeardByShard {
    read: AtomicU64,
    unread: AtomicU64,
    behind_ms: AtomicU64,
}

impl HeardByShard {
    pub(crate) fn note(&self, read: u64, unread: u64, behind_ms: u64) {
        self.read.fetch_add(read, Ordering::Relaxed);
        self.unread.store(unread, Ordering::Relaxed);
        self.behind_ms.store(behind_ms, Ordering::Relaxed);
    }

    pub(crate) fn add_to(&self, heard: &mut Heard) {
        heard.read += self.read.load(Ordering::Relaxed);
        heard.unread += self.unread.load(Ordering::Relaxed);
        heard.behind_ms = heard.behind_ms.max(self.behind_ms.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_counted_where_it_lies() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 1_000] {
            histogram.observe(value);
        }
        let observed = histogram.read();
        assert_eq!((observed.counts.as_slice(), observed.sum), ([2, 2, 2].as_slice(), 1_024));
        assert_eq!(observed.count(), 6);
    }
}
