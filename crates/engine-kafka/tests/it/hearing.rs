//! The consumer: partitions that move between replicas, what is read again, and what is nobody's business.

use crate::database::Away;
use crate::ear::{EAR, Ear};
use crate::street::{STREET, Street};
use crate::wire::Envelopes;
use crate::world::{
    Process, STREET_LOG, Setting, World, count, each_is_heard_once, ear_store, eventually, heard,
    street_store,
};
use engine::log::{LogId, Recorded, ShardName};
use engine::memory::MemoryStore;
use engine::projection::Rebuilt;
use engine::store::{Commit, InboxMove, NewEvent, Visit, WriteSet};
use engine::topic::{TOPIC, is_told_key, read_key};
use engine_kafka::scan::{ScanFrom, Sight, scan};
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn assigned(process: &Process<Ear>) -> usize {
    process.stats().partitions.iter().filter(|partition| partition.assigned).count()
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn partitions_move_between_replicas_and_nothing_is_lost_or_doubled() {
    let world = World::new("rebalance");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let one = world.ear(&ear_rows);
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    let other = world.ear(&ear_rows);
    eventually("both read something", || {
        street.talk(1..=20);
        assigned(&one) == 2 && assigned(&other) == 2
    });
    let sum = count(&crate::world::said(&street_rows));
    each_is_heard_once(&street_rows, &ear_rows, sum);
    one.stop();
    eventually("the other reads everything", || {
        street.talk(1..=20);
        assigned(&other) == 4
    });
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, sum + 200);
    assert!(other.stats().rebalances >= 2);
    drop((street, other));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn partitions_that_come_while_the_database_is_away_are_read_when_it_is_back() {
    let world = World::new("database");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let away = Away::not_yet(&ear_rows);
    let looking = Setting::of(world.settings("ear")).hearing().looking_by(Arc::new(away.clone()));
    let one = Process::start(&ear_rows, (Ear, EAR), looking);
    let other = world.ear(&ear_rows);
    eventually("both read something", || assigned(&one) == 2 && assigned(&other) == 2);
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    away.set(true);
    other.stop();
    eventually("two partitions wait for the database", || waiting(&one) == 2);
    street.talk(1..=200);
    eventually("the others are read on", || count(&heard(&ear_rows)) > 250);
    assert!(count(&heard(&ear_rows)) < 400, "what waits is not read");
    away.set(false);
    each_is_heard_once(&street_rows, &ear_rows, 400);
    eventually("nothing waits", || waiting(&one) == 0);
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 600);
    drop((street, one));
}

/// Partitions of a process that wait for its database.
fn waiting(process: &Process<Ear>) -> usize {
    let stats = process.stats().partitions;
    stats.iter().filter(|partition| partition.assigned && partition.next.is_none()).count()
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_partition_that_was_taken_away_while_it_was_paused_is_read_when_it_comes_back() {
    let world = World::new("paused");
    world.admin.create(&world.topic, 2);
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let away = Away::not_yet(&ear_rows);
    let looking = Setting::of(world.settings("ear")).hearing().looking_by(Arc::new(away.clone()));
    let one = Process::start(&ear_rows, (Ear, EAR), looking);
    let mut other = world.ear(&ear_rows);
    eventually("both read something", || assigned(&one) == 1 && assigned(&other) == 1);
    away.set(true);
    // Which partition goes is for the group to say: in the end it is one that was paused, since both are.
    let mut paused = 0;
    loop {
        other.stop();
        eventually("more waits for the database", || assigned(&one) == 2 && waiting(&one) > 0);
        let is_both = waiting(&one) == 2;
        other = world.ear(&ear_rows);
        eventually("one of them goes", || assigned(&one) == 1 && assigned(&other) == 1);
        paused += 1;
        if is_both || waiting(&one) == 0 {
            break;
        }
        assert!(paused < 3, "both must be paused by now");
    }
    away.set(false);
    street.talk(1..=100);
    each_is_heard_once(&street_rows, &ear_rows, 100);
    other.stop();
    eventually("it comes back", || assigned(&one) == 2 && waiting(&one) == 0);
    street.talk(1..=100);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    drop((street, one));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_projection_is_made_anew_from_the_topic_while_more_is_said() {
    let world = World::new("anew");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    for _ in 0..5 {
        street.talk(1..=200);
    }
    each_is_heard_once(&street_rows, &ear_rows, 1_000);
    for round in 1..=3_usize {
        let (tell, told) = std::sync::mpsc::channel();
        ear.handle.rebuild(move |rebuilt| tell.send(rebuilt).unwrap());
        assert_eq!(told.recv().unwrap(), Rebuilt::Begun);
        street.talk(1..=200);
        eventually("it is whole again", || ear.handle.rebuilding().is_none());
        each_is_heard_once(&street_rows, &ear_rows, 1_000 + 200 * round);
    }
    assert!(ear.stats().rewinds >= 3, "{:?}", ear.stats());
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn what_was_meant_for_another_topic_or_is_no_event_is_passed_over() {
    let world = World::new("foreign");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    street.talk(1..=10);
    each_is_heard_once(&street_rows, &ear_rows, 10);
    let producer: BaseProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", crate::brokers::address()).create().unwrap();
    let event = street_rows.reader().events_after(ShardName { service: "street", index: 0 }, 0, 1).unwrap();
    // The same event from far ahead, as it would come from a producer that has not heard of the new topic.
    let mut ahead = event[0].clone();
    ahead.position = 1_000;
    let ahead = serde_json::to_vec(&ahead).unwrap();
    for (payload, meant_for) in
        [(Some(ahead), Some("00000000deadbeef")), (Some(b"{\"no\":\"event\"}".to_vec()), None), (None, None)]
    {
        for partition in 0..4 {
            let mut record: BaseRecord<'_, (), Vec<u8>> = BaseRecord::to(&world.topic).partition(partition);
            record.payload = payload.as_ref();
            if let Some(topic) = meant_for {
                let header = Header { key: "taxisvc-topic", value: Some(topic) };
                record = record.headers(OwnedHeaders::new().insert(header));
            }
            producer.send(record).unwrap();
        }
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    street.talk(1..=100);
    each_is_heard_once(&street_rows, &ear_rows, 110);
    eventually("all of it is read", || ear.stats().read >= 110 + 12);
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_log_that_is_behind_what_it_has_told_stops_its_process() {
    let world = World::new("restored");
    let street_rows = street_store();
    let hearing = || Setting::of(world.settings("street")).telling().hearing();
    let street = Process::start(&street_rows, (Street, STREET), hearing());
    street.talk(1..=20);
    let is_stored = || {
        let rows = street_rows.reader().inbox(ShardName { service: STREET.service, index: 0 }).ok()?;
        let read = rows.iter().filter(|(key, _)| key.source.service == TOPIC && key.partition < 4);
        (read.map(|(_, next)| next).sum::<u64>() == 20 && rows.iter().any(|(key, _)| is_told_key(key)))
            .then_some(())
    };
    eventually("it is stored how far was told and read", || is_stored().is_some());
    let backup = copy(&street_rows);
    street.talk(1..=100);
    eventually("all is told", || street.stats().acknowledged == 120);
    street.stop();
    // What is said from now on has positions that were used before, and must not get to the topic.
    let street = Process::start(&backup, (Street, STREET), hearing());
    street.talk(1..=100);
    eventually("it stops", || street.failed().is_some());
    let why = street.failed().unwrap();
    assert!(why.contains("taxisvc restored street"), "{why}");
    assert_eq!(street.stats().told, 0);
    street.stop();
    // With a log of its own it says everything again, as another.
    let renewed = MemoryStore::new(&[STREET], LogId(0x1e3e));
    let street = Process::start(&renewed, (Street, STREET), hearing());
    street.talk(1..=10);
    eventually("it tells", || street.stats().acknowledged == 10);
    assert_eq!(street.failed(), None);
    drop(street);
}

/// A store with the same logs and the same rows.
fn copy(store: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new(&[STREET], STREET_LOG);
    for index in 0..STREET.shards {
        let shard = ShardName { service: STREET.service, index };
        let mut set = WriteSet::new(shard, 1);
        let events = store.reader().events_after(shard, 0, usize::MAX).unwrap();
        set.events = (1..).zip(events).map(|(version, event)| said_again(&event, version)).collect();
        let rows = store.reader().inbox(shard).unwrap();
        set.inbox = rows.into_iter().map(|(key, to)| InboxMove { key, from: 0, to }).collect();
        assert!(matches!(copy.writer().commit(&[set]), Commit::Done(_)));
    }
    copy
}

fn said_again(event: &Recorded, version: u64) -> NewEvent {
    NewEvent {
        key: crate::street::train(event.entity_id),
        version,
        event_type: "Said",
        schema: event.schema,
        published: event.published,
        at: event.at,
        actor: event.actor.clone(),
        cause: event.cause.clone(),
        trace: None,
        body: event.body.clone(),
    }
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_topic_that_is_shorter_than_what_was_read_of_it_is_read_anew() {
    let world = World::new("shorter");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    street.talk(1..=50);
    eventually("all is told", || street.stats().acknowledged == 50);
    // The rows of a topic whose last thousand messages a broker has lost.
    let id = street.stats().topic.unwrap().id;
    for index in 0..EAR.shards {
        let mut set = WriteSet::new(ShardName { service: "ear", index }, 1);
        set.inbox =
            (0..4).map(|partition| InboxMove { key: read_key(id, partition), from: 0, to: 1_000 }).collect();
        assert!(matches!(ear_rows.writer().commit(&[set]), Commit::Done(_)));
    }
    let ear = world.ear(&ear_rows);
    each_is_heard_once(&street_rows, &ear_rows, 50);
    assert_eq!(ear.stats().resets, 1);
    assert_ne!(ear.stats().topic.unwrap().id, id);
    ear.stop();
    // A later start knows it by the rows.
    let ear = world.ear(&ear_rows);
    street.talk(1..=50);
    each_is_heard_once(&street_rows, &ear_rows, 100);
    assert_eq!(ear.stats().resets, 0);
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_scan_shows_everything_and_then_what_comes() {
    let world = World::new("scan");
    let street_rows = street_store();
    let street = world.street(&street_rows);
    street.talk(1..=100);
    eventually("all is told", || street.stats().acknowledged == 100);
    let mut seen: BTreeMap<u32, u64> = BTreeMap::new();
    let mut count_of = |from: &ScanFrom, say_more: bool| {
        let (mut events, mut is_caught_up) = (0, false);
        let scanned = scan(&world.settings("scan"), &Envelopes, from, &mut |sight| match sight {
            Sight::Message { place, event, .. } => {
                assert_eq!(event.unwrap().source.log, STREET_LOG);
                seen.insert(place.partition, place.offset + 1);
                events += 1;
                if say_more && is_caught_up && events >= 20 { Visit::Enough } else { Visit::On }
            }
            Sight::CaughtUp if say_more => {
                is_caught_up = true;
                street.talk(1..=20);
                Visit::On
            }
            Sight::CaughtUp => Visit::Enough,
            Sight::Nothing => Visit::On,
        });
        scanned.unwrap();
        events
    };
    assert_eq!(count_of(&ScanFrom::Beginning, false), 100);
    assert_eq!(count_of(&ScanFrom::End, true), 20);
    assert_eq!(count_of(&ScanFrom::BeforeEnds(5), false), 4 * 5);
    assert_eq!(count_of(&ScanFrom::BeforeEnds(u64::MAX), false), 120);
    let halves: BTreeMap<u32, u64> = (0..4).map(|partition| (partition, 10)).collect();
    assert_eq!(count_of(&ScanFrom::Offsets(halves), false), 80);
    let missing = World::new("missing");
    let refused = scan(&missing.settings("scan"), &Envelopes, &ScanFrom::Beginning, &mut |_| Visit::On);
    assert!(refused.unwrap_err().to_string().contains("no topic"));
    drop(street);
}
