//! Each command on copies is killed before everything that it does on the disk, in turn, and given again.

use super::*;
use crate::world::cut_off::{ON_DISK, cut_off_everywhere};

/// Below which a command was not looked at: each of them does more than so many things on the disk.
const STEPS_AT_LEAST: usize = 12;

/// Of every service a file, so that there is something between them.
fn copied_apart() -> (World, PathBuf) {
    copied_with(&[("STORE_LAYOUT", "apart")])
}

/// What starts a server on the data directory, and is to be refused.
fn try_start(world: &World) -> Option<Ended> {
    let data = world.data();
    Server::try_start(taxisvc(world.folder(), world.settings(), &["up", "--data", text(&data)])).err()
}

/// All its logs have other names than before, and nobody has heard of one that is not there.
#[track_caller]
fn goes_on_as_another(world: &World, before: &[String], step: &str) {
    let (own, heard) = logs_of(&world.data());
    assert_eq!(own.len(), before.len(), "{step}");
    assert!(own.iter().all(|log| !before.contains(log)), "{step}: {own:?} {before:?}");
    assert!(!heard.is_empty() && heard.iter().all(|log| own.contains(log)), "{step}: {heard:?} {own:?}");
    world.audit();
}

#[test]
#[ignore = "wants strace, which `cargo xtask ci` installs"]
fn a_backup_that_is_cut_off_anywhere_is_none_or_a_whole_one() {
    let world = World::with(&[("STORE_LAYOUT", "apart")]);
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    let (data, copy) = (world.data(), world.folder().join("copy"));
    let command = || {
        let arguments = ["backup", text(&copy), "--data", text(&data)];
        taxisvc(world.folder(), world.settings(), &arguments)
    };
    let is_whole = |step: &str| {
        let audit = world.run(&["audit", "--data", text(&copy)]);
        assert_eq!(audit.code, Some(0), "{step}: {audit:?}");
        let manifest =
            std::fs::read(copy.join("backup.json")).expect("whatever has its name says what it is");
        let manifest: Value = serde_json::from_slice(&manifest).expect("all of it is there");
        assert_ne!(manifest["events"], 0, "{step}");
        std::fs::remove_dir_all(&copy).unwrap();
    };
    let cut = cut_off_everywhere(command, &ON_DISK, |step| {
        if !copy.exists() {
            json(world.backup(&copy, &[]));
        }
        is_whole(step);
    });
    println!("a backup was cut off {cut} times");
    assert!(cut >= STEPS_AT_LEAST, "{cut}");
}

#[test]
#[ignore = "wants strace, which `cargo xtask ci` installs"]
fn a_restoration_that_is_cut_off_anywhere_is_taken_up() {
    let (mut world, copy) = copied_apart();
    let (data, before) = (world.data(), logs_of(&copy).0);
    std::fs::remove_dir_all(&data).unwrap();
    let command = || {
        let arguments = ["restore", text(&copy), "--data", text(&data)];
        taxisvc(world.folder(), world.settings(), &arguments)
    };
    let (mut refusals, mut finished) = (0, 0);
    let cut = cut_off_everywhere(command, &ON_DISK, |step| {
        if data.join("restoring").exists() {
            refused(&try_start(&world).expect("nobody runs on half of it"), "is being restored");
            refusals += 1;
        }
        // Before it begins there is nothing, and once it lets go, all of it.
        let is_over = data.join("version").exists() && !data.join("restoring").exists();
        if is_over {
            finished += 1;
        } else {
            json(world.restore(&copy, &[]));
        }
        goes_on_as_another(&world, &before, step);
        std::fs::remove_dir_all(&data).unwrap();
    });
    json(world.restore(&copy, &[]));
    println!(
        "a restoration was cut off {cut} times, {refusals} of them in the middle, {finished} at its end"
    );
    assert!(refusals >= STEPS_AT_LEAST, "{refusals}");
    world.start_again();
    assert!(world.call(10.0) >= NUMBERS_LEFT_OUT);
}

#[test]
#[ignore = "wants strace, which `cargo xtask ci` installs"]
fn a_copy_that_was_put_back_by_hand_is_renamed_though_it_is_cut_off_anywhere() {
    let (mut world, copy) = copied_apart();
    let (data, before) = (world.data(), logs_of(&copy).0);
    put_back_by_hand(&copy, &data);
    let command = || taxisvc(world.folder(), world.settings(), &["restored", "--data", text(&data)]);
    let mut refusals = 0;
    let cut = cut_off_everywhere(command, &ON_DISK, |step| {
        let is_over = !data.join("restoring").exists() && !data.join("backup.json").exists();
        if !is_over {
            let why = try_start(&world).expect("nobody runs on what has its old names yet");
            assert!(
                why.stderr.contains("is being restored") || why.stderr.contains("is a backup"),
                "{why:?}"
            );
            refusals += 1;
            done(world.run(&["restored", "--data", text(&data)]));
        }
        goes_on_as_another(&world, &before, step);
        put_back_by_hand(&copy, &data);
    });
    done(world.run(&["restored", "--data", text(&data)]));
    println!("renaming was cut off {cut} times, {refusals} of them before its end");
    assert!(refusals >= STEPS_AT_LEAST, "{refusals}");
    world.start_again();
    assert!(world.call(10.0) >= NUMBERS_LEFT_OUT);
}
