//! `taxisvc doctor`: finds what is wrong, and says what to do.

use super::{assert_says, on};
use crate::world::World;
use crate::world::process::{Settings, run, settings};
use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn told(folder: &Path, settings: &Settings, data: &Path) -> Value {
    let ended = run(folder, settings, &["doctor", "--json", "--data", data.to_str().unwrap()]);
    let told: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(ended.code, Some(if told["isWell"] == true { 0 } else { 1 }), "{ended:?}");
    told
}

/// The finding of this name that is worst.
#[track_caller]
fn found(told: &Value, check: &str, state: &str, words: &[&str]) {
    let findings = told["findings"].as_array().unwrap();
    let of_check: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == check).collect();
    let found = of_check.iter().find(|finding| finding["state"] == state);
    let found = found.unwrap_or_else(|| panic!("{check} is not {state}: {of_check:?}"));
    assert_says(&found.to_string(), words);
    assert_eq!(found["do"].is_string(), state != "ok", "{found}");
}

#[test]
fn a_running_server_is_well_and_so_is_a_stopped_one() {
    let mut world = World::start();
    world.call(10.0);
    world.stays_where_it_is();
    let running = told(world.folder(), world.settings(), &world.data());
    assert_eq!(running["isWell"], true, "{running}");
    found(&running, "server", "ok", &["http://"]);
    for port in ["gateway", "call", "payment", "drive", "view", "web"] {
        found(&running, port, "ok", &["is ready"]);
    }
    found(&running, "dead letters", "ok", &["none"]);
    found(&running, "deadlines", "ok", &["none is overdue"]);
    found(&running, "provider", "warn", &["provider.obey_test_methods"]);
    world.kill();
    let stopped = told(world.folder(), world.settings(), &world.data());
    found(&stopped, "server", "ok", &["none runs"]);
    found(&stopped, "data directory", "ok", &["mode 700"]);
    found(&stopped, "operator token", "ok", &["operator-token"]);
    let text = on(&world, &["doctor"]).stdout;
    assert_says(&text, &["ok     program           taxisvc 0.", "warn   provider ", "do: switch it off"]);
}

/// What a process warns of is warned of, once, though it is ready.
#[test]
fn what_a_ready_server_warns_of_is_told_once() {
    let mut world = World::with(&[("STORE_ROOM_WARN_BYTES", "9000000000000000000")]);
    world.stays_where_it_is();
    let told = told(world.folder(), world.settings(), &world.data());
    found(&told, "gateway", "ok", &["is ready"]);
    found(&told, "gateway", "warn", &["the disk is filling up"]);
    assert_eq!(told.to_string().matches("the disk is filling up").count(), 1, "{told}");
}

#[test]
fn a_token_that_the_server_does_not_take_is_said() {
    let mut world = World::start();
    world.stays_where_it_is();
    let mut settings = world.settings().clone();
    let look = |settings: &Settings| told(world.folder(), settings, &world.data());
    found(&look(&settings), "operator access", "ok", &["takes the operator's token"]);
    settings.push(("OPERATOR_TOKEN".to_owned(), "correct-horse-battery".to_owned()));
    let other = look(&settings);
    assert_eq!(other["isWell"], false, "{other}");
    found(&other, "operator access", "wrong", &["does not take", "start the server again"]);
}

#[test]
fn a_port_at_which_another_directorys_server_answers_is_wrong() {
    let mut world = World::start();
    world.stays_where_it_is();
    let other = World::start();
    let mut settings = world.settings().clone();
    settings.push(("PORTS_CALL".to_owned(), other.address("call").port().to_string()));
    let told = told(world.folder(), &settings, &world.data());
    found(&told, "view", "ok", &["is ready"]);
    found(&told, "call", "wrong", &["other data", "settings that the server has"]);
}

#[test]
fn a_port_that_somebody_holds_is_named_with_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = held.local_addr().unwrap().port().to_string();
    let told =
        told(folder.path(), &settings(&[("PORTS_GATEWAY", number.as_str())]), &folder.path().join("new"));
    assert_eq!(told["isWell"], false, "{told}");
    found(&told, "port gateway", "wrong", &[&number, "held by", "ports.gateway"]);
    found(&told, "data directory", "ok", &["not there yet", "first start"]);
    assert!(!folder.path().join("new").exists(), "it makes nothing");
}

#[test]
fn what_is_wrong_with_the_data_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    let check = || told(folder.path(), &settings(&[]), &data);
    found(&check(), "data directory", "warn", &["mode 755", "chmod 700"]);
    found(&check(), "data", "ok", &["nothing yet"]);
    std::fs::write(data.join("version"), "999\n").unwrap();
    found(&check(), "data", "wrong", &["999", "newer"]);
    std::fs::write(data.join("operator-token"), "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::set_permissions(data.join("operator-token"), PermissionsExt::from_mode(0o644)).unwrap();
    found(&check(), "operator token", "wrong", &["read by others", "--renew"]);
    let room = told(
        folder.path(),
        &settings(&[
            ("STORE_ROOM_WARN_BYTES", "9000000000000000000"),
            ("STORE_ROOM_MIN_BYTES", "9000000000000000000"),
        ]),
        &data,
    );
    found(&room, "disk", "wrong", &["are left", "make room"]);
}

#[test]
fn settings_that_should_be_meant_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = [
        ("LISTEN", "0.0.0.0"),
        ("LOG", "trace"),
        ("OPERATOR_TOKEN", "aaaaaaaaaaaaaaaaaaaa"),
        ("PROVIDER_LOST_PER_MILLE", "10"),
        ("UPSTREAMS_CALL", "127.0.0.1:1"),
    ];
    let told = told(folder.path(), &settings(&pairs), &folder.path().join("data"));
    found(&told, "listen", "warn", &["0.0.0.0", "firewall"]);
    found(&told, "log", "warn", &["trace"]);
    found(&told, "operator token", "warn", &["guessed"]);
    found(&told, "provider", "warn", &["provider.lost_per_mille"]);
    found(&told, "upstream call", "wrong", &["127.0.0.1:1", "cannot be reached"]);
    assert!(!told.to_string().contains("aaaaaaaa"), "{told}");
}
