//! The bus within a process: each log has a tail that remembers its last events; what is older is read from the store.

use crate::handle::{Doorbell, lock};
use crate::log::{Recorded, ShardName, Source};
use crate::store::{Reader, Stored};
use crate::topic::Topic;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use trace::{Tracer, Tracing};

/// Events that a tail remembers.
pub const RECENT_MAX: usize = 16_384;

/// The end of one shard's log.
pub struct Tail {
    shard: ShardName,
    source: Source,
    reader: Arc<dyn Reader>,
    /// Nothing is remembered where others write to the log as well: the store is asked every time.
    recent: Option<Mutex<Recent>>,
    /// Up to where whoever listens was told of it, where others write to it.
    told: AtomicU64,
}

#[derive(Default)]
struct Recent {
    events: VecDeque<Arc<Recorded>>,
    last: u64,
}

impl Tail {
    pub fn shard(&self) -> ShardName {
        self.shard
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The position of the last event.
    pub fn last(&self) -> Stored<u64> {
        match &self.recent {
            Some(recent) => Ok(lock(recent).last),
            None => self.reader.last_position(self.shard),
        }
    }

    /// Events after a position in order, at most `limit`.
    pub fn read(&self, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        if let Some(recent) = &self.recent {
            let recent = lock(recent);
            if after >= recent.last {
                return Ok(Vec::new());
            }
            if let Some(first) = recent.events.front()
                && after + 1 >= first.position
            {
                let skip = usize::try_from(after + 1 - first.position).unwrap_or(usize::MAX);
                return Ok(recent.events.iter().skip(skip).take(limit).cloned().collect());
            }
        }
        let events = self.reader.events_after(self.shard, after, limit)?;
        Ok(events.into_iter().map(Arc::new).collect())
    }

    fn append(&self, events: Vec<Arc<Recorded>>) {
        let Some(recent) = &self.recent else {
            let last = events.last().map_or(0, |event| event.position);
            self.told.fetch_max(last, Ordering::Relaxed);
            return;
        };
        let mut recent = lock(recent);
        for event in events {
            debug_assert_eq!(event.position, recent.last + 1, "a tail has no gap");
            recent.last = event.position;
            recent.events.push_back(event);
        }
        while recent.events.len() > RECENT_MAX {
            recent.events.pop_front();
        }
    }
}

type Listener = Box<dyn Fn() + Send + Sync>;

/// Decides what a shard gets to read of a log: how late, how often and in which order. The bus of a process delivers
/// each event once and in order; the simulation stands for one that does not.
pub trait Delivery: Send + Sync {
    /// Some of the events of `tail`, for a reader that was given them up to `after`.
    fn deliver(&self, reader: ShardName, tail: &Tail, after: u64, limit: usize)
    -> Stored<Vec<Arc<Recorded>>>;
}

/// All logs of a process.
#[derive(Default)]
pub struct Bus {
    tails: Vec<Arc<Tail>>,
    delivery: OnceLock<Box<dyn Delivery>>,
    topics: Mutex<Vec<Arc<Topic>>>,
    doorbells: Mutex<Vec<Arc<Doorbell>>>,
    listeners: Mutex<Vec<Listener>>,
    tracer: OnceLock<Arc<dyn Tracer>>,
}

impl Bus {
    /// Adds the log of a shard, from where it stands in its store; `is_ours` when only this process appends to it.
    pub fn add(&mut self, shard: ShardName, reader: Arc<dyn Reader>, is_ours: bool) -> Stored<()> {
        let last = reader.last_position(shard)?;
        let source = Source { log: reader.log(), service: Cow::Borrowed(shard.service), shard: shard.index };
        let recent = is_ours.then(|| Mutex::new(Recent { events: VecDeque::new(), last }));
        let told = AtomicU64::new(last);
        self.tails.push(Arc::new(Tail { shard, source, reader, recent, told }));
        Ok(())
    }

    pub fn tails(&self) -> &[Arc<Tail>] {
        &self.tails
    }

    pub fn tail(&self, shard: ShardName) -> Option<&Arc<Tail>> {
        self.tails.iter().find(|tail| tail.shard == shard)
    }

    /// Has everything that shards read pass by `delivery`; only the first one given counts.
    pub fn deliver_by(&self, delivery: Box<dyn Delivery>) {
        let is_first = self.delivery.set(delivery).is_ok();
        debug_assert!(is_first, "a bus has one delivery");
    }

    /// Has what the services of this process do told to a tracer; only the first one given counts.
    pub fn trace_with(&self, tracer: Arc<dyn Tracer>) {
        let is_first = self.tracer.set(tracer).is_ok();
        debug_assert!(is_first, "a bus has one tracer");
    }

    pub fn tracing(&self) -> Tracing {
        self.tracer.get().cloned()
    }

    /// A service that has a topic hears it instead of the logs in this bus. Set it before the service is added to a
    /// runner, so that the runner is woken by what comes.
    pub fn set_topic(&self, topic: Arc<Topic>) {
        let mut topics = lock(&self.topics);
        topics.retain(|known| known.service() != topic.service());
        topics.push(topic);
    }

    /// The topic that a service hears, if it hears one.
    pub fn topic(&self, service: &str) -> Option<Arc<Topic>> {
        lock(&self.topics).iter().find(|topic| topic.service() == service).cloned()
    }

    pub(crate) fn read(
        &self,
        reader: ShardName,
        tail: &Tail,
        after: u64,
        limit: usize,
    ) -> Stored<Vec<Arc<Recorded>>> {
        match self.delivery.get() {
            Some(delivery) => delivery.deliver(reader, tail, after, limit),
            None => tail.read(after, limit),
        }
    }

    /// Whoever reads the bus on a thread of its own, to be woken by what others append.
    pub fn wake_with(&self, doorbell: Arc<Doorbell>) {
        lock(&self.doorbells).push(doorbell);
    }

    /// Called after every append; must be quick.
    pub fn listen(&self, listener: impl Fn() + Send + Sync + 'static) {
        lock(&self.listeners).push(Box::new(listener));
    }

    pub(crate) fn append(&self, shard: ShardName, events: Vec<Arc<Recorded>>) {
        if events.is_empty() {
            return;
        }
        for event in &events {
            tracing::debug!(
                target: "event",
                service = shard.service,
                shard = shard.index,
                position = event.position,
                event_type = %event.event_type,
                entity_id = event.entity_id,
                actor = %event.actor,
                cause = event.cause,
                trace_id = event.trace_id(),
                "recorded"
            );
        }
        if let Some(tail) = self.tail(shard) {
            tail.append(events);
        }
        self.call_all();
    }

    /// Looks whether others have written to logs that this process does not write alone, and calls whoever listens if
    /// they have. Says whether they had.
    pub fn poll(&self) -> Stored<bool> {
        let mut has_grown = false;
        for tail in self.tails.iter().filter(|tail| tail.recent.is_none()) {
            let last = tail.reader.last_position(tail.shard)?;
            has_grown |= tail.told.fetch_max(last, Ordering::Relaxed) < last;
        }
        if has_grown {
            self.call_all();
        }
        Ok(has_grown)
    }

    fn call_all(&self) {
        for doorbell in lock(&self.doorbells).iter() {
            doorbell.ring();
        }
        for listener in lock(&self.listeners).iter() {
            listener();
        }
    }
}
