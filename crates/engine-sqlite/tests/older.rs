//! A file of an older format: looked at as it is, made one of this format when it is opened to be written, or left alone.

use engine::clock::Timestamp;
use engine::dead_letter::Skip;
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Backlog, Commit, LetterSkip, Reader, Schema, WriteSet};
use engine_sqlite::{Database, FORMAT};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Nothing fails in a directory of one's own.
const FINE: &str = "a file of a new directory can be read and written";
const FORMAT_1: &str = include_str!("format-1.sql");
const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 1 };
const SHARD: ShardName = ShardName { service: "order", index: 0 };
const KEY: EntityKey = EntityKey { kind: "order", id: 4 };

struct Place {
    _directory: TempDir,
    path: PathBuf,
}

fn older() -> Place {
    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("store.db");
    Connection::open(&path).expect(FINE).execute_batch(FORMAT_1).expect(FINE);
    Place { _directory: directory, path }
}

fn open(path: &Path) -> Result<Database, engine_sqlite::OpenError> {
    Database::create_or_open(path, &[ORDER], LogId(9), 1)
}

/// Everything that the schema and the rows of a file say.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect(FINE);
    let mut said = lines(&connection, "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name");
    let tables = lines(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    for table in tables {
        let columns = lines(&connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let all = columns.iter().map(|name| format!("quote(\"{name}\")")).collect::<Vec<_>>().join("||','||");
        said.extend(lines(&connection, &format!("SELECT {all} FROM \"{table}\" ORDER BY 1")));
    }
    said
}

/// What is stored where: each table's columns, each index's columns and condition.
fn shape(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect(FINE);
    let mut shape = lines(
        &connection,
        "SELECT t.name || '.' || c.name || ' ' || c.type || c.\"notnull\" || c.pk FROM sqlite_schema t, \
         pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name LIKE '%order%' ORDER BY 1",
    );
    shape.extend(lines(
        &connection,
        "SELECT replace(replace(sql, ' ', ''), '\"', '') FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL \
         ORDER BY name",
    ));
    shape
}

fn lines(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect(FINE);
    let lines = statement.query_map([], |row| row.get(0)).expect(FINE);
    lines.collect::<Result<_, _>>().expect(FINE)
}

fn check_rows(reader: &dyn Reader) {
    let row = reader.get("order", KEY).expect(FINE).expect("it is there");
    assert_eq!((row.version, row.state.as_str(), row.effects_open), (2, "{\"is\":\"open\"}", vec![512]));
    let types: Vec<String> = reader
        .events_after(SHARD, 0, 10)
        .expect(FINE)
        .into_iter()
        .map(|event| event.event_type.into_owned())
        .collect();
    assert_eq!(types, ["Said", "Changed"]);
    let moment = reader.snapshot().expect(FINE);
    let letters = moment.dead_letters(SHARD).expect(FINE);
    let known: Vec<(u64, bool)> =
        letters.iter().map(|letter| (letter.number, letter.skipped.is_some())).collect();
    assert_eq!(known, [(1, false), (3, false)]);
    assert_eq!(moment.passed_over(SHARD), Ok(vec![]));
    assert_eq!(moment.rebuild("order"), Ok(None));
    let expected = Backlog {
        timers_overdue: 1,
        timer_first_due: Some(Timestamp(900)),
        effects_open: 1,
        effect_oldest: Some(Timestamp(200)),
        letters_waiting: 2,
        letters_skipped: 0,
    };
    assert_eq!(reader.backlog("order", Timestamp(901)), Ok(expected));
}

#[test]
fn it_is_looked_at_as_it_is() {
    let place = older();
    let before = dump(&place.path);
    let database = Database::open_read_only(&place.path, &[ORDER], 1).unwrap();
    check_rows(&*database.reader());
    drop(database);
    assert_eq!(dump(&place.path), before, "whoever only looks changes nothing");
}

#[test]
fn it_is_made_one_of_this_format_and_nothing_is_lost() {
    let place = older();
    let database = open(&place.path).unwrap();
    check_rows(&*database.reader());
    assert_eq!(database.log(), LogId(7));
    let mut store = database.store().unwrap();
    let waiting: Vec<u64> =
        store.dead_letters(SHARD, Some(4)).unwrap().iter().map(|letter| letter.number).collect();
    assert_eq!(waiting, [1, 3]);
    let mut set = WriteSet::new(SHARD, 6);
    let skip = Skip { by: "operator".into(), reason: "a test".into(), at: Timestamp(1_000) };
    set.dead_letters_skipped.push(LetterSkip { number: 1, skip, passed_over: None });
    assert_eq!(store.commit(&[set]), Commit::Done(vec![2]));
    drop((store, database));
    let connection = Connection::open(&place.path).unwrap();
    let format = lines(&connection, "SELECT value FROM meta WHERE name = 'format'");
    assert_eq!(format, [FORMAT.to_string()]);
    drop(connection);

    let database = open(&place.path).unwrap();
    let letters = database.reader().snapshot().unwrap().dead_letters(SHARD).unwrap();
    assert!(letters[0].skipped.is_some() && letters[1].skipped.is_none(), "{letters:?}");
}

#[test]
fn it_comes_to_look_like_a_new_one() {
    let place = older();
    drop(open(&place.path).unwrap());
    let new = place.path.with_file_name("new.db");
    drop(open(&new).unwrap());
    assert_eq!(shape(&place.path), shape(&new));
}

#[test]
fn it_is_made_so_whole_or_not_at_all() {
    let place = older();
    // The last step has no room for what it makes.
    let connection = Connection::open(&place.path).unwrap();
    connection.execute_batch("CREATE TABLE order_passed_over (stands_in_the_way TEXT)").unwrap();
    drop(connection);
    let before = dump(&place.path);
    assert!(open(&place.path).is_err());
    assert_eq!(dump(&place.path), before);
    let connection = Connection::open(&place.path).unwrap();
    connection.execute_batch("DROP TABLE order_passed_over").unwrap();
    drop(connection);
    check_rows(&*open(&place.path).unwrap().reader());
}

#[test]
fn one_that_others_hold_several_services_in_is_made_so_for_each() {
    let place = older();
    let stock = FORMAT_1.replace("order", "stock");
    let own: Vec<&str> = stock
        .split(';')
        .filter(|statement| !statement.contains("TABLE meta") && !statement.contains("journal_mode"))
        .filter(|statement| !statement.contains("INTO meta VALUES"))
        .collect();
    Connection::open(&place.path).unwrap().execute_batch(&own.join(";")).unwrap();
    let schemas = [ORDER, Schema { service: "stock", kinds: &["stock"], shards: 1 }];
    let database = Database::create_or_open(&place.path, &schemas, LogId(9), 1).unwrap();
    for service in ["order", "stock"] {
        let backlog = database.reader().backlog(service, Timestamp(0)).unwrap();
        assert_eq!(backlog.letters_waiting, 2);
        let moment = database.reader();
        let moment = moment.snapshot().unwrap();
        assert_eq!(moment.passed_over(ShardName { service, index: 0 }), Ok(vec![]));
    }
}
