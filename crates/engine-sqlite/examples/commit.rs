//! How many commands a second one file takes, fsync included: `commit [batch] [seconds] [services] [directory]`.
//!
//! Half the commands make an entity (event, state, timer, idempotency record), half end one that is some batches old
//! (event, state, timer gone, tag changed). Every service has its write set in every commit; a batch is its commands.

use engine::clock::{Stopwatch, Timestamp};
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName, Source};
use engine::store::{Commit, EntityRow, EntityWrite, InboxKey, InboxMove, NewEvent, Schema, WriteSet};
use engine::timer::Timer;
use engine_sqlite::Database;
use std::borrow::Cow;

const NAMES: [&str; 4] = ["call", "payment", "drive", "view"];
/// How many batches an entity is open.
const OPEN_BATCHES: u64 = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| {
        let given = arguments.get(place);
        given.map_or(default, |text| text.parse().expect("a number is asked for"))
    };
    let (batch, seconds, services) = (number(0, 512), number(1, 10), number(2, 1));
    let services = usize::try_from(services).expect("a few services").min(NAMES.len());
    let parent = arguments.get(3).map_or(".", String::as_str);
    let directory = tempfile::tempdir_in(parent).expect("the directory can be written");
    let path = directory.path().join("commit.db");
    let schemas: Vec<Schema> = NAMES[..services].iter().map(schema).collect();
    let database = Database::create_or_open(&path, &schemas, LogId(1), 1).expect("a new file can be made");
    let mut store = database.store().expect("nobody else writes");

    let stopwatch = Stopwatch::start();
    let (mut commits, mut slowest_micros) = (0, 0);
    while stopwatch.elapsed().as_secs() < seconds {
        let sets: Vec<WriteSet> =
            NAMES[..services].iter().map(|name| write_set(name, commits, batch)).collect();
        let one = Stopwatch::start();
        let answer = store.commit(&sets);
        assert!(matches!(answer, Commit::Done(_)), "{answer:?}");
        commits += 1;
        slowest_micros = slowest_micros.max(one.elapsed().as_micros());
    }
    let elapsed = stopwatch.elapsed().as_secs_f64();
    let mut stored = 0;
    for name in &NAMES[..services] {
        let shard = ShardName { service: name, index: 0 };
        stored += database.reader().last_position(shard).expect("it can be read");
    }
    assert_eq!(stored, commits * batch * services as u64 - opening(batch, services, commits));
    let bytes = std::fs::metadata(&path).expect("the file is there").len();
    println!(
        "{:.0} commands/s in {commits} commits of {services} x {batch}, {:.2} ms each, slowest {:.0} ms, {} bytes a command",
        stored as f64 / elapsed,
        elapsed * 1e3 / commits as f64,
        slowest_micros as f64 / 1e3,
        bytes / stored,
    );
}

/// Commands that the first batches lack: there is nothing to end yet.
fn opening(batch: u64, services: usize, commits: u64) -> u64 {
    commits.min(OPEN_BATCHES) * (batch / 2) * services as u64
}

fn schema(service: &&'static str) -> Schema {
    Schema { service, kinds: &["ride"], shards: 1 }
}

fn write_set(service: &'static str, commit: u64, batch: u64) -> WriteSet {
    let shard = ShardName { service, index: 0 };
    let mut set = WriteSet::new(shard, commit + 1);
    let (begun, ended) = (batch - batch / 2, batch / 2);
    for place in 0..begun {
        let id = commit * begun + place + 1;
        step(&mut set, id, 1, "payRequest", commit);
        set.idempotency.push(answer(id, commit));
    }
    set.counts.push((("ride", Cow::Borrowed("payRequest")), begun.cast_signed()));
    if commit >= OPEN_BATCHES {
        for place in 0..ended {
            let id = (commit - OPEN_BATCHES) * begun + place + 1;
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
