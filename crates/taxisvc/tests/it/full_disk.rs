//! A disk that fills up under load, one that fills up all the same, and one that becomes read-only: a small file system of
//! our own in a file, mounted for the test.

use crate::world::http::{Answer, Ask};
use crate::world::process::{Server, taxisvc};
use crate::world::{World, number, until};
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// Of the file system; some of it is its own.
const SIZE: u64 = 160 << 20;
/// What somebody else has on it, and takes away later.
const FOREIGN: usize = 48 << 20;
/// The log of a database takes up to 32 MiB of what is left.
const MARKS: [(&str, &str); 2] =
    [("STORE_ROOM_WARN_BYTES", "92274688"), ("STORE_ROOM_MIN_BYTES", "62914560")];
const NO_MARKS: [(&str, &str); 2] = [("STORE_ROOM_WARN_BYTES", "0"), ("STORE_ROOM_MIN_BYTES", "0")];
const RIDERS: usize = 8;

/// A file system in a file.
pub(super) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Nothing where that cannot be made. Where it should be possible, as in CI, it is a failure that it is not.
    pub(super) fn make(errors: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        std::fs::create_dir(folder.path().join("mount")).unwrap();
        let disk = Self { folder };
        let made = disk.command("mkfs.ext4", &["-q", "-F", "-m", "0", "-e", errors, &disk.path("image")]);
        match made.and_then(|()| disk.mount()) {
            Ok(()) => Some(disk),
            Err(why) => {
                let can = rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists();
                assert!(!can, "no small file system could be made: {why}");
                println!("\n*** NOT RUN: a small file system takes root and loop devices: {why}\n");
                None
            }
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn mounted(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Result<(), String> {
        let ran = Command::new(name).args(arguments).output();
        match ran {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => Err(format!("{name}: {error}")),
        }
    }

    fn mount(&self) -> Result<(), String> {
        self.command("mount", &["-o", "loop", &self.path("image"), &self.path("mount")])
    }

    fn unmount(&self) -> Result<(), String> {
        self.command("umount", &[&self.path("mount")])
    }

    fn remount(&self, how: &str) {
        self.command("mount", &["-o", &format!("remount,{how}"), &self.path("mount")]).unwrap();
    }

    /// A world whose data lies on it.
    pub(super) fn world(&self, more: &[(&str, &str)]) -> World {
        let data = self.mounted().join("data");
        std::fs::create_dir(&data).unwrap();
        World::prepared(more, |folder| std::os::unix::fs::symlink(&data, folder.join("data")).unwrap())
    }

    /// Somebody else's file, as large as is wanted or as will go.
    pub(super) fn fill(&self, name: &str, bytes: usize) -> PathBuf {
        let path = self.mounted().join(name);
        let mut file = File::create(&path).unwrap();
        let mut left = bytes;
        let mut block = 1 << 20;
        // The last pages go one by one.
        while left > 0 && block >= 512 {
            match file.write(&vec![7; block.min(left)]) {
                Ok(written) => left -= written,
                Err(_) => block /= 2,
            }
        }
        file.sync_all().unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(why) = self.unmount() {
            eprintln!("{why}");
        }
    }
}

/// Somebody calls; the name is as long as it may be, so that the disk fills the sooner.
fn call(gateway: SocketAddr, method: &str) -> Answer {
    let name = "n".repeat(100);
    let body = json!({"userId": "1", "userName": name, "distance": 10, "paymentMethod": method});
    Ask::post("/calls", &body.to_string()).of(gateway).unwrap()
}

/// Calls from several riders at once until each is refused; what was taken on, and what the refused were told.
fn call_until_refused(gateway: SocketAddr) -> (Vec<u64>, Vec<Answer>) {
    let rider = || {
        let mut taken = Vec::new();
        loop {
            let answer = call(gateway, "card");
            match answer.status {
                201 | 202 => taken.push(number(&answer)),
                _ => return (taken, answer),
            }
        }
    };
    let (taken, refused): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let riders: Vec<_> = (0..RIDERS).map(|_| scope.spawn(rider)).collect();
        riders.into_iter().map(|rider| rider.join().unwrap()).unzip()
    });
    (taken.concat(), refused)
}

/// Reads all the while; every read must succeed.
fn read_until(done: &AtomicBool, gateway: SocketAddr) -> u64 {
    let mut reads = 0;
    while !done.load(Ordering::SeqCst) {
        for path in ["/callViews?size=5", "/calls/1", "/payments/1", "/fares?distance=3"] {
            let answer = Ask::get(path).of(gateway).unwrap();
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            reads += 1;
        }
    }
    reads
}

fn ready(world: &World) -> (u16, Vec<String>) {
    let answer = world.get("/health/ready");
    let body = answer.json();
    let warnings = body["warnings"].as_array().cloned().unwrap_or_default();
    (answer.status, warnings.iter().map(|warning| warning.as_str().unwrap().to_owned()).collect())
}

/// Everything that was taken on comes to its end.
#[track_caller]
fn end_all(world: &World, calls: &[u64]) {
    for call in calls {
        until("the drive to start and to end", || {
            let answer = world.end(*call);
            (answer.status == 200).then_some(())
        });
    }
    for call in calls {
        world.comes_to(*call, ["driveComplete", "paid", "end"]);
    }
}

#[test]
#[ignore = "fills a small file system, for which it takes root; `cargo xtask ci` runs it"]
fn a_disk_that_fills_up_is_told_first_and_then_takes_nothing_new() {
    let Some(disk) = SmallDisk::make("continue") else { return };
    let foreign = disk.fill("foreign", FOREIGN);
    let world = disk.world(&MARKS);
    let gateway = world.address("gateway");
    // Is under way while the disk is full: the provider answers when it is.
    let silent = {
        let answer = Ask::post(
            "/calls",
            &json!({"userId": 2, "userName": "late", "distance": 10, "paymentMethod": "test:late=4000"})
                .to_string(),
        );
        number(&world.ask(&answer.header("prefer", "respond-async")).with(202))
    };
    world.call(1.0);

    let done = AtomicBool::new(false);
    let (taken, refused) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&done, gateway));
        let called = call_until_refused(gateway);
        // Somebody else takes the reserve too.
        let rest = disk.fill("rest", usize::try_from(SIZE).unwrap());
        assert_eq!(call(gateway, "card").status, 503);
        std::fs::remove_file(rest).unwrap();
        done.store(true, Ordering::SeqCst);
        assert!(reading.join().unwrap() > 100);
        called
    });
    assert!(taken.len() > 100, "{}", taken.len());
    for answer in &refused {
        assert_eq!((answer.status, answer.problem().as_str()), (503, "storage-full"), "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    world.comes_to(silent, ["driveStart", "paid", "start"]);
    assert_eq!(world.end(silent).problem(), "storage-full");
    let (status, warnings) = ready(&world);
    assert_eq!(status, 200, "reads go on");
    assert!(warnings.iter().any(|warning| warning.contains("no room")), "{warnings:?}");
    let said = world.said();
    let place = |words: &str| said.find(words).unwrap_or_else(|| panic!("{words:?} was not said:\n{said}"));
    assert!(
        place("the disk is filling up") < place("the disk has no room"),
        "the alert comes first:\n{said}"
    );

    std::fs::remove_file(foreign).unwrap();
    let again = until("a call to be taken on again", || {
        let answer = call(gateway, "card");
        (answer.status == 201).then(|| number(&answer))
    });
    end_all(&world, &[&[silent, again], taken.as_slice()].concat());
    assert_eq!(ready(&world), (200, Vec::new()));
}

/// The second defence alone: nobody watches the room, and the database itself is told that there is none.
#[test]
#[ignore = "fills a small file system, for which it takes root; `cargo xtask ci` runs it"]
fn a_disk_that_is_full_all_the_same_takes_nothing_and_loses_nothing() {
    let Some(disk) = SmallDisk::make("continue") else { return };
    let world = disk.world(&NO_MARKS);
    let gateway = world.address("gateway");
    let first = world.call(1.0);
    let foreign = disk.fill("foreign", usize::try_from(SIZE).unwrap());

    let done = AtomicBool::new(false);
    let (mut taken, refused) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&done, gateway));
        let called = call_until_refused(gateway);
        done.store(true, Ordering::SeqCst);
        assert!(reading.join().unwrap() > 0);
        called
    });
    for answer in &refused {
        assert_eq!((answer.status, answer.problem().as_str()), (503, "unavailable"), "{answer:?}");
    }
    until("the database to be told as away", || (ready(&world).0 == 503).then_some(()));
    assert_eq!(world.get(&format!("/calls/{first}")).status, 200, "reads go on");

    std::fs::remove_file(foreign).unwrap();
    until("the database to be back", || (ready(&world).0 == 200).then_some(()));
    taken.extend([first, number(&call(gateway, "card").with(201))]);
    end_all(&world, &taken);
}

#[test]
#[ignore = "breaks a small file system, for which it takes root; `cargo xtask ci` runs it"]
fn a_disk_that_becomes_read_only_ends_the_process_and_nothing_is_lost() {
    let Some(disk) = SmallDisk::make("remount-ro") else { return };
    let mut world = disk.world(&NO_MARKS);
    let call = world.call(10.0);
    let mut server = world.take_server();
    let gateway = server.address("gateway");
    // What the kernel does by itself when it finds such a file system damaged.
    disk.remount("abort");
    let end = Ask::post("/drives/end", &json!({"driveId": call}).to_string());
    let answer = end.of(gateway);
    assert!(answer.map_or(true, |answer| answer.status >= 500), "it cannot have been stored");
    assert_eq!(server.ended().code(), Some(1));
    let said = server.said();
    assert!(said.contains("nothing can be promised any more"), "{said}");
    drop(server);

    disk.unmount().unwrap();
    // As at the start of a machine: its journal is replayed, and what was damaged is mended.
    let _ = disk.command("fsck.ext4", &["-p", &disk.path("image")]);
    disk.command("mount", &["-o", "loop,ro", &disk.path("image"), &disk.path("mount")]).unwrap();
    let data = world.data();
    let refused = Server::try_start(taxisvc(
        world.folder(),
        world.settings(),
        &["up", "--data", data.to_str().unwrap()],
    ));
    let said = refused.err().expect("it cannot start there").stderr;
    assert!(said.contains("is read-only") && said.contains(data.to_str().unwrap()), "{said}");

    disk.unmount().unwrap();
    disk.mount().unwrap();
    world.start_again();
    world.comes_to(call, ["driveStart", "paid", "start"]);
    end_all(&world, &[call]);
}
