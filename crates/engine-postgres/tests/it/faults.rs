//! Lost answers, stragglers, replicas that stand still, connections that end: each on the real server.

use crate::database::OwnDatabase;
use crate::proxy::{Proxy, Rule};
use crate::{Database, Options};
use engine::clock::Timestamp;
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, EntityWrite, NewEvent, Reader, Schema, Store, StoreError, WriteSet};
use std::borrow::Cow;
use std::rc::Rc;

const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 2 };
const SHARD: ShardName = ShardName { service: "order", index: 0 };
const LOG: LogId = LogId(7);

/// Makes an entity and says so.
fn new_entity(batch: u64, id: u64) -> WriteSet {
    let key = EntityKey { kind: "order", id };
    let mut set = WriteSet::new(SHARD, batch);
    set.events.push(NewEvent {
        key,
        version: 1,
        event_type: "Made",
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
        version: 1,
        tag: Cow::Borrowed("open"),
        timer: None,
        effects_open: Vec::new(),
        state: "{}".into(),
    };
    set.entities.push(EntityWrite { row, replaces: 0 });
    set.counts.push((("order", Cow::Borrowed("open")), 1));
    set
}

/// A database, one writer that reaches it through a proxy, and a plain way to it.
struct Scene {
    own: Rc<OwnDatabase>,
    proxy: Proxy,
    direct: Database,
    proxied: Database,
}

impl Scene {
    fn new() -> Self {
        let own = OwnDatabase::new();
        let proxy = Proxy::to(own.address());
        let direct = own.open(&[ORDER], LOG);
        let url = own.url_at("127.0.0.1", proxy.port());
        let options = Options { url, ..own.options(&[ORDER]) };
        let proxied = Database::create_or_open(&options, LOG).expect("it can be opened");
        Self { own, proxy, direct, proxied }
    }

    fn reader(&self) -> std::sync::Arc<dyn Reader> {
        self.direct.reader()
    }
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn an_answer_that_is_lost_is_found() {
    let scene = Scene::new();
    let mut writer = scene.proxied.store();
    assert_eq!(writer.commit(&[new_entity(1, 1)]), Commit::Done(vec![1]));
    scene.proxy.set(Rule::LoseAnswer);
    let sets = [new_entity(2, 2)];
    assert_eq!(writer.commit(&sets), Commit::Unknown);
    scene.proxy.set(Rule::Pass);
    assert_eq!(writer.resolve(&sets), Ok(Commit::Done(vec![2])));
    assert_eq!(writer.commit(&[new_entity(3, 3)]), Commit::Done(vec![3]));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_commit_that_was_given_up_is_never_stored() {
    let scene = Scene::new();
    let mut writer = scene.proxied.store();
    assert_eq!(writer.commit(&[new_entity(1, 1)]), Commit::Done(vec![1]));
    let keep_back = |writer: &mut dyn Store, sets: &[WriteSet]| {
        scene.proxy.set(Rule::KeepBack);
        assert_eq!(writer.commit(sets), Commit::Unknown);
        scene.proxy.set(Rule::Pass);
    };
    // Nobody has asked: it is stored when it arrives at last.
    let sets = [new_entity(2, 2)];
    keep_back(&mut *writer, &sets);
    scene.proxy.let_go();
    assert_eq!(scene.reader().last_position(SHARD), Ok(2));
    assert_eq!(writer.resolve(&sets), Ok(Commit::Done(vec![2])));
    // Somebody was told that it is not stored: then it never is.
    let sets = [new_entity(3, 3)];
    keep_back(&mut *writer, &sets);
    assert_eq!(writer.resolve(&sets), Ok(Commit::Conflict));
    scene.proxy.let_go();
    assert_eq!(scene.reader().last_position(SHARD), Ok(2));
    assert_eq!(scene.reader().counts("order", "order"), Ok(vec![("open".into(), 2)]));
    assert_eq!(writer.commit(&[new_entity(4, 3)]), Commit::Done(vec![3]));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_replica_that_stands_still_does_not_stop_its_shard() {
    let scene = Scene::new();
    let mut frozen = scene.proxied.store();
    assert_eq!(frozen.commit(&[new_entity(1, 1)]), Commit::Done(vec![1]));
    scene.proxy.set(Rule::HoldEnd);
    std::thread::scope(|scope| {
        let sets = [new_entity(2, 2)];
        let standing = scope.spawn(move || {
            let answer = frozen.commit(&sets);
            (frozen, answer, sets)
        });
        let mut client = scene.own.client();
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'engine.shard'::regclass AND mode = 'RowExclusiveLock'";
        while client.query_one(held, &[]).expect("it answers").get::<_, i64>(0) == 0 {
            std::thread::yield_now();
        }
        let mut other = scene.direct.store();
        let mut answer = Commit::Unavailable(String::new());
        for _ in 0..20 {
            answer = other.commit(&[new_entity(3, 3)]);
            let Commit::Unavailable(why) = &answer else { break };
            assert!(why.contains("55P03"), "{why}");
        }
        assert_eq!(answer, Commit::Done(vec![2]));
        // It wakes up: nobody has heard of what it was about, and it goes on.
        let (mut frozen, answer, sets) = standing.join().expect("it ends");
        scene.proxy.set(Rule::Pass);
        assert!(matches!(answer, Commit::Unknown | Commit::Unavailable(_)), "{answer:?}");
        assert_eq!(frozen.resolve(&sets), Ok(Commit::Conflict));
        assert_eq!(frozen.commit(&[new_entity(4, 2)]), Commit::Done(vec![3]));
    });
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_connection_that_ends_while_nobody_uses_it_is_made_anew() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LOG);
    let (mut writer, reader, mut lease) = (database.store(), database.reader(), database.lease(1));
    let mut client = own.client();
    for id in 1..=3 {
        assert_eq!(writer.commit(&[new_entity(id, id)]), Commit::Done(vec![id]));
        assert_eq!(reader.last_position(SHARD), Ok(id));
        assert_eq!(writer.last_position(SHARD), Ok(id));
        assert_eq!(reader.snapshot().expect("read").last_position(SHARD), Ok(id));
        assert_eq!(lease.hold("relay", 60_000), Ok(true));
        let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let ended: i64 = client.query_one(end, &[]).expect("a superuser may").get(0);
        assert!(ended >= 3, "{ended}");
    }
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_moment_that_ends_under_its_reader_is_told() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LOG);
    let reader = database.reader();
    let moment = reader.snapshot().expect("read");
    // At leisure: longer than a writer may stand still, and than any of its statements may take.
    let mut client = own.client();
    client.batch_execute("SELECT pg_sleep(4)").expect("it waits");
    assert_eq!(moment.last_position(SHARD), Ok(0));
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client.query(end, &[]).expect("a superuser may");
    assert!(matches!(moment.last_position(SHARD), Err(StoreError::Unavailable(_))));
    drop(moment);
    assert_eq!(reader.last_position(SHARD), Ok(0));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn what_cannot_be_stored_is_refused_and_what_is_gone_is_fatal() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LOG);
    let mut writer = database.store();
    let too_high = new_entity(1, u64::MAX);
    assert!(matches!(writer.commit(&[too_high]), Commit::Refused(_)));
    // The event is there, though its entity is not: no writer of ours does so.
    let mut set = new_entity(2, 1);
    set.entities.clear();
    assert_eq!(writer.commit(&[set.clone()]), Commit::Done(vec![1]));
    assert!(matches!(writer.commit(&[set]), Commit::Refused(_)));
    let mut long = new_entity(3, 2);
    // What does not shrink when it is packed.
    let tag: String = (0..4_000_u32).map(|place| char::from(b'a' + (place * place % 23) as u8)).collect();
    long.counts.push((("order", Cow::Owned(tag.repeat(3))), 1));
    let answer = writer.commit(&[long]);
    assert!(matches!(answer, Commit::Refused(_) | Commit::Done(_)), "{answer:?}");
    own.client().batch_execute("DROP TABLE engine.order_counter").expect("a superuser may");
    assert!(matches!(writer.commit(&[new_entity(4, 3)]), Commit::Fatal(_)));
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_server_without_room_is_tried_again() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LOG);
    let mut first = database.store();
    assert_eq!(first.commit(&[new_entity(1, 1)]), Commit::Done(vec![1]));
    let (plain, drop_plain) = own.plain_user();
    let options = Options { url: plain, ..own.options(&[ORDER]) };
    let limited = Database::open_read_only(&options).expect("it can be opened");
    let (mut writer, reader) = (limited.store(), limited.reader());
    own.limit_connections(0);
    assert!(matches!(writer.commit(&[new_entity(2, 2)]), Commit::Unavailable(_)));
    assert!(matches!(reader.last_position(SHARD), Err(StoreError::Unavailable(_))));
    own.limit_connections(50);
    assert_eq!(writer.commit(&[new_entity(2, 2)]), Commit::Done(vec![2]));
    assert_eq!(reader.last_position(SHARD), Ok(2));
    drop((writer, reader, limited));
    drop_plain();
}

/// Nobody should; whoever does is slow, and nothing breaks.
#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_thread_that_has_other_work_may_read_as_well() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LOG);
    let outer = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let reader = database.reader();
    let read = outer.block_on(async {
        let worker = tokio::spawn(async move {
            let on_worker = reader.last_position(SHARD);
            let other = tokio::task::spawn_blocking(move || reader.last_position(SHARD)).await;
            (on_worker, other.expect("it does not panic"))
        });
        worker.await.expect("it does not panic")
    });
    assert_eq!(read, (Ok(0), Ok(0)));
}

/// A moment that could not begin, since somebody holds what it looks at, leaves nothing behind for who reads next.
#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_moment_that_cannot_begin_spoils_no_connection() {
    let own = OwnDatabase::new();
    drop(own.open(&[ORDER], LOG));
    let options = Options { connections_max: 1, ..own.options(&[ORDER]) };
    let database = Database::create_or_open(&options, LOG).expect("it can be opened");
    let reader = database.reader();
    assert_eq!(reader.last_position(SHARD), Ok(0));
    let mut client = own.client();
    let mut held = client.transaction().expect("it begins");
    held.batch_execute("LOCK TABLE engine.meta").expect("nobody else has it");
    let refused = reader.snapshot().err().expect("it is refused");
    assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("55P03")), "{refused}");
    held.rollback().expect("it ends");
    assert_eq!(reader.last_position(SHARD), Ok(0));
    assert!(reader.snapshot().is_ok());
}

/// As after a failover, when the address still led to the server that had been in charge.
#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_connection_to_a_server_that_only_lets_read_is_given_up() {
    let own = OwnDatabase::new();
    let database = own.open(&[ORDER], LOG);
    let mut writer = database.store();
    assert!(matches!(writer.commit(&[new_entity(1, 1)]), Commit::Done(_)));
    let mut client = own.client();
    let name = &own.name;
    client
        .batch_execute(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        ))
        .expect("a superuser may");
    // The first may find that its connection has ended, the others that nothing may be written.
    for _ in 0..4 {
        assert!(!matches!(writer.commit(&[new_entity(2, 2)]), Commit::Done(_)));
    }
    let back = format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
    );
    client.batch_execute(&back).expect("a superuser may");
    let stored = (0..8).any(|_| matches!(writer.commit(&[new_entity(3, 3)]), Commit::Done(_)));
    assert!(stored, "it connects again by itself");
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn the_clock_is_the_servers() {
    let own = OwnDatabase::new();
    let mut writer = own.open(&[ORDER], LOG).store();
    let sql = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let mut client = own.client();
    let mut ask = || Timestamp(client.query_one(sql, &[]).expect("it answers").get(0));
    let (before, told, after) = (ask(), writer.clock(), ask());
    let told = told.expect("it can be asked").expect("it has one");
    assert!(before <= told && told <= after, "{before:?} {told:?} {after:?}");
}
