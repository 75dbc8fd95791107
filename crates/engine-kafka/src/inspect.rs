//! The topic as it is, for somebody who only looks: whether there is one, what it is set to, and where it ends.

use crate::admin;
use crate::context::Ears;
use crate::refusal::explain;
use crate::settings::{Settings, SettingsError};
use engine::log::LogId;
use kafka_topic_id::describe;
use rdkafka::producer::{BaseProducer, Producer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a broker is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What brokers say of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub id: LogId,
    pub partitions: u32,
    /// Copies that each partition has, of the partition that has the fewest.
    pub replicas: u32,
    /// What it drops after a while, where it does, and why.
    pub forgets: Option<String>,
    /// Copies that must have a message before it is acknowledged; nothing where it is not told.
    pub in_sync_min: Option<u16>,
    /// The offset behind the last message of each partition.
    pub ends: BTreeMap<u32, u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the brokers cannot be asked: {0}")]
    Unavailable(String),
}

/// Asks the brokers; nothing when there is no such topic, and none is made.
pub fn inspect(settings: &Settings) -> Result<Option<Inspection>, InspectError> {
    settings.check()?;
    let unavailable = |why: String| InspectError::Unavailable(why);
    let mut config = settings.asking_client("inspect");
    config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    let client: BaseProducer<Ears> =
        config.create_with_context(Ears::of("inspect")).map_err(|error| unavailable(error.to_string()))?;
    let described = describe(client.client(), &settings.topic, PATIENCE);
    let described = described.map_err(|error| unavailable(explain(settings, &client, error)))?;
    let Some(described) = described.filter(|described| described.partitions > 0) else {
        return Ok(None);
    };
    let mut ends = BTreeMap::new();
    for partition in 0..described.partitions {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let asked = client.client().fetch_watermarks(&settings.topic, number, PATIENCE);
        let (_, high) = asked
            .map_err(|error| unavailable(format!("where partition {partition} ends is not told: {error}")))?;
        ends.insert(partition, u64::try_from(high).unwrap_or(0));
    }
    // What it is set to is a right of its own at brokers, and can be denied.
    let set_to = admin::configuration(settings).unwrap_or_default();
    Ok(Some(Inspection {
        id: LogId(u64::try_from(described.id >> 64).expect("half of 128 bits are 64")),
        partitions: described.partitions,
        replicas: described.replicas,
        forgets: set_to.forgets,
        in_sync_min: set_to.in_sync_min,
        ends,
    }))
}
