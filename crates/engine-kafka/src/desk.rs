//! Which partitions are read here, and from where: by the rows of own shards, never by what the group has committed.

use crate::context::{Ears, Throttle, lock};
use crate::marks::offset_of;
use crate::reads;
use crate::shared::{Known, Rows, Shared, count};
use engine::log::LogId;
use engine::store::{StoreError, Stored};
use engine::topic::read_key;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Where reading of a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The database was away when the partition came: nothing of it is read until it says from where.
    Unknown,
    /// The next offset, as the shards are told.
    Next(u64),
}

#[derive(Default)]
struct State {
    places: BTreeMap<u32, Place>,
    /// Partitions that were taken away since somebody looked.
    gone: BTreeSet<u32>,
    failed: Option<String>,
}

/// Gives and takes partitions, on the thread that reads them.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    known: Known,
    ears: Ears,
    complaints: Throttle,
    state: Mutex<State>,
    /// The topic that the client reads, since it has said so.
    reads: Mutex<Option<LogId>>,
}

impl Desk {
    pub(crate) fn new(shared: Arc<Shared>, known: Known) -> Self {
        let (ears, complaints) = (Ears::of("consumer"), Throttle::default());
        Self { shared, known, ears, complaints, state: Mutex::default(), reads: Mutex::default() }
    }

    /// The topic that the client reads, if it has said so.
    pub(crate) fn reads(&self) -> Option<LogId> {
        *lock(&self.reads)
    }

    pub(crate) fn places(&self) -> BTreeMap<u32, Place> {
        lock(&self.state).places.clone()
    }

    pub(crate) fn place(&self, partition: u32) -> Option<Place> {
        lock(&self.state).places.get(&partition).copied()
    }

    /// Goes on from there; says nothing of a partition that is not read here any more.
    pub(crate) fn set(&self, partition: u32, place: Place) {
        if let Some(known) = lock(&self.state).places.get_mut(&partition) {
            *known = place;
        }
    }

    /// The client has gone to another place of a partition.
    pub(crate) fn gone_to(&self, partition: u32, next: u64) {
        self.set(partition, Place::Next(next));
        self.hold(partition, Place::Next(next));
    }

    /// The shards are told from where it is read: whatever comes behind that is unread until they have decided on it, also while
    /// it waits here.
    fn hold(&self, partition: u32, place: Place) {
        match place {
            Place::Unknown => {}
            Place::Next(next) => self.shared.topic.hold(partition, next),
        }
    }

    pub(crate) fn take_gone(&self) -> BTreeSet<u32> {
        std::mem::take(&mut lock(&self.state).gone)
    }

    /// The lowest next offset of a partition over all own shards: what none of them has read comes from the beginning.
    pub(crate) fn beginnings(&self, partitions: &[u32]) -> Stored<BTreeMap<u32, u64>> {
        Ok(lowest(&self.shared.rows()?, self.known, partitions))
    }

    /// Where the client is to read from, for the shards to go on at an offset: what the topic has dropped by then is not
    /// waited for.
    pub(crate) fn offset(&self, partition: u32, next: u64) -> Offset {
        let low = self.shared.spans().get(&partition).map_or(0, |span| span.low);
        if next == 0 {
            return Offset::Beginning;
        }
        if next < low {
            count(&self.shared.meters.lost, low - next);
            tracing::error!(
                partition,
                next,
                low,
                "the topic has dropped messages that were not read yet: they are lost"
            );
            return Offset::Offset(i64::try_from(low).unwrap_or(i64::MAX));
        }
        Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX))
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let partitions = self.partitions(list);
        let beginnings = self.beginnings(&partitions);
        for partition in &partitions {
            let next = beginnings.as_ref().ok().and_then(|next| next.get(partition).copied());
            let offset = next.map_or(Offset::Beginning, |next| self.offset(*partition, next));
            let number = i32::try_from(*partition).unwrap_or(i32::MAX);
            list.set_partition_offset(&self.shared.settings.topic, number, offset)?;
        }
        consumer.incremental_assign(list)?;
        let positions = consumer.position()?;
        for partition in &partitions {
            if let Some(stale) = offset_of(&positions, &self.shared, *partition) {
                // What the client has passed over is seen by its position alone: it must begin without one.
                let why = format!("partition {partition} begins at {stale}, where it was read before");
                lock(&self.state).failed = Some(why);
            }
            let next = beginnings.as_ref().ok().and_then(|next| next.get(partition).copied());
            let place = next.map_or(Place::Unknown, Place::Next);
            lock(&self.state).places.insert(*partition, place);
            self.hold(*partition, place);
        }
        match &beginnings {
            Ok(beginnings) => tracing::info!(?beginnings, "partitions are read here from now on"),
            Err(error) => self.complain(error),
        }
        // What comes before it is paused is dropped where the place is not known. The client remembers of a partition that
        // was taken away while it was paused that it was, so that the contrary must be said too.
        if beginnings.is_err() || self.shared.meters.paused.load(Ordering::Relaxed) {
            consumer.pause(list)
        } else {
            consumer.resume(list)
        }
    }

    /// Why partitions could not be taken over or given away. A client of which that is so is of no use.
    pub(crate) fn failed(&self) -> Option<String> {
        lock(&self.state).failed.clone()
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = self.partitions(list);
        tracing::info!(?partitions, "partitions are read elsewhere from now on");
        {
            let mut state = lock(&self.state);
            for partition in &partitions {
                state.places.remove(partition);
                state.gone.insert(*partition);
            }
        }
        for partition in partitions {
            self.shared.topic.forget(partition);
        }
        consumer.incremental_unassign(list)
    }

    pub(crate) fn complain(&self, error: &StoreError) {
        if self.complaints.lets_pass("consumer") {
            tracing::warn!(%error, "it cannot be read from where the topic is to be read: it waits");
        }
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<u32> {
        let own = list.elements_for_topic(&self.shared.settings.topic);
        own.iter().filter_map(|element| u32::try_from(element.partition()).ok()).collect()
    }
}

pub(crate) fn lowest(rows: &[Rows], known: Known, partitions: &[u32]) -> BTreeMap<u32, u64> {
    let next = |partition: u32| {
        let key = read_key(known.identity.id, partition);
        let of_shard = |rows: &Rows| rows.iter().find(|(row, _)| *row == key).map_or(0, |(_, next)| *next);
        rows.iter().map(of_shard).min().unwrap_or(0)
    };
    partitions.iter().map(|partition| (*partition, next(*partition))).collect()
}

impl ClientContext for Desk {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            // They are asked for because of one line.
            RDKafkaLogLevel::Debug => {
                if let Some(topic) = reads::gone_over(facility, line) {
                    *lock(&self.reads) = Some(topic);
                }
            }
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice
            | RDKafkaLogLevel::Info => self.ears.log(level, facility, line),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.ears.error(error, reason);
    }
}

impl ConsumerContext for Desk {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        count(&self.shared.meters.rebalances, 1);
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, list)
        } else {
            self.revoke(consumer, list)
        };
        if let Err(error) = done {
            let why = format!("partitions could not be taken over or given away: {error}");
            lock(&self.state).failed = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::topic::Identity;

    #[test]
    fn a_partition_is_read_from_the_lowest_of_the_shards_and_a_new_one_from_the_beginning() {
        let id = LogId(7);
        let known = Known {
            topic: id,
            identity: Identity { id, partitions: 3 },
            message_bytes_max: 1_000,
            brokers_found: 0,
        };
        let first = vec![(read_key(id, 0), 9), (read_key(id, 1), 4), (read_key(LogId(8), 2), 3)];
        let second = vec![(read_key(id, 0), 5)];
        let found = lowest(&[first, second], known, &[0, 1, 2]);
        assert_eq!(found, BTreeMap::from([(0, 5), (1, 0), (2, 0)]));
    }
}
