//! How many events a second go from a log in memory to a topic, and from there to a service, and how soon one is there.
//!
//! `cargo run --release -p engine-kafka --example rate -- [brokers]`: makes a topic, uses it and deletes it.

use engine::bus::Bus;
use engine::clock::{Clock, Stopwatch, SystemClock, Timestamp};
use engine::lease::Alone;
use engine::log::{EntityKey, LogId, Recorded, ShardName};
use engine::memory::MemoryStore;
use engine::store::{Commit, InboxMove, NewEvent, Schema, WriteSet};
use engine::topic::{Identity, Topic, count_key};
use engine::wire::{Packet, Place, Wire};
use engine::{Unreadable, store::Visit};
use engine_kafka::scan::{ScanFrom, Sight, scan};
use engine_kafka::settings::{Security, Settings};
use engine_kafka::{Kafka, Parts};
use std::borrow::Cow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const EVENTS: u64 = 200_000;
const BATCH: u64 = 500;
const SINGLE: usize = 300;
const PARTITIONS: u32 = 12;
const TALKER: Schema = Schema { service: "talker", kinds: &["thing"], shards: 1 };
const LISTENER: Schema = Schema { service: "listener", kinds: &["thing"], shards: 1 };
const LOOK_EVERY: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_secs(120);

/// What an event of ours has beside its body: a dozen headers of some twenty letters.
struct Headers;

impl Wire for Headers {
    fn write(&self, event: &Recorded) -> Result<Option<Packet>, Unreadable> {
        let header = |index: u8| (format!("header-{index}"), Some(b"some twenty letters.".to_vec()));
        Ok(Some(Packet {
            key: Some(event.entity_id.to_string().into_bytes()),
            headers: (0..12).map(header).collect(),
            payload: Some(event.body.clone().into_bytes()),
            at: Some(event.at),
        }))
    }

    fn read(&self, _: &Packet, _: &Place) -> Option<Recorded> {
        None
    }
}

fn main() {
    let brokers = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let settings = Settings {
        brokers,
        topic: format!("rate-{}", std::process::id()),
        partitions: PARTITIONS,
        replication: 1,
        group: "rate".to_owned(),
        security: Security::default(),
    };
    let (talker, listener) = (store(TALKER), store(LISTENER));
    let mut bus = Bus::default();
    let shard = ShardName { service: TALKER.service, index: 0 };
    bus.add(shard, talker.reader(), false).expect("a store in memory can be read");
    let bus = Arc::new(bus);
    let relay = start(&settings, (TALKER, &talker), &bus, true);
    let consumer = start(&settings, (LISTENER, &listener), &Arc::new(Bus::default()), false);
    until(|| relay.stats().topic.is_some());
    store_count(&talker, &relay);
    until(|| relay.stats().shards.iter().any(|shard| shard.holds));
    until(|| consumer.stats().partitions.iter().filter(|partition| partition.assigned).count() == 12);
    println!("one event after the other, of a body of 200 bytes:");
    measure_singles((&talker, &bus), (&relay, &consumer));
    println!("{EVENTS} events that wait in the log:");
    measure_many(&talker, (&relay, &consumer));
    measure_scan(&settings);
    drop((relay, consumer));
    println!("the topic {} stays: delete it", settings.topic);
}

fn store(schema: Schema) -> MemoryStore {
    MemoryStore::new(&[schema], LogId(u64::from(std::process::id())))
}

fn start(settings: &Settings, (schema, store): (Schema, &MemoryStore), bus: &Arc<Bus>, tells: bool) -> Kafka {
    let shard = ShardName { service: schema.service, index: 0 };
    let started = engine_kafka::start(Parts {
        settings: settings.clone(),
        wire: Arc::new(Headers),
        topic: Topic::new(schema.service, u16::from(tells)),
        reader: store.reader(),
        relays: if tells { vec![shard] } else { Vec::new() },
        hears: !tells,
        lease: Box::new(Alone),
        bus: bus.clone(),
        clock: Arc::new(SystemClock),
        fail: Box::new(|why| panic!("{why}")),
    });
    started.expect("the settings are those of the example")
}

/// There is no lane here that would store by how many partitions the relay tells.
fn store_count(store: &MemoryStore, relay: &Kafka) {
    let Some(Identity { id, partitions }) = relay.stats().topic else { return };
    let mut set = WriteSet::new(ShardName { service: TALKER.service, index: 0 }, 1);
    set.inbox = vec![InboxMove { key: count_key(id, partitions), from: 0, to: 1 }];
    assert!(matches!(store.writer().commit(&[set]), Commit::Done(_)), "a store in memory takes everything");
}

fn record(store: &MemoryStore, count: u64) {
    let shard = ShardName { service: TALKER.service, index: 0 };
    let mut writer = store.writer();
    let last = writer.last_position(shard).expect("a store in memory can be read");
    let mut set = WriteSet::new(shard, last + 1);
    set.events = (last + 1..=last + count).map(event).collect();
    assert!(matches!(writer.commit(&[set]), Commit::Done(_)), "a store in memory takes everything");
}

fn event(number: u64) -> NewEvent {
    NewEvent {
        key: EntityKey { kind: "thing", id: number },
        version: 1,
        event_type: "Said",
        schema: 1,
        published: true,
        at: Timestamp(SystemClock.now().0),
        actor: Cow::Borrowed("system"),
        cause: "request r".to_owned(),
        trace: None,
        body: format!("{{\"number\":{number},\"words\":\"{}\"}}", "x".repeat(170)),
    }
}

fn until(mut holds: impl FnMut() -> bool) {
    let since = Stopwatch::start();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "the brokers do not keep up");
        thread::park_timeout(LOOK_EVERY);
    }
}

fn measure_singles((talker, bus): (&MemoryStore, &Bus), (relay, consumer): (&Kafka, &Kafka)) {
    let (mut told, mut heard) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE {
        let (acknowledged, read) = (relay.stats().acknowledged, consumer.stats().read);
        let since = Stopwatch::start();
        record(talker, 1);
        bus.poll().expect("a store in memory can be read");
        until(|| relay.stats().acknowledged > acknowledged);
        told.push(since.elapsed());
        until(|| consumer.stats().read > read);
        heard.push(since.elapsed());
    }
    for (what, times) in [("acknowledged", &mut told), ("heard", &mut heard)] {
        times.sort_unstable();
        println!("  {what} after {:?} (half), {:?} (99 of 100)", times[SINGLE / 2], times[SINGLE * 99 / 100]);
    }
}

fn measure_many(talker: &MemoryStore, (relay, consumer): (&Kafka, &Kafka)) {
    let (acknowledged, read) = (relay.stats().acknowledged, consumer.stats().read);
    (0..EVENTS / BATCH).for_each(|_| record(talker, BATCH));
    let since = Stopwatch::start();
    until(|| relay.stats().acknowledged >= acknowledged + EVENTS);
    show("told, from the moment that all were recorded", since);
    until(|| consumer.stats().read >= read + EVENTS);
    show("heard", since);
}

fn measure_scan(settings: &Settings) {
    let since = Stopwatch::start();
    let mut count = 0_u64;
    let scanned = scan(settings, &Headers, &ScanFrom::Beginning, &mut |sight| match sight {
        Sight::Message { .. } => {
            count += 1;
            Visit::On
        }
        Sight::CaughtUp => Visit::Enough,
        Sight::Nothing => Visit::On,
    });
    scanned.expect("the brokers answered until now");
    let rate = count as f64 / since.elapsed().as_secs_f64();
    println!("  scanned {count}: {rate:.0} a second");
}

fn show(what: &str, since: Stopwatch) {
    let rate = EVENTS as f64 / since.elapsed().as_secs_f64();
    println!("  {what}: {rate:.0} a second");
}
