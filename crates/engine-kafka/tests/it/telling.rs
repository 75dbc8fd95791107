//! The relay: in order, from an acknowledged position, one or several at once, and past what a broker refuses.

use crate::brokers::Door;
use crate::ear::{EAR, Ear};
use crate::street::{STREET, Street};
use crate::turns::Turns;
use crate::wire::UNWRITABLE;
use crate::world::{
    Process, Setting, World, count, each_is_heard_once, ear_store, eventually, heard, said, street_store,
};

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn what_is_said_is_heard_once_and_in_order_and_told_once_over_restarts() {
    let world = World::new("order");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    for _ in 0..10 {
        street.talk(1..=300);
    }
    each_is_heard_once(&street_rows, &ear_rows, 3_000);
    // The own shards store how far they have told; what follows is told from there.
    eventually("all is acknowledged", || {
        let reader = street_rows.reader();
        let last = |shard| reader.last_position(shard).unwrap();
        let shards = street.stats().shards;
        shards.len() == 2
            && shards.iter().all(|shard| {
                shard.told == last(engine::log::ShardName { service: STREET.service, index: shard.shard })
            })
    });
    eventually("it is stored how far was told", || {
        let reader = street_rows.reader();
        (0..STREET.shards).all(|index| {
            let shard = engine::log::ShardName { service: STREET.service, index };
            let topic = street.stats().topic.unwrap().id;
            let rows = reader.inbox(shard).unwrap();
            let told = engine::topic::told_in(&rows, topic).map(|(_, told)| told);
            told == Some(reader.last_position(shard).unwrap())
        })
    });
    assert_eq!(street.stats().told, 3_000);
    street.stop();
    let street = world.street(&street_rows);
    street.talk(1..=100);
    each_is_heard_once(&street_rows, &ear_rows, 3_100);
    assert_eq!(street.stats().told, 100, "nothing was told again");
    assert_eq!((street.stats().failures, street.stats().producers), (0, 1));
    street.stop();
    ear.stop();
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn two_relays_at_once_double_nothing() {
    let world = World::new("two-relays");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let one = world.street(&street_rows);
    let other = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    for _ in 0..10 {
        one.talk(1..=100);
        other.talk(101..=200);
    }
    each_is_heard_once(&street_rows, &ear_rows, 2_000);
    eventually("both have told everything", || {
        one.stats().acknowledged >= 2_000 && other.stats().acknowledged >= 2_000
    });
    each_is_heard_once(&street_rows, &ear_rows, 2_000);
    drop((one, other, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn only_who_has_the_turn_tells_and_the_other_goes_on_when_it_is_given_back() {
    let world = World::new("turns");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let turns = Turns::default();
    let start = |holder| world.street_by_turns(&street_rows, &turns, holder);
    let one = start(1);
    eventually("the first has both turns", || {
        let shards = one.stats().shards;
        shards.len() == 2 && shards.iter().all(|shard| shard.holds)
    });
    let other = start(2);
    let ear = world.ear(&ear_rows);
    other.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 200);
    assert_eq!((one.stats().told, other.stats().told), (200, 0));
    one.stop();
    other.talk(1..=200);
    each_is_heard_once(&street_rows, &ear_rows, 400);
    assert!(other.stats().told >= 200, "{:?}", other.stats());
    drop((other, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn an_event_that_is_too_long_holds_up_its_shard_until_the_topic_takes_it() {
    let world = World::new("too-long");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    world.admin.create(&world.topic, 4);
    world.admin.limit_messages(&world.topic, 2_000);
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    street.talk(1..=100);
    each_is_heard_once(&street_rows, &ear_rows, 100);
    street.say(1, &"x".repeat(3_000), true);
    eventually("it is held up", || street.stats().shards.iter().any(|shard| shard.held_up.is_some()));
    let stats = street.stats();
    let held: Vec<_> = stats.shards.iter().filter_map(|shard| shard.held_up.clone()).collect();
    assert_eq!(held.len(), 1, "the other shard goes on");
    assert!(held[0].contains("max.message.bytes") && held[0].contains(&world.topic), "{held:?}");
    street.talk(1..=100);
    eventually("the other shard is heard", || count(&heard(&ear_rows)) > 130);
    assert!(count(&heard(&ear_rows)) < 200, "what is behind it must wait");
    assert_eq!(street.stats().failures, 0, "no broker was asked to take it");
    world.admin.limit_messages(&world.topic, 10_000);
    each_is_heard_once(&street_rows, &ear_rows, 201);
    eventually("nothing is held up", || street.stats().shards.iter().all(|shard| shard.held_up.is_none()));
    drop((street, ear));
}

/// A stream of small things with a long one in it, which the brokers refuse while others are on their way.
fn check_refusal(name: &str, before_it: usize) {
    let world = World::new(name);
    let (street_rows, ear_rows) = (street_store(), ear_store());
    world.admin.create(&world.topic, 1);
    let street = world.street(&street_rows);
    eventually("the relay is ready", || street.stats().shards.iter().any(|shard| shard.holds));
    let speak = |train: u64| {
        let before = street.stats().told;
        street.say(train, "hello", true);
        eventually("it is given, or held up", || street.stats().told > before || street.stats().failures > 0);
    };
    (0..before_it).for_each(|_| speak(1));
    // The relay has read what the topic takes, and does not know of this. What cannot be compressed is too long for it.
    world.admin.limit_messages(&world.topic, 2_000);
    let noise: String =
        (0..6_000_u64).map(|index| char::from(b'a' + (index * index % 97 * index % 26) as u8)).collect();
    street.say(1, &noise, true);
    (0..100).for_each(|_| speak(1));
    eventually("a broker has refused it", || street.stats().failures > 0);
    let ear = world.ear(&ear_rows);
    world.admin.limit_messages(&world.topic, 20_000);
    each_is_heard_once(&street_rows, &ear_rows, before_it + 101);
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn what_brokers_refuse_lets_nothing_later_through_before_it() {
    check_refusal("refused-first", 0);
    check_refusal("refused-later", 20);
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn an_event_that_cannot_be_written_holds_up_its_shard_and_is_never_passed_over() {
    let world = World::new("unwritable");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let street = world.street(&street_rows);
    let ear = world.ear(&ear_rows);
    street.talk(1..=100);
    each_is_heard_once(&street_rows, &ear_rows, 100);
    street.say(1, UNWRITABLE, true);
    eventually("it is held up", || street.stats().shards.iter().any(|shard| shard.held_up.is_some()));
    street.talk(1..=100);
    eventually("it was tried again", || street.stats().refused >= 2);
    let stuck = said(&street_rows).into_iter().filter(|(train, positions)| {
        heard(&ear_rows).get(train).is_none_or(|heard| heard.len() < positions.len())
    });
    let stuck: Vec<u64> = stuck.map(|(train, _)| train).collect();
    let is_of_its_shard =
        |train: &u64| engine::log::shard_of(*train, STREET.shards) == engine::log::shard_of(1, STREET.shards);
    assert!(stuck.iter().all(is_of_its_shard), "{stuck:?}");
    drop((street, ear));
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_process_starts_without_a_broker_and_tells_when_there_is_one() {
    let world = World::new("no-broker");
    let (street_rows, ear_rows) = (street_store(), ear_store());
    let door = Door::shut();
    let through = |service| {
        let mut settings = world.settings(service);
        settings.brokers = door.address();
        Setting::of(settings)
    };
    let street = Process::start(&street_rows, (Street, STREET), through("street").telling());
    let ear = Process::start(&ear_rows, (Ear, EAR), through("ear").hearing());
    street.talk(1..=100);
    eventually("it is stored all the same", || count(&said(&street_rows)) == 100);
    assert!(!street.stats().connected && street.stats().topic.is_none());
    door.open();
    each_is_heard_once(&street_rows, &ear_rows, 100);
    assert!(street.stats().connected);
    drop((street, ear));
}
