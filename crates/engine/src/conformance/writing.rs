//! What a commit promises.

use super::due::effect;
use super::{Fixture, LOG, change, event, first_shard, ids_in, key, row, shards, write};
use crate::clock::Timestamp;
use crate::idempotency::{IdempotencyRow, RequestKey};
use crate::log::{EntityKey, LogId, ShardName, Source};
use crate::store::{Commit, EffectClaim, InboxKey, InboxMove, NewEvent, Order, Query, Start, WriteSet};
use crate::timer::Timer;
use std::borrow::Cow;
use std::collections::HashSet;

/// Text that tempts whoever stores it.
const ODD: [&str; 6] = [
    "",
    "'); DROP TABLE \"order_event\"; --",
    "before\0after",
    "어진 \u{1f695} \u{10ffff}",
    "{\"a\":\"\\u0000\"}",
    "line\r\nline\u{feff}",
];

fn inbox_key(service: &'static str, shard: u16, partition: u32) -> InboxKey {
    let source = Source { log: LogId(u64::MAX), service: Cow::Borrowed(service), shard };
    InboxKey { partition, source }
}

pub(super) fn answer(key: EntityKey, route: &'static str, text: &str, at: i64) -> IdempotencyRow {
    IdempotencyRow {
        request: RequestKey { route, key: text.to_owned() },
        fingerprint: std::array::from_fn(|place| u8::try_from(place * 17).expect("15 times 17 is 255")),
        key,
        refusal: None,
        at: Timestamp(at),
    }
}

pub fn an_empty_store_holds_nothing(mut fixture: Fixture) {
    assert_eq!((fixture.writer.log(), fixture.reader.log()), (LOG, LOG));
    for schema in fixture.schemas {
        let service = schema.service;
        let keys = [key(*schema, 1), key(*schema, 2)];
        assert_eq!(fixture.writer.load(service, &keys), Ok(vec![None, None]));
        assert_eq!(fixture.writer.load(service, &[]), Ok(vec![]));
        for shard in shards(*schema) {
            assert_eq!(fixture.writer.last_position(shard), Ok(0));
            assert_eq!(fixture.reader.last_position(shard), Ok(0));
            assert_eq!(fixture.reader.events_after(shard, 0, 10), Ok(vec![]));
            assert_eq!(fixture.writer.inbox(shard), Ok(vec![]));
            assert_eq!(fixture.writer.dead_letters(shard, None), Ok(vec![]));
            let late = Timestamp(i64::MAX);
            assert_eq!(fixture.writer.timers_due(shard, late, 10), Ok(vec![]));
            assert_eq!(fixture.writer.effects_due(shard, late, 10), Ok(vec![]));
        }
        for kind in schema.kinds {
            assert_eq!(fixture.reader.counts(service, kind), Ok(vec![]));
            let query = Query {
                service,
                kind,
                order: Order::Id,
                descending: false,
                tag: None,
                start: Start::First { skip: 0 },
                limit: 10,
            };
            assert_eq!(fixture.reader.list(&query), Ok(vec![]));
        }
    }
    assert_eq!((fixture.writer.prune(Timestamp(9)), fixture.writer.answered_last()), (Ok(0), Ok(None)));
    assert_eq!(fixture.writer.commit(&[]), Commit::Done(vec![]));
}

pub fn what_is_stored_comes_back_as_it_was(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let kind = *schema.kinds.last().expect("a service owns a kind");
    let large = "x".repeat(1 << 20);
    let texts: Vec<&str> = ODD.into_iter().chain([large.as_str()]).collect();
    let mut set = WriteSet::new(shard, u64::MAX);
    let high = ids_in(schema, 0)
        .map(|id| u64::try_from(i64::MAX).expect("it is positive") - id)
        .chain([u64::try_from(i64::MAX).expect("it is positive")]);
    let own = high.filter(|id| crate::log::shard_of(*id, schema.shards) == 0);
    for ((place, text), id) in texts.iter().enumerate().zip(own) {
        let key = EntityKey { kind, id };
        let mut row = row(key, u64::from(u32::MAX), text);
        row.state = (*text).to_owned();
        row.timer = (place % 2 == 0)
            .then(|| Timer { name: Cow::Owned((*text).to_owned()), due: Timestamp(i64::MIN) });
        row.effects_open = (0..place as u64).map(|effect| i64::MAX.unsigned_abs() - effect).collect();
        set.entities.push(write(row, 0));
        set.events.push(NewEvent {
            schema: u16::MAX,
            published: place % 2 == 1,
            at: Timestamp(i64::MAX),
            actor: Cow::Owned((*text).to_owned()),
            cause: (*text).to_owned(),
            trace: (place % 2 == 0).then(|| (*text).to_owned()),
            body: (*text).to_owned(),
            ..event(key, 1)
        });
        let mut answered = answer(key, "POST /odd", text, i64::MIN);
        answered.refusal = (place % 2 == 0).then(|| (*text).to_owned());
        set.idempotency.push(answered);
    }
    fixture.done(std::slice::from_ref(&set));

    let keys: Vec<EntityKey> = set.entities.iter().map(|write| write.row.key).collect();
    let loaded = fixture.writer.load(schema.service, &keys).expect("loaded");
    for (write, loaded) in set.entities.iter().zip(loaded) {
        assert_eq!(loaded.as_ref(), Some(&write.row));
        let read = fixture.reader.get(schema.service, write.row.key);
        assert_eq!(read, Ok(Some(write.row.clone())));
    }
    let asked: Vec<RequestKey> = set.idempotency.iter().map(|row| row.request.clone()).collect();
    let recalled = fixture.writer.recall(schema.service, &asked).expect("recalled");
    assert_eq!(recalled, set.idempotency.iter().cloned().map(Some).collect::<Vec<_>>());
    let source = Source { log: LOG, service: Cow::Borrowed(schema.service), shard: 0 };
    let expected: Vec<_> = set
        .events
        .into_iter()
        .zip(1..)
        .map(|(event, position)| event.recorded(source.clone(), position))
        .collect();
    assert_eq!(fixture.reader.events_after(shard, 0, 100), Ok(expected));
}

pub fn positions_have_no_gap_and_follow_the_commits(mut fixture: Fixture) {
    let schema = fixture.main();
    for round in 1..=5_u64 {
        let sets: Vec<WriteSet> = shards(schema)
            .map(|shard| {
                let mut set = WriteSet::new(shard, round);
                let ids = ids_in(schema, shard.index).take(usize::from(shard.index) + 1);
                for id in ids {
                    set.events.push(event(key(schema, id), round));
                    set.entities.push(write(row(key(schema, id), round, "open"), round - 1));
                }
                set
            })
            .collect();
        // One that is refused in between leaves no gap.
        let stale = change(first_shard(schema), 100 + round, key(schema, first_id(schema)), 9);
        assert_eq!(fixture.writer.commit(&[stale]), Commit::Conflict);
        let positions = fixture.done(&sets);
        for (shard, position) in shards(schema).zip(positions) {
            assert_eq!(position, round * (u64::from(shard.index) + 1));
            assert_eq!(fixture.writer.last_position(shard), Ok(position));
            assert_eq!(fixture.reader.last_position(shard), Ok(position));
            let events = fixture.reader.events_after(shard, 0, 1_000).expect("read");
            let places: Vec<u64> = events.iter().map(|event| event.position).collect();
            assert_eq!(places, (1..=position).collect::<Vec<u64>>());
            assert!(events.is_sorted_by_key(|event| event.version));
        }
    }
    let nothing_new = fixture.done(&[WriteSet::new(first_shard(schema), 99)]);
    assert_eq!(nothing_new, [5]);
}

fn first_id(schema: crate::store::Schema) -> u64 {
    ids_in(schema, 0).next().expect("ids do not end")
}

/// Every way in which the last of several write sets can fail.
fn spoiled(shard: ShardName, there: EntityKey) -> Vec<(WriteSet, Commit)> {
    let new = || WriteSet::new(shard, 77);
    let mut cases = Vec::new();
    let mut set = new();
    set.entities.push(write(row(there, 1, "open"), 0));
    cases.push((set, Commit::Conflict));
    let mut set = new();
    set.reads.push((there, 7));
    cases.push((set, Commit::Conflict));
    let mut set = new();
    set.inbox.push(InboxMove { key: inbox_key("far", 1, 0), from: 3, to: 4 });
    cases.push((set, Commit::Fenced));
    let mut set = new();
    set.effects_done.push((there, 512));
    cases.push((set, Commit::Conflict));
    let mut set = new();
    set.effects_claimed.push(EffectClaim {
        key: there,
        sequence: 512,
        attempts_before: 0,
        claimed_until: Timestamp(5),
    });
    cases.push((set, Commit::Conflict));
    let mut set = new();
    set.idempotency.push(answer(there, "POST /a", "used", 1));
    cases.push((set, Commit::Conflict));
    cases
}

pub fn several_write_sets_are_stored_together_or_not_at_all(mut fixture: Fixture) {
    let schema = fixture.main();
    let last = shards(schema).last().expect("a service has a shard");
    let there = key(schema, ids_in(schema, last.index).next().expect("ids do not end"));
    let mut set = change(last, 1, there, 1);
    set.idempotency.push(answer(there, "POST /a", "used", 1));
    fixture.done(&[set]);

    let holder = *fixture.schemas.last().expect("a store holds a service");
    let first = first_shard(holder);
    let before = fixture.reader.last_position(first).expect("read");
    let new = key(holder, ids_in(holder, 0).nth(10).expect("ids do not end"));
    let mut good = change(first, 2, new, 1);
    good.counts.push(((new.kind, Cow::Borrowed("open")), 1));
    good.effects_new.push(effect(new, 256, 0));
    good.idempotency.push(answer(new, "POST /a", "fresh", 1));
    good.inbox.push(InboxMove { key: inbox_key("near", 0, 0), from: 0, to: 9 });
    let asked = [good.idempotency[0].request.clone()];
    for (spoiled, expected) in spoiled(last, there) {
        let sets = [good.clone(), spoiled];
        assert_eq!(fixture.writer.commit(&sets), expected, "{:?}", sets[1]);
        assert_eq!(fixture.reader.get(holder.service, new), Ok(None));
        assert_eq!(fixture.reader.last_position(first), Ok(before));
        assert_eq!(fixture.reader.counts(holder.service, new.kind), Ok(vec![]));
        assert_eq!(fixture.writer.inbox(first), Ok(vec![]));
        let due = fixture.writer.effects_due(first, Timestamp(i64::MAX), 10);
        assert_eq!(due, Ok(vec![]));
        assert_eq!(fixture.writer.recall(holder.service, &asked), Ok(vec![None]));
        assert_eq!(fixture.writer.resolve(&sets), Ok(Commit::Conflict));
    }
    // Nothing of it stands in the way of the same, said again without what spoiled it.
    assert_eq!(fixture.done(&[good]), [before + 1]);
}

pub fn a_stale_version_is_a_conflict(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let key = key(schema, first_id(schema));
    let mut batch = 0;
    let mut attempt = |fixture: &mut Fixture, version: u64, replaces: u64| {
        batch += 1;
        let mut set = WriteSet::new(shard, batch);
        let mut row = row(key, version, "open");
        row.state = format!("{batch}");
        set.entities.push(write(row, replaces));
        fixture.writer.commit(&[set])
    };
    let done = Commit::Done(vec![0]);
    assert_eq!(attempt(&mut fixture, 2, 1), Commit::Conflict, "nothing to replace");
    assert_eq!(attempt(&mut fixture, 1, 0), done);
    assert_eq!(attempt(&mut fixture, 1, 0), Commit::Conflict, "there already");
    assert_eq!(attempt(&mut fixture, 4, 1), done, "several steps in one batch");
    assert_eq!(attempt(&mut fixture, 2, 1), Commit::Conflict, "stale");
    assert_eq!(attempt(&mut fixture, 6, 5), Commit::Conflict, "from the future");
    assert_eq!(attempt(&mut fixture, 4, 4), done, "what is no change of the state");
    let stored = fixture.reader.get(schema.service, key).expect("read");
    let stored = stored.expect("it is there");
    assert_eq!((stored.version, stored.state.as_str()), (4, "7"));
}

pub fn what_was_only_read_is_checked_too(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let mut ids = ids_in(schema, 0);
    let mut next = || key(schema, ids.next().expect("ids do not end"));
    let (there, absent, new) = (next(), next(), next());
    fixture.done(&[change(shard, 1, there, 1)]);
    for (reads, expected) in [
        (vec![(there, 2)], Commit::Conflict),
        (vec![(there, 0)], Commit::Conflict),
        (vec![(absent, 1)], Commit::Conflict),
        (vec![(there, 1), (absent, 3)], Commit::Conflict),
        (vec![(there, 1), (absent, 0)], Commit::Done(vec![2])),
    ] {
        let mut set = change(shard, 2, new, 1);
        set.reads = reads;
        assert_eq!(fixture.writer.commit(std::slice::from_ref(&set)), expected, "{:?}", set.reads);
    }
}

pub fn the_inbox_moves_only_from_where_it_stands(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let mut batch = 0;
    let mut attempt = |fixture: &mut Fixture, key: InboxKey, from: u64, to: u64| {
        batch += 1;
        let mut set = WriteSet::new(shard, batch);
        set.inbox.push(InboxMove { key, from, to });
        fixture.writer.commit(&[set])
    };
    let done = Commit::Done(vec![0]);
    let (near, far) = (inbox_key("near", 0, 0), inbox_key("far", u16::MAX, u32::MAX));
    assert_eq!(attempt(&mut fixture, near.clone(), 1, 2), Commit::Fenced);
    assert_eq!(attempt(&mut fixture, near.clone(), 0, 5), done);
    assert_eq!(attempt(&mut fixture, near.clone(), 0, 6), Commit::Fenced);
    assert_eq!(attempt(&mut fixture, near.clone(), 4, 6), Commit::Fenced);
    assert_eq!(attempt(&mut fixture, near.clone(), 5, 6), done);
    let top = i64::MAX.unsigned_abs();
    assert_eq!(attempt(&mut fixture, far.clone(), 0, top), done);
    assert_eq!(attempt(&mut fixture, inbox_key("near", 0, 1), 0, 1), done);
    let expected = HashSet::from([(near, 6), (far, top), (inbox_key("near", 0, 1), 1)]);
    let stored = fixture.writer.inbox(shard).expect("read");
    assert_eq!(stored.into_iter().collect::<HashSet<_>>(), expected);
    let moment = fixture.reader.snapshot().expect("read");
    let seen = moment.inbox(shard).expect("read");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), expected);
}

pub fn a_key_is_answered_once_in_a_service(mut fixture: Fixture) {
    let schema = fixture.main();
    let service = schema.service;
    let (first, last) = (first_shard(schema), shards(schema).last().expect("a shard"));
    let mut batch = 0;
    let mut attempt = |fixture: &mut Fixture, shard: ShardName, row: IdempotencyRow| {
        batch += 1;
        let mut set = WriteSet::new(shard, batch);
        set.idempotency.push(row);
        fixture.writer.commit(&[set])
    };
    let done = Commit::Done(vec![0]);
    let mine = answer(key(schema, 1), "POST /a", "k", 1);
    assert_eq!(attempt(&mut fixture, first, mine.clone()), done);
    assert_eq!(attempt(&mut fixture, first, mine.clone()), Commit::Conflict);
    let elsewhere = answer(key(schema, 2), "POST /a", "k", 2);
    assert_eq!(attempt(&mut fixture, last, elsewhere), Commit::Conflict);
    let mut other_route = answer(key(schema, 2), "POST /ak", "", 3);
    other_route.refusal = Some("no".into());
    assert_eq!(attempt(&mut fixture, last, other_route.clone()), done);
    let other_key = answer(key(schema, 2), "POST /a", "K", 4);
    assert_eq!(attempt(&mut fixture, last, other_key.clone()), done);
    if let [_, other] = fixture.schemas {
        let same = answer(key(*other, 1), "POST /a", "k", 1);
        assert_eq!(attempt(&mut fixture, first_shard(*other), same), done);
    }
    let asked = |row: &IdempotencyRow| row.request.clone();
    let unknown = RequestKey { route: "POST /a", key: "never".into() };
    let keys = [asked(&other_key), unknown, asked(&mine), asked(&mine), asked(&other_route)];
    let expected = vec![Some(other_key), None, Some(mine.clone()), Some(mine), Some(other_route)];
    assert_eq!(fixture.writer.recall(service, &keys), Ok(expected));
}

pub fn answers_are_forgotten_by_age(mut fixture: Fixture) {
    let schema = fixture.main();
    let service = schema.service;
    let shard = first_shard(schema);
    let rows: Vec<IdempotencyRow> =
        (0..30).map(|at| answer(key(schema, 1), "POST /a", &at.to_string(), at)).collect();
    let mut set = WriteSet::new(shard, 1);
    set.idempotency.clone_from(&rows);
    fixture.done(&[set]);
    assert_eq!(fixture.writer.answered_last(), Ok(Some(Timestamp(29))));
    assert_eq!([10, 10].map(|at| fixture.writer.prune(Timestamp(at))), [Ok(10), Ok(0)]);
    let asked: Vec<RequestKey> = rows.iter().map(|row| row.request.clone()).collect();
    let known = fixture.writer.recall(service, &asked).expect("recalled");
    let expected = rows.iter().map(|row| (row.at >= Timestamp(10)).then(|| row.clone()));
    assert_eq!(known, expected.collect::<Vec<_>>());
    // What is forgotten can be used again, what is not cannot.
    let mut again = WriteSet::new(shard, 2);
    again.idempotency.push(rows[9].clone());
    fixture.done(&[again]);
    let mut again = WriteSet::new(shard, 3);
    again.idempotency.push(rows[10].clone());
    assert_eq!(fixture.writer.commit(&[again]), Commit::Conflict);
}

pub fn numbers_are_given_once(mut fixture: Fixture) {
    for schema in fixture.schemas {
        let service = schema.service;
        assert_eq!(fixture.writer.reserve(service, 1, 1), Ok(1));
        assert_eq!(fixture.writer.reserve(service, 10, 1), Ok(2));
        assert_eq!(fixture.writer.reserve(service, 1, 1), Ok(12));
        assert_eq!(fixture.writer.reserve(service, 1, 1_000), Ok(1_000));
    }
    let service = fixture.main().service;
    let mut given = HashSet::new();
    let mut writers = vec![fixture.writer];
    writers.extend(fixture.other);
    for count in [1, 3, 2, 100, 1] {
        for writer in &mut writers {
            let first = writer.reserve(service, count, 1).expect("reserved");
            assert!(first >= 13);
            assert!((first..first + u64::from(count)).all(|number| given.insert(number)));
        }
    }
}

pub fn a_batch_is_found_again(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let mut ids = ids_in(schema, 0).map(|id| key(schema, id));
    let mut next = || ids.next().expect("ids do not end");
    let mut set = change(shard, 10, next(), 1);
    set.events.push(event(next(), 1));
    let sets = [set];
    assert_eq!(fixture.writer.resolve(&sets), Ok(Commit::Conflict));
    assert_eq!(fixture.done(&sets), [2]);
    assert_eq!(fixture.writer.resolve(&sets), Ok(Commit::Done(vec![2])));
    let never = [change(shard, 11, next(), 1)];
    assert_eq!(fixture.writer.resolve(&never), Ok(Commit::Conflict));
    if let Some(other) = &mut fixture.other {
        // Where the log stood after this batch, whoever went on since.
        let later = other.commit(&[change(shard, 12, next(), 1)]);
        assert_eq!(later, Commit::Done(vec![3]));
        assert_eq!(fixture.writer.resolve(&sets), Ok(Commit::Done(vec![2])));
    }
}

pub fn a_projection_is_dropped_alone(mut fixture: Fixture) {
    let schema = fixture.main();
    for schema in fixture.schemas {
        let rows: Vec<_> = (1..=20).map(|id| row(key(*schema, id), 1, "open")).collect();
        fixture.put(*schema, &rows);
        let mut set = WriteSet::new(first_shard(*schema), 2);
        set.inbox.push(InboxMove { key: inbox_key("near", 0, 0), from: 0, to: 9 });
        fixture.done(&[set]);
    }
    crate::projection::reset(&mut *fixture.writer, schema.service).expect("dropped");
    for schema in fixture.schemas {
        let is_dropped = *schema == fixture.main();
        let kind = schema.kinds[0];
        let counts = fixture.reader.counts(schema.service, kind).expect("read");
        let inbox = fixture.writer.inbox(first_shard(*schema)).expect("read");
        let one = fixture.reader.get(schema.service, key(*schema, 1)).expect("read");
        assert_eq!(counts.is_empty(), is_dropped);
        assert_eq!(inbox.is_empty(), is_dropped);
        assert_eq!(one.is_none(), is_dropped);
    }
    let due = fixture.writer.timers_due(first_shard(schema), Timestamp(i64::MAX), 100);
    assert_eq!(due, Ok(vec![]));
    // It is read anew from the beginning.
    let mut set = WriteSet::new(first_shard(schema), 3);
    set.entities.push(write(row(key(schema, first_id(schema)), 1, "open"), 0));
    set.inbox.push(InboxMove { key: inbox_key("near", 0, 0), from: 0, to: 1 });
    fixture.done(&[set]);
}

pub fn everything_is_still_there_after_reopening(mut fixture: Fixture) {
    let schema = fixture.main();
    assert_eq!(fixture.writer.reserve(schema.service, 1_000, 1), Ok(1));
    let shard = first_shard(schema);
    let key = key(schema, first_id(schema));
    let mut set = change(shard, 1, key, 1);
    set.entities[0].row.effects_open = vec![256];
    set.effects_new.push(effect(key, 256, 0));
    set.idempotency.push(answer(key, "POST /a", "k", 1));
    set.counts.push(((key.kind, Cow::Borrowed("open")), 1));
    let moved = (inbox_key("near", 0, 0), 9);
    set.inbox.push(InboxMove { key: moved.0.clone(), from: 0, to: 9 });
    fixture.done(std::slice::from_ref(&set));
    let events = fixture.reader.events_after(shard, 0, 10).expect("read");
    let Some(mut fixture) = fixture.reopened() else {
        return;
    };
    assert_eq!((fixture.writer.log(), fixture.reader.log()), (LOG, LOG));
    assert_eq!(fixture.reader.events_after(shard, 0, 10), Ok(events));
    let loaded = fixture.writer.load(schema.service, &[key]);
    assert_eq!(loaded, Ok(vec![Some(set.entities[0].row.clone())]));
    let asked = [set.idempotency[0].request.clone()];
    let recalled = fixture.writer.recall(schema.service, &asked);
    assert_eq!(recalled, Ok(vec![Some(set.idempotency[0].clone())]));
    assert_eq!(fixture.writer.inbox(shard), Ok(vec![moved]));
    let due = fixture.writer.effects_due(shard, Timestamp(0), 10);
    assert_eq!(due, Ok(set.effects_new.clone()));
    let counts = fixture.reader.counts(schema.service, key.kind);
    assert_eq!(counts, Ok(vec![("open".to_owned(), 1)]));
    let again = fixture.writer.commit(&[set]);
    assert!(matches!(again, Commit::Conflict | Commit::Fenced), "{again:?}");
    assert_eq!(fixture.done(&[change(shard, 2, key, 2)]), [2]);
    let first = fixture.writer.reserve(schema.service, 1, 1).expect("reserved");
    assert!(first > key.id, "{first} may have been given before");
}

pub fn two_writers_do_not_overwrite_each_other(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let Some(mut other) = fixture.other.take() else {
        assert!(fixture.writer.is_exclusive());
        return;
    };
    assert!(!fixture.writer.is_exclusive() && !other.is_exclusive());
    let key = key(schema, first_id(schema));
    let mut mine = change(shard, 1, key, 1);
    let mut theirs = change(shard, 2, key, 1);
    for set in [&mut mine, &mut theirs] {
        set.idempotency.push(answer(key, "POST /a", "k", 1));
    }
    fixture.done(&[mine]);
    assert_eq!(other.commit(&[theirs]), Commit::Conflict);
    let loaded = other.load(schema.service, &[key]).expect("loaded");
    assert_eq!(loaded[0].as_ref().map(|row| row.version), Some(1));
    assert_eq!(other.commit(&[change(shard, 3, key, 2)]), Commit::Done(vec![2]));
    let mut stale = WriteSet::new(shard, 4);
    stale.reads.push((key, 1));
    assert_eq!(fixture.writer.commit(&[stale]), Commit::Conflict);
    assert_eq!(fixture.writer.last_position(shard), Ok(2));
}
