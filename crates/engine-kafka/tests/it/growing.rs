//! The topic gets more partitions while relays fail, lose their turn, and follow each other.

use crate::ear::EAR;
use crate::street::STREET;
use crate::turns::Turns;
use crate::world::{World, count, ear_store, eventually, heard, nothing_is_missing, said, street_store};
use engine::log::shard_of;
use engine::topic::partition_of;

/// What a broker takes in a message while it is to refuse one.
const SHORT: usize = 2_000;
const LONG: usize = 20_000;

/// Letters that no client can make short.
fn noise() -> String {
    (0..6_000_u64).map(|index| char::from(b'a' + (index * index % 97 * index % 26) as u8)).collect()
}

/// Two trains of one shard here and one shard there, which travel apart in four partitions; the first goes where the second is
/// once there are five.
fn two_trains() -> (u64, u64) {
    let shards = |train: u64| (shard_of(train, STREET.shards), shard_of(train, EAR.shards));
    let pairs = (1..100).flat_map(|first| (1..100).map(move |second| (first, second)));
    let meets = |(first, second): &(u64, u64)| {
        let place = partition_of(*second, 4);
        let is_together = shards(*first) == shards(*second) && shards(*first).0 == 0;
        is_together && partition_of(*first, 4) != place && partition_of(*first, 5) == place
    };
    pairs.into_iter().find(meets).unwrap()
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn an_event_that_went_in_vain_by_fewer_partitions_is_heard_by_more_behind_later_ones_whoever_tells() {
    let world = World::new("grown-in-vain");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let turns = Turns::default();
    let (first, second) = two_trains();
    world.admin.create(&world.topic, 4);
    let street = world.street_by_turns(&street_rows, &turns, 1);
    let ear = world.ear(&ear_rows);
    let last_heard =
        |train: u64| heard(&ear_rows).get(&train).and_then(|positions| positions.last().copied());
    let last_said =
        |train: u64| said(&street_rows).get(&train).and_then(|positions| positions.last().copied());
    // One is refused while one behind it gets through; where that was too late, both are let through, and it is tried again.
    loop {
        street.say(first, "hello", true);
        street.say(second, "hello", true);
        eventually("both partitions are open", || {
            last_said(second).is_some()
                && [first, second].iter().all(|train| last_heard(*train) == last_said(*train))
        });
        world.admin.limit_messages(&world.topic, SHORT);
        let before = last_said(second);
        street.say(first, &noise(), true);
        street.say(second, "hello", true);
        let is_held_up = || street.stats().shards.iter().any(|shard| shard.held_up.is_some());
        // A broker takes a moment to go by what it was set to.
        eventually("the first is held up, or was too early", || {
            last_said(second) > before && (is_held_up() || last_heard(first) == last_said(first))
        });
        if is_held_up() && last_heard(second) == last_said(second) {
            break;
        }
        world.admin.limit_messages(&world.topic, LONG);
        eventually("all is heard", || {
            [first, second].iter().all(|train| last_heard(*train) == last_said(*train))
        });
    }
    assert!(last_heard(first) < last_said(first), "it was refused");
    world.admin.raise_partitions(&world.topic, 5);
    eventually("the relay knows of five", || street.stats().topic.unwrap().partitions == 5);
    for _ in 0..2 {
        let before = last_said(second);
        street.say(second, "hello", true);
        eventually("it is stored, and with it whatever the relay wants stored", || {
            last_said(second) > before
        });
    }
    let elsewhere = (1..).find(|train| shard_of(*train, STREET.shards) == 1).unwrap();
    street.say(elsewhere, "hello", true);
    eventually("the other shard is not held up", || last_heard(elsewhere).is_some());
    turns.take_from(1);
    let other = world.street_by_turns(&street_rows, &turns, 2);
    world.admin.limit_messages(&world.topic, LONG);
    let before = count(&said(&street_rows));
    other.talk(1..=50);
    nothing_is_missing(&street_rows, &ear_rows, before + 50);
    drop((street, other, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn partitions_are_added_while_relays_lose_their_turn_and_nothing_is_lost() {
    let world = World::new("grown-in-turns");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let turns = Turns::default();
    world.admin.create(&world.topic, 2);
    let mut street = world.street_by_turns(&street_rows, &turns, 2);
    let ear = world.ear(&ear_rows);
    street.talk(1..=200);
    nothing_is_missing(&street_rows, &ear_rows, 200);
    for partitions in 3..=6_u32 {
        let before = u64::from(partitions) - 1;
        (0..5).for_each(|_| street.talk(1..=200));
        world.admin.raise_partitions(&world.topic, usize::try_from(partitions).unwrap());
        (0..5).for_each(|_| street.talk(1..=200));
        turns.take_from(before);
        let next = world.street_by_turns(&street_rows, &turns, u64::from(partitions));
        (0..5).for_each(|_| next.talk(1..=200));
        street.stop();
        street = next;
    }
    nothing_is_missing(&street_rows, &ear_rows, 200 + 4 * 3_000);
    eventually("the ear reads all of them", || {
        ear.stats().partitions.iter().filter(|one| one.assigned).count() == 6
    });
    let is_told_by_six = || {
        let id = street.stats().topic.unwrap().id;
        let shards =
            (0..STREET.shards).map(|index| engine::log::ShardName { service: STREET.service, index });
        let row = engine::topic::count_key(id, 6);
        shards
            .into_iter()
            .all(|shard| street_rows.reader().inbox(shard).unwrap().iter().any(|(key, _)| *key == row))
    };
    eventually("all shards are told by six", is_told_by_six);
    street.talk(1..=200);
    nothing_is_missing(&street_rows, &ear_rows, 200 + 4 * 3_000 + 200);
    drop((street, ear));
}
