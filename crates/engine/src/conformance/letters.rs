//! Dead letters that are passed over, timers that are moved, a projection that is made anew, and what is to be done.

use super::{Fixture, change, event, first_shard, ids_in, key, row, shards, write};
use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parcel, Side, Skip};
use crate::effect::Effect;
use crate::log::{EntityKey, LogId, Recorded, ShardName, Source, shard_of};
use crate::store::{Backlog, Commit, InboxKey, InboxMove, LetterSkip, Rebuild, Schema, TimerMove, WriteSet};
use crate::timer::Timer;
use std::borrow::Cow;

const FAR: LogId = LogId(u64::MAX);

fn source() -> Source {
    Source { log: FAR, service: Cow::Borrowed("far"), shard: 3 }
}

/// A letter with an event of another service in it.
fn letter(entity_id: u64, position: u64) -> DeadLetter {
    let event = Recorded {
        source: source(),
        position,
        entity_kind: Cow::Borrowed("thing"),
        entity_id,
        version: 1,
        event_type: Cow::Borrowed("Said"),
        schema: 1,
        published: true,
        at: Timestamp(1),
        actor: Cow::Borrowed("system"),
        cause: "request 1".into(),
        trace: None,
        body: "{}".into(),
    };
    let parcel = Parcel::Event(event);
    DeadLetter { number: 0, entity_id, parcel, reason: "scrawl".into(), at: Timestamp(5), skipped: None }
}

fn skip(number: u64, at: i64, passed_over: Option<u64>) -> LetterSkip {
    let skip = Skip { by: "operator 어진".into(), reason: "'; --\0".into(), at: Timestamp(at) };
    LetterSkip { number, skip, passed_over: passed_over.map(|position| (source(), position)) }
}

/// Puts letters aside, each about an event of its own, and returns their numbers.
fn put_aside(fixture: &mut Fixture, shard: ShardName, entities: &[u64]) -> Vec<u64> {
    let mut set = WriteSet::new(shard, 1_000);
    set.dead_letters = entities.iter().zip(1..).map(|(id, position)| letter(*id, position)).collect();
    fixture.done(&[set]);
    let letters = fixture.writer.dead_letters(shard, None).expect("read");
    letters.iter().map(|letter| letter.number).collect()
}

fn with_skips(shard: ShardName, batch: u64, skips: Vec<LetterSkip>) -> WriteSet {
    let mut set = WriteSet::new(shard, batch);
    set.dead_letters_skipped = skips;
    set
}

pub fn a_dead_letter_is_passed_over_once_and_stays_on_record(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let ids: Vec<u64> = ids_in(schema, 0).take(2).collect();
    let numbers = put_aside(&mut fixture, shard, &[ids[0], ids[0], ids[1]]);
    assert!(!with_skips(shard, 1, vec![skip(numbers[0], 9, None)]).changes_nothing());
    let passed = skip(numbers[0], 9, Some(1));
    fixture.done(&[with_skips(shard, 1, vec![passed.clone()])]);
    let again = with_skips(shard, 2, vec![skip(numbers[1], 10, Some(2)), skip(numbers[0], 10, Some(1))]);
    assert_eq!(fixture.writer.commit(&[again]), Commit::Conflict, "all or nothing");
    let unknown = with_skips(shard, 3, vec![skip(numbers[2] + 1, 10, None)]);
    assert_eq!(fixture.writer.commit(&[unknown]), Commit::Conflict);

    let stored = DeadLetter { number: numbers[0], skipped: Some(passed.skip), ..letter(ids[0], 1) };
    assert_eq!(fixture.writer.dead_letter(shard, numbers[0]), Ok(Some(stored.clone())));
    assert_eq!(fixture.writer.dead_letter(shard, numbers[2] + 1), Ok(None));
    let waiting = |fixture: &mut Fixture, id: Option<u64>| -> Vec<u64> {
        let letters = fixture.writer.dead_letters(shard, id).expect("read");
        letters.iter().map(|letter| letter.number).collect()
    };
    assert_eq!(waiting(&mut fixture, None), numbers[1..]);
    assert_eq!(waiting(&mut fixture, Some(ids[0])), numbers[1..2]);
    {
        let moment = fixture.reader.snapshot().expect("read");
        assert_eq!(moment.dead_letters(shard).expect("read")[0], stored);
        assert_eq!(moment.passed_over(shard), Ok(vec![(source(), 1)]));
        for other in shards(schema).filter(|other| *other != shard) {
            assert_eq!(moment.passed_over(other), Ok(vec![]));
        }
    }
    if let Some(other) = shards(schema).nth(1) {
        assert_eq!(fixture.writer.dead_letter(other, numbers[0]), Ok(None), "it is of another shard");
    }
    // What is on record cannot be done with any more.
    let mut done = WriteSet::new(shard, 4);
    done.dead_letters_done = numbers.clone();
    assert_eq!(fixture.writer.commit(&[done]), Commit::Conflict);
    let mut done = WriteSet::new(shard, 5);
    done.dead_letters_done = numbers[1..].to_vec();
    fixture.done(&[done]);
    let left = |fixture: &Fixture| -> Vec<u64> {
        let moment = fixture.reader.snapshot().expect("read");
        let letters = moment.dead_letters(shard).expect("read");
        letters.iter().map(|letter| letter.number).collect()
    };
    assert_eq!(left(&fixture), numbers[..1]);
    let Some(fixture) = fixture.reopened() else { return };
    assert_eq!(left(&fixture), numbers[..1]);
    let moment = fixture.reader.snapshot().expect("read");
    assert_eq!(moment.passed_over(shard), Ok(vec![(source(), 1)]));
}

/// What is looked up alone is what stands in the whole list.
pub fn dead_letters_are_found_without_reading_all(mut fixture: Fixture) {
    let schema = fixture.main();
    let ids: Vec<u64> = ids_in(schema, 0).take(3).collect();
    let mut written: Vec<u64> = [0, 1, 0, 2, 1, 0].map(|index| ids[index]).into();
    // What nothing else may have as its id.
    written.extend((0..64).map(|less| u64::MAX - less).find(|id| shard_of(*id, schema.shards) == 0));
    let shard = first_shard(schema);
    let numbers = put_aside(&mut fixture, shard, &written);
    let skips = vec![skip(numbers[0], 9, None), skip(numbers[4], 9, None)];
    fixture.done(&[with_skips(shard, 1, skips)]);
    let moment = fixture.reader.snapshot().expect("read");
    for shard in shards(schema) {
        let all = moment.dead_letters(shard).expect("read");
        for side in [Side::Waiting, Side::PassedOver] {
            let expected: Vec<_> = all.iter().filter(|letter| Side::of(letter) == side).cloned().collect();
            assert_eq!(moment.dead_letters_counted(shard, side), Ok(expected.len() as u64));
            for limit in [0, 1, 3, 100] {
                let first = expected.iter().take(limit).cloned().collect();
                assert_eq!(moment.dead_letters_first(shard, side, limit), Ok(first));
            }
        }
        for number in numbers.iter().copied().chain([numbers[6] + 1, 0, u64::MAX]) {
            let expected = all.iter().find(|letter| letter.number == number).cloned();
            assert_eq!(moment.dead_letter(shard, number), Ok(expected));
        }
        for id in written.iter().copied().chain([ids[2] + 1_000_000]) {
            let expected: Vec<_> = all.iter().filter(|letter| letter.entity_id == id).cloned().collect();
            let waiting = expected.iter().filter(|letter| letter.skipped.is_none());
            let waiting = waiting.map(|letter| letter.number).collect();
            assert_eq!(moment.dead_letters_of(shard, id), Ok(expected));
            assert_eq!(moment.numbers_waiting(shard, id), Ok(waiting));
        }
    }
}

pub fn letters_that_were_passed_over_are_forgotten_by_age(mut fixture: Fixture) {
    let shard = first_shard(fixture.main());
    let id = ids_in(fixture.main(), 0).next().expect("ids do not end");
    let numbers = put_aside(&mut fixture, shard, &[id, id, id]);
    let skips = vec![skip(numbers[0], 10, Some(1)), skip(numbers[1], 20, Some(2))];
    fixture.done(&[with_skips(shard, 1, skips)]);
    assert_eq!(fixture.writer.prune_skipped(Timestamp(10)), Ok(0));
    assert_eq!(fixture.writer.prune_skipped(Timestamp(20)), Ok(1));
    assert_eq!(fixture.writer.prune_skipped(Timestamp(i64::MAX)), Ok(1));
    let moment = fixture.reader.snapshot().expect("read");
    let left: Vec<u64> =
        moment.dead_letters(shard).expect("read").iter().map(|letter| letter.number).collect();
    assert_eq!(left, numbers[2..], "one that waits is never forgotten");
    assert_eq!(moment.passed_over(shard), Ok(vec![(source(), 1), (source(), 2)]));
}

pub fn a_timer_is_moved_only_from_where_it_stands(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let key = key(schema, ids_in(schema, 0).next().expect("ids do not end"));
    let timer = |due: i64| Timer { name: Cow::Borrowed("deadline"), due: Timestamp(due) };
    let mut set = change(shard, 1, key, 1);
    set.entities[0].row.timer = Some(timer(10));
    fixture.done(std::slice::from_ref(&set));
    let moved = |batch: u64, from: Timer, due: i64| {
        let mut set = WriteSet::new(shard, batch);
        set.timers_moved.push(TimerMove { key, from, due: Timestamp(due) });
        set
    };
    let other_name = Timer { name: Cow::Borrowed("other"), ..timer(10) };
    assert_eq!(fixture.writer.commit(&[moved(2, timer(11), 50)]), Commit::Conflict);
    assert_eq!(fixture.writer.commit(&[moved(3, other_name, 50)]), Commit::Conflict);
    assert!(!moved(4, timer(10), 50).changes_nothing());
    fixture.done(&[moved(4, timer(10), 50)]);
    assert_eq!(fixture.writer.timers_due(shard, Timestamp(49), 10), Ok(vec![]));
    let loaded = fixture.writer.load(schema.service, &[key]).expect("read");
    let mut expected = set.entities[0].row.clone();
    expected.timer = Some(timer(50));
    assert_eq!(loaded, [Some(expected)], "nothing else of it is another");
    // It is of no version, so a change decided before it stands.
    fixture.done(&[change(shard, 5, key, 2)]);
    assert_eq!(fixture.writer.commit(&[moved(6, timer(50), 60)]), Commit::Conflict, "it is disarmed");
}

pub fn a_projection_is_dropped_slice_by_slice(mut fixture: Fixture) {
    const ENTITIES: u64 = 20;
    let schema = fixture.main();
    let (service, shard) = (schema.service, first_shard(schema));
    for schema in fixture.schemas {
        let rows: Vec<_> = (1..=ENTITIES).map(|id| row(key(*schema, id), 1, "open")).collect();
        fixture.put(*schema, &rows);
    }
    let id = ids_in(schema, 0).next().expect("ids do not end");
    let numbers = put_aside(&mut fixture, shard, &[id, id]);
    let mut set = with_skips(shard, 1_001, vec![skip(numbers[0], 9, Some(1))]);
    let inbox_key = InboxKey { partition: 0, source: source() };
    set.inbox.push(InboxMove { key: inbox_key, from: 0, to: 7 });
    fixture.done(&[set]);
    assert_eq!(fixture.writer.rebuild(service), Ok(None));
    let number = fixture.writer.begin_rebuild(service).expect("it begins");
    assert_eq!(fixture.writer.rebuild(service), Ok(Some((number, Rebuild::Dropping))));
    assert_eq!(left(&fixture, schema), ENTITIES, "nothing is dropped yet");
    let mut slices = 0;
    while fixture.writer.drop_some(service, 6) == Ok(Rebuild::Dropping) {
        slices += 1;
        assert_eq!(left(&fixture, schema), ENTITIES.saturating_sub(slices * 6));
        assert_eq!(stage(&fixture, schema), Some(Rebuild::Dropping));
        assert_eq!(fixture.writer.inbox(shard).map(|rows| rows.len()), Ok(1), "the rest goes with the last");
        assert_eq!(fixture.writer.dead_letters(shard, None).map(|letters| letters.len()), Ok(1));
    }
    assert_eq!(slices, 3);
    assert_eq!(fixture.writer.rebuild(service), Ok(Some((number, Rebuild::Reading))));
    assert_eq!((left(&fixture, schema), stage(&fixture, schema)), (0, Some(Rebuild::Reading)));
    assert_eq!(fixture.reader.counts(service, schema.kinds[0]), Ok(vec![]));
    assert_eq!(fixture.writer.inbox(shard), Ok(vec![]));
    assert_eq!(fixture.writer.dead_letters(shard, None), Ok(vec![]));
    {
        let moment = fixture.reader.snapshot().expect("read");
        let kept = moment.dead_letters(shard).expect("read");
        assert_eq!((kept.len(), kept[0].number), (1, numbers[0]), "what was passed over stays on record");
        assert_eq!(moment.passed_over(shard), Ok(vec![]), "and is read again all the same");
    }
    for other in fixture.schemas.iter().filter(|other| **other != schema) {
        assert_eq!((left(&fixture, *other), stage(&fixture, *other)), (ENTITIES, None));
    }
    let Some(mut fixture) = fixture.reopened() else { return };
    assert_eq!(fixture.writer.rebuild(service), Ok(Some((number, Rebuild::Reading))));
    assert_eq!(fixture.writer.end_rebuild(service, number), Ok(true));
    assert_eq!(fixture.writer.rebuild(service), Ok(None));
}

fn left(fixture: &Fixture, schema: Schema) -> u64 {
    let present = (1..=20).filter(|id| {
        let found = fixture.reader.get(schema.service, key(schema, *id));
        found.expect("read").is_some()
    });
    present.count() as u64
}

fn stage(fixture: &Fixture, schema: Schema) -> Option<Rebuild> {
    fixture.reader.snapshot().expect("read").rebuild(schema.service).expect("read")
}

pub fn what_is_to_be_done_is_counted(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    assert_eq!(fixture.reader.backlog(schema.service, Timestamp(i64::MAX)), Ok(Backlog::default()));
    let ids: Vec<u64> = ids_in(schema, 0).take(5).collect();
    let mut set = WriteSet::new(shard, 1);
    for (id, due) in ids.iter().zip([40, 10, 30, 20]) {
        for kind in schema.kinds {
            let mut row = row(EntityKey { kind, id: *id }, 1, "open");
            row.timer = Some(Timer { name: Cow::Borrowed("deadline"), due: Timestamp(due) });
            set.entities.push(write(row, 0));
        }
        let mut said = event(key(schema, *id), 1);
        said.at = Timestamp(1_000 - due);
        set.events.push(said);
        set.effects_new.push(Effect {
            key: key(schema, *id),
            sequence: 256 + due.unsigned_abs(),
            name: Cow::Borrowed("ask"),
            body: "{}".into(),
            attempts: 0,
            claimed_until: Timestamp(0),
            trace: None,
        });
    }
    set.entities.push(write(row(key(schema, ids[4]), 1, "over"), 0));
    fixture.done(&[set]);
    let numbers = put_aside(&mut fixture, shard, &[ids[0], ids[0], ids[1]]);
    fixture.done(&[with_skips(shard, 2, vec![skip(numbers[0], 9, Some(1))])]);
    let kinds = schema.kinds.len() as u64;
    let expected = Backlog {
        timers_overdue: 2 * kinds,
        timer_first_due: Some(Timestamp(10)),
        effects_open: 4,
        effect_oldest: Some(Timestamp(960)),
        letters_waiting: 2,
        letters_skipped: 1,
    };
    assert_eq!(fixture.reader.backlog(schema.service, Timestamp(30)), Ok(expected));
    // Those that are open, the first to run out first.
    for (limit, first) in [(0, 0), (3, 3), (10, 4)] {
        let armed = fixture.reader.armed(schema.service, limit).expect("read");
        for kind in schema.kinds {
            let of_kind = armed.iter().filter(|row| row.key.kind == *kind);
            let found: Vec<u64> = of_kind.map(|row| row.key.id).collect();
            assert_eq!(found, [ids[1], ids[3], ids[2], ids[0]][..first]);
        }
        assert_eq!(armed.len(), first * schema.kinds.len());
        assert!(armed.iter().all(|row| row.tag == "open" && row.state == "{\"version\":1}"));
    }
    for other in fixture.schemas.iter().filter(|other| **other != schema) {
        assert_eq!(fixture.reader.backlog(other.service, Timestamp(30)), Ok(Backlog::default()));
    }
}
