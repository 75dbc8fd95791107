//! What operators see and do on the command line beside replicas that are at work.

use crate::clock_set::FakeClock;
use crate::world::cluster::Cluster;
use crate::world::cluster::load::Load;
use crate::world::cluster::outside::Outside;
use crate::world::number;
use crate::world::process::taxisvc;
use serde_json::Value;

/// How often it is looked while riders come and go.
const LOOKS: usize = 20;

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn whoever_looks_beside_replicas_under_load_raises_no_false_alarm() {
    let cluster = Cluster::start(2, Outside::shared());
    let load = Load::start(cluster.gateway, 8);
    let mut was_under_way = false;
    for _ in 0..LOOKS {
        load.goes_on_for(10);
        // Not clean is a failure there.
        let report = cluster.audit();
        was_under_way |= report["transit"].as_array().is_some_and(|transit| !transit.is_empty());
        let newest = cluster.get("/calls?size=1&sort=callId,desc").with(200).json();
        let call = newest["_embedded"]["calls"][0]["callId"].to_string();
        let ended = cluster.run(&["explain", &call, "--json"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let story: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_ne!(story["money"]["agrees"], "differs", "{story}");
        assert_ne!(story["view"]["agrees"], "differs", "{story}");
    }
    assert!(was_under_way, "riders came and went, and nothing was ever on its way");
    load.end();
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn commands_find_the_databases_the_topic_and_the_replicas() {
    let mut cluster = Cluster::start(1, Outside::shared());
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    cluster.comes_to_rest();

    let doctor = cluster.operate(&["doctor"], &[]);
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    for check in [
        "durability",
        "clocks",
        "database view",
        "kafka",
        "retention",
        "reads view",
        "tells drive",
        "operator access",
    ] {
        assert!(doctor.stdout.contains(&format!("ok     {check}")), "{check}: {}", doctor.stdout);
    }
    let [payment, gateway] =
        [cluster.address("payment", 0), cluster.gateway].map(|address| address.to_string());
    let said = |arguments: &[&str]| {
        let ended = cluster.operate(arguments, &[]);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.stdout
    };
    assert_eq!(said(&["dead-letters", "list"]), "no dead letters\n");
    assert_eq!(said(&["rebuild", "view"]), "the view is whole again; calls in it: 1\n");
    assert_eq!(said(&["log", "info,engine=debug", "--to", &payment]), "info,engine=debug\n");
    assert_eq!(said(&["log", "--to", &gateway]), "info\n");
    let events = said(&["events", "--from-beginning"]);
    let types: Vec<&str> = events.lines().filter_map(|line| line.split("  ").nth(2)).collect();
    // What follows from the same event comes in either order.
    let [asked, paid, mut rest @ ..]: [&str; 4] = types.try_into().expect("a ride so far is four events");
    rest.sort_unstable();
    assert_eq!(
        (asked, paid, rest),
        ("CallRequested", "FarePaid", ["CallPlaced", "DriveStarted"]),
        "{events}"
    );

    cluster.stop("payment", 0);
    let doctor = cluster.operate(&["doctor"], &[]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(
        doctor.stdout.contains(&format!("WRONG  payment           {payment} cannot be reached")),
        "{doctor:?}"
    );
    cluster.start_again("payment", 0);
    cluster.wait_until_ready();
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_database_that_is_away_or_another_one_is_told_with_what_to_do() {
    let cluster = Cluster::start(1, Outside::shared());
    let outside = cluster.outside();
    let call = number(&cluster.place(10.0));
    let check = |settings: &[(&str, &str)], expected: &[&str]| {
        for command in [&["explain", "1"][..], &["audit"], &["events"], &["dead-letters", "list"]] {
            let ended = cluster.operate(command, settings);
            assert_eq!(ended.code, Some(1), "{ended:?}");
            for part in expected {
                assert!(ended.stderr.contains(part), "{part:?} is not in {}", ended.stderr);
            }
        }
        let doctor = cluster.operate(&["doctor"], settings);
        assert_eq!(doctor.code, Some(1), "{doctor:?}");
        assert!(doctor.stdout.contains("WRONG  database drive"), "{doctor:?}");
    };
    check(
        &[("POSTGRES_DRIVE", "postgres://taxisvc@127.0.0.1:1/drive")],
        &["cannot use the database of drive", "see that PostgreSQL runs there, or set postgres.drive"],
    );
    let (call_database, drive_database) = (outside.database("call"), outside.database("drive"));
    check(
        &[("POSTGRES_DRIVE", &call_database), ("POSTGRES_CALL", &drive_database)],
        &["name the right one in postgres.", "it holds the services"],
    );
    check(&[("POSTGRES_DRIVE", &outside.database("nowhere"))], &["make it, CREATE DATABASE"]);
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn what_waits_while_everything_is_stopped_is_late_with_nobody() {
    let mut cluster = Cluster::start(1, Outside::shared());
    let Some(clock) = FakeClock::make(cluster.folder()) else { return };
    for role in ["payment", "drive", "view"] {
        cluster.stop(role, 0);
    }
    let call = number(&cluster.place(10.0).with(202));
    cluster.stop("call", 0);
    cluster.stop_gateway();
    // Twenty minutes later.
    clock.set("+1200");
    is_on_its_way(&cluster, &clock);
    // Whoever has just started is not late either.
    cluster.start_again("call", 0);
    cluster.wait_until_ready();
    is_on_its_way(&cluster, &clock);
    ["payment", "drive", "view"].into_iter().for_each(|role| cluster.start_again(role, 0));
    cluster.start_gateway();
    cluster.wait_until_ready();
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
}

/// An audit by that clock is clean, with something that call has said and others have not heard.
fn is_on_its_way(cluster: &Cluster, clock: &FakeClock) {
    let mut command = taxisvc(cluster.folder(), cluster.settings(), &["audit", "--json"]);
    let output = clock.over(&mut command).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report}");
    let waiting = report["transit"].as_array().unwrap();
    assert!(waiting.iter().any(|transit| transit["from"] == "call"), "{report}");
}
