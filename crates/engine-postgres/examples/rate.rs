//! How many commands a second one database takes, fsync included: `rate [batch] [seconds] [services] [writers]`.
//!
//! Half the commands make an entity (event, state, timer, idempotency record), half end one that is some batches old
//! (event, state, timer gone, tag changed). Every service has its write set in every commit; a batch is its commands.

use engine::clock::{Stopwatch, Timestamp};
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName, Source};
use engine::store::{Commit, EntityRow, EntityWrite, InboxKey, InboxMove, NewEvent, Schema, WriteSet};
use engine::timer::Timer;
use engine_postgres::{Database, Options};
use std::borrow::Cow;

const NAMES: [&str; 4] = ["call", "payment", "drive", "view"];
/// How many batches an entity is open.
const OPEN_BATCHES: u64 = 20;

/// An empty database, whose tables are dropped at the end.
const DEFAULT_URL: &str = "postgres://taxisvc@127.0.0.1:5432/postgres";

#[expect(clippy::disallowed_methods, reason = "an example is an edge")]
fn url() -> String {
    std::env::var("TAXISVC_TEST_POSTGRES").unwrap_or_else(|_| DEFAULT_URL.to_owned())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| {
        let given = arguments.get(place);
        given.map_or(default, |text| text.parse().expect("a number is asked for"))
    };
    let (batch, seconds, services, writers) = (number(0, 512), number(1, 10), number(2, 1), number(3, 1));
    let services = usize::try_from(services).expect("a few services").min(NAMES.len());
    let shards = u16::try_from(writers).expect("a few writers");
    let own = own_database();
    let schemas: Vec<Schema> = NAMES[..services].iter().map(|name| schema(name, shards)).collect();
    let options = Options { url: own.clone(), schemas, views: Vec::new(), connections_max: 4, ca_file: None };
    let database = Database::create_or_open(&options, LogId(1)).expect("a new database can be made");
    let stopwatch = Stopwatch::start();
    std::thread::scope(|scope| {
        for shard in 0..shards {
            let database = &database;
            scope.spawn(move || write(database, (batch, seconds, services), shard));
        }
    });
    let elapsed = stopwatch.elapsed().as_secs_f64();
    let mut stored = 0;
    for name in &NAMES[..services] {
        for index in 0..shards {
            let shard = ShardName { service: name, index };
            stored += database.reader().last_position(shard).expect("it can be read");
        }
    }
    println!("{:.0} commands/s over all, {stored} stored", stored as f64 / elapsed);
    drop(database);
    drop_database(&own);
}

fn own_database() -> String {
    let server: postgres::Config = url().parse().expect("TAXISVC_TEST_POSTGRES is an address");
    let mut client = server.connect(postgres::NoTls).expect("the server is up");
    let draw = "SELECT 'engine_rate_' || substr(md5(random()::text || clock_timestamp()::text), 1, 16)";
    let name: String = client.query_one(draw, &[]).expect("it can draw").get(0);
    client.batch_execute(&format!("CREATE DATABASE {name}")).expect("a superuser may make databases");
    let (before, _) =
        url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("it names a database");
    format!("{before}/{name}")
}

fn drop_database(own: &str) {
    let (_, name) = own.rsplit_once('/').expect("it names a database");
    let server: postgres::Config = url().parse().expect("it was read before");
    let mut client = server.connect(postgres::NoTls).expect("the server is up");
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).expect("it can be dropped");
}

/// One writer, with a shard of its own in every service.
fn write(database: &Database, (batch, seconds, services): (u64, u64, usize), shard: u16) {
    let mut store = database.store();
    let stopwatch = Stopwatch::start();
    let (mut commits, mut slowest_micros, mut made_micros) = (0, 0, 0);
    while stopwatch.elapsed().as_secs() < seconds {
        let making = Stopwatch::start();
        let sets: Vec<WriteSet> =
            NAMES[..services].iter().map(|name| write_set((name, shard), commits, batch)).collect();
        made_micros += making.elapsed().as_micros();
        let one = Stopwatch::start();
        let answer = store.commit(&sets);
        assert!(matches!(answer, Commit::Done(_)), "{answer:?}");
        commits += 1;
        slowest_micros = slowest_micros.max(one.elapsed().as_micros());
    }
    let elapsed = stopwatch.elapsed().as_secs_f64();
    let stored = commits * batch * services as u64 - opening(batch, services, commits);
    println!(
        "{:.0} commands/s in {commits} commits of {services} x {batch}, {:.2} ms each ({:.2} ms to make it), slowest {:.0} ms",
        stored as f64 / elapsed,
        elapsed * 1e3 / commits as f64,
        made_micros as f64 / 1e3 / commits as f64,
        slowest_micros as f64 / 1e3,
    );
}

/// Commands that the first batches lack: there is nothing to end yet.
fn opening(batch: u64, services: usize, commits: u64) -> u64 {
    commits.min(OPEN_BATCHES) * (batch / 2) * services as u64
}

fn schema(service: &'static str, shards: u16) -> Schema {
    Schema { service, kinds: &["ride"], shards }
}

fn write_set((service, index): (&'static str, u16), commit: u64, batch: u64) -> WriteSet {
    let shard = ShardName { service, index };
    let base = u64::from(index) << 40;
    let mut set = WriteSet::new(shard, commit + 1);
    let (begun, ended) = (batch - batch / 2, batch / 2);
    for place in 0..begun {
        let id = base + commit * begun + place + 1;
        step(&mut set, id, 1, "payRequest", commit);
        set.idempotency.push(answer(id, commit));
    }
    set.counts.push((("ride", Cow::Borrowed("payRequest")), begun.cast_signed()));
    if commit >= OPEN_BATCHES {
        for place in 0..ended {
            let id = base + (commit - OPEN_BATCHES) * begun + place + 1;
            step(&mut set, id, 2, "driveComplete", commit);
        }
        set.counts.push((("ride", Cow::Borrowed("driveComplete")), ended.cast_signed()));
    }
    let source = Source { log: LogId(1), service: Cow::Borrowed("other"), shard: 0 };
    set.inbox.push(InboxMove {
        key: InboxKey { partition: 0, source },
        from: commit * batch,
        to: (commit + 1) * batch,
    });
    set
}

fn step(set: &mut WriteSet, id: u64, version: u64, tag: &'static str, commit: u64) {
    let key = EntityKey { kind: "ride", id };
    let at = Timestamp(1_795_472_555_467 + commit.cast_signed());
    let timer = (version == 1).then(|| Timer { name: Cow::Borrowed("deadline"), due: at.plus_ms(60_000) });
    set.events.push(NewEvent {
        key,
        version,
        event_type: "CallRequested",
        schema: 1,
        published: true,
        at,
        actor: Cow::Borrowed("rider"),
        cause: format!("request {id:032x}"),
        trace: None,
        body: format!(
            r#"{{"callId":{id},"userId":"1","userName":"eojin","distance":10000,"fare":100000,"callStatus":"{tag}"}}"#
        ),
    });
    let row = EntityRow {
        key,
        version,
        tag: Cow::Borrowed(tag),
        timer,
        effects_open: Vec::new(),
        state: format!(
            r#"{{"callId":{id},"userId":"1","userName":"eojin","distance":10000,"fare":100000,"callStatus":"{tag}","heard":{{"paid":false,"started":false,"ended":false}},"requestedAt":1795472555467,"changedAt":1795472555467}}"#
        ),
    };
    set.entities.push(EntityWrite { row, replaces: version - 1 });
}

/// A record under a key as random as a client's.
fn answer(id: u64, commit: u64) -> IdempotencyRow {
    let random = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    IdempotencyRow {
        request: RequestKey { route: "POST /calls", key: format!("{random:016x}-{id:016x}") },
        fingerprint: (u128::from(random) << 64 | u128::from(id)).to_be_bytes(),
        key: EntityKey { kind: "ride", id },
        refusal: None,
        at: Timestamp(1_795_472_555_467 + commit.cast_signed()),
    }
}
