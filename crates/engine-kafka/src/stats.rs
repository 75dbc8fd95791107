//! What there is to know of the relay and the consumer, for whoever watches over them.

use engine::topic::Identity;

/// One look at everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// A broker has answered the last question.
    pub connected: bool,
    pub topic: Option<Identity>,
    /// Partitions that this process reads, or has heard the end of.
    pub partitions: Vec<PartitionStats>,
    /// Own shards that this process tells of.
    pub shards: Vec<ShardStats>,
    /// Events given to the topic, also those that were given again.
    pub told: u64,
    /// Events that the topic has acknowledged.
    pub acknowledged: u64,
    /// Deliveries that failed, each of which ended a producer.
    pub failures: u64,
    /// Producers begun: more than one for each topic and count of partitions says that something failed.
    pub producers: u64,
    /// Events that could not be written or that a broker refused for good, each time that it was tried.
    pub refused: u64,
    /// Messages read, also those that say nothing to the service.
    pub read: u64,
    /// Times that partitions were given or taken.
    pub rebalances: u64,
    /// Times that reading was set back to what a shard knows.
    pub rewinds: u64,
    /// Times that the topic turned out to be another one, or shorter than what was read of it.
    pub resets: u64,
    /// Messages that the topic had dropped before they were read: what they said is lost to the service.
    pub lost: u64,
    /// Reading is paused: the shards are behind, or the database is away.
    pub paused: bool,
    /// By which of its settings the topic does not keep everything.
    pub forgets: Option<String>,
    /// Which setting the brokers do not agree with, where they let nobody in because of one.
    pub not_let_in: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionStats {
    pub partition: u32,
    /// Read by this process.
    pub assigned: bool,
    /// The offset to be read next.
    pub next: Option<u64>,
    /// The offset behind the last message.
    pub end: Option<u64>,
}

impl PartitionStats {
    /// Messages that are not read yet, where this process reads them.
    pub fn lag(&self) -> Option<u64> {
        if !self.assigned {
            return None;
        }
        Some(self.end?.saturating_sub(self.next?))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardStats {
    pub shard: u16,
    /// This replica has the turn to tell.
    pub holds: bool,
    /// Up to which position the topic was told.
    pub told: u64,
    /// How old the oldest event is that was not told yet, where this replica has the turn.
    pub age_ms: Option<u64>,
    /// Why the shard is not told on: an event that cannot be written, or that the topic does not take.
    pub held_up: Option<String>,
}

impl Stats {
    /// The age of the oldest event that was not told, over all shards.
    pub fn relay_age_ms(&self) -> u64 {
        self.shards.iter().filter_map(|shard| shard.age_ms).max().unwrap_or(0)
    }
}
