//! `taxisvc dead-letters`: poison in a stopped server's database, looked at, retried, skipped; with a server and without.

use super::{assert_says, on, refused, said, told};
use crate::world::World;
use crate::world::process::Ended;
use crate::world::until;
use engine::dead_letter::Parcel;
use engine::log::ShardName;
use engine_sqlite::Database;
use rusqlite::Connection;
use std::path::Path;

/// On a stopped server, has the view read a `FarePaid` that nobody can read, and put it aside; afterwards the log is as
/// it was. Returns the message as it should have been.
pub(crate) fn poison(data: &Path, rebuild: impl FnOnce()) -> Parcel {
    let file = data.join("taxisvc.db");
    let schemas: Vec<_> = wiring::SERVICES.iter().map(|service| wiring::schema(service, 1)).collect();
    let database = Database::open_read_only(&file, &schemas, u32::MAX).unwrap();
    let events = database.reader().events_after(ShardName { service: "payment", index: 0 }, 0, 100).unwrap();
    let event = events.into_iter().find(|event| event.event_type == "FarePaid").unwrap();
    drop(database);
    let write = |body: &str| {
        let connection = Connection::open(&file).unwrap();
        let sql = "UPDATE payment_event SET body = ?1 WHERE type = 'FarePaid' AND id = 1";
        assert_eq!(connection.execute(sql, [body]).unwrap(), 1);
    };
    write("{\"callId\":");
    rebuild();
    write(&event.body);
    Parcel::Event(event)
}

fn mend(data: &Path, parcel: &Parcel) {
    let parcel = serde_json::to_string(parcel).unwrap();
    let connection = Connection::open(data.join("taxisvc.db")).unwrap();
    connection.execute("UPDATE view_dead_letter SET parcel = ?1 WHERE number = 1", [parcel]).unwrap();
}

/// A stopped server with poison, behind which another message about the call waits, and what the poison should have been.
fn poisoned() -> (World, Parcel) {
    let mut world = World::start();
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.kill();
    let parcel = poison(&world.data(), || {
        let rebuilt = on(&world, &["rebuild", "view"]);
        assert_eq!(rebuilt.code, Some(1), "what was put aside is missing: {rebuilt:?}");
        assert_says(&rebuilt.stdout, &["but for what was put aside: 2", "dead-letters list"]);
        assert_says(&rebuilt.stderr, &["a message goes to the dead letters"]);
    });
    (world, parcel)
}

fn waiting(world: &World) -> usize {
    told(world, &["dead-letters", "list"])["deadLetters"].as_array().unwrap().len()
}

#[track_caller]
fn assert_stands(world: &World, (waiting, all): (usize, usize)) {
    let count = |arguments: &[&str]| told(world, arguments)["deadLetters"].as_array().unwrap().len();
    assert_eq!(count(&["dead-letters", "list"]), waiting);
    assert_eq!(count(&["dead-letters", "list", "--all"]), all);
}

/// By the server; where none runs, by the command, in the same words.
#[track_caller]
fn assert_logged(world: &World, ended: &Ended, what: &str) {
    let line = format!("INFO operator: {what} service=\"view\" number=1 call=1 actor=\"operator\"");
    if world.server.is_none() {
        return assert_says(&ended.stderr, &[&line]);
    }
    until(&line, || world.said().contains(&line).then_some(()));
}

#[track_caller]
fn still_waits(world: &World) {
    let retried = on(world, &["dead-letters", "retry", "view/1"]);
    assert_eq!(retried.code, Some(1), "{retried:?}");
    assert_says(&retried.stdout, &["cannot be carried out yet", "unreadable"]);
    assert_logged(world, &retried, "a dead letter is taken up again");
    let retried = on(world, &["dead-letters", "retry", "view/1", "--lang", "ko"]);
    assert_says(&retried.stdout, &["그대로 남았습니다"]);
    assert_stands(world, (2, 2));
}

#[track_caller]
fn skip(world: &World) {
    let skip = |reason| on(world, &["dead-letters", "skip", "view/1", "--json", "--reason", reason]);
    let before = told(world, &["dead-letters", "list", "--all"]);
    let long = "long ".repeat(1_000);
    for (wrong, why) in [
        ("two\nlines", "has a control character"),
        ("\u{1b}[2J", "has a control character"),
        (&long, "is longer than 100 characters"),
    ] {
        let refused = skip(wrong);
        assert_eq!((refused.code, refused.stderr), (Some(1), format!("taxisvc: --reason {why}\n")));
    }
    assert_eq!(told(world, &["dead-letters", "list", "--all"]), before);
    let skipped = skip("of a build taken back");
    assert_eq!(skipped.code, Some(0), "{skipped:?}");
    assert_says(&skipped.stdout, &["passed over"]);
    assert_logged(world, &skipped, "a dead letter is passed over");
    // What waited behind it goes on by itself.
    until("nothing to wait", || (waiting(world) == 0).then_some(()));
    assert_stands(world, (0, 1));
    assert_says(&skip("another reason").stdout, &["\"alreadySkipped\""]);
    refused(world, &["dead-letters", "retry", "view/1"], &["view/1 stays as it is", "of a build taken back"]);
    let all = said(world, &["dead-letters", "list", "--all"]);
    assert_says(&all, &["view/1", "operator", "of a build taken back"]);
}

#[test]
fn one_is_listed_and_shown() {
    let (world, _) = poisoned();
    let list = said(&world, &["dead-letters", "list"]);
    assert_says(
        &list,
        &["view/1  call 1  ", "FarePaid from payment", "unreadable", "waits in view behind dead letter 1"],
    );
    let shown = said(&world, &["dead-letters", "show", "view/1"]);
    assert_says(&shown, &["Retrying", "Skipping", "\"type\": \"FarePaid\""]);
    let letter = told(&world, &["dead-letters", "show", "view/1"]);
    assert_eq!((&letter["service"], &letter["number"]), (&"view".into(), &1.into()));
    assert_eq!(letter["content"]["body"], "{\"callId\":");
    skip(&world);
}

#[test]
fn one_is_retried_without_a_server_once_its_cause_is_mended() {
    let (world, parcel) = poisoned();
    still_waits(&world);
    mend(&world.data(), &parcel);
    let retried = on(&world, &["dead-letters", "retry", "view/1"]);
    assert_eq!(retried.code, Some(0), "{retried:?}");
    assert_says(&retried.stdout, &["carried out, and is gone"]);
    assert_stands(&world, (0, 0));
    assert_eq!(said(&world, &["dead-letters", "list"]), "no dead letters\n");
}

#[test]
fn one_is_skipped_without_a_server() {
    let (world, _) = poisoned();
    skip(&world);
}

/// What waits behind it goes on; and the view that is made anew has read what was passed over.
#[test]
fn one_is_retried_and_skipped_beside_a_server() {
    let (mut world, _) = poisoned();
    world.start_again();
    still_waits(&world);
    world.end(1).with(200);
    until("the ride to be over", || (world.standing(1) == ["driveComplete", "paid", "end"]).then_some(()));
    skip(&world);
    let without_the_fare = ["driveComplete", "asked", "end"];
    until("what waited behind it", || (world.view(1) == without_the_fare).then_some(()));
    world.audit();
    said(&world, &["rebuild", "view"]);
    world.comes_to(1, ["driveComplete", "paid", "end"]);
}

#[test]
fn what_is_not_there_is_said() {
    let mut world = World::start();
    for _ in 0..2 {
        assert_eq!(said(&world, &["dead-letters", "list"]), "no dead letters\n");
        for act in [["show", "view/1"], ["retry", "view/1"]] {
            refused(&world, &[&["dead-letters"], &act[..]].concat(), &["no dead letter view/1", "list"]);
        }
        let skip = ["dead-letters", "skip", "view/1", "--reason"];
        refused(&world, &[&skip[..], &["known"]].concat(), &["no dead letter view/1"]);
        refused(&world, &[&skip[..], &[" "]].concat(), &["--reason is empty"]);
        for wrong in ["view", "view/first", "money/1"] {
            assert_eq!(on(&world, &["dead-letters", "show", wrong]).code, Some(2), "{wrong}");
        }
        if world.server.is_some() {
            world.kill();
        }
    }
}
