//! What is to be done later: timers, effects, dead letters.

use super::{Fixture, first_shard, ids_in, key, row, shards, write};
use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parcel, Parked, Skip};
use crate::effect::Effect;
use crate::log::{EntityKey, LogId, Source};
use crate::store::{Commit, EffectClaim, InboxKey, InboxMove, LetterSkip, WriteSet};
use crate::timer::{DueTimer, Timer};
use std::borrow::Cow;

pub fn timers_are_due_in_order_and_in_their_shard(mut fixture: Fixture) {
    let schema = fixture.main();
    let mut expected: Vec<(u16, DueTimer)> = Vec::new();
    for shard in shards(schema) {
        let mut set = WriteSet::new(shard, 1);
        for (place, id) in ids_in(schema, shard.index).take(12).enumerate() {
            for kind in schema.kinds {
                let mut row = row(EntityKey { kind, id }, 1, "open");
                let due = Timestamp(place as i64 * 7 % 12 * 10);
                row.timer = (place != 3).then_some(Timer { name: Cow::Borrowed("deadline"), due });
                if let Some(timer) = &row.timer {
                    let (key, timer) = (row.key, timer.clone());
                    expected.push((shard.index, DueTimer { key, timer }));
                }
                set.entities.push(write(row, 0));
            }
        }
        fixture.done(&[set]);
    }
    expected.sort_by_key(|(_, due)| (due.timer.due, due.key));
    for shard in shards(schema) {
        for now in [-1, 0, 55, 60, 1_000] {
            let due = expected
                .iter()
                .filter(|(index, due)| *index == shard.index && due.timer.due <= Timestamp(now));
            let due: Vec<DueTimer> = due.map(|(_, due)| due.clone()).collect();
            for limit in [0, 1, 5, 1_000] {
                let found = fixture.writer.timers_due(shard, Timestamp(now), limit);
                assert_eq!(found, Ok(due.iter().take(limit).cloned().collect()));
            }
        }
    }
    // One that is moved or disarmed is no longer found where it was.
    let shard = first_shard(schema);
    let mut ids = ids_in(schema, 0);
    let mut set = WriteSet::new(shard, 2);
    let (moved, disarmed) = (ids.next().expect("one"), ids.next().expect("two"));
    let mut later = row(key(schema, moved), 2, "open");
    later.timer = Some(Timer { name: Cow::Borrowed("later"), due: Timestamp(500) });
    set.entities.push(write(later, 1));
    set.entities.push(write(row(key(schema, disarmed), 2, "over"), 1));
    fixture.done(&[set]);
    let found = fixture.writer.timers_due(shard, Timestamp(1_000), 1_000).expect("read");
    let of = |id: u64| found.iter().filter(move |due| due.key == key(schema, id));
    assert_eq!(of(disarmed).count(), 0);
    let names: Vec<&str> = of(moved).map(|due| due.timer.name.as_ref()).collect();
    assert_eq!(names, ["later"]);
}

pub(super) fn effect(key: EntityKey, sequence: u64, claimed_until: i64) -> Effect {
    Effect {
        key,
        sequence,
        name: Cow::Borrowed("ask"),
        body: format!("{{\"key\":\"{key}\"}}"),
        attempts: u32::from(claimed_until > 0),
        claimed_until: Timestamp(claimed_until),
        trace: None,
    }
}

/// The effects that are due, whatever the order between entities.
fn due(fixture: &mut Fixture, now: i64) -> Vec<(u64, u64)> {
    let shard = first_shard(fixture.main());
    let found = fixture.writer.effects_due(shard, Timestamp(now), 1_000).expect("read");
    let mut found: Vec<(u64, u64)> = found.iter().map(|effect| (effect.key.id, effect.sequence)).collect();
    found.sort_unstable();
    found
}

pub fn effects_are_begun_in_order_one_by_one(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let ids: Vec<u64> = ids_in(schema, 0).take(3).collect();
    let keys: Vec<EntityKey> = ids.iter().map(|id| key(schema, *id)).collect();
    let mut set = WriteSet::new(shard, 1);
    set.effects_new = vec![
        effect(keys[0], 256, 50),
        effect(keys[0], 257, 0),
        effect(keys[1], 512, 0),
        effect(keys[2], 300, 70),
    ];
    fixture.done(std::slice::from_ref(&set));
    if let Some(other) = shards(schema).nth(1) {
        let key = key(schema, ids_in(schema, 1).next().expect("ids do not end"));
        let mut set = WriteSet::new(other, 1);
        set.effects_new.push(effect(key, 256, 0));
        fixture.done(&[set]);
    }
    assert_eq!(due(&mut fixture, -1), []);
    assert_eq!(due(&mut fixture, 49), [(ids[1], 512)], "held, and behind one that is");
    assert_eq!(due(&mut fixture, 50), [(ids[0], 256), (ids[1], 512)]);
    let all = [(ids[0], 256), (ids[1], 512), (ids[2], 300)];
    assert_eq!(due(&mut fixture, 70), all);
    let few = fixture.writer.effects_due(shard, Timestamp(70), 2);
    assert_eq!(few.expect("read").len(), 2);
    let mut done = WriteSet::new(shard, 2);
    done.effects_done.push((keys[0], 256));
    fixture.done(&[done]);
    assert_eq!(due(&mut fixture, 0), [(ids[0], 257), (ids[1], 512)], "its turn");
    let moment = fixture.reader.snapshot().expect("read");
    let open = moment.effects(schema.service).expect("read");
    let open: Vec<Effect> = open.into_iter().filter(|effect| ids.contains(&effect.key.id)).collect();
    let mut expected = set.effects_new[1..].to_vec();
    expected.sort_by_key(|effect| (effect.key, effect.sequence));
    let is_in_order = open.is_sorted_by_key(|effect| (effect.key, effect.sequence));
    assert!(is_in_order);
    let in_shard: Vec<Effect> = open.into_iter().filter(|effect| keys.contains(&effect.key)).collect();
    assert_eq!(in_shard, expected);
}

pub fn an_effect_is_claimed_once_and_answered_once(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let key = key(schema, ids_in(schema, 0).next().expect("ids do not end"));
    let claim = |batch: u64, attempts_before: u32, until: i64| {
        let mut set = WriteSet::new(shard, batch);
        set.effects_claimed.push(EffectClaim {
            key,
            sequence: 256,
            attempts_before,
            claimed_until: Timestamp(until),
        });
        set
    };
    let mut set = WriteSet::new(shard, 1);
    set.effects_new.push(effect(key, 256, 0));
    fixture.done(&[set]);
    fixture.done(&[claim(2, 0, 100)]);
    assert_eq!(fixture.writer.commit(&[claim(3, 0, 200)]), Commit::Conflict);
    assert_eq!(fixture.writer.effects_due(shard, Timestamp(99), 10), Ok(vec![]));
    let expected = Effect { attempts: 1, claimed_until: Timestamp(100), ..effect(key, 256, 0) };
    let found = fixture.writer.effects_due(shard, Timestamp(100), 10);
    assert_eq!(found, Ok(vec![expected]));
    fixture.done(&[claim(4, 1, 300)]);
    let mut done = WriteSet::new(shard, 5);
    done.effects_done.push((key, 256));
    fixture.done(std::slice::from_ref(&done));
    assert_eq!(fixture.writer.commit(&[done]), Commit::Conflict, "answered already");
    assert_eq!(fixture.writer.commit(&[claim(6, 2, 400)]), Commit::Conflict, "gone");
}

pub fn dead_letters_keep_their_order(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let kind = schema.kinds[0];
    let ids: Vec<u64> = ids_in(schema, 0).take(2).collect();
    let letter = |id: u64, text: &str| DeadLetter {
        number: 0,
        entity_id: id,
        parcel: Parcel::Answer {
            kind: kind.to_owned(),
            id,
            sequence: 256,
            name: "ask\0".into(),
            body: "어진 \u{1f695}".into(),
            outcome: text.to_owned(),
            trace: Some("00-1-2-01".into()),
        },
        reason: text.to_owned(),
        at: Timestamp(5),
        skipped: None,
    };
    for (batch, text) in (1..).zip(["first", "second", "third"]) {
        let mut set = WriteSet::new(shard, batch);
        set.dead_letters.extend(ids.iter().map(|id| letter(*id, text)));
        fixture.done(&[set]);
    }
    let all = fixture.writer.dead_letters(shard, None).expect("read");
    assert_eq!(all.len(), 6);
    assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number));
    let expected =
        ["first", "second", "third"].into_iter().flat_map(|text| ids.iter().map(move |id| letter(*id, text)));
    let unnumbered = all.iter().cloned().map(|stored| DeadLetter { number: 0, ..stored });
    assert_eq!(unnumbered.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let of_one: Vec<DeadLetter> = all.iter().filter(|stored| stored.entity_id == ids[1]).cloned().collect();
    assert_eq!(fixture.writer.dead_letters(shard, Some(ids[1])), Ok(of_one.clone()));
    assert_eq!(fixture.writer.dead_letters_first(shard, ids[1], 2), Ok(of_one[..2].to_vec()));
    for after in [0, all[1].number, all[4].number, all[5].number] {
        assert_eq!(fixture.writer.parked(shard, after), Ok(Parked::of(&all, after)));
    }
    let asked = [ids[1], ids[1] + 1_000_000, ids[0], u64::MAX];
    assert_eq!(fixture.writer.still_parked(shard, &asked).map(sorted), Ok(sorted(ids.to_vec())));
    let mut set = WriteSet::new(shard, 9);
    set.dead_letters_done = vec![of_one[0].number, of_one[2].number];
    fixture.done(&[set]);
    let left = fixture.writer.dead_letters(shard, Some(ids[1]));
    assert_eq!(left, Ok(vec![of_one[1].clone()]));
    assert_eq!(fixture.writer.parked(shard, 0).map(|parked| parked.entities.len()), Ok(2));
    let moment = fixture.reader.snapshot().expect("read");
    assert_eq!(moment.dead_letters(shard).expect("read").len(), 4);
    if let Some(other) = shards(schema).nth(1) {
        assert_eq!(fixture.writer.dead_letters(other, None), Ok(vec![]));
        assert_eq!(fixture.writer.parked(other, 0), Ok(Parked::default()));
        assert_eq!(fixture.writer.still_parked(other, &ids), Ok(vec![]));
    }
    drop(moment);
    // A number is never given again, not even that of the last one.
    let mut set = WriteSet::new(shard, 10);
    set.dead_letters_done = vec![all[4].number];
    fixture.done(&[set]);
    let mut again = WriteSet::new(shard, 11);
    again.dead_letters.push(letter(ids[0], "fourth"));
    fixture.done(&[again]);
    let letters = fixture.writer.dead_letters(shard, Some(ids[0])).expect("read");
    assert!(letters.last().is_some_and(|stored| stored.number > all[5].number));
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

/// What is decided as if nothing of its entity waited, or put aside as if something did, is refused where that is not so
/// any more: several replicas keep the order of an entity's messages by it.
pub fn nothing_goes_past_a_dead_letter_that_was_not_known(mut fixture: Fixture) {
    let schema = fixture.main();
    let shard = first_shard(schema);
    let key = key(schema, ids_in(schema, 0).next().expect("ids do not end"));
    let letter = DeadLetter {
        number: 0,
        entity_id: key.id,
        parcel: Parcel::Due {
            kind: key.kind.to_owned(),
            id: key.id,
            timer: Timer { name: Cow::Borrowed("deadline"), due: Timestamp(1) },
        },
        reason: "why".into(),
        at: Timestamp(5),
        skipped: None,
    };
    let mut batch = 0;
    let mut with = |known: u64, behind: bool, has_letter: bool| {
        batch += 1;
        let mut set = WriteSet::new(shard, batch);
        set.letters_known = Some(known);
        set.behind = if behind { vec![key.id] } else { Vec::new() };
        set.dead_letters = if has_letter { vec![letter.clone()] } else { Vec::new() };
        let place = InboxKey { partition: 0, source: source() };
        set.inbox.push(InboxMove { key: place, from: batch - 1, to: batch });
        set
    };
    let mut taken = 0;
    let mut expect = |fixture: &mut Fixture, mut set: WriteSet, expected: bool| {
        let mover = &mut set.inbox[0];
        (mover.from, mover.to) = (taken, taken + 1);
        let writer = fixture.other.as_mut().filter(|_| taken % 2 == 1).unwrap_or(&mut fixture.writer);
        let answer = writer.commit(std::slice::from_ref(&set));
        taken += u64::from(expected);
        let is_as_expected =
            if expected { matches!(answer, Commit::Done(_)) } else { answer == Commit::Conflict };
        assert!(is_as_expected, "{answer:?} to {set:?}");
    };
    expect(&mut fixture, with(0, true, true), false);
    expect(&mut fixture, with(0, false, true), true);
    // The same timer was poison to two replicas: one letter is enough.
    expect(&mut fixture, with(0, false, true), false);
    expect(&mut fixture, with(0, false, false), false);
    let Parked { last, .. } = fixture.writer.parked(shard, 0).expect("read");
    expect(&mut fixture, with(last, true, true), true);
    let waiting = fixture.writer.dead_letters(shard, None).expect("read");
    assert_eq!(waiting.len(), 2);
    // It is gone with the very batch that puts another behind it.
    let mut set = with(waiting[1].number, true, true);
    set.dead_letters_done = vec![waiting[0].number, waiting[1].number];
    expect(&mut fixture, set, true);
    let waiting = fixture.writer.dead_letters(shard, None).expect("read");
    expect(&mut fixture, with(last + 1, false, false), false);
    let mut set = with(waiting[0].number, false, false);
    let skip = Skip { by: "operator".into(), reason: "no".into(), at: Timestamp(9) };
    set.dead_letters_skipped = vec![LetterSkip { number: waiting[0].number, skip, passed_over: None }];
    expect(&mut fixture, set, true);
    expect(&mut fixture, with(waiting[0].number, true, true), false);
    expect(&mut fixture, with(0, false, false), true);
    // What waits in one shard is nothing to another.
    expect(&mut fixture, with(0, false, true), true);
    for other in shards(schema).filter(|other| *other != shard) {
        let mut set = WriteSet::new(other, 1);
        set.letters_known = Some(0);
        fixture.done(&[set.clone()]);
        set.behind = vec![key.id];
        set.dead_letters = vec![letter.clone()];
        assert_eq!(fixture.writer.commit(&[set]), Commit::Conflict);
    }
}

fn source() -> Source {
    Source { log: LogId(9), service: Cow::Borrowed("far"), shard: 2 }
}
