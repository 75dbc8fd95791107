//! What a database is made of, and what is refused.

use crate::database::OwnDatabase;
use crate::{Database, OpenError};
use engine::clock::{SystemClock, Timestamp};
use engine::log::{LogId, ShardName, Source};
use engine::store::{Commit, InboxKey, InboxMove, Schema, StoreError, WriteSet};
use engine::topic::{read_key, told_key};
use engine_postgres::inspect::inspect;
use std::borrow::Cow;

const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 4 };
const STOCK: Schema = Schema { service: "stock", kinds: &["item"], shards: 1 };

fn refused(own: &OwnDatabase, schemas: &[Schema]) -> OpenError {
    let opened = Database::create_or_open(&own.options(schemas), LogId(2));
    let looked_at = Database::open_read_only(&own.options(schemas));
    let refused = opened.err().expect("it is refused");
    assert_eq!(looked_at.err().map(|error| error.to_string()), Some(refused.to_string()));
    refused
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn several_that_start_at_once_make_one_database() {
    let own = OwnDatabase::new();
    let options = own.options(&[ORDER, STOCK]);
    let logs: Vec<LogId> = std::thread::scope(|scope| {
        let starts: Vec<_> = (1..=6)
            .map(|log| {
                let options = &options;
                scope.spawn(move || Database::create_or_open(options, LogId(log)).map(|made| made.log()))
            })
            .collect();
        starts.into_iter().map(|start| start.join().expect("no panic").expect("it opens")).collect()
    });
    assert!(logs.iter().all(|log| *log == logs[0]), "{logs:?}");
    assert_eq!(Database::open_read_only(&options).expect("it is there").log(), logs[0]);
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn what_was_fixed_when_it_was_made_stays() {
    let own = OwnDatabase::new();
    assert!(matches!(Database::open_read_only(&own.options(&[ORDER])), Err(OpenError::Empty)));
    drop(own.open(&[ORDER], LogId(1)));
    let other_shards = Schema { shards: 3, ..ORDER };
    let error = refused(&own, &[other_shards]);
    assert!(matches!(error, OpenError::Shards { stored: 4, asked: 3, .. }), "{error}");
    for schemas in [&[STOCK][..], &[ORDER, STOCK]] {
        let error = refused(&own, schemas);
        assert!(matches!(error, OpenError::Services { .. }), "{error}");
    }
    let fewer_kinds = Schema { kinds: &["basket"], ..ORDER };
    let error = refused(&own, &[fewer_kinds]);
    assert!(matches!(error, OpenError::UnknownKind { .. }), "{error}");
    let error = refused(&own, &[Schema { kinds: &["order\" --"], ..ORDER }]);
    assert!(matches!(error, OpenError::Name(_)), "{error}");
    let mut client = own.client();
    client
        .batch_execute("UPDATE engine.meta SET value = 'md5' WHERE name = 'hash'")
        .expect("it can be changed");
    assert!(matches!(refused(&own, &[ORDER]), OpenError::Hash(_)));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_database_of_something_else_is_left_alone() {
    let own = OwnDatabase::new();
    own.client().batch_execute("CREATE SCHEMA engine; CREATE TABLE engine.train (number int)").expect("made");
    assert!(matches!(refused(&own, &[ORDER]), OpenError::Foreign));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'engine'";
    assert_eq!(own.client().query_one(tables, &[]).expect("read").get::<_, i64>(0), 1);
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn what_is_not_there_is_unavailable_and_says_so() {
    let own = OwnDatabase::new();
    let mut options = own.options(&[ORDER]);
    options.url = own.url_at("127.0.0.1", 1);
    let error = Database::create_or_open(&options, LogId(1)).err().expect("nobody listens");
    assert!(matches!(error, OpenError::Unavailable(_)), "{error}");
    options.url = "postgres://secret@host:port/x".into();
    let error = Database::create_or_open(&options, LogId(1)).err().expect("it is no address");
    assert!(matches!(error, OpenError::Address(_)) && !error.to_string().contains("secret"), "{error}");
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_restored_database_gets_another_log() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LogId(1));
    let (mut writer, reader) = (database.store(), database.reader());
    let shard = ShardName { service: "order", index: 1 };
    let source = Source { log: LogId(9), service: Cow::Borrowed("stock"), shard: 0 };
    let heard = InboxKey { partition: 0, source };
    let mut set = WriteSet::new(shard, 1);
    for key in [heard.clone(), read_key(LogId(5), 3), told_key(LogId(5), 12)] {
        set.inbox.push(InboxMove { key, from: 0, to: 4 });
    }
    assert_eq!(writer.commit(&[set]), Commit::Done(vec![0]));
    assert_eq!(reader.last_position(shard), Ok(0));
    database.renew_log(LogId(2)).expect("it is renewed");
    database.renew_log(LogId(3)).expect_err("this one knows it by its old log");
    let other = own.open(&[ORDER], LogId(1));
    assert_eq!(other.log(), LogId(2));
    let rows = other.store().inbox(shard).expect("read");
    assert_eq!(rows, [(heard, 4), (read_key(LogId(5), 3), 4)], "only what was told is forgotten");
    // Whoever still has it open is refused as soon as it connects again.
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    own.client().query(end, &[]).expect("a superuser may");
    assert!(matches!(writer.last_position(shard), Err(StoreError::Fatal(_))));
    assert!(matches!(reader.last_position(shard), Err(StoreError::Fatal(_))));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn numbers_are_skipped_and_never_given_twice() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LogId(1));
    let mut writer = database.store();
    assert_eq!(writer.reserve("order", 10, 1), Ok(1));
    database.skip_numbers("order", 500).expect("skipped");
    assert_eq!(writer.reserve("order", 10, 1), Ok(500));
    database.skip_numbers("order", 20).expect("nothing to skip");
    assert_eq!(writer.reserve("order", 10, 1), Ok(510));
    let last = i64::MAX.unsigned_abs();
    assert!(matches!(writer.reserve("order", 10, last - 3), Err(StoreError::Unavailable(_))));
    assert_eq!(writer.reserve("order", 1, 1), Ok(520));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_turn_is_had_by_one_and_ends_by_the_servers_clock() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LogId(1));
    let (mut mine, mut theirs) = (database.lease(1), database.lease(u64::MAX));
    assert_eq!(mine.hold("relay", 60_000), Ok(true));
    assert_eq!(theirs.hold("relay", 60_000), Ok(false));
    assert_eq!(theirs.hold("other", 60_000), Ok(true));
    assert_eq!(mine.hold("relay", 60_000), Ok(true), "it goes on");
    assert_eq!(theirs.let_go("relay"), Ok(()));
    assert_eq!(theirs.hold("relay", 60_000), Ok(false), "it was not theirs to give");
    assert_eq!(mine.let_go("relay"), Ok(()));
    assert_eq!(theirs.hold("relay", 60_000), Ok(true));
    assert_eq!(mine.hold("relay", 60_000), Ok(false));
    own.client()
        .batch_execute("UPDATE engine.lease SET until = clock_timestamp()")
        .expect("it can be changed");
    assert_eq!(mine.hold("relay", 60_000), Ok(true), "theirs has run out");
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn an_answer_is_on_the_disk_whatever_the_server_is_set_to() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LogId(1));
    let mut client = own.client();
    client.batch_execute(&format!("ALTER DATABASE {} SET synchronous_commit = off", own.name)).expect("set");
    assert_eq!(client.query_one("SHOW synchronous_commit", &[]).expect("read").get::<_, String>(0), "on");
    let fresh = own.client().query_one("SHOW synchronous_commit", &[]).expect("read").get::<_, String>(0);
    assert_eq!(fresh, "off");
    // The store's own session says in the database itself what it is set to.
    client
        .batch_execute(
            "CREATE TABLE seen (setting text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO seen SELECT current_setting('synchronous_commit'); RETURN NULL; END $$; \
             CREATE TRIGGER note AFTER INSERT ON engine.batch EXECUTE FUNCTION note()",
        )
        .expect("a superuser may");
    let mut set = WriteSet::new(ShardName { service: "order", index: 0 }, 1);
    set.inbox.push(InboxMove { key: told_key(LogId(5), 12), from: 0, to: 1 });
    assert_eq!(database.store().commit(&[set]), Commit::Done(vec![0]));
    assert_eq!(client.query_one("SELECT setting FROM seen", &[]).expect("read").get::<_, String>(0), "on");
    assert_eq!(database.store().prune(Timestamp(0)), Ok(0));
}

/// How long somebody has seen to what waits is asked of those who write alone.
#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn who_looks_on_is_told_from_who_writes() {
    let own = OwnDatabase::new();
    let options = own.options(&[ORDER]);
    let shard = ShardName { service: "order", index: 0 };
    drop(own.open(&[ORDER], LogId(1)));
    let onlooker = Database::open_read_only(&options).expect("it is there");
    let reader = onlooker.reader();
    assert_eq!(reader.last_position(shard), Ok(0));
    let looked = inspect(&options, &SystemClock).expect("looked");
    assert!(looked.sessions > 0 && looked.sessions_for_ms.is_none(), "{looked:?}");

    let database = own.open(&[ORDER], LogId(1));
    let mut writer = database.store();
    let mut set = WriteSet::new(shard, 1);
    set.inbox.push(InboxMove { key: told_key(LogId(5), 12), from: 0, to: 1 });
    assert_eq!(writer.commit(&[set]), Commit::Done(vec![0]));
    let looked = inspect(&options, &SystemClock).expect("looked");
    assert!(looked.sessions_for_ms.is_some(), "{looked:?}");
}

/// Another process has the lock for longer than one waits for it at a time.
#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn whoever_waits_too_long_for_another_who_opens_tries_again() {
    let own = OwnDatabase::new();
    let mut client = own.client();
    let mut held = client.transaction().expect("it begins");
    held.batch_execute("SELECT pg_advisory_xact_lock(111524855770725)").expect("nobody else has it");
    std::thread::scope(|scope| {
        let options = own.options(&[ORDER]);
        let opening =
            scope.spawn(move || Database::create_or_open(&options, LogId(1)).map(|made| made.log()));
        let mut looking = own.client();
        let sql = "SELECT max(query_start)::text FROM pg_stat_activity WHERE datname = current_database() \
            AND wait_event_type = 'Lock' AND wait_event = 'advisory'";
        let mut began: Vec<String> = Vec::new();
        while began.len() < 2 && !opening.is_finished() {
            began.extend(looking.query_one(sql, &[]).expect("it answers").get::<_, Option<String>>(0));
            began.dedup();
            std::thread::yield_now();
        }
        held.rollback().expect("it ends");
        let opened = opening.join().expect("no panic");
        assert_eq!(opened.expect("it opens"), LogId(1));
    });
}
