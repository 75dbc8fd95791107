//! Random commits, beside the plainest thing that could keep them.

use super::{Fixture, LOG, event, ids_in, row, shards, write};
use crate::clock::Timestamp;
use crate::log::{EntityKey, Recorded, ShardName, Source};
use crate::store::{Commit, EntityRow, Schema, Snapshot, Visit, WriteSet};
use crate::timer::{DueTimer, Timer};
use std::borrow::Cow;
use std::collections::BTreeMap;

const ROUNDS: u64 = 150;
const IDS_PER_SHARD: usize = 12;
const TAGS: [&str; 3] = ["asked", "paid", "over"];

/// SplitMix64 (Steele, Lea, Flood 2014), with a fixed seed: every run is the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let place = self.below(things.len() as u64);
        &things[usize::try_from(place).expect("it is a place in memory")]
    }
}

#[derive(Default)]
struct Model {
    entities: BTreeMap<(&'static str, EntityKey), EntityRow>,
    logs: BTreeMap<ShardName, Vec<Recorded>>,
}

impl Model {
    fn apply(&mut self, set: &WriteSet) {
        for write in &set.entities {
            let key = (set.shard.service, write.row.key);
            self.entities.insert(key, write.row.clone());
        }
        let log = self.logs.entry(set.shard).or_default();
        for event in &set.events {
            let source =
                Source { log: LOG, service: Cow::Borrowed(set.shard.service), shard: set.shard.index };
            let position = log.len() as u64 + 1;
            log.push(event.clone().recorded(source, position));
        }
    }

    fn rows(&self, service: &str) -> impl Iterator<Item = &EntityRow> {
        let of_service = self.entities.iter().filter(move |((known, _), _)| *known == service);
        of_service.map(|(_, row)| row)
    }

    fn last(&self, shard: ShardName) -> u64 {
        self.logs.get(&shard).map_or(0, |log| log.len() as u64)
    }

    /// Changes of some entities of a shard, right as things stand.
    fn write_set(&self, dice: &mut Dice, schema: Schema, (shard, batch): (ShardName, u64)) -> WriteSet {
        let mut set = WriteSet::new(shard, batch);
        let mut keys: Vec<EntityKey> = Vec::new();
        let ids: Vec<u64> = ids_in(schema, shard.index).take(IDS_PER_SHARD).collect();
        for _ in 0..dice.below(6) {
            let (kind, id) = (*dice.one_of(schema.kinds), *dice.one_of(&ids));
            keys.push(EntityKey { kind, id });
        }
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let before = self.entities.get(&(shard.service, key));
            let replaces = before.map_or(0, |row| row.version);
            let tag = *dice.one_of(&TAGS);
            let version = replaces + 1 + dice.below(2);
            let mut row = row(key, version, tag);
            row.timer = (tag != "over").then(|| Timer {
                name: Cow::Borrowed("deadline"),
                due: Timestamp(dice.below(1_000).cast_signed()),
            });
            set.entities.push(write(row, replaces));
            set.events.extend((replaces + 1..=version).map(|version| event(key, version)));
            set.counts.push(((key.kind, Cow::Borrowed(tag)), 1));
            if let Some(before) = before {
                set.counts.push(((key.kind, before.tag.clone()), -1));
            }
        }
        set
    }
}

pub fn whatever_is_committed_matches_a_model(mut fixture: Fixture) {
    let mut dice = Dice(1);
    let mut model = Model::default();
    for round in 1..=ROUNDS {
        let mut sets = Vec::new();
        for schema in fixture.schemas {
            for shard in shards(*schema) {
                if dice.below(3) == 0 {
                    sets.push(model.write_set(&mut dice, *schema, (shard, round)));
                }
            }
        }
        let is_spoiled = dice.below(4) == 0 && spoil(&mut dice, &mut sets);
        let answer = fixture.writer.commit(&sets);
        if is_spoiled {
            assert_eq!(answer, Commit::Conflict);
            continue;
        }
        for set in &sets {
            model.apply(set);
        }
        let last = sets.iter().map(|set| model.last(set.shard)).collect();
        assert_eq!(answer, Commit::Done(last));
    }
    compare(&mut fixture, &model);
    if let Some(mut fixture) = fixture.reopened() {
        compare(&mut fixture, &model);
    }
}

/// Makes one of the changes a stale one, where there is one.
fn spoil(dice: &mut Dice, sets: &mut [WriteSet]) -> bool {
    let mut writes: Vec<_> = sets.iter_mut().flat_map(|set| &mut set.entities).collect();
    if writes.is_empty() {
        return false;
    }
    let place = dice.below(writes.len() as u64);
    let place = usize::try_from(place).expect("it is a place in memory");
    writes[place].replaces += 7;
    true
}

fn compare(fixture: &mut Fixture, model: &Model) {
    for schema in fixture.schemas {
        for shard in shards(*schema) {
            compare_due(fixture, model, *schema, shard);
        }
        let moment = fixture.reader.snapshot().expect("read");
        compare_service(&*moment, model, *schema);
    }
}

fn compare_due(fixture: &mut Fixture, model: &Model, schema: Schema, shard: ShardName) {
    let armed = model.rows(schema.service).filter_map(|row| {
        let timer = row.timer.clone().filter(|timer| timer.due <= Timestamp(500))?;
        Some(DueTimer { key: row.key, timer })
    });
    let mut due: Vec<DueTimer> =
        armed.filter(|due| crate::log::shard_of(due.key.id, schema.shards) == shard.index).collect();
    due.sort_by_key(|due| (due.timer.due, due.key));
    let found = fixture.writer.timers_due(shard, Timestamp(500), usize::MAX);
    assert_eq!(found, Ok(due));
}

fn compare_service(moment: &dyn Snapshot, model: &Model, schema: Schema) {
    let service = schema.service;
    let mut rows = Vec::new();
    let visited = moment.entities(service, &mut |row| {
        rows.push(row);
        Visit::On
    });
    visited.expect("read");
    assert_eq!(rows, model.rows(service).cloned().collect::<Vec<_>>());
    let mut every: Vec<Recorded> = Vec::new();
    for shard in shards(schema) {
        let mut events = Vec::new();
        let visited = moment.events(shard, &mut |event| {
            events.push(event);
            Visit::On
        });
        visited.expect("read");
        assert_eq!(events, model.logs.get(&shard).cloned().unwrap_or_default());
        assert_eq!(moment.last_position(shard), Ok(events.len() as u64));
        every.extend(events);
    }
    every.sort_by_key(|event| (event.entity_kind.clone(), event.entity_id, event.version));
    let mut events = Vec::new();
    let visited = moment.events_by_entity(service, &mut |event| {
        events.push(event);
        Visit::On
    });
    visited.expect("read");
    assert_eq!(events, every);
    for kind in schema.kinds {
        let mut recount: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.key.kind == *kind) {
            *recount.entry(row.tag.clone().into_owned()).or_default() += 1;
        }
        let counts = moment.counts(service, kind);
        assert_eq!(counts, Ok(recount.into_iter().collect()));
    }
}
