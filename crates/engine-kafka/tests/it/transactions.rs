//! Somebody else's transactions in the topic: what is open, what was aborted, and the marks that are no messages.

use crate::ear::EAR;
use crate::wire::Envelopes;
use crate::world::{Process, World, count, each_is_heard_once, ear_store, eventually, heard, street_store};
use engine::Service;
use engine::log::{LogId, Recorded, ShardName};
use engine::memory::MemoryStore;
use engine::projection::Rebuilt;
use engine::store::Visit;
use engine::topic::read_key;
use engine_kafka::scan::{ScanFrom, Sight, scan};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const STRANGER_LOG: LogId = LogId(0x0f0e);

fn begin_transaction(name: &str) -> BaseProducer<DefaultProducerContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", crate::brokers::address()).set("transactional.id", name);
    let producer: BaseProducer<DefaultProducerContext> = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

/// Writes an event of a stranger's, and leaves its transaction open.
fn write(producer: &BaseProducer<DefaultProducerContext>, topic: &str, like: &Recorded) {
    let mut event = like.clone();
    event.source.log = STRANGER_LOG;
    let payload = serde_json::to_vec(&event).unwrap();
    let record: BaseRecord<'_, (), Vec<u8>> = BaseRecord::to(topic).partition(0).payload(&payload);
    producer.send(record).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Where the only partition ends, as the last inquiry says.
fn end_of<S: Service>(process: &Process<S>) -> u64 {
    process.stats().partitions.first().and_then(|partition| partition.end).unwrap_or(0)
}

/// Up to where each shard of the ear has read the only partition.
fn rows(store: &MemoryStore, topic: LogId) -> Vec<u64> {
    let row = |index| {
        let rows = store.reader().inbox(ShardName { service: EAR.service, index }).unwrap();
        rows.iter().find(|(key, _)| *key == read_key(topic, 0)).map_or(0, |(_, next)| *next)
    };
    (0..EAR.shards).map(row).collect()
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_strangers_open_transaction_is_no_shorter_topic_and_its_end_is_no_gap() {
    let world = World::new("transaction");
    world.admin.create(&world.topic, 1);
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    street.talk(1..=10);
    each_is_heard_once(&street_rows, &ear_rows, 10);
    let event = street_rows.reader().events_after(ShardName { service: "street", index: 0 }, 0, 1).unwrap();
    let stranger = begin_transaction(&world.topic);
    write(&stranger, &world.topic, &event[0]);
    for said in 11..=16 {
        street.say(said, "hello", true);
        // Each is seen by another inquiry; three that find the topic too short are believed.
        eventually("an inquiry sees what was acknowledged", || {
            let is_whole = street.stats().resets == 0 && ear.stats().resets == 0;
            assert!(is_whole, "it is taken for a topic that has lost something");
            end_of(&street) == said + 1 && end_of(&ear) == said + 1
        });
    }
    assert_eq!(count(&heard(&ear_rows)), 10, "what is behind an open transaction is not heard");
    let mut own = 0;
    let scanned = scan(&world.settings("scan"), &Envelopes, &ScanFrom::Beginning, &mut |sight| match sight {
        Sight::Message { event, .. } => {
            own += usize::from(event.is_some_and(|event| event.source.log != STRANGER_LOG));
            Visit::On
        }
        Sight::CaughtUp => Visit::Enough,
        Sight::Nothing => Visit::On,
    });
    scanned.unwrap();
    assert_eq!(own, 16, "who looks for what was told finds it");
    stranger.abort_transaction(PATIENCE).unwrap();
    each_is_heard_once(&street_rows, &ear_rows, 16);
    // 16 of our own, one that was aborted, and the mark.
    eventually("the end is known", || end_of(&ear) == 18);
    let id = ear.stats().topic.unwrap().id;
    eventually("all shards have read up to the end", || rows(&ear_rows, id).iter().all(|next| *next == 18));
    let (tell, told) = std::sync::mpsc::channel();
    ear.handle.rebuild(move |rebuilt| tell.send(rebuilt).unwrap());
    assert_eq!(told.recv().unwrap(), Rebuilt::Begun);
    eventually("it is whole again", || ear.handle.rebuilding().is_none());
    each_is_heard_once(&street_rows, &ear_rows, 16);
    street.talk(1..=10);
    each_is_heard_once(&street_rows, &ear_rows, 26);
    assert_eq!((street.stats().resets, ear.stats().resets), (0, 0));
    drop((street, ear));
}
