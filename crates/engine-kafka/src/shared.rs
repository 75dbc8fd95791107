//! What the threads of one bus have in common: what is known of the topic, the figures, and how they wake each other.

use crate::context::lock;
use crate::settings::Settings;
use crate::stats::{PartitionStats, ShardStats, Stats};
use engine::clock::Clock;
use engine::handle::Doorbell;
use engine::log::{LogId, ShardName};
use engine::store::{InboxKey, Reader, Stored};
use engine::topic::{Identity, RELAY, TOPIC, Topic};
use engine::wire::Wire;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a broker takes in one message when it does not say.
pub(crate) const MESSAGE_BYTES_DEFAULT: usize = 1_000_000;

/// Times that one topic may turn out shorter than what was read of it before somebody has to look.
pub(crate) const GENERATIONS_MAX: u64 = 1_024;

/// Where a partition begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

/// What a broker has said of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// The topic's own id: the same for everybody.
    pub(crate) topic: LogId,
    /// Under which it is known here, see [`generation`].
    pub(crate) identity: Identity,
    /// The longest message that the topic takes.
    pub(crate) message_bytes_max: usize,
    /// How often the brokers were found again where no client had known them.
    pub(crate) brokers_found: u64,
}

/// What the inbox of a shard says.
pub(crate) type Rows = Vec<(InboxKey, u64)>;

type Callback = Box<dyn Fn(String) + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) topic: Arc<Topic>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meters: Meters,
    pub(crate) bells: Bells,
    fail: Callback,
    stopping: AtomicBool,
    /// Somebody waits for the topic to be set to something else.
    wants_configuration: AtomicBool,
    /// A partition ends before what there must be: nothing is told until it is known what that means.
    pub(crate) is_short: AtomicBool,
    /// The topic of which a broker has said that it has lost what was read of it.
    truncated: Mutex<Option<LogId>>,
    known: Mutex<Option<Known>>,
    spans: Mutex<BTreeMap<u32, Span>>,
    /// For each partition, up to which offset there must be messages: what was read of it, and what it acknowledged.
    least: Mutex<BTreeMap<u32, u64>>,
}

/// Wakes each thread.
#[derive(Default)]
pub(crate) struct Bells {
    pub(crate) inquiry: Doorbell,
    pub(crate) relay: Doorbell,
    pub(crate) consumer: Doorbell,
}

/// Counts of what happened, and the last figures of each part.
#[derive(Default)]
pub(crate) struct Meters {
    pub(crate) connected: AtomicBool,
    /// The topic holds nothing of own logs that they have lost, as far as was looked at the beginning.
    pub(crate) has_looked: AtomicBool,
    pub(crate) paused: AtomicBool,
    pub(crate) told: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) producers: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) read: AtomicU64,
    pub(crate) rebalances: AtomicU64,
    pub(crate) rewinds: AtomicU64,
    pub(crate) resets: AtomicU64,
    pub(crate) lost: AtomicU64,
    /// The next offset of each partition that is read here, `None` while it waits for the database.
    pub(crate) next: Mutex<BTreeMap<u32, Option<u64>>>,
    pub(crate) shards: Mutex<Vec<ShardStats>>,
    pub(crate) forgets: Mutex<Option<String>>,
    /// Why no broker lets this process in, as far as it is known.
    pub(crate) not_let_in: Mutex<Option<String>>,
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Shared {
    pub(crate) fn new(parts: Common) -> Self {
        Self {
            settings: parts.settings,
            wire: parts.wire,
            topic: parts.topic,
            reader: parts.reader,
            clock: parts.clock,
            meters: Meters::default(),
            bells: Bells::default(),
            fail: parts.fail,
            stopping: AtomicBool::new(false),
            wants_configuration: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
            truncated: Mutex::default(),
            known: Mutex::default(),
            spans: Mutex::default(),
            least: Mutex::default(),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Has what the topic is set to asked again with the next question.
    pub(crate) fn want_configuration(&self) {
        self.wants_configuration.store(true, Ordering::SeqCst);
    }

    pub(crate) fn wants_configuration(&self) -> bool {
        self.wants_configuration.swap(false, Ordering::SeqCst)
    }

    /// A broker has said that it has less of this topic than was read of it.
    pub(crate) fn note_truncated(&self, id: LogId) {
        self.is_short.store(true, Ordering::SeqCst);
        *lock(&self.truncated) = Some(id);
        self.bells.inquiry.ring();
    }

    /// Whether that was said of this one.
    pub(crate) fn take_truncated(&self, id: LogId) -> bool {
        let is_so = lock(&self.truncated).take() == Some(id);
        if is_so {
            self.is_short.store(false, Ordering::SeqCst);
        }
        is_so
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.bells.inquiry.ring();
        self.bells.relay.ring();
        self.bells.consumer.ring();
    }

    /// The process must not go on; told once.
    pub(crate) fn fail(&self, why: String) {
        if !self.stopping.swap(true, Ordering::SeqCst) {
            tracing::error!("{why}");
            (self.fail)(why);
        }
        self.stop();
    }

    pub(crate) fn known(&self) -> Option<Known> {
        *lock(&self.known)
    }

    /// Where the partitions began and ended when a broker was asked last.
    pub(crate) fn spans(&self) -> BTreeMap<u32, Span> {
        lock(&self.spans).clone()
    }

    /// What was found out holds from now on, for everybody.
    pub(crate) fn learn(&self, known: Known, spans: BTreeMap<u32, Span>) {
        let identity = known.identity;
        *lock(&self.spans) = spans;
        let before = lock(&self.known).replace(known);
        if before.is_some_and(|before| before.identity.id != identity.id) {
            lock(&self.least).clear();
        }
        if self.topic.identity() != Some(identity) {
            self.topic.identify(identity);
            self.bells.relay.ring();
            self.bells.consumer.ring();
        }
    }

    /// Whether `id` is the topic that is told and heard now.
    pub(crate) fn is_current(&self, id: LogId) -> bool {
        self.topic.identity().is_some_and(|identity| identity.id == id)
    }

    /// There are messages up to this offset, in the topic that is known by `id`.
    pub(crate) fn note_least(&self, id: LogId, partition: u32, next: u64) {
        if self.is_current(id) {
            let mut least = lock(&self.least);
            let known = least.entry(partition).or_default();
            *known = next.max(*known);
        }
    }

    pub(crate) fn least(&self) -> BTreeMap<u32, u64> {
        lock(&self.least).clone()
    }

    /// The inbox rows of all own shards.
    pub(crate) fn rows(&self) -> Stored<Vec<Rows>> {
        let service = self.topic.service();
        (0..self.topic.shards()).map(|index| self.reader.inbox(ShardName { service, index })).collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let meters = &self.meters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut partitions: BTreeMap<u32, PartitionStats> = BTreeMap::new();
        for (partition, end) in self.topic.ends() {
            partitions.entry(partition).or_default().end = Some(end);
        }
        for (partition, next) in lock(&meters.next).iter() {
            let entry = partitions.entry(*partition).or_default();
            entry.assigned = true;
            entry.next = *next;
        }
        for (partition, entry) in &mut partitions {
            entry.partition = *partition;
        }
        Stats {
            connected: meters.connected.load(Ordering::Relaxed),
            topic: self.topic.identity(),
            partitions: partitions.into_values().collect(),
            shards: lock(&meters.shards).clone(),
            told: get(&meters.told),
            acknowledged: get(&meters.acknowledged),
            failures: get(&meters.failures),
            producers: get(&meters.producers),
            refused: get(&meters.refused),
            read: get(&meters.read),
            rebalances: get(&meters.rebalances),
            rewinds: get(&meters.rewinds),
            resets: get(&meters.resets),
            lost: get(&meters.lost),
            paused: meters.paused.load(Ordering::Relaxed),
            forgets: lock(&meters.forgets).clone(),
            not_let_in: lock(&meters.not_let_in).clone(),
        }
    }
}

/// What all threads are given.
pub(crate) struct Common {
    pub(crate) settings: Settings,
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) topic: Arc<Topic>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fail: Callback,
}

/// The id under which a topic is known here, after it has turned out so many times to be shorter than what was read of
/// it: a broker was restored, or lost what was not on its disk yet. Its offsets are used again then, so rows that speak
/// of them must not be believed, and what it had acknowledged is told again: as if it were another topic.
pub(crate) fn generation(topic: LogId, times: u64) -> LogId {
    LogId(topic.0 ^ times.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The last generation of a topic of which the rows speak; several replicas and later starts find the same.
pub(crate) fn last_generation(topic: LogId, rows: &[Rows]) -> u64 {
    let speaks_of = |id: LogId, key: &InboxKey| {
        key.source.log == id && (key.source.service == TOPIC || key.source.service == RELAY)
    };
    let is_known = |id: LogId| rows.iter().flatten().any(|(key, _)| speaks_of(id, key));
    (1..GENERATIONS_MAX).take_while(|times| is_known(generation(topic, *times))).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::topic::{read_key, told_key};

    #[test]
    fn the_last_generation_is_the_last_of_which_rows_speak() {
        let topic = LogId(7);
        assert_eq!(generation(topic, 0), topic);
        assert_eq!(last_generation(topic, &[]), 0);
        let first = vec![(read_key(topic, 3), 9)];
        assert_eq!(last_generation(topic, std::slice::from_ref(&first)), 0);
        let second = vec![(told_key(generation(topic, 1), 12), 1)];
        assert_eq!(last_generation(topic, &[first.clone(), second]), 1);
        let far = vec![(read_key(generation(topic, 3), 0), 1)];
        assert_eq!(last_generation(topic, &[first, far]), 0, "one that nobody got to is none");
    }
}
