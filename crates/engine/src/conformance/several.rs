//! What holds where several write the same database.

use super::writing::answer;
use super::{Fixture, change, event, first_shard, ids_in, key, row, shards, write};
use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parcel, Skip};
use crate::effect::Effect;
use crate::log::{EntityKey, LogId, ShardName, Source};
use crate::store::{
    Commit, EffectClaim, InboxKey, InboxMove, LetterSkip, Rebuild, Schema, Store, TimerMove, WriteSet,
};
use crate::timer::Timer;
use std::borrow::Cow;

/// What each of two does at once.
const ROUNDS: u64 = 40;

/// The second writer, where there can be one.
fn other(fixture: &mut Fixture) -> Option<Box<dyn Store>> {
    let other = fixture.other.take();
    assert_eq!(other.is_none(), fixture.writer.is_exclusive());
    other
}

fn row_of(partition: u32) -> InboxKey {
    let source = Source { log: LogId(9), service: Cow::Borrowed("far"), shard: 2 };
    InboxKey { partition, source }
}

fn moved(mut set: WriteSet, partition: u32, from: u64, to: u64) -> WriteSet {
    set.inbox.push(InboxMove { key: row_of(partition), from, to });
    set
}

fn keys(schema: Schema, shard: u16, count: usize) -> Vec<EntityKey> {
    ids_in(schema, shard).take(count).map(|id| key(schema, id)).collect()
}

pub fn what_another_has_changed_is_seen_and_conflicts(mut fixture: Fixture) {
    let Some(mut other) = other(&mut fixture) else { return };
    let schema = fixture.main();
    let shard = first_shard(schema);
    let keys = keys(schema, 0, 3);
    fixture.done(&[change(shard, 1, keys[0], 1)]);
    assert_eq!(other.commit(&[change(shard, 2, keys[0], 2)]), Commit::Done(vec![2]));
    // Decided on what it was before, to change it, or another, or nothing.
    assert_eq!(fixture.writer.commit(&[change(shard, 3, keys[0], 2)]), Commit::Conflict);
    for mut stale in [change(shard, 4, keys[1], 1), WriteSet::new(shard, 5)] {
        stale.reads.push((keys[0], 1));
        assert_eq!(fixture.writer.commit(&[stale]), Commit::Conflict);
    }
    let mut absent = change(shard, 6, keys[1], 1);
    absent.reads.push((keys[2], 0));
    assert_eq!(other.commit(&[change(shard, 7, keys[2], 1)]), Commit::Done(vec![3]));
    assert_eq!(fixture.writer.commit(&[absent]), Commit::Conflict, "it has come to be meanwhile");
    let loaded = fixture.writer.load(schema.service, &keys).expect("loaded");
    let versions: Vec<u64> = loaded.iter().map(|row| row.as_ref().map_or(0, |row| row.version)).collect();
    assert_eq!(versions, [2, 0, 1]);
    assert_eq!(fixture.done(&[change(shard, 8, keys[0], 3)]), [4]);
    for writer in [&mut fixture.writer, &mut other] {
        assert_eq!(writer.last_position(shard), Ok(4));
    }
    let events = fixture.reader.events_after(shard, 0, 10).expect("read");
    let places: Vec<(u64, u64, u64)> =
        events.iter().map(|event| (event.position, event.entity_id, event.version)).collect();
    assert_eq!(places, [(1, keys[0].id, 1), (2, keys[0].id, 2), (3, keys[2].id, 1), (4, keys[0].id, 3)]);
}

pub fn an_inbox_that_another_has_moved_is_fenced(mut fixture: Fixture) {
    let Some(mut other) = other(&mut fixture) else { return };
    let schema = fixture.main();
    let shard = first_shard(schema);
    let keys = keys(schema, 0, 2);
    let theirs = moved(moved(WriteSet::new(shard, 1), 3, 0, 10), 4, 0, 1);
    assert_eq!(other.commit(&[theirs]), Commit::Done(vec![0]));
    let mine = change(shard, 2, keys[0], 1);
    assert_eq!(fixture.writer.commit(&[moved(mine.clone(), 3, 0, 12)]), Commit::Fenced);
    assert_eq!(fixture.writer.last_position(shard), Ok(0), "nothing of it is stored");
    let mut rows = fixture.writer.inbox(shard).expect("read");
    rows.sort();
    assert_eq!(rows, [(row_of(3), 10), (row_of(4), 1)]);
    assert_eq!(fixture.done(&[moved(mine, 3, 10, 12)]), [1]);
    let late = change(shard, 3, keys[1], 1);
    assert_eq!(other.commit(&[moved(late.clone(), 3, 10, 11)]), Commit::Fenced, "a zombie");
    assert_eq!(other.commit(&[moved(late, 4, 1, 2)]), Commit::Done(vec![2]), "another partition is its own");
}

pub fn a_key_is_answered_once_whoever_is_asked(mut fixture: Fixture) {
    let Some(mut other) = other(&mut fixture) else { return };
    let schema = fixture.main();
    let first = first_shard(schema);
    let last = shards(schema).last().expect("a service has a shard");
    let here = keys(schema, first.index, 2)[0];
    let there = keys(schema, last.index, 2)[1];
    let mut mine = change(first, 1, here, 1);
    mine.idempotency.push(answer(here, "POST /a", "k", 1));
    let mut theirs = change(last, 2, there, 1);
    theirs.idempotency.push(answer(there, "POST /a", "k", 2));
    theirs.idempotency.push(answer(there, "POST /a", "another", 2));
    fixture.done(std::slice::from_ref(&mine));
    assert_eq!(other.commit(std::slice::from_ref(&theirs)), Commit::Conflict);
    assert_eq!(fixture.reader.get(schema.service, there), Ok(None), "nothing of it is stored");
    let asked: Vec<_> = theirs.idempotency.iter().map(|row| row.request.clone()).collect();
    let known = Ok(vec![Some(mine.idempotency[0].clone()), None]);
    assert_eq!(other.recall(schema.service, &asked), known);
    assert_eq!(fixture.writer.recall(schema.service, &asked), known);
}

/// What is begun, moved, answered, done with or passed over by one is not by another, who knows it as it was.
pub fn what_is_to_be_done_is_done_by_one(mut fixture: Fixture) {
    let Some(mut other) = other(&mut fixture) else { return };
    let schema = fixture.main();
    let shard = first_shard(schema);
    let key = keys(schema, 0, 1)[0];
    let timer = Timer { name: Cow::Borrowed("deadline"), due: Timestamp(10) };
    let effect = |sequence: u64| Effect {
        key,
        sequence,
        name: Cow::Borrowed("ask"),
        body: "{}".into(),
        attempts: 0,
        claimed_until: Timestamp(0),
        trace: None,
    };
    let mut set = change(shard, 1, key, 1);
    set.entities[0].row.timer = Some(timer.clone());
    set.effects_new.push(effect(256));
    let parcel = Parcel::Due { kind: key.kind.to_owned(), id: key.id, timer: timer.clone() };
    let letter = DeadLetter {
        number: 0,
        entity_id: key.id,
        parcel,
        reason: "why".into(),
        at: Timestamp(1),
        skipped: None,
    };
    set.dead_letters = vec![letter.clone(), letter];
    fixture.done(&[set]);
    let letters = other.dead_letters(shard, None).expect("read");
    let numbers: Vec<u64> = letters.iter().map(|letter| letter.number).collect();
    let mut batch = 1;
    let mut new = || {
        batch += 1;
        WriteSet::new(shard, batch)
    };
    let mut cases: Vec<[WriteSet; 2]> = Vec::new();
    let mut case = |fill: &dyn Fn(&mut WriteSet, i64)| {
        let mut both = [new(), new()];
        fill(&mut both[0], 1);
        fill(&mut both[1], 2);
        cases.push(both);
    };
    case(&|set, by| {
        let claimed_until = Timestamp(100 + by);
        set.effects_claimed.push(EffectClaim { key, sequence: 256, attempts_before: 0, claimed_until });
    });
    case(&|set, _| set.effects_done.push((key, 256)));
    case(&|set, by| set.timers_moved.push(TimerMove { key, from: timer.clone(), due: Timestamp(50 + by) }));
    case(&|set, by| {
        let skip = Skip { by: by.to_string(), reason: "no".into(), at: Timestamp(by) };
        set.dead_letters_skipped.push(LetterSkip { number: numbers[0], skip, passed_over: None });
    });
    case(&|set, _| set.dead_letters_done.push(numbers[1]));
    for [first, second] in cases {
        fixture.done(std::slice::from_ref(&first));
        assert_eq!(other.commit(std::slice::from_ref(&second)), Commit::Conflict, "{second:?}");
    }
    // One that was passed over is nobody's to be done with.
    let mut done = WriteSet::new(shard, 100);
    done.dead_letters_done.push(numbers[0]);
    assert_eq!(other.commit(&[done]), Commit::Conflict);
    let loaded = other.load(schema.service, &[key]).expect("loaded");
    let due = loaded[0].as_ref().and_then(|row| row.timer.as_ref()).map(|timer| timer.due);
    assert_eq!(due, Some(Timestamp(51)), "as the first one said");
}

pub fn a_batch_of_another_is_found(mut fixture: Fixture) {
    let Some(mut other) = other(&mut fixture) else { return };
    let schema = fixture.main();
    let shard = first_shard(schema);
    let keys = keys(schema, 0, 3);
    let sets: Vec<[WriteSet; 1]> =
        (10..).zip(&keys).map(|(batch, key)| [change(shard, batch, *key, 1)]).collect();
    fixture.done(&sets[0]);
    assert_eq!(other.commit(&sets[1]), Commit::Done(vec![2]));
    for writer in [&mut fixture.writer, &mut other] {
        assert_eq!(writer.resolve(&sets[0]), Ok(Commit::Done(vec![1])));
        assert_eq!(writer.resolve(&sets[1]), Ok(Commit::Done(vec![2])));
        assert_eq!(writer.resolve(&sets[2]), Ok(Commit::Conflict));
    }
}

pub fn a_projection_that_is_dropped_takes_nothing_in(mut fixture: Fixture) {
    let schema = fixture.main();
    let (service, shard) = (schema.service, first_shard(schema));
    let is_several = fixture.other.is_some();
    let rows: Vec<_> = (1..=20).map(|id| row(key(schema, id), 1, "open")).collect();
    fixture.put(schema, &rows);
    let new = keys(schema, 0, 30)[29];
    let line = |batch: u64| {
        let mut set = WriteSet::new(shard, batch);
        set.entities.push(write(row(new, 1, "open"), 0));
        moved(set, 1, 0, batch)
    };
    let first = fixture.writer.begin_rebuild(service).expect("it begins");
    let number = fixture.writer.begin_rebuild(service).expect("it begins again");
    assert!(number > first);
    let mut second = fixture.other.take();
    let mut sets = vec![line(1)];
    // What is stored with it is not stored either.
    let beside = fixture.schemas.iter().find(|other| **other != schema);
    sets.extend(beside.map(|beside| change(first_shard(*beside), 1, key(*beside, 1), 1)));
    let beside = beside.copied();
    for writer in [Some(&mut fixture.writer), second.as_mut()].into_iter().flatten() {
        assert_eq!(writer.commit(&sets), Commit::Fenced);
        assert_eq!(writer.rebuild(service), Ok(Some((number, Rebuild::Dropping))));
        assert_eq!(writer.end_rebuild(service, number), Ok(false));
        assert_eq!(
            writer.rebuild(service),
            Ok(Some((number, Rebuild::Dropping))),
            "it ends only when it is read"
        );
    }
    assert_eq!(fixture.reader.get(service, new), Ok(None));
    if let Some(beside) = beside {
        let untouched = [change(first_shard(beside), 2, key(beside, 2), 1)];
        assert_eq!(fixture.done(&untouched), [1], "others go on");
    }
    let dropping = second.as_mut().unwrap_or(&mut fixture.writer);
    while dropping.drop_some(service, 6) == Ok(Rebuild::Dropping) {
        assert_eq!(dropping.commit(&[line(2)]), Commit::Fenced);
    }
    assert_eq!(fixture.done(&[line(3)]).len(), 1);
    // One who was slower finds it done, and drops nothing of what was read anew.
    assert_eq!(fixture.writer.drop_some(service, 6), Ok(Rebuild::Reading));
    assert_eq!(fixture.reader.get(service, new).map(|row| row.is_some()), Ok(true));
    assert_eq!(fixture.writer.inbox(shard), Ok(vec![(row_of(1), 3)]));
    let ending = second.as_mut().unwrap_or(&mut fixture.writer);
    // One who has read what was dropped since ends nothing.
    assert_eq!(ending.end_rebuild(service, first), Ok(false));
    assert_eq!(ending.rebuild(service), Ok(Some((number, Rebuild::Reading))));
    assert_eq!(ending.end_rebuild(service, number), Ok(true));
    assert_eq!(ending.end_rebuild(service, number), Ok(false), "it is over");
    assert_eq!(fixture.writer.rebuild(service), Ok(None));
    assert_eq!(fixture.writer.drop_some(service, 6), Ok(Rebuild::Reading), "nor when it is over");
    assert_eq!(fixture.reader.get(service, new).map(|row| row.is_some()), Ok(true));
    assert_eq!(fixture.writer.rebuild(service), Ok(None));
    let next = fixture.writer.begin_rebuild(service).expect("it begins");
    assert!(next > number, "a number is never given again");
    assert_eq!(is_several, !fixture.writer.is_exclusive());
}

/// Two who do the same at once, each from what it has just read, over two shards in either order: every step that was
/// done is there, none twice, and neither waits for ever.
pub fn two_at_once_lose_nothing(mut fixture: Fixture) {
    let Some(other) = other(&mut fixture) else { return };
    let schema = fixture.main();
    let first = first_shard(schema);
    let last = shards(schema).last().expect("a service has a shard");
    let Fixture { writer, reader, .. } = fixture;
    let walk = move |mut writer: Box<dyn Store>, by: u64| {
        let (mut done, mut batch) = (0, by << 32);
        for round in 1..=ROUNDS {
            loop {
                batch += 1;
                let mut sets = vec![step(&mut *writer, schema, (first, batch))];
                if last != first {
                    sets.push(step(&mut *writer, schema, (last, batch)));
                }
                if by == 2 {
                    sets.reverse();
                }
                let mut one = sets[0].idempotency.clone();
                one.push(answer(
                    keys(schema, sets[0].shard.index, 1)[0],
                    "POST /round",
                    &round.to_string(),
                    1,
                ));
                sets[0].idempotency = one;
                match writer.commit(&sets) {
                    Commit::Done(_) => {
                        done += 1;
                        break;
                    }
                    Commit::Conflict | Commit::Fenced => {
                        let request = answer(key(schema, 1), "POST /round", &round.to_string(), 1).request;
                        let known = writer.recall(schema.service, &[request]).expect("recalled");
                        if known[0].is_some() {
                            break;
                        }
                    }
                    answer @ (Commit::Unknown
                    | Commit::Refused(_)
                    | Commit::Unavailable(_)
                    | Commit::Fatal(_)) => panic!("{answer:?}"),
                }
            }
        }
        done
    };
    let mine = std::thread::spawn(move || walk(writer, 1));
    let theirs = std::thread::spawn(move || walk(other, 2));
    let done: u64 = [mine, theirs].map(|walked| walked.join().expect("it walks to its end")).iter().sum();
    assert_eq!(done, ROUNDS, "each round is one's");
    for shard in [first, last] {
        let counted = reader.get(schema.service, keys(schema, shard.index, 1)[0]).expect("read");
        assert_eq!(counted.map(|row| row.version), Some(ROUNDS));
        assert_eq!(reader.inbox(shard), Ok(vec![(row_of(0), ROUNDS)]));
        let events = reader.events_after(shard, 0, usize::MAX).expect("read");
        let places: Vec<(u64, u64)> = events.iter().map(|event| (event.position, event.version)).collect();
        assert_eq!(places, (1..=ROUNDS).map(|number| (number, number)).collect::<Vec<_>>());
    }
}

/// One step of a shard's first entity and of its inbox, right as they stand.
fn step(writer: &mut dyn Store, schema: Schema, (shard, batch): (ShardName, u64)) -> WriteSet {
    let key = keys(schema, shard.index, 1)[0];
    let loaded = writer.load(schema.service, &[key]).expect("loaded");
    let version = loaded[0].as_ref().map_or(0, |row| row.version);
    let read = writer.inbox(shard).expect("read").first().map_or(0, |(_, read)| *read);
    let mut set = WriteSet::new(shard, batch);
    set.events.push(event(key, version + 1));
    set.entities.push(write(row(key, version + 1, "open"), version));
    moved(set, 0, read, read + 1)
}
