//! A new database is filled with what another store holds: all of it, or nothing that anybody can use.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use crate::database::OwnDatabase;
use crate::{Database, OpenError};
use engine::carry::{Changes, former};
use engine::clock::Timestamp;
use engine::conformance::{self, Fixture, LOG, ORDER, STOCK};
use engine::dead_letter::{DeadLetter, Parcel};
use engine::effect::Effect;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::memory::MemoryStore;
use engine::store::{
    Commit, EntityRow, EntityWrite, InboxKey, InboxMove, NewEvent, Schema, Snapshot, Visit, WriteSet,
};
use engine::timer::Timer;
use engine_postgres::import::{self, Import, ImportError, Stage};
use std::borrow::Cow;
use std::collections::BTreeMap;

const BOTH: &[Schema] = &[ORDER, STOCK];
const IMPORT: Import<'static> = Import { log: LOG, origin: "order.0.7", drawn: LogId(1) };

/// All that can be read of a service.
#[derive(Debug, PartialEq)]
struct All {
    events: Vec<Recorded>,
    entities: Vec<EntityRow>,
    ends: Vec<u64>,
    inbox: Vec<Vec<(InboxKey, u64)>>,
    effects: Vec<Effect>,
    letters: Vec<DeadLetter>,
    passed_over: Vec<(Source, u64)>,
    answers: Vec<IdempotencyRow>,
    counts: Vec<(&'static str, String, u64)>,
}

fn all(snapshot: &dyn Snapshot, schema: Schema) -> All {
    let service = schema.service;
    let mut all = All {
        events: Vec::new(),
        entities: Vec::new(),
        ends: Vec::new(),
        inbox: Vec::new(),
        effects: snapshot.effects(service).unwrap(),
        letters: Vec::new(),
        passed_over: Vec::new(),
        answers: Vec::new(),
        counts: Vec::new(),
    };
    for index in 0..schema.shards {
        let shard = ShardName { service, index };
        snapshot
            .events(shard, &mut |event| {
                all.events.push(event);
                Visit::On
            })
            .unwrap();
        all.ends.push(snapshot.last_position(shard).unwrap());
        all.inbox.push(snapshot.inbox(shard).unwrap());
        all.letters.extend(snapshot.dead_letters(shard).unwrap());
        all.passed_over.extend(snapshot.passed_over(shard).unwrap());
    }
    snapshot
        .entities(service, &mut |row| {
            all.entities.push(row);
            Visit::On
        })
        .unwrap();
    snapshot
        .answers(service, &mut |row| {
            all.answers.push(row);
            Visit::On
        })
        .unwrap();
    all.answers.sort_by(|one, other| one.request.cmp(&other.request));
    for kind in schema.kinds {
        let counts = snapshot.counts(service, kind).unwrap().into_iter();
        all.counts.extend(counts.map(|(tag, count)| (*kind, tag, count)).filter(|(.., count)| *count > 0));
    }
    all.counts.sort();
    all
}

/// The same, but that inboxes know logs by their former names, and counters say what is there.
fn as_it_comes(mut all: All) -> All {
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for row in &all.entities {
        *counts.entry((row.key.kind, row.tag.to_string())).or_default() += 1;
    }
    all.counts = counts.into_iter().map(|((kind, tag), count)| (kind, tag, count)).collect();
    for rows in &mut all.inbox {
        for (key, _) in rows.iter_mut() {
            key.source.log = former(key.source.log);
        }
        rows.retain(|(_, position)| *position > 0);
        rows.sort();
    }
    all
}

fn same_after_import(store: &MemoryStore) {
    let own = OwnDatabase::new();
    let options = own.options(BOTH);
    let reader = store.reader();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(import::begin(&options, IMPORT).unwrap(), Stage::Begun);
    import::load(&options, IMPORT, (&*snapshot, Changes::default(), &[("order", 70)])).unwrap();
    import::finish(&options, IMPORT, None).unwrap();
    let database = Database::create_or_open(&options, LogId(9)).unwrap();
    assert_eq!(database.log(), LOG);
    assert_eq!(database.store().reserve("order", 1, 1).unwrap(), 70);
    let reader = database.reader();
    let imported = reader.snapshot().unwrap();
    for schema in BOTH {
        assert_eq!(all(&*imported, *schema), as_it_comes(all(&*snapshot, *schema)), "{schema:?}");
    }
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn whatever_the_suite_has_stored_is_the_same_after_it_moved() {
    for check in [
        conformance::model::whatever_is_committed_matches_a_model,
        conformance::due::timers_are_due_in_order_and_in_their_shard,
        conformance::due::effects_are_begun_in_order_one_by_one,
        conformance::due::dead_letters_keep_their_order,
        conformance::letters::a_dead_letter_is_passed_over_once_and_stays_on_record,
        conformance::writing::the_inbox_moves_only_from_where_it_stands,
        conformance::writing::a_key_is_answered_once_in_a_service,
    ] {
        let store = MemoryStore::new(BOTH, LOG);
        check(Fixture {
            schemas: BOTH,
            writer: store.writer(),
            other: Some(store.writer()),
            reader: store.reader(),
            reopen: None,
        });
        same_after_import(&store);
    }
}

/// A store with a row of everything, and what is hard to write in all of them.
fn odd() -> MemoryStore {
    let store = MemoryStore::new(BOTH, LOG);
    let shard = ShardName { service: "stock", index: 0 };
    let key = EntityKey { kind: "item", id: 3 };
    let hard = "a\0b\u{1}c 한국어";
    let mut set = WriteSet::new(shard, 1);
    set.events.push(NewEvent {
        key,
        version: 1,
        event_type: "Taken",
        schema: 3,
        published: false,
        at: Timestamp(-5),
        actor: Cow::Borrowed(hard),
        cause: hard.to_owned(),
        trace: Some(hard.to_owned()),
        body: hard.to_owned(),
    });
    set.entities.push(EntityWrite {
        row: EntityRow {
            key,
            version: 1,
            tag: Cow::Borrowed(hard),
            timer: Some(Timer { name: Cow::Borrowed(hard), due: Timestamp(40) }),
            effects_open: vec![256, 257],
            state: hard.to_owned(),
        },
        replaces: 0,
    });
    set.counts.push(((key.kind, Cow::Borrowed(hard)), 1));
    set.effects_new = [256, 257]
        .map(|sequence| Effect {
            key,
            sequence,
            name: Cow::Borrowed(hard),
            body: hard.to_owned(),
            attempts: 2,
            claimed_until: Timestamp(77),
            trace: None,
        })
        .to_vec();
    set.idempotency.push(IdempotencyRow {
        request: RequestKey { route: "POST /items", key: hard.to_owned() },
        fingerprint: [7; 16],
        key,
        refusal: Some(hard.to_owned()),
        at: Timestamp(11),
    });
    set.inbox.push(InboxMove {
        key: InboxKey { partition: 0, source: Source { log: LOG, service: "order".into(), shard: 2 } },
        from: 0,
        to: 12,
    });
    set.dead_letters.push(DeadLetter {
        number: 0,
        entity_id: 3,
        parcel: Parcel::Due {
            kind: "item".into(),
            id: 3,
            timer: Timer { name: hard.into(), due: Timestamp(1) },
        },
        reason: hard.to_owned(),
        at: Timestamp(12),
        skipped: None,
    });
    assert!(matches!(store.writer().commit(&[set]), Commit::Done(_)));
    store
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn what_is_hard_to_write_is_the_same_after_it_moved() {
    same_after_import(&odd());
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn no_timer_runs_out_before_it_may_and_the_next_letter_comes_after_the_last() {
    let (own, store) = (OwnDatabase::new(), odd());
    let options = own.options(BOTH);
    let reader = store.reader();
    let snapshot = reader.snapshot().unwrap();
    import::begin(&options, IMPORT).unwrap();
    let changes = Changes { no_timer_before: Some(Timestamp(1_000)) };
    let carried = import::load(&options, IMPORT, (&*snapshot, changes, &[])).unwrap();
    assert_eq!((carried.timers_moved, carried.entities, carried.answers), (1, 1, 1));
    // It was loaded some time ago.
    assert_eq!(import::finish(&options, IMPORT, Some(Timestamp(5_000))).unwrap(), Some(Timestamp(5_000)));
    // What is done is done, and says of which time it is.
    assert_eq!(import::finish(&options, IMPORT, Some(Timestamp(9_000))).unwrap(), Some(Timestamp(5_000)));
    let database = Database::create_or_open(&options, LogId(9)).unwrap();
    let key = EntityKey { kind: "item", id: 3 };
    let row = database.reader().get("stock", key).unwrap().unwrap();
    assert_eq!(row.timer.unwrap().due, Timestamp(5_000));
    let shard = ShardName { service: "stock", index: 0 };
    let mut letters = snapshot.dead_letters(shard).unwrap();
    letters.iter_mut().for_each(|letter| letter.number = 0);
    let mut set = WriteSet::new(shard, 2);
    set.dead_letters = letters;
    assert!(matches!(database.store().commit(&[set]), Commit::Done(_)));
    let numbers: Vec<u64> =
        database.store().dead_letters(shard, None).unwrap().iter().map(|letter| letter.number).collect();
    assert_eq!(numbers.len(), 2, "{numbers:?}");
}

fn refused(own: &OwnDatabase) {
    let options = own.options(BOTH);
    for opened in [Database::create_or_open(&options, LogId(5)), Database::open_read_only(&options)] {
        assert!(matches!(opened.err(), Some(OpenError::Importing)));
    }
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn what_is_half_there_is_used_by_nobody_and_taken_up_again() {
    let (own, store) = (OwnDatabase::new(), odd());
    let options = own.options(BOTH);
    let reader = store.reader();
    let snapshot = reader.snapshot().unwrap();
    // A service that has opened it before, and not connected since, does not go on.
    let before = Database::create_or_open(&options, LogId(4)).unwrap();
    import::begin(&options, IMPORT).unwrap();
    refused(&own);
    let shard = ShardName { service: "order", index: 0 };
    assert!(matches!(
        before.store().commit(&[WriteSet { letters_known: None, ..WriteSet::new(shard, 1) }]),
        Commit::Fatal(_)
    ));
    assert_eq!(import::begin(&options, IMPORT).unwrap(), Stage::Begun);

    // Cut off in the middle: nothing of it is there.
    let lost = import::load(&options, IMPORT, (&*snapshot, Changes::default(), &[("nobody", 1)]));
    assert!(lost.is_err());
    let rows = |sql: &str| own.client().query_one(sql, &[]).unwrap().get::<_, i64>(0);
    assert_eq!(rows("SELECT count(*) FROM engine.stock_event"), 0);
    refused(&own);

    import::load(&options, IMPORT, (&*snapshot, Changes::default(), &[])).unwrap();
    refused(&own);
    assert_eq!(import::begin(&options, IMPORT).unwrap(), Stage::Loaded);
    assert_eq!(import::open_loaded(&options).unwrap().log(), LOG);
    let other = Import { origin: "order.0.8", ..IMPORT };
    assert!(matches!(import::begin(&options, other), Err(ImportError::Other(_))));
    import::finish(&options, IMPORT, None).unwrap();
    import::finish(&options, IMPORT, None).unwrap();
    assert_eq!(import::begin(&options, IMPORT).unwrap(), Stage::Done);
    assert_eq!(Database::create_or_open(&options, LogId(5)).unwrap().log(), LOG);
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_database_that_somebody_uses_or_has_used_is_left_alone() {
    let own = OwnDatabase::new();
    let options = own.options(BOTH);
    let database = Database::create_or_open(&options, LogId(4)).unwrap();
    let company = own.client();
    assert!(matches!(import::begin(&options, IMPORT), Err(ImportError::InUse(_))));
    drop(company);
    let mut set = WriteSet::new(ShardName { service: "order", index: 0 }, 1);
    set.inbox.push(InboxMove {
        key: InboxKey { partition: 0, source: Source { log: LOG, service: "stock".into(), shard: 0 } },
        from: 0,
        to: 1,
    });
    assert!(matches!(database.store().commit(&[set]), Commit::Done(_)));
    drop(database);
    let mut refused = import::begin(&options, IMPORT);
    // A connection that was closed may be there for another moment.
    while matches!(refused, Err(ImportError::InUse(_))) {
        refused = import::begin(&options, IMPORT);
    }
    assert!(
        matches!(&refused, Err(ImportError::NotEmpty(table)) if table.contains("order_inbox")),
        "{refused:?}"
    );
    assert_eq!(Database::open_read_only(&options).unwrap().log(), LogId(4));
}
