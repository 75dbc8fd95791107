//! What is a file of ours, and which of them are opened.

use engine::clock::Timestamp;
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, EntityWrite, NewEvent, Schema, Store, WriteSet};
use engine_sqlite::{Database, FORMAT, OpenError};
use rusqlite::Connection;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const LOG: LogId = LogId(7);
const PROGRAM: u32 = 3;
const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 2 };
const STOCK: Schema = Schema { service: "stock", kinds: &["item"], shards: 1 };
const SHARD: ShardName = ShardName { service: "order", index: 0 };

struct Place {
    _directory: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("store.db");
    Place { _directory: directory, path }
}

fn open(path: &Path, schemas: &[Schema]) -> Result<Database, OpenError> {
    Database::create_or_open(path, schemas, LOG, PROGRAM)
}

fn refusal(opened: Result<Database, OpenError>) -> String {
    opened.err().expect("it is refused").to_string()
}

fn key(id: u64) -> EntityKey {
    EntityKey { kind: "order", id }
}

fn change(batch: u64, key: EntityKey, version: u64) -> WriteSet {
    let mut set = WriteSet::new(SHARD, batch);
    set.events.push(NewEvent {
        key,
        version,
        event_type: "Changed",
        schema: 1,
        published: true,
        at: Timestamp(1),
        actor: Cow::Borrowed("system"),
        cause: "request 1".into(),
        trace: None,
        body: "{}".into(),
    });
    let row = EntityRow {
        key,
        version,
        tag: Cow::Borrowed("open"),
        timer: None,
        effects_open: Vec::new(),
        state: "{}".into(),
    };
    set.entities.push(EntityWrite { row, replaces: version - 1 });
    set
}

fn put(store: &mut dyn Store, set: WriteSet) {
    let answer = store.commit(&[set]);
    assert!(matches!(answer, Commit::Done(_)), "{answer:?}");
}

#[test]
fn the_log_is_the_one_it_was_made_with() {
    let place = place();
    drop(open(&place.path, &[ORDER]).unwrap());
    let again = Database::create_or_open(&place.path, &[ORDER], LogId(8), PROGRAM).unwrap();
    assert_eq!((again.log(), again.reader().log()), (LOG, LOG));
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    for (what, known) in [("format", FORMAT), ("program", PROGRAM)] {
        let place = place();
        drop(open(&place.path, &[ORDER]).unwrap());
        let connection = Connection::open(&place.path).unwrap();
        let newer = known + 38;
        let sql = "UPDATE meta SET value = ?1 WHERE name = ?2";
        assert_eq!(connection.execute(sql, [&newer.to_string(), what]).unwrap(), 1);
        drop(connection);
        for opened in [open(&place.path, &[ORDER]), Database::open_read_only(&place.path, &[ORDER], PROGRAM)]
        {
            let why = refusal(opened);
            let names_both = why.contains(&newer.to_string()) && why.contains(&format!("up to {known}"));
            assert!(names_both && why.contains(what), "{why}");
        }
    }
}

#[test]
fn a_file_of_an_older_program_is_taken_over() {
    let place = place();
    drop(open(&place.path, &[ORDER]).unwrap());
    drop(Database::create_or_open(&place.path, &[ORDER], LOG, PROGRAM + 1).unwrap());
    let why = refusal(open(&place.path, &[ORDER]));
    assert!(why.contains("newer program"), "{why}");
}

#[test]
fn what_is_no_file_of_ours_is_refused_and_left_alone() {
    let place = place();
    let connection = Connection::open(&place.path).unwrap();
    connection.execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    drop(connection);
    assert!(matches!(open(&place.path, &[ORDER]), Err(OpenError::Foreign)));
    let looked_at = Database::open_read_only(&place.path, &[ORDER], PROGRAM);
    assert!(matches!(looked_at, Err(OpenError::Foreign)));
    let connection = Connection::open(&place.path).unwrap();
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete", "not even its journal is touched");
    drop(connection);

    std::fs::write(&place.path, "not a database, but long enough to be taken for one".repeat(100)).unwrap();
    assert!(matches!(open(&place.path, &[ORDER]), Err(OpenError::Sqlite(_))));
    let missing = place.path.with_file_name("missing.db");
    assert!(Database::open_read_only(&missing, &[ORDER], PROGRAM).is_err());
    assert!(!missing.exists());
}

#[test]
fn services_and_kinds_may_be_added_but_not_lost() {
    let place = place();
    let database = open(&place.path, &[ORDER]).unwrap();
    put(&mut *database.store().unwrap(), change(1, key(4), 1));
    drop(database);
    let looked_at = Database::open_read_only(&place.path, &[ORDER, STOCK], PROGRAM);
    assert!(refusal(looked_at).contains("does not hold stock"));

    let more = Schema { kinds: &["basket", "order"], ..ORDER };
    let database = open(&place.path, &[STOCK, more]).unwrap();
    let reader = database.reader();
    assert_eq!(reader.get("order", key(4)).unwrap().unwrap().key, key(4));
    assert_eq!(reader.events_after(SHARD, 0, 10).unwrap()[0].entity_kind, "order");
    assert_eq!(reader.get("order", EntityKey { kind: "basket", id: 4 }), Ok(None));
    let mut store = database.store().unwrap();
    put(&mut *store, change(2, EntityKey { kind: "basket", id: 4 }, 1));
    assert_eq!(reader.last_position(SHARD), Ok(2));
    drop((store, reader, database));

    assert!(refusal(open(&place.path, &[more])).contains("stock"));
    assert!(refusal(open(&place.path, &[ORDER, STOCK])).contains("basket"));
}

#[test]
fn the_number_of_shards_is_fixed() {
    let place = place();
    drop(open(&place.path, &[ORDER]).unwrap());
    let other = Schema { shards: 3, ..ORDER };
    for opened in [open(&place.path, &[other]), Database::open_read_only(&place.path, &[other], PROGRAM)] {
        let why = refusal(opened);
        assert!(why.contains("2 shards and not 3"), "{why}");
    }
}

#[test]
fn a_name_that_would_not_be_one_is_refused() {
    let place = place();
    for service in ["", "Order", "or\"der", "order_event"] {
        let schema = Schema { service, ..ORDER };
        assert!(matches!(open(&place.path, &[schema]), Err(OpenError::Name(_))), "{service}");
    }
}

#[test]
fn it_has_one_writer_and_any_number_of_onlookers() {
    let place = place();
    let database = open(&place.path, &[ORDER]).unwrap();
    let mut store = database.store().unwrap();
    assert!(store.is_exclusive() && database.store().is_none());
    assert!(matches!(open(&place.path, &[ORDER]), Err(OpenError::InUse)));
    drop(database);
    assert!(matches!(open(&place.path, &[ORDER]), Err(OpenError::InUse)), "the writer is still there");

    let onlooker = Database::open_read_only(&place.path, &[ORDER], PROGRAM).unwrap();
    assert!(onlooker.store().is_none());
    let reader = onlooker.reader();
    for version in 1..=3 {
        put(&mut *store, change(version, key(4), version));
        assert_eq!(reader.last_position(SHARD), Ok(version));
    }
    drop(store);
    // Whether or not somebody writes it.
    let reader = Database::open_read_only(&place.path, &[ORDER], PROGRAM).unwrap().reader();
    assert_eq!(reader.last_position(SHARD), Ok(3));
    let database = open(&place.path, &[ORDER]).unwrap();
    put(&mut *database.store().unwrap(), change(4, key(4), 4));
    assert_eq!(reader.last_position(SHARD), Ok(4));
}

#[test]
fn what_was_never_closed_is_read_all_the_same() {
    let place = place();
    let database = open(&place.path, &[ORDER]).unwrap();
    let mut store = database.store().unwrap();
    put(&mut *store, change(1, key(4), 1));
    // As a process leaves it that is killed: the log beside the file, and nothing of it carried over.
    let copy = place.path.with_file_name("copy.db");
    std::fs::copy(&place.path, &copy).unwrap();
    let beside = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(beside(&place.path), beside(&copy)).unwrap();
    let onlooker = Database::open_read_only(&copy, &[ORDER], PROGRAM).unwrap();
    assert_eq!(onlooker.reader().last_position(SHARD), Ok(1));
    drop(onlooker);
    let database = open(&copy, &[ORDER]).unwrap();
    assert_eq!(database.reader().last_position(SHARD), Ok(1));
    put(&mut *database.store().unwrap(), change(2, key(4), 2));
    assert_eq!(database.reader().last_position(SHARD), Ok(2));
}

#[test]
fn ids_go_on_without_a_gap_after_a_restart() {
    let place = place();
    let database = open(&place.path, &[ORDER]).unwrap();
    let mut store = database.store().unwrap();
    assert_eq!(store.reserve("order", 100, 1), Ok(1));
    put(&mut *store, change(1, key(4), 1));
    drop((store, database));
    let database = open(&place.path, &[ORDER]).unwrap();
    let mut store = database.store().unwrap();
    assert_eq!(store.reserve("order", 1, 1), Ok(5));
    put(&mut *store, change(2, key(i64::MAX.unsigned_abs()), 1));
    assert!(store.reserve("order", 1, 1).is_err(), "there is none above the highest");
}

#[test]
fn what_cannot_be_a_number_of_the_file_is_refused() {
    let place = place();
    let database = open(&place.path, &[ORDER]).unwrap();
    let mut store = database.store().unwrap();
    let unknown = EntityKey { kind: "nothing", id: 4 };
    for set in [change(1, key(u64::MAX), 1), change(1, unknown, 1)] {
        assert!(matches!(store.commit(&[set]), Commit::Refused(_)));
    }
    put(&mut *store, change(2, key(4), 1));
}
