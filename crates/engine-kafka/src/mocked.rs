//! The relay on the client's own imitation of brokers, which fail when they are told to.

use crate::message::{MEANT_FOR, TOLD_BY};
use crate::producer::{NotTaken, Teller, Told};
use crate::relay::Relay;
use crate::settings::{Security, Settings};
use crate::shared::{Common, Known, Shared};
use engine::Unreadable;
use engine::clock::{Stopwatch, SystemClock, Timestamp};
use engine::lease::Alone;
use engine::log::{EntityKey, LogId, Recorded, ShardName};
use engine::memory::MemoryStore;
use engine::store::{Commit, InboxMove, NewEvent, Schema, WriteSet};
use engine::topic::{Identity, Spread, Topic, count_key, partition_of};
use engine::wire::{Packet, Place, Wire};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const TOPIC: &str = "street";
const PARTITIONS: u32 = 4;
const SHARDS: u16 = 2;
const STREET: Schema = Schema { service: "street", kinds: &["train"], shards: SHARDS };
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const ID: LogId = LogId(7);
/// How long brokers are away, and how often a client may try to connect meanwhile: pauses grow to a second.
const OUTAGE: Duration = Duration::from_secs(4);
const CONNECTS_MAX: u64 = 40;

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// The position of an event, and nothing else of it.
struct Positions;

impl Wire for Positions {
    fn write(&self, event: &Recorded) -> Result<Option<Packet>, Unreadable> {
        let words = format!("{} {}", event.source.shard, event.position);
        Ok(event.published.then(|| Packet { payload: Some(words.into_bytes()), ..Packet::default() }))
    }

    fn read(&self, _: &Packet, _: &Place) -> Option<Recorded> {
        None
    }
}

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, i32::try_from(PARTITIONS).unwrap(), 1).unwrap();
    cluster
}

fn known() -> Known {
    Known {
        topic: ID,
        identity: Identity { id: ID, partitions: PARTITIONS },
        message_bytes_max: 1_000_000,
        brokers_found: 0,
    }
}

fn shared(cluster: &Cluster, store: &MemoryStore) -> Arc<Shared> {
    let shared = Shared::new(Common {
        settings: Settings {
            brokers: cluster.bootstrap_servers(),
            topic: TOPIC.into(),
            partitions: PARTITIONS,
            replication: 1,
            group: "taxisvc-street".into(),
            security: Security::default(),
        },
        wire: Arc::new(Positions),
        topic: Topic::new(STREET.service, SHARDS),
        reader: store.reader(),
        clock: Arc::new(SystemClock),
        fail: Box::new(|why| panic!("{why}")),
    });
    shared.learn(known(), BTreeMap::new());
    Arc::new(shared)
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Stopwatch::start();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "it never came to this: {what}");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// A street that speaks, and the relay that tells of it.
struct World {
    cluster: Cluster,
    store: MemoryStore,
    shared: Arc<Shared>,
    relay: Option<JoinHandle<()>>,
}

impl World {
    fn new() -> Self {
        let (cluster, store) = (cluster(), MemoryStore::new(&[STREET], LogId(1)));
        let shared = shared(&cluster, &store);
        let shards: Vec<ShardName> =
            (0..SHARDS).map(|index| ShardName { service: STREET.service, index }).collect();
        // There is no lane here that would store it.
        for shard in &shards {
            let mut set = WriteSet::new(*shard, 1);
            set.inbox = vec![InboxMove { key: count_key(ID, PARTITIONS), from: 0, to: 1 }];
            assert!(matches!(store.writer().commit(&[set]), Commit::Done(_)));
        }
        let relay = Relay::new(shared.clone(), Box::new(Alone), &shards, Arc::new(AtomicBool::new(true)));
        let relay = Some(thread::spawn(move || relay.run()));
        Self { cluster, store, shared, relay }
    }

    /// These trains speak, each in the shard of its number; every fifth to itself.
    fn talk(&self, trains: RangeInclusive<u64>) {
        for index in 0..SHARDS {
            let shard = ShardName { service: STREET.service, index };
            let mut store = self.store.writer();
            let last = store.last_position(shard).unwrap();
            let mut set = WriteSet::new(shard, last + 1);
            let own = trains.clone().filter(|train| train % u64::from(SHARDS) == u64::from(index));
            set.events = own.zip(last + 1..).map(|(train, version)| event(train, version)).collect();
            assert!(matches!(store.commit(&[set]), Commit::Done(_)));
        }
        self.shared.bells.relay.ring();
    }

    fn fail_next(&self, errors: &[RDKafkaRespErr]) {
        self.cluster.request_errors(RDKafkaApiKey::Produce, errors);
    }

    /// Waits until everything is told, and looks at what the brokers have then.
    fn all_is_told(&self) -> Vec<Vec<(u16, u64)>> {
        let told = |index: u16| {
            let shard = ShardName { service: STREET.service, index };
            let last = self.store.reader().last_position(shard).unwrap();
            let shards = self.shared.stats().shards;
            shards.iter().any(|shard| shard.shard == index && shard.told == last)
        };
        eventually("all is told", || (0..SHARDS).all(told));
        read_back(&self.cluster)
    }

    fn check(&self) {
        let partitions = self.all_is_told();
        for index in 0..SHARDS {
            let shard = ShardName { service: STREET.service, index };
            let said = self.store.reader().events_after(shard, 0, usize::MAX).unwrap();
            for (partition, messages) in (0..).zip(&partitions) {
                let of_partition = |event: &&Recorded| {
                    event.published && partition_of(event.entity_id, PARTITIONS) == partition
                };
                let wanted: Vec<u64> = said.iter().filter(of_partition).map(|event| event.position).collect();
                assert_eq!(first_sights(messages, index), wanted, "shard {index}, partition {partition}");
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shared.stop();
        let ended = self.relay.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

fn event(train: u64, version: u64) -> NewEvent {
    NewEvent {
        key: EntityKey { kind: "train", id: train },
        version,
        event_type: "Said",
        schema: 1,
        published: !train.is_multiple_of(5),
        at: Timestamp(1_000_000),
        actor: Cow::Borrowed("driver"),
        cause: "request r".into(),
        trace: None,
        body: "{}".into(),
    }
}

/// What whoever reads a partition takes for new, as the inbox does: each above all before it.
fn first_sights(messages: &[(u16, u64)], shard: u16) -> Vec<u64> {
    let mut seen: Vec<u64> = Vec::new();
    for (_, position) in messages.iter().filter(|(own, _)| *own == shard) {
        if seen.last().is_none_or(|last| position > last) {
            seen.push(*position);
        }
    }
    seen
}

fn read_back(cluster: &Cluster) -> Vec<Vec<(u16, u64)>> {
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "look")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(PARTITIONS).unwrap() {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    reader.assign(&list).unwrap();
    let mut partitions = vec![Vec::new(); usize::try_from(PARTITIONS).unwrap()];
    let mut open = PARTITIONS;
    let since = Stopwatch::start();
    while open > 0 {
        assert!(since.elapsed() < PATIENCE, "what was told cannot be read back");
        match reader.poll(LOOK_EVERY) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => {
                let meant_for = message.headers().unwrap().get(0);
                assert_eq!((meant_for.key, meant_for.value), (MEANT_FOR, Some(&b"0000000000000007"[..])));
                let told_by = message.headers().unwrap().get(1);
                assert_eq!(
                    (told_by.key, told_by.value),
                    (TOLD_BY, Some(format!("{PARTITIONS}/0").as_bytes()))
                );
                let words = std::str::from_utf8(message.payload().unwrap()).unwrap();
                let (shard, position) = words.split_once(' ').unwrap();
                let partition = usize::try_from(message.partition()).unwrap();
                partitions[partition].push((shard.parse().unwrap(), position.parse().unwrap()));
            }
        }
    }
    partitions
}

const TOO_LARGE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
const TIMED_OUT: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
const NOT_LEADER: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
const GONE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT;
const FINE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;

/// These brokers take any sequence of messages, as real ones do of a producer that they know nothing of.
#[test]
fn the_first_message_of_a_partition_goes_alone_so_that_none_is_taken_after_it_was_refused() {
    let (cluster, store) = (cluster(), MemoryStore::new(&[STREET], LogId(1)));
    let shared = shared(&cluster, &store);
    let mut teller = Teller::new(&shared, &known(), 100).unwrap();
    let told = |position, partition| Told {
        shard: 0,
        run: 1,
        position,
        partition,
        spread: Spread { partitions: PARTITIONS, after: 0 },
    };
    let packet = Packet { payload: Some(b"0 1".to_vec()), ..Packet::default() };
    // The way to the brokers is known, so that what follows goes at once.
    teller.tell(told(1, 1), &packet).unwrap();
    eventually("one partition is open", || !teller.deliveries().is_empty());
    cluster.request_errors(RDKafkaApiKey::Produce, &[TOO_LARGE]);
    cluster.broker_round_trip_time(1, Duration::from_millis(300)).unwrap();
    let (mut deliveries, mut next) = (Vec::new(), 2);
    eventually("the first is answered", || {
        // Again and again, so that several batches would be on their way by then.
        match teller.tell(told(next, 0), &packet) {
            Ok(()) => next += 1,
            Err(NotTaken::NotNow | NotTaken::Failed(_)) => {}
        }
        deliveries.extend(teller.deliveries());
        deliveries.iter().any(|delivery| delivery.told.position == 2)
    });
    deliveries.extend(teller.end());
    assert_eq!(deliveries[0].outcome, Err(RDKafkaErrorCode::MessageSizeTooLarge));
    let through: Vec<_> = deliveries.iter().filter(|delivery| delivery.outcome.is_ok()).collect();
    assert!(through.is_empty(), "later ones got through: {through:?}");
    assert_eq!(read_back(&cluster)[0], []);
}

#[test]
fn what_passes_by_itself_costs_no_producer() {
    let world = World::new();
    world.fail_next(&[NOT_LEADER, TIMED_OUT, GONE, FINE, NOT_LEADER, FINE, FINE, TIMED_OUT, GONE]);
    for _ in 0..10 {
        world.talk(1..=100);
    }
    world.check();
    let stats = world.shared.stats();
    assert_eq!((stats.producers, stats.failures), (1, 0));
}

#[test]
fn brokers_that_are_away_for_a_while_lose_and_double_nothing() {
    let world = World::new();
    world.talk(1..=100);
    world.check();
    for _ in 0..3 {
        world.cluster.broker_down(-1).unwrap();
        world.talk(1..=100);
        world.talk(1..=100);
        let waits = |shard: &crate::stats::ShardStats| shard.age_ms.is_some_and(|age| age > 0);
        eventually("the age of what is not told shows", || world.shared.stats().shards.iter().all(waits));
        world.cluster.broker_up(-1).unwrap();
        world.check();
    }
    assert_eq!(world.shared.stats().failures, 0, "an outage is no failure");
}

/// Counts how often a client tries to connect.
#[derive(Clone, Default)]
struct Connects(Arc<AtomicU64>);

impl ClientContext for Connects {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "CONNECT" && line.contains("Connecting to") {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl ConsumerContext for Connects {}

/// A consumer that begins again at the addresses of the settings whenever all brokers are gone does so without a pause.
#[test]
fn a_client_whose_brokers_are_all_gone_looks_for_them_with_pauses() {
    let (cluster, store) = (cluster(), MemoryStore::new(&[STREET], LogId(1)));
    let shared = shared(&cluster, &store);
    let connects = Connects::default();
    let mut config = shared.settings.client("test");
    config.set("debug", "broker").set_log_level(RDKafkaLogLevel::Debug);
    config.set("group.id", "test");
    let client: BaseConsumer<Connects> = config.create_with_context(connects.clone()).unwrap();
    client.subscribe(&[TOPIC]).unwrap();
    eventually("it reads", || {
        assert!(client.poll(LOOK_EVERY).is_none());
        client.assignment().is_ok_and(|partitions| partitions.count() > 0)
    });
    // With the cluster its ports are gone.
    drop(cluster);
    let before = connects.0.load(Ordering::SeqCst);
    let since = Stopwatch::start();
    while since.elapsed() < OUTAGE {
        client.poll(Duration::from_millis(1));
    }
    let connects = connects.0.load(Ordering::SeqCst) - before;
    assert!(connects > 0, "it does not look for them");
    assert!(connects < CONNECTS_MAX, "{connects} times within {OUTAGE:?}");
}

#[test]
fn a_stop_while_brokers_are_away_is_bounded() {
    let world = World::new();
    world.talk(1..=100);
    world.check();
    world.cluster.broker_down(-1).unwrap();
    world.talk(1..=100);
    eventually("something is on its way", || world.shared.meters.told.load(Ordering::SeqCst) > 100);
    drop(world);
}
