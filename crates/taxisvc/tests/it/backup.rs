//! A backup is taken in the middle of a day, beside the server; everything else is lost. Restored, the day goes on, and every
//! trip ends as it does when nothing is lost.

mod cut_off;

use crate::commands::dead_letters::poison;
use crate::killed_and_resumed::{PATIENT, end_of, replay, replay_all, sample_day};
use crate::world::http::{Answer, Ask, Events};
use crate::world::process::{Ended, Server, Settings, ended, run, set, settings, taxisvc};
use crate::world::{World, number, until};
use rusqlite::Connection;
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Numbers that are left out beyond the highest in the copy.
const NUMBERS_LEFT_OUT: u64 = 1_000_000;
/// Copies that are taken one after the other while riders ride.
const BACKUPS: u64 = 3;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn done(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[track_caller]
fn refused(ended: &Ended, words: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(words), "{words}: {ended:?}");
}

#[track_caller]
fn json(ended: Ended) -> Value {
    serde_json::from_str(&done(ended)).unwrap()
}

impl World {
    fn backup(&self, to: &Path, more: &[&str]) -> Ended {
        let data = self.data();
        self.run(&[&["backup", text(to), "--data", text(&data), "--json"], more].concat())
    }

    fn restore(&self, copy: &Path, more: &[&str]) -> Ended {
        let data = self.data();
        self.run(&[&["restore", text(copy), "--data", text(&data), "--json"], more].concat())
    }
}

/// The databases of a directory with the logs that their tables speak of: their own ones, and those that they have heard.
fn logs_of(directory: &Path) -> (Vec<String>, Vec<String>) {
    let (mut own, mut heard) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "db") {
            continue;
        }
        let database = Connection::open(&path).unwrap();
        own.push(
            database.query_row("SELECT value FROM meta WHERE name = 'log'", [], |row| row.get(0)).unwrap(),
        );
        let services = "SELECT name FROM meta_service";
        let mut services = database.prepare(services).unwrap();
        let services: Vec<String> =
            services.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for service in services {
            let mut logs =
                database.prepare(&format!("SELECT DISTINCT log FROM \"{service}_inbox\"")).unwrap();
            heard.extend(logs.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap));
        }
    }
    (own, heard)
}

fn a_day_goes_on_from_a_backup(layout: &str, (trips, undisturbed, calls): (&Path, &str, u64)) {
    let mut settings = PATIENT.to_vec();
    settings.push(("STORE_LAYOUT", layout));
    let mut world = World::with(&settings);
    let placed = world.place(10.0).with(201);
    let position = placed.header("taxisvc-position").unwrap().to_owned();
    world.comes_to(number(&placed), ["driveStart", "paid", "start"]);

    let event = Events::open(world.address("gateway"), "/events?from=0").next().unwrap().id;

    let ends = world.folder().join("broken.csv");
    // Few at once, so that the day lasts far longer than a backup.
    let more = ["--speed", "max", "--clients", "16", "--patience", "1"];
    let child = replay(&world, trips, &ends, &more);
    let mut taken = Vec::new();
    for place in 1..=BACKUPS {
        until("riders to come", || (world.count("calls") >= calls * place / (BACKUPS * 3)).then_some(()));
        let copy = world.folder().join(format!("copy-{place}"));
        // The last one is audited once the day is broken off.
        let audited: &[&str] = if place < BACKUPS { &["--audit"] } else { &[] };
        let told = json(world.backup(&copy, audited));
        println!(
            "{layout}: {} bytes of {} events held for {} ms",
            told["bytes"], told["events"], told["heldMs"]
        );
        taken.push((copy, told));
    }
    let (copy, told) = taken.pop().unwrap();
    let highest = world.count("calls");
    assert!(highest < calls, "the day was over before its backup was taken");
    lose_everything(&mut world, child);
    let audit = world.run(&["audit", "--data", copy.to_str().unwrap()]);
    assert_eq!(audit.code, Some(0), "{}{}", audit.stdout, audit.stderr);

    let restored = json(world.restore(&copy, &[]));
    for field in ["events", "calls", "lastEventAt"] {
        assert_eq!(restored[field], told[field], "{field}");
    }
    let (own, heard) = logs_of(&world.data());
    assert!(heard.iter().all(|log| own.contains(log)), "{heard:?} {own:?}");
    assert!(own.iter().all(|log| !logs_of(&copy).0.contains(log)), "{own:?}");
    let before = world.run(&["audit", "--data", text(&copy), "--json"]);
    let (before, after) = (json(before), world.audit());
    for field in ["services", "money", "transit", "checks"] {
        assert_eq!(before[field], after[field], "the restored one is what the copy is");
    }

    world.start_again();
    let answer = world.get(&format!("/callViews?at-least={position}"));
    assert_eq!(answer.with(409).problem(), "another-log");
    assert_eq!(answered_after(&world, &event).with(409).problem(), "another-log");
    let next = world.call(10.0);
    assert!(next >= NUMBERS_LEFT_OUT, "{next} may have been given already");
    assert_eq!(replay_all(&world, trips, &["--clients", "64"]), undisturbed);
    // The two that were placed here besides.
    assert_eq!(world.count("calls"), calls + 2);
}

/// A stream that goes on behind an event.
fn answered_after(world: &World, event: &str) -> Answer {
    Ask::get("/events").header("last-event-id", event).of(world.address("gateway")).unwrap()
}

fn lose_everything(world: &mut World, child: Child) {
    world.kill();
    let ended = end_of(child);
    assert_eq!(ended.code, Some(1), "it was to be broken off: {ended:?}");
    std::fs::remove_dir_all(world.data()).unwrap();
}

#[test]
#[ignore = "replays thousands of trips three times; `cargo xtask ci` runs it"]
fn a_day_goes_on_from_a_backup_in_both_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let trips = sample_day(folder.path());
    let world = World::with(&PATIENT);
    let undisturbed = replay_all(&world, &trips, &["--clients", "64"]);
    let calls = world.count("calls");
    drop(world);
    for layout in ["together", "apart"] {
        a_day_goes_on_from_a_backup(layout, (&trips, &undisturbed, calls));
    }
}

const UNIT: &str = include_str!("../../../../deploy/systemd/taxisvc-backup.service");

/// What the unit for systemd runs, here: all lines of that name, as long as they come to a good end.
fn as_the_unit_has_it(world: &World, name: &str, (backups, keep): (&Path, &str)) -> Ended {
    let mut last = None;
    for line in UNIT.lines().filter_map(|line| line.strip_prefix(name)) {
        let line = line.replace("%%", "%").replace("/usr/local/bin/taxisvc", env!("CARGO_BIN_EXE_taxisvc"));
        let mut shell = Command::new("sh");
        shell.args(["-ec", &line]);
        set(&mut shell, world.folder(), world.settings());
        shell.env("TAXISVC_DATA", world.data()).env("BACKUPS", backups).env("KEEP", keep);
        let ran = ended(&mut shell);
        if ran.code != Some(0) {
            return ran;
        }
        last = Some(ran);
    }
    last.expect("the unit has it")
}

#[test]
fn the_unit_takes_a_backup_and_keeps_the_last_ones() {
    let world = World::start();
    world.call(10.0);
    let backups = world.folder().join("all our backups");
    let keep_one = |day: u8, manifest: &str| {
        let older = backups.join(format!("taxisvc-2026010{day}T040000Z"));
        std::fs::create_dir_all(&older).unwrap();
        std::fs::write(older.join("backup.json"), manifest).unwrap();
    };
    (1..=3).for_each(|day| keep_one(day, "{\n  \"holds\": true\n}\n"));
    // Something was broken in these: they take no place from those.
    (4..=7).for_each(|day| keep_one(day, "{\n  \"holds\": false\n}\n"));
    std::fs::create_dir_all(backups.join("taxisvc-20260103T040000Z.unfinished/half")).unwrap();
    for keep in ["0", "", "-1"] {
        refused(&as_the_unit_has_it(&world, "ExecStartPre=", (&backups, keep)), "1 backup or more");
        // Which systemd runs all the same.
        done(as_the_unit_has_it(&world, "ExecStopPost=", (&backups, keep)));
        assert_eq!(std::fs::read_dir(&backups).unwrap().count(), 8, "nothing is removed");
    }
    for name in ["ExecStartPre=", "ExecStart=", "ExecStopPost="] {
        done(as_the_unit_has_it(&world, name, (&backups, "2")));
    }
    let names = std::fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort_unstable();
    let left = [3, 6, 7].map(|day| format!("taxisvc-2026010{day}T040000Z"));
    assert!(names.len() == 4 && names[..3] == left, "{names:?}");
    assert!(backups.join(&names[3]).join("backup.json").exists());
}

/// A world with a few calls, stopped, and a copy of it.
fn copied() -> (World, PathBuf) {
    copied_with(&[])
}

fn copied_with(settings: &[(&str, &str)]) -> (World, PathBuf) {
    let mut world = World::with(settings);
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    let copy = world.folder().join("copy");
    json(world.backup(&copy, &[]));
    world.kill();
    (world, copy)
}

#[test]
fn a_copy_is_its_owners_and_nobody_runs_on_it() {
    let (world, copy) = copied();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&copy), 0o700);
    let names: Vec<String> = std::fs::read_dir(&copy)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
            entry.file_name().into_string().unwrap()
        })
        .collect();
    // The token of operators is not among them.
    assert_eq!(names.len(), 3, "{names:?}");
    let started =
        Server::try_start(taxisvc(world.folder(), world.settings(), &["up", "--data", text(&copy)]));
    let ended = started.err().expect("nobody runs on a backup");
    refused(&ended, "is a backup");
    refused(&world.backup(&copy, &[]), "is there already");
    refused(&world.backup(&world.data().join("copy"), &[]), "lies in the data directory");
    refused(&world.backup(&world.folder().join("nowhere/copy"), &[]), "there is no directory");
    refused(&world.restore(&copy, &[]), "is not empty");
    let again = world.folder().join("again");
    let of_it = world.run(&["backup", text(&again), "--data", text(&copy)]);
    refused(&of_it, "is a backup itself");
    refused(&world.run(&["token", "--renew", "--data", text(&copy)]), "is a backup");
    let nowhere = world.folder().join("nowhere");
    refused(&world.restore(&nowhere, &[]), "there is no copy of a data directory at");
    let within = world.run(&["restore", text(&copy), "--data", text(&copy.join("within"))]);
    refused(&within, "lies in the copy");
    let doctor = world.run(&["doctor", "--data", text(&copy)]);
    assert!(doctor.code == Some(1) && doctor.stdout.contains("is a backup"), "{doctor:?}");
    // Nor does it move as it is: the directory that it is of may have gone on. No database is looked for.
    let fleet = [world.settings().clone(), settings(&[("STORE_KIND", "postgres")])].concat();
    let imported = run(world.folder(), &fleet, &["import", text(&copy)]);
    refused(&imported, "restore it first");
}

#[test]
fn a_copy_that_was_cut_off_is_no_copy() {
    let (world, _) = copied();
    let target = world.folder().join("next");
    let left = world.folder().join("next.unfinished");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("taxisvc.db"), "half").unwrap();
    json(world.backup(&target, &[]));
    assert!(!left.exists());
    // What cannot be read is no copy, either.
    let other = world.folder().join("other");
    std::fs::write(world.data().join("taxisvc.db"), "damaged").unwrap();
    std::fs::remove_file(world.data().join("taxisvc.db-wal")).unwrap();
    assert_eq!(world.backup(&other, &[]).code, Some(1));
    assert!(!other.exists() && !world.folder().join("other.unfinished").exists());
    std::fs::remove_dir_all(world.data()).unwrap();
    json(world.restore(&target, &[]));
}

#[test]
fn a_disk_without_room_is_not_filled_up() {
    let (world, _) = copied();
    let mut settings: Settings = world.settings().clone();
    settings.push(("STORE_ROOM_MIN_BYTES".to_owned(), (1_u64 << 60).to_string()));
    settings.push(("STORE_ROOM_WARN_BYTES".to_owned(), (1_u64 << 60).to_string()));
    let (data, copy) = (world.data(), world.folder().join("full"));
    let ended = run(world.folder(), &settings, &["backup", text(&copy), "--data", text(&data)]);
    refused(&ended, "make room, or name another disk");
    assert!(!copy.exists() && !world.folder().join("full.unfinished").exists());
}

#[test]
fn what_is_damaged_or_wrong_is_not_restored() {
    let (world, copy) = copied();
    std::fs::remove_dir_all(world.data()).unwrap();
    let shards = run(
        world.folder(),
        &[world.settings().clone(), vec![("STORE_SHARDS".to_owned(), "3".to_owned())]].concat(),
        &["restore", text(&copy), "--data", text(&world.data())],
    );
    refused(&shards, "store.shards = 1");
    refused(&world.restore(&copy, &["--first-id", "1"]), "lower ones may be given already");
    assert!(!world.data().join("version").exists());

    let database = Connection::open(copy.join("taxisvc.db")).unwrap();
    database.execute_batch("UPDATE payment_counter SET count = count + 1").unwrap();
    drop(database);
    refused(&world.restore(&copy, &[]), "something is broken in the copy");
    assert!(!world.data().join("taxisvc.db").exists(), "nothing is left behind");
    let forced = json(world.restore(&copy, &["--force"]));
    assert_eq!(forced["holds"], false);
    let database = Connection::open(world.data().join("taxisvc.db")).unwrap();
    database.execute_batch("UPDATE payment_counter SET count = count - 1").unwrap();
}

#[test]
fn a_copy_in_which_something_is_broken_is_kept_and_says_so() {
    let (world, copy) = copied();
    let manifest = |copy: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(copy.join("backup.json")).unwrap()).unwrap()
    };
    assert_eq!(manifest(&copy)["holds"], Value::Null, "nobody has looked");
    let audited = world.folder().join("audited");
    assert_eq!(json(world.backup(&audited, &["--audit"]))["holds"], true);
    assert_eq!(manifest(&audited)["holds"], true);
    let database = Connection::open(world.data().join("taxisvc.db")).unwrap();
    database.execute_batch("UPDATE payment_counter SET count = count + 1").unwrap();
    drop(database);
    let broken = world.folder().join("broken");
    refused(&world.backup(&broken, &["--audit"]), "is kept, but something is broken in it");
    assert_eq!(manifest(&broken)["holds"], false);
    std::fs::remove_dir_all(world.data()).unwrap();
    refused(&world.restore(&broken, &[]), "--force does it all the same");
    json(world.restore(&broken, &["--force"]));
    let database = Connection::open(world.data().join("taxisvc.db")).unwrap();
    database.execute_batch("UPDATE payment_counter SET count = count - 1").unwrap();
}

#[test]
fn when_it_was_taken_is_told() {
    let world = World::start();
    let told = || {
        let metrics = Ask::get("/metrics").of(world.address("gateway")).unwrap().with(200).body;
        let name = "taxisvc_backup_last_success_timestamp_seconds ";
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
        value.parse::<f64>().unwrap()
    };
    assert!(told().is_nan(), "there is none");
    let copy = world.folder().join("copy");
    json(world.backup(&copy, &[]));
    let manifest: Value = serde_json::from_slice(&std::fs::read(copy.join("backup.json")).unwrap()).unwrap();
    let taken_at = manifest["takenAt"].as_i64().unwrap();
    assert_eq!((told() * 1e3).round() as i64, taken_at);
    let other = world.folder().join("no place").join("copy");
    refused(&world.backup(&other, &[]), "there is no directory");
    assert_eq!((told() * 1e3).round() as i64, taken_at, "one that failed is none");
    let restored = world.folder().join("restored");
    json(world.run(&["restore", text(&copy), "--data", text(&restored), "--json"]));
    let noted = std::fs::read_to_string(restored.join("backed-up")).unwrap();
    assert_eq!(noted.trim(), taken_at.to_string(), "and counts from there on for what is made of it");
}

#[test]
fn what_was_put_aside_is_in_the_copy_and_nothing_broken() {
    let (world, copy) = copied();
    let data = world.data();
    poison(&data, || drop(world.run(&["rebuild", "view", "--data", text(&data)])));
    assert_eq!(world.run(&["audit", "--data", text(&data)]).code, Some(1), "somebody has to see to it");
    let aside = world.folder().join("aside");
    let told = json(world.backup(&aside, &["--audit"]));
    assert!(told["holds"] == true && told["deadLetters"] != 0, "{told}");
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(json(world.restore(&aside, &[]))["deadLetters"], told["deadLetters"]);
    // As it was before.
    std::fs::remove_dir_all(&data).unwrap();
    json(world.restore(&copy, &[]));
}

#[test]
fn what_is_restored_twice_gives_no_number_twice() {
    let (mut world, copy) = copied();
    let mut given = Vec::new();
    for _ in 0..2 {
        std::fs::remove_dir_all(world.data()).unwrap();
        let first = json(world.restore(&copy, &[]))["firstNumber"].as_u64().unwrap();
        world.start_again();
        for _ in 0..3 {
            given.push(world.call(10.0));
            assert!(*given.last().unwrap() >= first, "{given:?} from {first}");
        }
        world.kill();
    }
    assert!(given.is_sorted_by(|one, next| one < next), "{given:?}");
    // What was restored knows which numbers were left out, also where no call has come yet.
    let first = world.folder().join("first");
    let far = 9_000_000_000_000;
    std::fs::remove_dir_all(world.data()).unwrap();
    json(world.restore(&copy, &["--first-id", &far.to_string()]));
    json(world.backup(&first, &[]));
    std::fs::remove_dir_all(world.data()).unwrap();
    refused(&world.restore(&first, &["--first-id", &(far - 1).to_string()]), "may be given already");
    json(world.restore(&first, &[]));
    world.start_again();
    assert!(world.call(10.0) > far);
}

/// In the place of the data directory.
fn put_back_by_hand(copy: &Path, data: &Path) {
    std::fs::remove_dir_all(data).unwrap();
    std::fs::create_dir(data).unwrap();
    std::fs::set_permissions(data, Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(copy).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_copy_that_was_put_back_by_hand_goes_on_as_another_log() {
    let (mut world, copy) = copied();
    let data = world.data();
    let before = logs_of(&data);
    put_back_by_hand(&copy, &data);
    let settings = world.settings().clone();
    let folder = world.folder().to_owned();
    let restored =
        |more: &[&str]| run(&folder, &settings, &[&["restored", "--data", text(&data)], more].concat());
    assert!(done(restored(&["--dry-run"])).contains("nothing was changed"));
    assert_eq!(logs_of(&data), before);
    let said = done(restored(&["--first-id", "5000"]));
    assert!(said.contains("the next call's number is 5000 or above"), "{said}");
    let (own, heard) = logs_of(&data);
    assert!(own != before.0 && heard.iter().all(|log| own.contains(log)), "{own:?} {heard:?}");
    refused(&restored(&["call"]), "all services go back together");
    world.start_again();
    assert_eq!(world.call(10.0), 5000);
    world.end(1).with(200);
    world.comes_to(1, ["driveComplete", "paid", "end"]);
    refused(&restored(&[]), "in use");
}
