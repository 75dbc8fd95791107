//! `taxisvc events --topic`: what lies on the topic, as docs/commands.md says.

use super::moving_over::Fleet;
use crate::commands::document::assert_says_what_stands_there;
use crate::world::process::{Ended, Settings, run, settings, taxisvc};
use crate::world::{until, word};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// A ride under way beside the original's call service, told in an order that is the same each time.
fn ride() -> Fleet {
    let fleet = Fleet::start(&["view", "drive", "payment"], &[]);
    fleet.callpay(5, "100000.0").with(200);
    fleet.is_shown(5, ["driveStart", "paid", "start"]);
    fleet.call_says("CallPlaced", 5);
    fleet.say("TaxiWashed", "soap");
    until("the call to be placed", || {
        let view = fleet.is_shown(5, ["driveStart", "paid", "start"]);
        (view["userName"] == "far").then_some(())
    });
    fleet
}

fn events(fleet: &Fleet, more: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let settings: Settings = fleet.settings.iter().cloned().chain(settings(more)).collect();
    run(fleet.folder.path(), &settings, &[&["events", "--topic"], arguments].concat())
}

#[track_caller]
fn lines(fleet: &Fleet, arguments: &[&str]) -> Vec<Value> {
    let ended = events(fleet, &[], &[&["--json"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn it_shows_what_is_wanted() {
    let fleet = ride();
    let check = |arguments: &[&str], expected: &[&str]| {
        let types: Vec<String> = lines(&fleet, arguments).iter().map(|line| word(&line["type"])).collect();
        assert_eq!(types, expected, "{arguments:?}");
    };
    let all = ["FarePaid", "DriveStarted", "CallPlaced"];
    check(&["--from-beginning"], &all);
    check(&["--from-beginning", "--type", "FarePaid,CallPlaced"], &["FarePaid", "CallPlaced"]);
    check(&["--from-beginning", "--call", "6"], &[]);
    check(&["--from", "0/1"], &all[1..]);
    // What a partition says last is the latest, whatever it says of its time: the original's words are of another day.
    check(&[], &all);
    check(&["--last", "2"], &all[1..]);
    // Read near the end first, and further back until it is found.
    check(&["--last", "1", "--type", "FarePaid"], &all[..1]);
    check(&["--last", "1", "--type", "FareRefunded"], &[]);
    let paid = &lines(&fleet, &["--type", "FarePaid"])[0];
    assert_eq!((&paid["partition"], &paid["offset"], &paid["callId"]), (&json!(0), &json!(0), &json!(5)));
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn it_says_what_the_document_says() {
    let fleet = ride();
    let shown = assert_says_what_stands_there(
        |words| words.contains(&"--topic"),
        |words| run(fleet.folder.path(), &fleet.settings, words),
    );
    assert!(shown >= 3, "{shown} examples are about the topic");
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn whoever_follows_the_topic_hears_what_happens_until_ctrl_c() {
    let fleet = ride();
    let arguments = ["events", "--topic", "--json", "--from-beginning", "--follow", "--type", "FarePaid"];
    let mut command = taxisvc(fleet.folder.path(), &fleet.settings, &arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    };
    assert_eq!(next()["callId"], 5);
    fleet.callpay(6, "100000.0").with(200);
    assert_eq!(next()["callId"], 6);
    let asked = Command::new("sh").args(["-c", "kill -INT \"$0\"", &child.id().to_string()]).status();
    assert!(asked.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn what_cannot_be_read_is_said() {
    let fleet = ride();
    let check = |more: &[(&str, &str)], arguments: &[&str], words: &str| {
        let ended = events(&fleet, more, arguments);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    };
    check(&[], &["--from", "0/999"], "there is no message 0/999");
    check(&[], &["--from", "7/0"], "there is no message 7/0");
    check(&[], &["--from", "call.0.1"], "names no message");
    check(&[("KAFKA_TOPIC", "there-is-none")], &[], "there is no topic \"there-is-none\"");
    check(&[("KAFKA_BROKERS", "127.0.0.1:1")], &[], "cannot read the topic");
}
