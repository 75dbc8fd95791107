//! The topic read from one end to the other, by somebody who belongs to no group and stores nothing.

use crate::context::Ears;
use crate::inquiry::topic_id;
use crate::message;
use crate::refusal::explain;
use crate::settings::{Settings, SettingsError};
use engine::clock::Stopwatch;
use engine::log::{LogId, Recorded};
use engine::store::Visit;
use engine::wire::{Packet, Place, Wire};
use kafka_topic_id::{Description, describe};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a broker is waited for at the beginning, and where nothing comes that there must be.
const PATIENCE: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(200);

/// Where a scan begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanFrom {
    Beginning,
    /// Each partition at an offset; those that are not named, at their beginning.
    Offsets(BTreeMap<u32, u64>),
    /// Each partition so many offsets before the end it has now, or at its beginning.
    BeforeEnds(u64),
    /// Each partition at the end it has now: only what is still to come.
    End,
}

/// What a scan comes upon.
#[derive(Debug)]
pub enum Sight<'a> {
    Message {
        place: Place,
        packet: &'a Packet,
        event: Option<&'a Recorded>,
    },
    /// Everything that was there when the scan began has been shown. Whoever wants no more says so.
    CaughtUp,
    /// Nothing has come for a moment: an opportunity to stop.
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("there is no topic {0:?} at these brokers")]
    NoTopic(String),
    #[error("the brokers cannot be asked: {0}")]
    Unavailable(String),
}

impl ConsumerContext for Ears {}

impl From<KafkaError> for ScanError {
    fn from(error: KafkaError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Shows each message of the topic, each partition's in order, until `visit` has enough.
pub fn scan(
    settings: &Settings,
    wire: &dyn Wire,
    from: &ScanFrom,
    visit: &mut dyn FnMut(Sight<'_>) -> Visit,
) -> Result<(), ScanError> {
    settings.check()?;
    let described = described(settings)?;
    let client = client(settings)?;
    let topic = topic_id(described);
    let mut missing = begin(&client, settings, described.partitions, from)?;
    let mut silence = Stopwatch::start();
    if missing.is_empty() && visit(Sight::CaughtUp) == Visit::Enough {
        return Ok(());
    }
    let mut is_caught_up = missing.is_empty();
    loop {
        let wanted = match client.poll(WAIT) {
            Some(Ok(message)) => {
                silence = Stopwatch::start();
                let Some((place, packet)) = look(&message, topic) else { continue };
                let event = wire.read(&packet, &place);
                if missing.get(&place.partition).is_some_and(|end| place.offset + 1 >= *end) {
                    missing.remove(&place.partition);
                }
                visit(Sight::Message { place, packet: &packet, event: event.as_ref() })
            }
            Some(Err(error)) if silence.elapsed() >= PATIENCE => return Err(error.into()),
            Some(Err(_)) => Visit::On,
            None => {
                // The last messages before the end may be none that are shown: a transaction's marks.
                let position = client.position()?;
                missing.retain(|partition, end| at(&position, settings, *partition) < *end);
                if !missing.is_empty() && silence.elapsed() >= PATIENCE {
                    return Err(ScanError::Unavailable("nothing comes, and the end is not reached".into()));
                }
                visit(Sight::Nothing)
            }
        };
        if wanted == Visit::Enough {
            return Ok(());
        }
        if missing.is_empty() && !is_caught_up {
            is_caught_up = true;
            if visit(Sight::CaughtUp) == Visit::Enough {
                return Ok(());
            }
        }
    }
}

/// The topic as it is. A client that reads does not tell why brokers let it not in; one that only asks does.
fn described(settings: &Settings) -> Result<Description, ScanError> {
    let mut config = settings.asking_client("scan");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    let client: BaseProducer<Ears> = config.create_with_context(Ears::of("scan"))?;
    let described = describe(client.client(), &settings.topic, PATIENCE);
    let described = described.map_err(|error| ScanError::Unavailable(explain(settings, &client, error)))?;
    described.ok_or_else(|| ScanError::NoTopic(settings.topic.clone()))
}

fn client(settings: &Settings) -> KafkaResult<BaseConsumer<Ears>> {
    // What was told must be found also where somebody else's transaction is open before it; our own is in none.
    let mut config = settings.asking_client("scan");
    // The client wants the name of a group to read at all; it never joins it, and nothing is noted under it.
    config
        .set("group.id", format!("{}-scan", settings.group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10");
    config.create_with_context(Ears::of("scan"))
}

/// Goes to where each partition is to be read from, and returns where those end that have something to be read.
fn begin(
    client: &BaseConsumer<Ears>,
    settings: &Settings,
    partitions: u32,
    from: &ScanFrom,
) -> KafkaResult<BTreeMap<u32, u64>> {
    let mut list = TopicPartitionList::new();
    let mut missing = BTreeMap::new();
    for partition in 0..partitions {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let (low, high) = client.fetch_watermarks(&settings.topic, number, PATIENCE)?;
        let first = match from {
            ScanFrom::Beginning => low,
            ScanFrom::Offsets(offsets) => {
                let wanted =
                    offsets.get(&partition).map_or(low, |next| i64::try_from(*next).unwrap_or(i64::MAX));
                wanted.clamp(low, high)
            }
            ScanFrom::BeforeEnds(offsets) => {
                high.saturating_sub(i64::try_from(*offsets).unwrap_or(i64::MAX)).max(low)
            }
            ScanFrom::End => high,
        };
        if first < high {
            missing.insert(partition, u64::try_from(high).unwrap_or(0));
        }
        list.add_partition_offset(&settings.topic, number, Offset::Offset(first))?;
    }
    client.assign(&list)?;
    Ok(missing)
}

fn at(position: &TopicPartitionList, settings: &Settings, partition: u32) -> u64 {
    let number = i32::try_from(partition).unwrap_or(i32::MAX);
    let offset = position.find_partition(&settings.topic, number).and_then(|found| found.offset().to_raw());
    offset.and_then(|raw| u64::try_from(raw).ok()).unwrap_or(0)
}

fn look(message: &BorrowedMessage<'_>, topic: LogId) -> Option<(Place, Packet)> {
    let partition = u32::try_from(message.partition()).ok()?;
    let offset = u64::try_from(message.offset()).ok()?;
    Some((Place { topic, partition, offset }, message::packet(message)))
}
