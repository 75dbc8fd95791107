//! One producer: it tells in order until something fails, and then no more.

use crate::context::{Ears, lock};
use crate::message;
use crate::settings::Settings;
use crate::shared::{Known, Shared, count};
use engine::log::LogId;
use engine::topic::Spread;
use engine::wire::Packet;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// How long a message waits for others to go with it. Batches form by themselves while those before are under way, so
/// waiting more buys little: measured, docs/decisions/0022-relay-and-consumer.md.
const LINGER_MS: &str = "1";
/// The longest batch, unless the topic takes less.
const BATCH_BYTES_MAX: usize = 1_000_000;
/// What the client takes for the shortest limit of a message.
const MESSAGE_BYTES_MIN: usize = 1_000;
const MESSAGE_BYTES_MAX: usize = 1_000_000_000;

/// One event on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) shard: u16,
    /// The run of the shard that told it: acknowledgements of an earlier one say nothing to a later.
    pub(crate) run: u64,
    pub(crate) position: u64,
    pub(crate) partition: u32,
    pub(crate) spread: Spread,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) told: Told,
    pub(crate) outcome: Result<Option<u64>, RDKafkaErrorCode>,
}

/// Gathers what the producer's thread reports, and wakes the relay.
pub(crate) struct Deliveries {
    ears: Ears,
    shared: Arc<Shared>,
    arrived: Arc<Mutex<Vec<Delivery>>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.ears.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.ears.error(error, reason);
        self.shared.bells.relay.ring();
    }
}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = Box<Told>;

    fn delivery(&self, result: &DeliveryResult<'_>, told: Box<Told>) {
        let outcome = match result {
            Ok(message) => Ok(u64::try_from(message.offset()).ok()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        lock(&self.arrived).push(Delivery { told: *told, outcome });
        self.shared.bells.relay.ring();
    }
}

/// What a partition has seen of this producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Its first message is on its way, and goes alone.
    UnderWay,
    Open,
}

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Later: its partition is being opened, or the client's queue is full.
    NotNow,
    Failed(RDKafkaErrorCode),
}

pub(crate) struct Teller {
    client: ThreadedProducer<Deliveries>,
    arrived: Arc<Mutex<Vec<Delivery>>>,
    topic: String,
    meant_for: LogId,
    /// The partitions that were told anything. A broker that knows nothing of a producer takes any sequence number of
    /// it, so that a later batch would be taken although the first one was refused: the first message goes alone.
    opened: BTreeMap<u32, Opening>,
}

impl Teller {
    pub(crate) fn new(shared: &Arc<Shared>, known: &Known, queue: usize) -> KafkaResult<Self> {
        let arrived: Arc<Mutex<Vec<Delivery>>> = Arc::default();
        let config = configuration(&shared.settings, known.message_bytes_max, queue);
        let context =
            Deliveries { ears: Ears::of("relay"), shared: shared.clone(), arrived: arrived.clone() };
        let client = config.create_with_context(context)?;
        count(&shared.meters.producers, 1);
        Ok(Self {
            client,
            arrived,
            topic: shared.settings.topic.clone(),
            meant_for: known.topic,
            opened: BTreeMap::new(),
        })
    }

    pub(crate) fn tell(&mut self, told: Told, packet: &Packet) -> Result<(), NotTaken> {
        let opening = self.opened.get(&told.partition).copied();
        if opening == Some(Opening::UnderWay) {
            return Err(NotTaken::NotNow);
        }
        let partition = i32::try_from(told.partition).unwrap_or(i32::MAX);
        let mut record: BaseRecord<'_, Vec<u8>, Vec<u8>, Box<Told>> =
            BaseRecord::with_opaque_to(&self.topic, Box::new(told))
                .partition(partition)
                .headers(message::headers(packet, self.meant_for, told.spread));
        record.key = packet.key.as_ref();
        record.payload = packet.payload.as_ref();
        record.timestamp = packet.at.map(|at| at.0);
        match self.client.send(record) {
            Ok(()) => {
                if opening.is_none() {
                    self.opened.insert(told.partition, Opening::UnderWay);
                }
                Ok(())
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Err(NotTaken::NotNow),
            Err((error, _)) => {
                Err(NotTaken::Failed(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)))
            }
        }
    }

    /// What has become of messages since the last time.
    pub(crate) fn deliveries(&mut self) -> Vec<Delivery> {
        let arrived = std::mem::take(&mut *lock(&self.arrived));
        for delivery in arrived.iter().filter(|delivery| delivery.outcome.is_ok()) {
            self.opened.insert(delivery.told.partition, Opening::Open);
        }
        arrived
    }

    /// Why this producer can go no further.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.client.client().fatal_error().map(|(code, why)| format!("{code}: {why}"))
    }

    /// Ends the producer. What is queued is dropped and what is on its way is not waited for, in each partition from some
    /// message on: no later one gets through before an earlier. Returns what became of the rest.
    pub(crate) fn end(self) -> Vec<Delivery> {
        let Self { client, arrived, .. } = self;
        drop(client);
        std::mem::take(&mut *lock(&arrived))
    }
}

fn configuration(
    settings: &Settings,
    message_bytes_max: usize,
    queue: usize,
) -> rdkafka::config::ClientConfig {
    let bytes = message_bytes_max.clamp(MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX);
    let mut config = settings.client("relay");
    config
        .set("enable.idempotence", "true")
        // A refusal ends the producer instead of being passed over.
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        // Nothing ever times out: what times out leaves a gap.
        .set("message.timeout.ms", "0")
        .set("linger.ms", LINGER_MS)
        .set("compression.type", "lz4")
        .set("message.max.bytes", bytes.to_string())
        .set("batch.size", bytes.min(BATCH_BYTES_MAX).to_string())
        .set("queue.buffering.max.messages", queue.to_string());
    config
}

/// Whether a broker would refuse the same message again, however often it is asked.
pub(crate) fn is_refusal(code: RDKafkaErrorCode) -> bool {
    [
        RDKafkaErrorCode::MessageSizeTooLarge,
        RDKafkaErrorCode::InvalidMessage,
        RDKafkaErrorCode::InvalidMessageSize,
        RDKafkaErrorCode::MessageBatchTooLarge,
        RDKafkaErrorCode::InvalidTimestamp,
        RDKafkaErrorCode::PolicyViolation,
        RDKafkaErrorCode::InvalidRecord,
    ]
    .contains(&code)
}

/// Counts what became of messages.
pub(crate) fn measure(shared: &Shared, deliveries: &[Delivery]) {
    let (good, bad): (Vec<&Delivery>, Vec<&Delivery>) =
        deliveries.iter().partition(|delivery| delivery.outcome.is_ok());
    shared.meters.acknowledged.fetch_add(good.len() as u64, Ordering::Relaxed);
    shared.meters.failures.fetch_add(bad.len() as u64, Ordering::Relaxed);
}
