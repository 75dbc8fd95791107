//! The topic itself changes while everything runs: it is deleted and made anew, or gets more partitions.

use crate::street::STREET;
use crate::world::{
    STREET_LOG, World, count, each_is_heard_in_the_last_topic, each_is_heard_once, ear_store, eventually,
    said, street_store,
};
use engine::log::{Position, Source, shard_of};

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_topic_that_is_deleted_while_all_runs_is_made_anew_and_nothing_of_ours_is_lost() {
    let world = World::new("deleted");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    for _ in 0..5 {
        street.talk(1..=200);
    }
    each_is_heard_once(&street_rows, &ear_rows, 1_000);
    let before = street.stats().topic.unwrap();
    assert!(world.admin.delete(&world.topic));
    for _ in 0..20 {
        street.talk(1..=200);
    }
    each_is_heard_in_the_last_topic(&street_rows, &ear_rows, 5_000);
    eventually("the topic is another one", || street.stats().topic.unwrap().id != before.id);
    street.talk(1..=200);
    each_is_heard_in_the_last_topic(&street_rows, &ear_rows, 5_200);
    assert!(ear.stats().resets >= 1 && street.stats().resets >= 1);
    assert_eq!(street.stats().topic.unwrap().partitions, 4);
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_topic_that_is_deleted_while_nobody_looks_is_seen_to_be_another_one() {
    let world = World::new("absent");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let (street, ear) = (world.street(&street_rows), world.ear(&ear_rows));
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    assert_eq!((street.stats().resets, ear.stats().resets), (0, 0), "it is the first one");
    street.stop();
    ear.stop();
    assert!(world.admin.delete(&world.topic));
    let (street, ear) = (world.street(&street_rows), world.ear(&ear_rows));
    street.talk(1..=200);
    each_is_heard_in_the_last_topic(&street_rows, &ear_rows, 400);
    assert_eq!((street.stats().resets, ear.stats().resets), (1, 1));
    street.stop();
    ear.stop();
    // By the rows a later start knows the one that is there now.
    let (street, ear) = (world.street(&street_rows), world.ear(&ear_rows));
    street.talk(1..=200);
    each_is_heard_in_the_last_topic(&street_rows, &ear_rows, 600);
    assert_eq!((street.stats().resets, ear.stats().resets), (0, 0));
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_topic_that_is_made_anew_by_somebody_else_at_once_is_told_everything() {
    let world = World::new("swapped");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    world.admin.create(&world.topic, 4);
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    for round in 1..=3_usize {
        world.admin.delete(&world.topic);
        street.talk(1..=200);
        world.admin.create(&world.topic, 4);
        street.talk(1..=200);
        each_is_heard_in_the_last_topic(&street_rows, &ear_rows, 200 + 400 * round);
    }
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn partitions_are_added_while_all_runs_and_nothing_is_lost_or_doubled() {
    let world = World::new("partitions");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    street.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    let before = said(&street_rows);
    world.admin.raise_partitions(&world.topic, 7);
    eventually("the relay and the ear know them", || {
        street.talk(1..=50);
        let ends = ear.stats().partitions;
        ends.iter().filter(|partition| partition.assigned && partition.end > Some(0)).count() == 7
    });
    let sum = count(&said(&street_rows));
    eventually("all is heard", || count(&crate::world::heard(&ear_rows)) >= sum);
    // An entity may move to another partition, and what it says then be heard before what it said last.
    let sorted = |mut all: std::collections::BTreeMap<u64, Vec<u64>>| {
        all.values_mut().for_each(|positions| positions.sort_unstable());
        all
    };
    eventually("each once", || sorted(crate::world::heard(&ear_rows)) == said(&street_rows));
    assert_eq!(street.stats().failures, 0);
    // Of most of them nothing has come by the partition that they have now.
    for (train, positions) in before {
        let shard = shard_of(train, STREET.shards);
        let source = Source { log: STREET_LOG, service: STREET.service.into(), shard };
        let number = positions.last().copied().unwrap();
        let position = Position { source, number, about: Some(train) };
        assert!(ear.handle.has_read(&position), "{position:?}");
    }
    drop((street, ear));
}
