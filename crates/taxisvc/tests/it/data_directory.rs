//! The data directory: locked by whoever writes it, versioned, and refused in plain words when it is not ours to open.

use crate::world::World;
use crate::world::process::{Ended, Server, run, settings, taxisvc};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Starts a server that is expected not to start.
#[track_caller]
fn refused(world: &World, data: &Path, more: &[(&str, &str)]) -> String {
    let settings = [world.settings().clone(), settings(more)].concat();
    let command = taxisvc(world.folder(), &settings, &["up", "--data", data.to_str().unwrap()]);
    match Server::try_start(command) {
        Ok(_) => panic!("it started on {}", data.display()),
        Err(Ended { code, stderr, .. }) => {
            assert_eq!(code, Some(1), "{stderr}");
            stderr
        }
    }
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn a_directory_in_use_is_refused_and_its_owner_goes_on() {
    let world = World::start();
    let data = world.data();
    assert_says(&refused(&world, &data, &[]), &["in use by another taxisvc", data.to_str().unwrap()]);
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
}

#[test]
fn a_directory_of_a_newer_program_is_refused_by_its_version() {
    let mut world = World::start();
    world.call(10.0);
    world.kill();
    let file = world.data().join("version");
    let version = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "999\n").unwrap();
    let data = world.data();
    assert_says(&refused(&world, &data, &[]), &["version 999", version.trim(), "newer taxisvc"]);
    let audited = world.run(&["audit", "--data", data.to_str().unwrap()]);
    assert_eq!(audited.code, Some(1));
    assert_says(&audited.stderr, &["version 999", version.trim()]);
    std::fs::write(&file, "one\n").unwrap();
    assert_says(&refused(&world, &data, &[]), &["should hold a number", "one"]);
    std::fs::write(&file, version).unwrap();
    world.start_again();
    assert_eq!(world.count("calls"), 1);
}

#[test]
fn a_directory_of_another_layout_or_another_number_of_shards_is_refused() {
    let mut world = World::start();
    world.call(10.0);
    world.kill();
    let data = world.data();
    assert_says(&refused(&world, &data, &[("STORE_LAYOUT", "apart")]), &["store.layout", "taxisvc.db"]);
    assert_says(&refused(&world, &data, &[("STORE_SHARDS", "2")]), &["taxisvc.db", "shards"]);
    world.start_again();
    assert_eq!(world.count("calls"), 1);
}

#[test]
fn what_is_no_data_directory_is_refused() {
    let world = World::start();
    let file = world.folder().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    assert_says(&refused(&world, &file, &[]), &["a-file"]);

    let other = world.folder().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("taxisvc.db"), "this is no database, it is a text about one").unwrap();
    assert_says(&refused(&world, &other, &[]), &["taxisvc.db"]);

    let letters = world.folder().join("letters");
    std::fs::create_dir(&letters).unwrap();
    std::fs::write(letters.join("letters.txt"), "of somebody").unwrap();
    assert_says(&refused(&world, &letters, &[]), &["is no data directory", "letters.txt"]);
    assert_eq!(std::fs::read_dir(&letters).unwrap().count(), 1, "nothing is put beside it");

    for (nowhere, why) in
        [("nowhere", "there is no data directory"), ("empty", "is not a data directory of taxisvc")]
    {
        let data = world.folder().join(nowhere);
        if nowhere == "empty" {
            std::fs::create_dir(&data).unwrap();
        }
        let audited = run(world.folder(), world.settings(), &["audit", "--data", data.to_str().unwrap()]);
        assert_eq!(audited.code, Some(1), "{audited:?}");
        assert_says(&audited.stderr, &[why, nowhere]);
        assert_eq!(data.exists(), nowhere == "empty", "an audit makes nothing");
    }
}

/// Names of people and where they went are in it.
#[test]
fn what_is_made_is_its_owners_alone() {
    let world = World::start();
    world.call(10.0);
    let data = world.data();
    let files = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<_> = files.chain([data]).collect();
    assert!(made.len() > 4, "{made:?}");
    for path in made {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
    }
}

/// A copy that was made without care is closed by the first who starts on it, and what is not ours stays as it is.
#[test]
fn what_others_can_read_is_closed_at_the_start() {
    let mut world = World::start();
    world.call(10.0);
    world.kill();
    let data = world.data();
    std::fs::write(data.join("notes.txt"), "of the operator").unwrap();
    let mode = |name: &str| std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    let open = ["version", "lock", "operator-token", "taxisvc.db", "taxisvc.db-wal", "notes.txt"];
    for name in open {
        std::fs::set_permissions(data.join(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    world.start_again();
    let modes = open.map(mode);
    assert_eq!(modes, [0o600, 0o600, 0o600, 0o600, 0o600, 0o644], "{open:?}");
    let said = world.said();
    assert_says(&said, &["others could read", "operator-token", "taxisvc.db"]);
    assert!(!said.contains("notes.txt"), "{said}");
}

/// A copy that is nobody's to write is looked at all the same.
#[test]
fn a_look_takes_nothing_and_makes_nothing() {
    let mut world = World::start();
    world.call(10.0);
    world.kill();
    std::fs::remove_file(world.data().join("lock")).unwrap();
    world.audit();
    assert!(!world.data().join("lock").exists());
}
