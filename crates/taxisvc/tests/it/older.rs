//! Data that an older build has written: opened as it stands, and gone on with; data of a newer one is left alone.

use crate::world::process::{Server, settings, taxisvc};
use crate::world::{World, number, until};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

const FORMAT_1: &[u8] = include_bytes!("older/format-1.db.gz");

/// How the calls stood that need nobody any more, or somebody who ends the ride.
const STOOD: [(u64, [&str; 3]); 6] = [
    (1, ["driveComplete", "paid", "end"]),
    (2, ["requestCancel", "refunded", "requestCancel"]),
    (3, ["payFail", "failed", "-"]),
    (4, ["requestCancel", "refunded", "cancel"]),
    (5, ["driveStart", "paid", "start"]),
    (8, ["driveStart", "paid", "start"]),
];

/// Makes the directory as the older build left it.
fn unpack(data: &Path) {
    std::fs::create_dir(data).unwrap();
    let mut database = Vec::new();
    GzDecoder::new(FORMAT_1).read_to_end(&mut database).unwrap();
    std::fs::write(data.join("taxisvc.db"), database).unwrap();
    std::fs::write(data.join("version"), "1\n").unwrap();
}

/// Every file with what is in it.
fn files(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn data_of_format_1_is_opened_and_gone_on_with() {
    let mut world = World::prepared(&[("PROVIDER_SILENT_ATTEMPTS", "1")], |folder| {
        let data = folder.join("data");
        unpack(&data);
        let before = files(&data);
        let settings = settings(&[]);
        let audited =
            crate::world::process::run(folder, &settings, &["audit", "--data", data.to_str().unwrap()]);
        assert_eq!(audited.code, Some(0), "{audited:?}");
        assert_eq!(files(&data)["taxisvc.db"], before["taxisvc.db"], "an audit changes nothing");
    });
    for (call, stood) in STOOD {
        world.comes_to(call, stood);
    }
    // The provider answers now. The deadlines of these two have passed long ago: which of them fires first is open, and
    // whatever was taken goes back.
    for (call, ends) in [(6, ["payFail", "requestCancel"].as_slice()), (7, &["requestCancel"])] {
        until("a call to be over, and its money to be with its rider", || {
            let [status, payment, _] = world.standing(call);
            let is_settled = ["failed", "voided", "refunded"].contains(&payment.as_str());
            (ends.contains(&status.as_str()) && is_settled).then_some(())
        });
    }
    for under_way in [5, 8] {
        world.end(under_way).with(200);
        world.comes_to(under_way, ["driveComplete", "paid", "end"]);
    }
    let new = number(&world.place(10.0).with(201));
    assert!(new > 8, "{new} was given before");
    world.comes_to(new, ["driveStart", "paid", "start"]);
    world.audit();
    world.kill();
    world.start_again();
    world.comes_to(1, ["driveComplete", "paid", "end"]);
}

#[test]
fn data_of_a_newer_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    unpack(&data);
    std::fs::write(data.join("version"), "2\n").unwrap();
    let before = files(&data);
    let settings = settings(&[("PORTS_GATEWAY", "0")]);
    let started = Server::try_start(taxisvc(folder.path(), &settings, &["--data", data.to_str().unwrap()]));
    let said = started.err().expect("it must not start").stderr;
    for words in ["has version 2", "knows up to 1", "a newer taxisvc has written it, use that one"] {
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
    let mut after = files(&data);
    // By which a second process is kept out.
    after.remove("lock");
    assert!(after == before, "{:?}", after.keys());
}
