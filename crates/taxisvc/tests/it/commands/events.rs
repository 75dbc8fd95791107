//! `taxisvc events`: from the beginning, from an event, the last ones, and as they happen.

use super::{assert_says, on, refused, said};
use crate::world::World;
use crate::world::process::taxisvc;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A call that is ended and one that is too far.
fn two_calls(world: &World) {
    let ended = world.call(10.0);
    world.comes_to(ended, ["driveStart", "paid", "start"]);
    world.end(ended).with(200);
    let too_far = world.call(150.0);
    world.comes_to(ended, ["driveComplete", "paid", "end"]);
    world.comes_to(too_far, ["requestCancel", "refunded", "requestCancel"]);
}

const EVERY: [&str; 11] = [
    "call CallRequested",
    "payment FarePaid",
    "call CallPlaced",
    "drive DriveStarted",
    "drive DriveEnded",
    "call CallRequested",
    "payment FarePaid",
    "call CallPlaced",
    "drive DriveNotAvailable",
    "call CallCancelled",
    "payment FareRefunded",
];

#[track_caller]
fn lines(world: &World, arguments: &[&str]) -> Vec<Value> {
    let text = said(world, &[&["events", "--json"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn name(event: &Value) -> String {
    format!("{} {}", event["service"].as_str().unwrap(), event["type"].as_str().unwrap())
}

fn place(event: &Value) -> String {
    format!("{}/{}/{}", event["service"].as_str().unwrap(), event["shard"], event["position"])
}

#[track_caller]
fn check(world: &World, arguments: &[&str], expected: &[&str]) {
    let names: Vec<String> = lines(world, arguments).iter().map(name).collect();
    let (mut names, mut expected) = (names, expected.to_vec());
    // What has no order between the services may come in either.
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{arguments:?}");
}

#[test]
fn everything_is_told_beside_a_server_and_without_one() {
    let mut world = World::start();
    two_calls(&world);
    for _ in 0..2 {
        check(&world, &["--from-beginning"], &EVERY);
        check(
            &world,
            &["--from-beginning", "--type", "FarePaid,FareRefunded"],
            &[EVERY[1], EVERY[6], EVERY[10]],
        );
        check(&world, &["--from-beginning", "--call", "1"], &EVERY[..5]);
        check(&world, &["--from-beginning", "--call", "7"], &[]);
        assert_eq!(lines(&world, &[]).len(), 10, "the last ten");
        assert_eq!(lines(&world, &["--last", "2"]).len(), 2);
        assert_eq!(lines(&world, &["--last", "1", "--type", "CallRequested"])[0]["callId"], 2);
        if world.server.is_some() {
            world.kill();
        }
    }
    let text = said(&world, &["events", "--from-beginning", "--call", "1"]);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_says(&text, &["  call/0/1  CallRequested  call 1  rider, request ", "event payment/0/"]);
}

/// Each in the order of its log, and none before the one that led to it.
#[test]
fn an_event_is_told_after_its_cause_with_all_that_stands_around_it() {
    let world = World::start();
    two_calls(&world);
    let all = lines(&world, &["--from-beginning", "--private"]);
    assert!(all.iter().any(|event| event["published"] == false), "private ones are among them");
    for (place_of_it, event) in all.iter().enumerate() {
        let cause = event["cause"].as_str().unwrap();
        if let Some(cause) = cause.strip_prefix("event ") {
            let before = all[..place_of_it].iter().any(|earlier| place(earlier) == cause);
            assert!(before, "{cause} is not before {event}");
        }
        for field in ["version", "schema", "at", "actor", "body"] {
            assert!(!event[field].is_null(), "{field} is not in {event}");
        }
    }
}

#[test]
fn a_reading_begins_where_it_is_told_to() {
    let world = World::start();
    two_calls(&world);
    let second_paid = place(&lines(&world, &["--from-beginning", "--type", "FarePaid"])[1]);
    let told = lines(&world, &["--from", &second_paid]);
    assert!(told.iter().any(|event| place(event) == second_paid), "{told:?}");
    assert!(told.iter().all(|event| event["callId"] == 2), "{told:?}");
    assert_eq!(told.len(), 5, "{told:?}");
    let answer = world.place(10.0).with(201);
    let position = answer.header("taxisvc-position").unwrap().to_owned();
    world.place(10.0).with(201);
    let after = lines(&world, &["--from", &position]);
    assert!(after.iter().any(|event| event["callId"] == 4), "{after:?}");
    assert!(after.iter().all(|event| event["callId"] == 3 || event["callId"] == 4), "{after:?}");
    for (from, words) in [
        ("payment/0/999", ["no event", "ends before it"]),
        ("payment/9/1", ["payment/9/1", "no service"]),
        ("money/0/1", ["money/0/1", "no service"]),
        ("payment/0/first", ["names no event", "17th"]),
        ("payment/0/0", ["first event", "1"]),
        ("yesterday", ["--from names no event", "payment/0/17"]),
        ("call.0.1.00000000000000ff", ["another log", "restored"]),
    ] {
        refused(&world, &["events", "--from", from], &words);
    }
}

#[test]
fn what_is_asked_wrongly_is_named() {
    let world = World::start();
    refused(&world, &["events", "--type", "FarePayed"], &["FarePayed", "FarePaid, "]);
    refused(&world, &["events", "--type", "FareAsked"], &["FareAsked", "--private"]);
    let both = on(&world, &["events", "--from-beginning", "--last", "3"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    let no_number = on(&world, &["events", "--call", "first"]);
    assert_eq!(no_number.code, Some(2), "{no_number:?}");
    assert_says(&no_number.stderr, &["whole number"]);
}

/// Follows, and its lines as they come.
fn follow(world: &World, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let data = world.data();
    let arguments = [&["events", "--follow", "--json", "--data", data.to_str().unwrap()], arguments].concat();
    let mut command = taxisvc(world.folder(), world.settings(), &arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn next(out: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[track_caller]
fn assert_ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}

#[test]
fn whoever_follows_hears_what_happens_until_ctrl_c() {
    let world = World::start();
    world.call(10.0);
    let (child, mut out) = follow(&world, &["--from-beginning", "--type", "CallRequested"]);
    assert_eq!(next(&mut out)["callId"], 1);
    world.call(10.0);
    assert_eq!(next(&mut out)["callId"], 2);
    let asked = Command::new("sh").args(["-c", "kill -INT \"$0\"", &child.id().to_string()]).status();
    assert!(asked.unwrap().success());
    assert_ends_well(child);
}

/// Also when nothing more happens that could be written.
#[test]
fn whoever_follows_ends_when_nobody_reads_on() {
    let world = World::start();
    world.call(10.0);
    let (child, mut out) = follow(&world, &["--from-beginning"]);
    assert_eq!(next(&mut out)["callId"], 1);
    drop(out);
    assert_ends_well(child);
}
