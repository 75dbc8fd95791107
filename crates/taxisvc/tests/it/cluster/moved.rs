//! A firm outgrows one machine: in the middle of a day its data directory moves into the databases of a fleet, and every trip
//! ends as it does when nothing moves.

use crate::cluster::day::replay as replay_through;
use crate::killed_and_resumed::{PATIENT, end_of, replay, replay_all, sample_day};
use crate::world::cluster::Cluster;
use crate::world::cluster::outside::Outside;
use crate::world::http::Events;
use crate::world::process::{Ended, Server, Settings, run, settings, taxisvc};
use crate::world::{World, number, until};
use engine::clock::Stopwatch;
use serde_json::Value;

fn of_fleet(outside: &Outside, more: &[(&str, &str)]) -> Settings {
    [settings(&[("STORE_KIND", "postgres")]), outside.settings(), settings(more)].concat()
}

#[track_caller]
fn refused(ended: &Ended, words: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(words), "{words}: {ended:?}");
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_day_goes_on_in_a_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let trips = sample_day(folder.path());
    let world = World::with(&PATIENT);
    let undisturbed = replay_all(&world, &trips, &["--clients", "64"]);
    let (calls, money) = (world.count("calls"), world.audit()["money"].clone());
    drop(world);

    let mut world = World::with(&PATIENT);
    let event = world.call(10.0);
    world.comes_to(event, ["driveStart", "paid", "start"]);
    let event = Events::open(world.address("gateway"), "/events?from=0").next().unwrap();
    let ends = world.folder().join("broken.csv");
    let child = replay(&world, &trips, &ends, &["--speed", "max", "--clients", "64", "--patience", "1"]);
    until("the middle of the day", || (world.count("calls") >= calls / 2).then_some(()));
    world.kill();
    assert_eq!(end_of(child).code, Some(1), "it was to be broken off");
    let data = world.data();
    let data = data.to_str().unwrap();

    let outside = Outside::shared();
    let import =
        |more: &[(&str, &str)]| run(world.folder(), &of_fleet(&outside, more), &["import", data, "--json"]);
    refused(&import(&[("STORE_SHARDS", "3")]), "has 1 shards and not 3");
    refused(&import(&[("STORE_KIND", "sqlite")]), "the settings of the fleet");
    let stopwatch = Stopwatch::start();
    let ended = import(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    println!("{} events moved in {:.1} s: {told}", told["events"], stopwatch.elapsed().as_secs_f64());
    let under_way = |field: &str| told["databases"].as_array().unwrap().iter().any(|moved| moved[field] != 0);
    assert!(under_way("deadlinesPutOff") || under_way("effects"), "something was under way: {told}");
    let up = Server::try_start(taxisvc(world.folder(), world.settings(), &["up", "--data", data]));
    refused(&up.err().expect("nobody runs there any more"), "was imported into PostgreSQL");
    // Given again, it finds nothing to do.
    assert_eq!(import(&[]).code, Some(0));

    let cluster = Cluster::with(1, outside, &PATIENT);
    let stopwatch = Stopwatch::start();
    let ended = end_of(replay_through(&cluster, &trips, &ends));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = cluster.comes_to_rest();
    println!("the rest of the day took {:.1} s", stopwatch.elapsed().as_secs_f64());
    let resumed = std::fs::read_to_string(ends).unwrap();
    let differing = resumed.lines().zip(undisturbed.lines()).filter(|(resumed, before)| resumed != before);
    assert!(resumed == undisturbed, "they differ: {:?}", differing.take(3).collect::<Vec<_>>());
    // One was placed here besides.
    assert_eq!(cluster.count("calls"), calls + 1, "nothing is lost or doubled");
    for (field, besides) in [("taken", 100_000), ("earned", 0), ("returned", 0), ("atProvider", 100_000)] {
        let undisturbed = money[field].as_i64().unwrap();
        assert_eq!(report["money"][field], undisturbed + besides, "{field}: every rider is charged once");
    }
    // A client's stream goes on behind the last event that it was told of.
    let next = Events::open(cluster.gateway, &format!("/events?from={}", event.id)).next().unwrap();
    assert_ne!(next.id, event.id);
    // No number is given twice.
    let placed = number(&cluster.place(10.0).with(201));
    assert!(placed > calls + 1, "{placed}");
    cluster.comes_to(placed, ["driveStart", "paid", "start"]);
}
