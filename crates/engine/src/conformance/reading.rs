//! What readers see.

use super::{Fixture, change, event, first_shard, ids_in, key, row, shards, write};
use crate::clock::Timestamp;
use crate::log::{EntityKey, LogId, ShardName, Source};
use crate::store::{EntityRow, InboxKey, InboxMove, Order, Query, Reader, Schema, Start, Visit, WriteSet};
use crate::timer::Timer;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tags whose order is that of their bytes.
const TAGS: [&str; 6] = ["", "Z", "a", "ab", "a\0", "어진"];

/// The page that a query means, cut from all rows.
fn expected(rows: &[EntityRow], query: &Query) -> Vec<EntityRow> {
    let place = |tag: &str, id: u64| match query.order {
        Order::Id => (String::new(), id),
        Order::Tag => (tag.to_owned(), id),
    };
    let wanted = rows
        .iter()
        .filter(|row| row.key.kind == query.kind && query.tag.as_ref().is_none_or(|tag| row.tag == *tag));
    let mut rows: Vec<EntityRow> = wanted.cloned().collect();
    rows.sort_by_key(|row| place(&row.tag, row.key.id));
    if query.descending {
        rows.reverse();
    }
    let limit = query.limit as usize;
    let skip = |count: u64| usize::try_from(count).expect("tests skip little");
    let is_past = |row: &EntityRow, tag: &str, id: u64| {
        let (this, that) = (place(&row.tag, row.key.id), place(tag, id));
        if query.descending { this < that } else { this > that }
    };
    let is_short_of = |row: &EntityRow, tag: &str, id: u64| {
        place(&row.tag, row.key.id) != place(tag, id) && !is_past(row, tag, id)
    };
    match &query.start {
        Start::First { skip: count } => rows.into_iter().skip(skip(*count)).take(limit).collect(),
        Start::After { tag, id } => {
            rows.retain(|row| is_past(row, tag, *id));
            rows.truncate(limit);
            rows
        }
        Start::Last { skip: count } => {
            rows.truncate(rows.len().saturating_sub(skip(*count)));
            rows.split_off(rows.len().saturating_sub(limit))
        }
        Start::Before { tag, id } => {
            rows.retain(|row| is_short_of(row, tag, *id));
            rows.split_off(rows.len().saturating_sub(limit))
        }
    }
}

/// Where a page may begin: at the ends, at rows, between them and beyond them.
fn starts() -> Vec<Start> {
    let mut starts = Vec::new();
    for skip in [0, 1, 7, 1_000] {
        starts.push(Start::First { skip });
        starts.push(Start::Last { skip });
    }
    for id in [0, 1, 13, 14, 40, u64::MAX] {
        for tag in TAGS.iter().chain(&["aa", "\u{10ffff}"]) {
            let tag = (*tag).to_owned();
            starts.push(Start::After { tag: tag.clone(), id });
            starts.push(Start::Before { tag, id });
        }
    }
    starts
}

/// Rows of both kinds, some with odd tags, one with the highest id.
fn rows(schema: Schema) -> Vec<EntityRow> {
    let mut rows = Vec::new();
    for kind in schema.kinds {
        for id in (1..=40).chain([i64::MAX.unsigned_abs()]) {
            let tag = TAGS[usize::try_from(id % 6 * 5 % 6).expect("it is below six")];
            let mut row = row(EntityKey { kind, id }, 1, tag);
            row.timer = (id % 3 == 0)
                .then(|| Timer { name: Cow::Borrowed("deadline"), due: Timestamp(id.cast_signed()) });
            rows.push(row);
        }
    }
    rows
}

pub fn pages_are_cut_from_the_whole_list(mut fixture: Fixture) {
    let schema = fixture.main();
    let rows = rows(schema);
    fixture.put(schema, &rows);
    let tags = [None, Some("ab"), Some(""), Some("nobody")];
    for kind in schema.kinds {
        for start in starts() {
            for (order, descending) in
                [(Order::Id, false), (Order::Id, true), (Order::Tag, false), (Order::Tag, true)]
            {
                for (tag, limit) in
                    tags.into_iter().flat_map(|tag| [0, 1, 6, 1_000].map(|limit| (tag, limit)))
                {
                    let query = Query {
                        service: schema.service,
                        kind,
                        order,
                        descending,
                        tag: tag.map(str::to_owned),
                        start: start.clone(),
                        limit,
                    };
                    let page = fixture.reader.list(&query);
                    assert_eq!(page, Ok(expected(&rows, &query)), "{query:?}");
                }
            }
        }
    }
}

pub fn ids_that_cannot_be_stored_are_those_of_nothing(mut fixture: Fixture) {
    let schema = fixture.main();
    let service = schema.service;
    for id in [i64::MAX.unsigned_abs() + 1, u64::MAX] {
        let key = key(schema, id);
        assert_eq!(fixture.writer.load(service, &[key]), Ok(vec![None]));
        assert_eq!(fixture.reader.get(service, key), Ok(None));
        let moment = fixture.reader.snapshot().expect("read");
        assert_eq!(moment.entity(service, key), Ok(None));
        assert_eq!(moment.story(service, id), Ok(vec![]));
    }
    let events = fixture.reader.events_after(first_shard(schema), u64::MAX, 10);
    assert_eq!(events, Ok(vec![]));
}

pub fn events_are_read_on_from_a_position(mut fixture: Fixture) {
    let schema = fixture.main();
    for shard in shards(schema) {
        let mut set = WriteSet::new(shard, 1);
        for (place, id) in ids_in(schema, shard.index).take(10).enumerate() {
            let mut event = event(key(schema, id), 1);
            event.published = place % 2 == 0;
            set.events.push(event);
        }
        fixture.done(&[set]);
    }
    for shard in shards(schema) {
        let all = fixture.reader.events_after(shard, 0, 1_000).expect("read");
        assert_eq!(all.len(), 10, "private ones too");
        assert!(all.iter().all(|event| event.source.shard == shard.index));
        for after in 0..=11 {
            for limit in [0, 1, 3, 1_000] {
                let read = fixture.reader.events_after(shard, after, limit);
                let expected = all.iter().filter(|event| event.position > after).take(limit);
                assert_eq!(read, Ok(expected.cloned().collect()));
            }
        }
    }
}

pub fn the_last_that_was_published_is_found(mut fixture: Fixture) {
    let schema = fixture.main();
    let mut keys = Vec::new();
    let mut expected = Vec::new();
    for shard in shards(schema) {
        let mut set = WriteSet::new(shard, 1);
        // The last one is private, the one before is not, then nothing is; of the last entity there is nothing at all.
        for (place, id) in ids_in(schema, shard.index).take(4).enumerate() {
            let key = key(schema, id);
            for version in 1..=[3, 2, 1, 0][place] {
                let mut event = event(key, version);
                event.published = place != 2 && version < 3;
                set.events.push(event);
            }
            keys.push(key);
            expected.push([2, 5, 0, 0][place]);
        }
        fixture.done(&[set]);
    }
    assert_eq!(fixture.writer.published_last(schema.service, &keys), Ok(expected.clone()));
    for (key, position) in keys.iter().zip(expected) {
        assert_eq!(fixture.reader.published_last(schema.service, &[*key]), Ok(vec![position]), "{key}");
    }
    let nobody = key(schema, u64::MAX);
    assert_eq!(fixture.writer.published_last(schema.service, &[nobody]), Ok(vec![0]));
    assert_eq!(fixture.reader.published_last(schema.service, &[nobody]), Ok(vec![0]));
}

pub fn the_trace_that_an_entity_came_by_is_found(mut fixture: Fixture) {
    let schema = fixture.main();
    for shard in shards(schema) {
        let mut set = WriteSet::new(shard, 1);
        let ids: Vec<u64> = ids_in(schema, shard.index).take(2).collect();
        // The second version has no event; the fourth has no trace.
        for (version, trace) in [(1, Some("first")), (3, Some("third")), (4, None)] {
            for id in &ids {
                let mut event = event(key(schema, *id), version);
                event.trace = trace.map(|trace| format!("{trace} of {id}"));
                set.events.push(event);
            }
        }
        fixture.done(&[set]);
        let wanted = [(1, 4), (0, 0), (0, 1), (1, 2), (0, 3), (0, u64::MAX), (1, 3), (0, 1)];
        let wanted: Vec<(EntityKey, u64)> =
            wanted.iter().map(|(place, version)| (key(schema, ids[*place]), *version)).collect();
        let of = |trace: &str, place: usize| Some(format!("{trace} of {}", ids[place]));
        let expected = vec![
            None,
            None,
            of("first", 0),
            of("first", 1),
            of("third", 0),
            None,
            of("third", 1),
            of("first", 0),
        ];
        assert_eq!(fixture.writer.traces(schema.service, &wanted), Ok(expected));
    }
    let nobody = key(schema, u64::MAX);
    assert_eq!(fixture.writer.traces(schema.service, &[(nobody, 1)]), Ok(vec![None]));
    assert_eq!(fixture.writer.traces(schema.service, &[]), Ok(vec![]));
}

pub fn rows_and_inboxes_are_read_together(mut fixture: Fixture) {
    let schema = fixture.main();
    let mut rows = Vec::new();
    for kind in schema.kinds {
        rows.extend((1..=20).map(|id| row(EntityKey { kind, id }, 1, "open")));
    }
    fixture.put(schema, &rows);
    // Not in the order of any table, with one that is not there, and one twice.
    let mut asked: Vec<EntityKey> = rows.iter().rev().step_by(3).map(|row| row.key).collect();
    asked.extend([key(schema, 21), key(schema, u64::MAX), asked[0]]);
    let of = |wanted: &EntityKey| rows.iter().find(|row| row.key == *wanted).cloned();
    let expected: Vec<Option<EntityRow>> = asked.iter().map(of).collect();
    assert_eq!(fixture.reader.rows(schema.service, &asked), Ok(expected));
    assert_eq!(fixture.reader.rows(schema.service, &[]), Ok(vec![]));
    let step = |shard: ShardName, partition: u32| {
        let source = Source { log: LogId(7), service: Cow::Borrowed("far"), shard: 1 };
        InboxMove {
            key: InboxKey { partition, source },
            from: 0,
            to: u64::from(partition) + u64::from(shard.index) + 1,
        }
    };
    for shard in shards(schema) {
        assert_eq!(fixture.reader.inbox(shard), Ok(vec![]));
        let mut set = WriteSet::new(shard, 9);
        set.inbox = vec![step(shard, 0), step(shard, 11)];
        fixture.done(&[set]);
    }
    for shard in shards(schema) {
        let expected = [0, 11].map(|partition| {
            let moved = step(shard, partition);
            (moved.key, moved.to)
        });
        let mut found = fixture.reader.inbox(shard).expect("read");
        found.sort();
        assert_eq!(found, expected);
        // Not in the order of the table, with one that is not there, and one twice.
        let [(first, begun), (second, far)] = expected;
        let absent = InboxKey { partition: 5, ..first.clone() };
        let asked = [second, absent, first.clone(), first];
        assert_eq!(fixture.reader.inbox_rows(shard, &asked), Ok(vec![far, 0, begun, begun]));
        assert_eq!(fixture.reader.inbox_rows(shard, &[]), Ok(vec![]));
    }
}

/// All that a moment shows of a service, in one text.
fn look(reader: &dyn Reader, schema: Schema) -> (String, u64, usize) {
    let moment = reader.snapshot().expect("read");
    see(&*moment, schema)
}

fn see(moment: &dyn crate::store::Snapshot, schema: Schema) -> (String, u64, usize) {
    let mut seen = String::new();
    let mut entities = 0;
    let mut changes = 0;
    let visited = moment.entities(schema.service, &mut |row| {
        entities += 1;
        changes += row.version;
        seen.push_str(&format!("{row:?}\n"));
        Visit::On
    });
    visited.expect("read");
    let visited = moment.events_by_entity(schema.service, &mut |event| {
        seen.push_str(&format!("{event:?}\n"));
        Visit::On
    });
    visited.expect("read");
    let positions = shards(schema).map(|shard| moment.last_position(shard).expect("read"));
    let last: u64 = positions.sum();
    assert_eq!(last, changes, "one event for each change, at any moment");
    let counts = moment.counts(schema.service, schema.kinds[0]).expect("read");
    seen.push_str(&format!("{counts:?}"));
    (seen, last, entities)
}

pub fn a_moment_stands_still(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let ids: Vec<u64> = ids_in(schema, 0).take(3).collect();
    let reader = fixture.reader.clone();
    fixture.done(&[change(shard, 1, key(schema, ids[0]), 1)]);
    let moment = reader.snapshot().expect("read");
    let before = see(&*moment, schema);
    // It is the moment at which it was asked for, not that of the first look.
    let unseen = reader.snapshot().expect("read");
    for (batch, id) in (2..).zip(&ids[1..]) {
        let mut set = change(shard, batch, key(schema, *id), 1);
        set.counts.push(((schema.kinds[0], Cow::Borrowed("open")), 1));
        fixture.done(&[set]);
    }
    fixture.done(&[change(shard, 9, key(schema, ids[0]), 2)]);
    assert_eq!(see(&*moment, schema), before);
    assert_eq!(see(&*unseen, schema), before);
    drop(unseen);
    assert_eq!(moment.log(), fixture.writer.log());
    assert_eq!(moment.schemas(), fixture.schemas);
    assert_eq!(moment.story(schema.service, ids[0]).expect("read").len(), 1);
    let entity = moment.entity(schema.service, key(schema, ids[1]));
    assert_eq!(entity, Ok(None));
    let mut first = Vec::new();
    let visited = moment.events(shard, &mut |event| {
        first.push(event.position);
        Visit::Enough
    });
    visited.expect("read");
    assert_eq!(first, [1]);
    drop(moment);
    assert_eq!(look(&*reader, schema).1, 4);
    let moment = reader.snapshot().expect("read");
    let story = moment.story(schema.service, ids[0]).expect("read");
    let versions: Vec<u64> = story.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2]);
    let mut visits = 0;
    let visited = moment.entities(schema.service, &mut |_| {
        visits += 1;
        Visit::Enough
    });
    visited.expect("read");
    assert_eq!(visits, 1);
}

pub fn many_read_while_one_writes(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let ids: Vec<u64> = ids_in(schema, 0).take(50).collect();
    let reader = fixture.reader.clone();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut seen = 0;
                while !is_over.load(Ordering::SeqCst) {
                    let (_, last, entities) = look(&*reader, schema);
                    assert_eq!(last, entities as u64);
                    assert!(last >= seen, "time does not run back");
                    seen = last;
                    let position = reader.last_position(shard).expect("read");
                    assert!(position >= seen);
                }
            });
        }
        for (batch, id) in (1..).zip(&ids) {
            fixture.done(&[change(shard, batch, key(schema, *id), 1)]);
            let stored = fixture.reader.get(schema.service, key(schema, *id));
            assert!(stored.expect("read").is_some(), "what is committed is seen at once");
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

pub fn services_do_not_see_each_other(mut fixture: Fixture) {
    let [left, right] = fixture.schemas else { return };
    let mut set = WriteSet::new(first_shard(*left), 1);
    let id = ids_in(*left, 0).next().expect("ids do not end");
    set.entities.push(write(row(key(*left, id), 1, "open"), 0));
    set.events.push(event(key(*left, id), 1));
    set.counts.push(((left.kinds[0], Cow::Borrowed("open")), 1));
    fixture.done(&[set]);
    assert_eq!(fixture.reader.get(right.service, key(*right, id)), Ok(None));
    assert_eq!(fixture.reader.last_position(first_shard(*right)), Ok(0));
    let counts = fixture.reader.counts(right.service, right.kinds[0]);
    assert_eq!(counts, Ok(vec![]));
    assert_eq!(look(&*fixture.reader, *right).1, 0);
    assert_eq!(look(&*fixture.reader, *left).1, 1);
}
