//! The figures of the topic outside: how far it was read, how far it was told, and what went wrong on the way.

use super::{tell, tell_one};
use engine_kafka::stats::{ShardStats, Stats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

#[derive(Debug)]
pub(super) struct Told(pub(super) Stats);

type Read<N> = fn(&Stats) -> N;

const COUNTERS: [(&str, &str, Read<u64>); 10] = [
    ("kafka_events_told", "Events given to the topic, also again", |stats| stats.told),
    ("kafka_events_acknowledged", "Events that the topic has taken", |stats| stats.acknowledged),
    ("kafka_events_refused", "Events that could not be written or were refused", |stats| stats.refused),
    ("kafka_delivery_failures", "Deliveries that failed", |stats| stats.failures),
    ("kafka_producers", "Producers begun", |stats| stats.producers),
    ("kafka_messages_read", "Messages read", |stats| stats.read),
    ("kafka_messages_lost", "Messages that the topic had dropped before they were read", |stats| stats.lost),
    ("kafka_rebalances", "Times that partitions were given or taken", |stats| stats.rebalances),
    ("kafka_rewinds", "Times that reading was set back to what is stored", |stats| stats.rewinds),
    ("kafka_topic_resets", "Times that the topic turned out to be another one", |stats| stats.resets),
];

const GAUGES: [(&str, &str, Read<bool>); 2] = [
    ("kafka_connected", "Whether a broker answers", |stats| stats.connected),
    ("kafka_reading_paused", "Whether reading waits for the database", |stats| stats.paused),
];

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(stats) = self;
        for (name, help, read) in COUNTERS {
            tell_one(&mut encoder, (name, help), &ConstCounter::new(read(stats)))?;
        }
        for (name, help, read) in GAUGES {
            tell_one(&mut encoder, (name, help), &ConstGauge::new(i64::from(read(stats))))?;
        }
        let read_here = stats.partitions.iter().filter(|partition| partition.assigned);
        let count = i64::try_from(read_here.clone().count()).unwrap_or(i64::MAX);
        let help = "Partitions that this process reads";
        tell_one(&mut encoder, ("kafka_partitions_read", help), &ConstGauge::new(count))?;
        let lags = read_here.filter_map(|partition| {
            let lag = i64::try_from(partition.lag()?).unwrap_or(i64::MAX);
            Some(([("partition", partition.partition)], ConstGauge::new(lag)))
        });
        let help = "Messages of a partition that this process has not read yet";
        tell(&mut encoder, ("kafka_partition_lag", help), &lags.collect::<Vec<_>>())?;
        self.encode_relay(&mut encoder)
    }
}

impl Told {
    fn encode_relay(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let told = |read: fn(&ShardStats) -> Option<f64>| {
            let shards = self.0.shards.iter();
            let told =
                shards.filter_map(|shard| Some(([("shard", shard.shard)], ConstGauge::new(read(shard)?))));
            told.collect::<Vec<_>>()
        };
        let help = "Whether this process tells the topic of a shard's events";
        tell(encoder, ("relay_holds", help), &told(|shard| Some(flag(shard.holds))))?;
        let help = "How old the oldest event is that the topic was not told, where this process tells it";
        tell(encoder, ("relay_age_seconds", help), &told(|shard| Some(shard.age_ms? as f64 / 1e3)))?;
        let help = "Whether an event that cannot be told holds up those behind it";
        tell(encoder, ("relay_held_up", help), &told(|shard| Some(flag(shard.held_up.is_some()))))
    }
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}
