//! A firm outgrows one machine: in the middle of a day its data directory moves into the databases of a fleet, and every trip
//! ends as it does when nothing moves.

use crate::cluster::day::replay as replay_through;
use crate::cluster::restored::recipe;
use crate::commands::dead_letters::poison;
use crate::killed_and_resumed::{PATIENT, end_of, replay, replay_all, sample_day};
use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};
use crate::world::cut_off::cut_off;
use crate::world::http::Events;
use crate::world::process::{Ended, Server, Settings, ended, run, set, settings, taxisvc};
use crate::world::{World, number, until};
use engine::clock::Stopwatch;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What an import says to a database and does on the disk, and of how many of each sort one is tried.
const STEPS: [(&str, usize); 4] = [("sendto", 101), ("write", 9), ("fsync", 1), ("rename", 1)];
/// Below which it was not looked at.
const CUT_AT_LEAST: usize = 8;

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

/// A world with a ride under way and a call for which the provider has not answered, stopped.
fn stopped() -> (World, [u64; 2]) {
    let mut world = World::start();
    let driven = world.call(10.0);
    world.comes_to(driven, ["driveStart", "paid", "start"]);
    let unpaid = number(&world.place_paid_by(10.0, "test:late=3000"));
    world.kill();
    (world, [driven, unpaid])
}

/// Both go on in the fleet, and come to their ends.
fn go_on_in(outside: Outside, calls: [u64; 2]) -> Cluster {
    let cluster = Cluster::start(1, outside);
    for call in calls {
        cluster.comes_to(call, ["driveStart", "paid", "start"]);
        cluster.end(call).with(200);
        cluster.comes_to(call, ["driveComplete", "paid", "end"]);
    }
    cluster
}

/// How far the import into a database is, as it says itself.
fn stage(outside: &Outside, service: &str) -> Option<String> {
    let mark = outside.ask(service, "SELECT value FROM engine.meta WHERE name = 'import'").ok()?;
    mark.split(' ').next().map(str::to_owned)
}

/// What a process says that does not go on: some listen before they have a database.
#[track_caller]
fn said_at_its_end(command: Command) -> String {
    match Server::try_start(command) {
        Ok(mut server) => {
            assert!(!server.ended().success(), "it was to fail");
            server.said()
        }
        Err(ended) => ended.stderr,
    }
}

/// Nobody starts on a database before all is there, and nobody on the directory from then on.
#[track_caller]
fn only_one_can_go_on(world: &World, outside: &Outside, place: &str) {
    let is_moved = world.data().join("moved").exists();
    let stages = ROLES.map(|service| stage(outside, service));
    for (service, stage) in ROLES.iter().zip(&stages) {
        match stage.as_deref() {
            None => continue,
            Some("done") => assert!(is_moved, "{place}: {service} can be used, and so can the directory"),
            Some(_) => {
                let port = format!("PORTS_{}", service.to_uppercase());
                let settings = of_fleet(outside, &[(&port, "0")]);
                let why = said_at_its_end(taxisvc(world.folder(), &settings, &[service]));
                assert!(
                    why.contains("taxisvc import"),
                    "{place}: half of it is no database of {service}: {why}"
                );
            }
        }
    }
    // It is loaded everywhere before it can be used anywhere.
    let is_loaded = |stage: &Option<String>| matches!(stage.as_deref(), Some("loaded" | "done"));
    assert!(!is_moved || stages.iter().all(is_loaded), "{place}: {stages:?}");
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn what_has_moved_goes_on_in_one_place() {
    let (world, calls) = stopped();
    let data = world.data();
    let import = |settings: &Settings| run(world.folder(), settings, &["import", data.to_str().unwrap()]);
    let outside = Outside::shared();
    let first = of_fleet(&outside, &[]);
    assert_eq!(import(&first).code, Some(0));
    let cluster = go_on_in(outside, calls);

    let other = Outside::shared();
    refused(&import(&of_fleet(&other, &[])), "was imported into PostgreSQL");
    let copy = world.folder().join("copy");
    let (data_named, copy_named) = (data.to_str().unwrap(), copy.to_str().unwrap());
    // A copy would not say of itself that it has moved.
    let copied = world.run(&["backup", copy_named, "--data", data_named]);
    refused(&copied, "was imported into PostgreSQL");
    refused(&world.run(&["restore", data_named, "--data", copy_named]), "was imported into PostgreSQL");
    assert!(!copy.exists());
    // As who takes the first fleet for a trial: what that has told is not heard by the next one.
    std::fs::remove_file(data.join("moved")).unwrap();
    let topic = first.iter().find(|(name, _)| name == "KAFKA_TOPIC").map(|(_, topic)| topic.as_str());
    let told = of_fleet(&other, &[("KAFKA_TOPIC", topic.expect("it has one"))]);
    refused(&import(&told), "there are messages on the topic");
    assert_eq!(ROLES.map(|service| stage(&other, service)), [None, None, None, None], "nothing is changed");
    assert_eq!(import(&of_fleet(&other, &[])).code, Some(0));
    drop(cluster);
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn what_was_put_aside_moves_too() {
    let (world, _) = stopped();
    let (data, clean) = (world.data(), world.folder().join("clean"));
    let (named, kept) = (data.to_str().unwrap(), clean.to_str().unwrap());
    assert_eq!(world.run(&["backup", kept, "--data", named]).code, Some(0));
    poison(&data, || drop(world.run(&["rebuild", "view", "--data", named])));
    let outside = Outside::shared();
    let fleet = of_fleet(&outside, &[]);
    let ended = run(world.folder(), &fleet, &["import", named, "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_ne!(told["deadLetters"], 0, "{told}");
    let list = run(world.folder(), &fleet, &["dead-letters", "list"]);
    assert!(list.stdout.contains("view/"), "{list:?}");
    // They wait, and nothing else is amiss.
    let audit = run(world.folder(), &fleet, &["audit"]);
    assert!(audit.code == Some(1) && audit.stdout.contains("NOT CLEAN: 0 broken"), "{audit:?}");
    // As it was before.
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(world.run(&["restore", kept, "--data", named]).code, Some(0));
}

#[test]
#[ignore = "wants Kafka, PostgreSQL and strace: cargo xtask services up"]
fn an_import_that_is_cut_off_anywhere_is_taken_up() {
    let (world, calls) = stopped();
    let data = world.data();
    let arguments = ["import", data.to_str().unwrap()];
    let mut cut = 0;
    for (call, between) in STEPS {
        for time in (1..).step_by(between) {
            let outside = Outside::shared();
            let fleet = of_fleet(&outside, &[]);
            if !cut_off(&taxisvc(world.folder(), &fleet, &arguments), (call, time)) {
                std::fs::remove_file(data.join("moved")).unwrap();
                break;
            }
            cut += 1;
            let place = format!("{call} {time}");
            only_one_can_go_on(&world, &outside, &place);
            let again = run(world.folder(), &fleet, &arguments);
            assert_eq!(again.code, Some(0), "{place}: {again:?}");
            let audit = run(world.folder(), &fleet, &["audit"]);
            assert_eq!(audit.code, Some(0), "{place}: {audit:?}");
            assert!(
                ROLES.iter().all(|service| stage(&outside, service).as_deref() == Some("done")),
                "{place}"
            );
            // As the document has it for who begins from the beginning.
            std::fs::remove_file(data.join("moved")).unwrap();
        }
    }
    let last = Outside::shared();
    assert_eq!(run(world.folder(), &of_fleet(&last, &[]), &arguments).code, Some(0));
    println!("an import was cut off {cut} times");
    assert!(cut >= CUT_AT_LEAST, "{cut}");
    drop(go_on_in(last, calls));
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn the_move_goes_as_the_document_has_it() {
    let mut world = World::start();
    let driven = world.call(10.0);
    world.comes_to(driven, ["driveStart", "paid", "start"]);
    let unpaid = number(&world.place_paid_by(10.0, "test:late=3000"));
    let outside = Outside::shared();
    let mut fleet = "store.kind = \"postgres\"\n".to_owned();
    for (name, value) in outside.settings() {
        let (table, key) = name.split_once('_').expect("a setting lies in a table");
        fleet += &format!("{}.{} = {value:?}\n", table.to_lowercase(), key.to_lowercase());
    }
    std::fs::write(world.folder().join("fleet.toml"), fleet).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    for command in recipe("move", "call") {
        if command.starts_with("systemctl stop ") {
            let mut server = world.take_server();
            server.terminate();
            assert!(server.ended().success());
            continue;
        }
        let command = command.replace("/var/lib/taxisvc", &path(&world.data()));
        let command = command.replace("/backup/", &format!("{}/", path(world.folder())));
        let command = command.replace("taxisvc ", &format!("{} ", env!("CARGO_BIN_EXE_taxisvc")));
        let mut shell = Command::new("sh");
        shell.args(["-ec", &command]);
        set(&mut shell, world.folder(), world.settings());
        let ended = ended(&mut shell);
        assert_eq!(ended.code, Some(0), "{command}: {ended:?}");
    }
    assert!(world.folder().join("before-the-move/backup.json").exists());
    drop(go_on_in(outside, [driven, unpaid]));
}
