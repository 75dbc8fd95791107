//! One commit: all write sets in one transaction, one statement for each table, or nothing of any.

use crate::failure::{Answer, Failure};
use crate::layout::Layout;
use crate::session::{Call, Parameter};
use crate::tables::common;
use crate::value::{column, number};
use crate::writes::Writes;
use engine::log::ShardName;
use engine::store::{Commit, WriteSet};
use std::collections::{BTreeMap, HashSet};
use tokio_postgres::Row;

/// Which writer commits, and in which of its sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author {
    pub(crate) writer: i64,
    pub(crate) session: i64,
}

/// The statements of a commit in their order, with where the answer to each locking stands.
pub(crate) struct Plan<'a> {
    pub(crate) calls: Vec<Call<'a>>,
    waves: Vec<(usize, Vec<&'a WriteSet>)>,
}

/// Nothing but versions to check: there is nothing to lock.
pub(crate) fn only_reads(sets: &[WriteSet]) -> bool {
    sets.iter().all(|set| set.changes_nothing() && set.effects_new.is_empty() && set.counts.is_empty())
}

impl<'a> Plan<'a> {
    /// Of two sets of one shard the second builds upon the first, so it is stored after it: in another wave.
    pub(crate) fn new(layout: &'a Layout, sets: &'a [WriteSet], author: Author) -> Answer<Self> {
        let mut plan = Self { calls: Vec::new(), waves: Vec::new() };
        let mut wave: Vec<&WriteSet> = Vec::new();
        let mut shards = HashSet::new();
        for set in sets {
            if !shards.insert(set.shard) {
                plan.add_wave(layout, std::mem::take(&mut wave), author)?;
                shards = HashSet::from([set.shard]);
            }
            wave.push(set);
        }
        if !wave.is_empty() {
            plan.add_wave(layout, wave, author)?;
        }
        Ok(plan)
    }

    fn add_wave(&mut self, layout: &'a Layout, wave: Vec<&'a WriteSet>, author: Author) -> Answer<()> {
        let shards = Shards::of(layout, &wave)?;
        let place = self.calls.len();
        self.calls.extend([shards.lock(), shards.not_dropping()]);
        self.calls.extend(shards.step(&wave));
        for (place, tables) in layout.services().iter().enumerate() {
            let of_service = |set: &&WriteSet| layout.place(set.shard.service) == Ok(place);
            let sets: Vec<&WriteSet> = wave.iter().copied().filter(of_service).collect();
            if !sets.is_empty() {
                Writes { tables, sets, calls: &mut self.calls }.add_all()?;
            }
        }
        self.calls.push(shards.leave(&wave, author));
        self.waves.push((place, wave));
        Ok(())
    }

    /// Where each shard's log stands now, from the answers.
    pub(crate) fn positions(&self, layout: &Layout, answers: &[Vec<Row>]) -> Answer<Vec<u64>> {
        let mut positions = Vec::new();
        for (place, wave) in &self.waves {
            let locked = shard_positions(&answers[*place])?;
            for set in wave {
                let key = (layout.tables(set.shard.service)?.code, i32::from(set.shard.index));
                let before = locked.get(&key);
                let before =
                    before.ok_or_else(|| Failure::Broken(format!("the row of {} is missing", set.shard)))?;
                positions.push(before + set.events.len() as u64);
            }
        }
        Ok(positions)
    }
}

fn shard_positions(rows: &[Row]) -> Answer<BTreeMap<(i16, i32), u64>> {
    rows.iter().map(|row| Ok(((column(row, 0)?, column(row, 1)?), number(row, 2)?))).collect()
}

/// Checks versions alone; the answer is of one moment for each kind of entity.
pub(crate) fn checks<'a>(layout: &'a Layout, sets: &'a [WriteSet]) -> Answer<Vec<Call<'a>>> {
    let all: Vec<&WriteSet> = sets.iter().collect();
    let mut calls = vec![Shards::of(layout, &all)?.not_dropping()];
    for tables in layout.services() {
        let of_service = |set: &&WriteSet| set.shard.service == tables.schema.service;
        let sets: Vec<&WriteSet> = sets.iter().filter(of_service).collect();
        Writes { tables, sets, calls: &mut calls }.add_reads()?;
    }
    Ok(calls)
}

/// The keys of shards' rows.
pub(crate) struct Shards {
    services: Vec<i16>,
    indexes: Vec<i32>,
}

impl Shards {
    pub(crate) fn of(layout: &Layout, sets: &[&WriteSet]) -> Answer<Self> {
        let mut shards = Self { services: Vec::new(), indexes: Vec::new() };
        for set in sets {
            let tables = layout.tables(set.shard.service)?;
            shards.services.push(tables.code);
            shards.indexes.push(tables.own_shard(set.shard)?);
        }
        Ok(shards)
    }

    fn keys<'a>(&self) -> Vec<Parameter<'a>> {
        vec![Box::new(self.services.clone()), Box::new(self.indexes.clone())]
    }

    pub(crate) fn lock<'a>(&self) -> Call<'a> {
        Call::new(common::LOCK, self.keys())
    }

    fn not_dropping<'a>(&self) -> Call<'a> {
        Call::new(common::NOT_DROPPING, vec![Box::new(self.services.clone())])
    }

    pub(crate) fn step<'a>(&self, sets: &[&WriteSet]) -> Option<Call<'a>> {
        let counts: Vec<i64> = sets.iter().map(|set| set.events.len() as i64).collect();
        if counts.iter().all(|count| *count == 0) {
            return None;
        }
        let mut parameters = self.keys();
        parameters.push(Box::new(counts));
        Some(Call::new(common::STEP, parameters))
    }

    fn with_batches<'a>(&self, sets: &[&WriteSet]) -> Vec<Parameter<'a>> {
        let batches: Vec<i64> = sets.iter().map(|set| set.batch.cast_signed()).collect();
        let mut parameters = self.keys();
        parameters.push(Box::new(batches));
        parameters
    }

    fn leave<'a>(&self, sets: &[&WriteSet], author: Author) -> Call<'a> {
        let mut parameters = self.with_batches(sets);
        parameters.extend([Box::new(author.writer) as _, Box::new(author.session) as Parameter<'a>]);
        parameters.push(Box::new(sets.len() as i64));
        Call::new(common::LEAVE, parameters)
    }

    pub(crate) fn find<'a>(&self, sets: &[&WriteSet]) -> Call<'a> {
        Call::new(common::FIND, self.with_batches(sets))
    }

    pub(crate) fn give_up<'a>(&self, author: Author) -> Call<'a> {
        let mut parameters = self.keys();
        parameters.extend([Box::new(author.writer) as _, Box::new(author.session) as Parameter<'a>]);
        Call::new(common::GIVE_UP, parameters)
    }
}

/// Whether all batches were found, and where they left their logs. Of a shard the last one is there, and those before it
/// with it.
pub(crate) fn found(layout: &Layout, sets: &[WriteSet], rows: &[Row]) -> Answer<Commit> {
    let mut known: BTreeMap<(i16, i32, i64), u64> = BTreeMap::new();
    for row in rows {
        known.insert((column(row, 0)?, column(row, 1)?, column(row, 2)?), number(row, 3)?);
    }
    let mut positions = Vec::with_capacity(sets.len());
    let mut befores: BTreeMap<ShardName, u64> = BTreeMap::new();
    for set in sets.iter().rev() {
        let code = layout.tables(set.shard.service)?.code;
        let key = (code, i32::from(set.shard.index), set.batch.cast_signed());
        let before = befores.get(&set.shard).copied();
        let Some(position) = before.or_else(|| known.get(&key).copied()) else {
            return Ok(Commit::Conflict);
        };
        befores.insert(set.shard, position.saturating_sub(set.events.len() as u64));
        positions.push(position);
    }
    positions.reverse();
    Ok(Commit::Done(positions))
}
