//! What write sets do to the tables of one service: one statement for each table, with an array for each column.

use crate::failure::{Answer, Failure};
use crate::session::{Call, Parameter};
use crate::tables::{Kind, Tables};
use crate::value::{Digest, integer, stored_text};
use engine::log::{EntityKey, Source};
use engine::store::{EntityWrite, WriteSet};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What write sets do to the tables of one service.
pub(crate) struct Writes<'a, 'b> {
    pub(crate) tables: &'a Tables,
    pub(crate) sets: Vec<&'a WriteSet>,
    pub(crate) calls: &'b mut Vec<Call<'a>>,
}

/// Rows about one kind of entity, each with its shard.
type OfKind<'a, T> = (&'a Kind, Vec<(i32, &'a T)>);

/// The arrays of a statement, one for each column.
macro_rules! arrays {
    ($($column:expr),+ $(,)?) => {
        vec![$(Box::new($column) as Parameter<'_>),+]
    };
}

impl<'a> Writes<'a, '_> {
    pub(crate) fn add_all(&mut self) -> Answer<()> {
        self.add_reads()?;
        self.add_aside();
        self.add_inbox()?;
        self.add_entities()?;
        self.add_timers()?;
        self.add_events()?;
        self.add_effects()?;
        self.add_answers()?;
        self.add_letters()?;
        self.add_counters()
    }

    fn add(&mut self, sql: &'a str, parameters: Vec<Parameter<'a>>) {
        self.calls.push(Call::new(sql, parameters));
    }

    /// The rows of all sets with the shard of each, in their order.
    fn each<T>(&self, rows: impl Fn(&'a WriteSet) -> &'a [T]) -> Vec<(i32, &'a T)> {
        let of_set = |set: &&'a WriteSet| {
            let shard = i32::from(set.shard.index);
            rows(set).iter().map(move |row| (shard, row)).collect::<Vec<_>>()
        };
        self.sets.iter().flat_map(of_set).collect()
    }

    /// Kind by kind. A row of a kind that the service does not own is refused.
    fn by_kind<T>(
        &self,
        rows: Vec<(i32, &'a T)>,
        kind_of: impl Fn(&T) -> &'static str,
    ) -> Answer<Vec<OfKind<'a, T>>> {
        let mut sorted: Vec<(&Kind, Vec<_>)> =
            self.tables.kinds.iter().map(|kind| (kind, Vec::new())).collect();
        for (shard, row) in rows {
            let name = kind_of(row);
            let found = sorted.iter_mut().find(|(kind, _)| kind.name == name);
            let Some((_, of_kind)) = found else {
                let why = format!("an entity of a kind that {} does not own", self.tables.schema.service);
                return Err(Failure::Refused(why));
            };
            of_kind.push((shard, row));
        }
        sorted.retain(|(_, rows)| !rows.is_empty());
        Ok(sorted)
    }

    fn codes(&self, keys: impl Iterator<Item = EntityKey>) -> Answer<Vec<i16>> {
        keys.map(|key| Ok(self.tables.kind(key.kind)?.code)).collect()
    }

    pub(crate) fn add_reads(&mut self) -> Answer<()> {
        let reads = self.each(|set| &set.reads);
        for (kind, rows) in self.by_kind(reads, |(key, _)| key.kind)? {
            let count = rows.len() as i64;
            let ids = integers(rows.iter().map(|(_, (key, _))| key.id))?;
            let versions = integers(rows.iter().map(|(_, (_, version))| *version))?;
            self.add(&kind.read, arrays![ids, versions, count]);
        }
        Ok(())
    }

    /// Before any letter is put aside or taken up by these sets themselves.
    fn add_aside(&mut self) {
        let known = self.sets.iter().filter_map(|set| {
            let last = i64::try_from(set.letters_known?).unwrap_or(i64::MAX);
            Some((i32::from(set.shard.index), last))
        });
        let (shards, lasts): (Vec<i32>, Vec<i64>) = known.unzip();
        if !shards.is_empty() {
            self.add(&self.tables.write.letters_known, arrays![shards, lasts]);
        }
        let behind = self.each(|set| &set.behind);
        if !behind.is_empty() {
            let shards: Vec<i32> = behind.iter().map(|(shard, _)| *shard).collect();
            let ids: Vec<i64> = behind.iter().map(|(_, id)| id.cast_signed()).collect();
            let count = behind.len() as i64;
            self.add(&self.tables.write.behind, arrays![shards, ids, count]);
        }
    }

    fn add_inbox(&mut self) -> Answer<()> {
        let moves = self.each(|set| &set.inbox);
        let (first, later): (Vec<_>, Vec<_>) = moves.into_iter().partition(|(_, moved)| moved.from == 0);
        for (moves, is_first) in [(first, true), (later, false)] {
            if moves.is_empty() {
                continue;
            }
            let count = moves.len() as i64;
            let to = integers(moves.iter().map(|(_, moved)| moved.to))?;
            let from = integers(moves.iter().map(|(_, moved)| moved.from))?;
            let shards: Vec<i32> = moves.iter().map(|(shard, _)| *shard).collect();
            let partitions: Vec<i64> =
                moves.iter().map(|(_, moved)| i64::from(moved.key.partition)).collect();
            let (logs, services, sources) = sources(moves.iter().map(|(_, moved)| &moved.key.source));
            let mut parameters = arrays![shards, partitions, logs, services, sources, to];
            if is_first {
                parameters.push(Box::new(count));
                self.add(&self.tables.write.inbox_begin, parameters);
            } else {
                parameters.extend(arrays![from, count]);
                self.add(&self.tables.write.inbox_advance, parameters);
            }
        }
        Ok(())
    }

    fn add_entities(&mut self) -> Answer<()> {
        let writes = self.each(|set| &set.entities);
        for (kind, rows) in self.by_kind(writes, |write: &EntityWrite| write.row.key.kind)? {
            let (new, changed): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|(_, write)| write.replaces == 0);
            if !new.is_empty() {
                let shards: Vec<i32> = new.iter().map(|(shard, _)| *shard).collect();
                let mut parameters = arrays![shards];
                parameters.extend(entity_arrays(&new)?);
                self.add(&kind.insert, parameters);
            }
            if !changed.is_empty() {
                let replaces = integers(changed.iter().map(|(_, write)| write.replaces))?;
                let count = changed.len() as i64;
                let mut parameters = entity_arrays(&changed)?;
                parameters.extend(arrays![replaces, count]);
                self.add(&kind.update, parameters);
            }
        }
        Ok(())
    }

    fn add_timers(&mut self) -> Answer<()> {
        let moves = self.each(|set| &set.timers_moved);
        for (kind, rows) in self.by_kind(moves, |moved| moved.key.kind)? {
            let ids = integers(rows.iter().map(|(_, moved)| moved.key.id))?;
            let names = texts(rows.iter().map(|(_, moved)| &*moved.from.name));
            let from: Vec<i64> = rows.iter().map(|(_, moved)| moved.from.due.0).collect();
            let to: Vec<i64> = rows.iter().map(|(_, moved)| moved.due.0).collect();
            let count = rows.len() as i64;
            self.add(&kind.move_timer, arrays![ids, names, from, to, count]);
        }
        Ok(())
    }

    fn add_events(&mut self) -> Answer<()> {
        let events = self.each(|set| &set.events);
        if events.is_empty() {
            return Ok(());
        }
        let own: Vec<i32> = self.sets.iter().map(|set| i32::from(set.shard.index)).collect();
        let counted = |set: &&WriteSet| (0..set.events.len() as i64).rev().collect::<Vec<i64>>();
        let before_end: Vec<i64> = self.sets.iter().flat_map(counted).collect();
        let shards: Vec<i32> = events.iter().map(|(shard, _)| *shard).collect();
        let kinds = self.codes(events.iter().map(|(_, event)| event.key))?;
        let ids = integers(events.iter().map(|(_, event)| event.key.id))?;
        let versions = integers(events.iter().map(|(_, event)| event.version))?;
        let names = texts(events.iter().map(|(_, event)| event.event_type));
        let schemas: Vec<i32> = events.iter().map(|(_, event)| i32::from(event.schema)).collect();
        let published: Vec<bool> = events.iter().map(|(_, event)| event.published).collect();
        let times: Vec<i64> = events.iter().map(|(_, event)| event.at.0).collect();
        let actors = texts(events.iter().map(|(_, event)| &*event.actor));
        let causes = texts(events.iter().map(|(_, event)| event.cause.as_str()));
        let traces: Vec<Option<Cow<'_, str>>> =
            events.iter().map(|(_, event)| event.trace.as_deref().map(stored_text)).collect();
        let bodies = texts(events.iter().map(|(_, event)| event.body.as_str()));
        let mut parameters = arrays![self.tables.code, own, shards, before_end, kinds, ids, versions, names];
        parameters.extend(arrays![schemas, published, times, actors, causes, traces, bodies]);
        self.add(&self.tables.write.events, parameters);
        Ok(())
    }

    fn add_effects(&mut self) -> Answer<()> {
        let new = self.each(|set| &set.effects_new);
        if !new.is_empty() {
            let shards: Vec<i32> = new.iter().map(|(shard, _)| *shard).collect();
            let kinds = self.codes(new.iter().map(|(_, effect)| effect.key))?;
            let ids = integers(new.iter().map(|(_, effect)| effect.key.id))?;
            let sequences = integers(new.iter().map(|(_, effect)| effect.sequence))?;
            let names = texts(new.iter().map(|(_, effect)| &*effect.name));
            let bodies = texts(new.iter().map(|(_, effect)| effect.body.as_str()));
            let attempts: Vec<i64> = new.iter().map(|(_, effect)| i64::from(effect.attempts)).collect();
            let until: Vec<i64> = new.iter().map(|(_, effect)| effect.claimed_until.0).collect();
            let parameters = arrays![shards, kinds, ids, sequences, names, bodies, attempts, until];
            self.add(&self.tables.write.effects, parameters);
        }
        let claims = self.each(|set| &set.effects_claimed);
        if !claims.is_empty() {
            let kinds = self.codes(claims.iter().map(|(_, claim)| claim.key))?;
            let ids = integers(claims.iter().map(|(_, claim)| claim.key.id))?;
            let sequences = integers(claims.iter().map(|(_, claim)| claim.sequence))?;
            let before: Vec<i64> = claims.iter().map(|(_, claim)| i64::from(claim.attempts_before)).collect();
            let until: Vec<i64> = claims.iter().map(|(_, claim)| claim.claimed_until.0).collect();
            let count = claims.len() as i64;
            let parameters = arrays![kinds, ids, sequences, before, until, count];
            self.add(&self.tables.write.effects_claim, parameters);
        }
        let done = self.each(|set| &set.effects_done);
        if !done.is_empty() {
            let kinds = self.codes(done.iter().map(|(_, (key, _))| *key))?;
            let ids = integers(done.iter().map(|(_, (key, _))| key.id))?;
            let sequences = integers(done.iter().map(|(_, (_, sequence))| *sequence))?;
            let count = done.len() as i64;
            self.add(&self.tables.write.effects_done, arrays![kinds, ids, sequences, count]);
        }
        Ok(())
    }

    fn add_answers(&mut self) -> Answer<()> {
        let rows = self.each(|set| &set.idempotency);
        if rows.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<_> = rows.into_iter().map(|(_, row)| (Digest::of(&row.request), row)).collect();
        rows.sort_unstable_by_key(|(digest, _)| *digest);
        let digests: Vec<Digest> = rows.iter().map(|(digest, _)| *digest).collect();
        let routes = texts(rows.iter().map(|(_, row)| row.request.route));
        let keys = texts(rows.iter().map(|(_, row)| row.request.key.as_str()));
        let fingerprints: Vec<&[u8]> = rows.iter().map(|(_, row)| &row.fingerprint[..]).collect();
        let kinds = self.codes(rows.iter().map(|(_, row)| row.key))?;
        let ids = integers(rows.iter().map(|(_, row)| row.key.id))?;
        let refusals: Vec<Option<Cow<'_, str>>> =
            rows.iter().map(|(_, row)| row.refusal.as_deref().map(stored_text)).collect();
        let times: Vec<i64> = rows.iter().map(|(_, row)| row.at.0).collect();
        let parameters = arrays![digests, routes, keys, fingerprints, kinds, ids, refusals, times];
        self.add(&self.tables.write.answers, parameters);
        Ok(())
    }

    fn add_letters(&mut self) -> Answer<()> {
        let letters = self.each(|set| &set.dead_letters);
        if !letters.is_empty() {
            let shards: Vec<i32> = letters.iter().map(|(shard, _)| *shard).collect();
            let entities: Vec<i64> =
                letters.iter().map(|(_, letter)| letter.entity_id.cast_signed()).collect();
            let mut parcels = Vec::with_capacity(letters.len());
            for (_, letter) in &letters {
                let parcel = serde_json::to_string(&letter.parcel);
                parcels.push(parcel.map_err(|error| Failure::Refused(error.to_string()))?);
            }
            let reasons = texts(letters.iter().map(|(_, letter)| letter.reason.as_str()));
            let times: Vec<i64> = letters.iter().map(|(_, letter)| letter.at.0).collect();
            let parameters = arrays![shards, entities, parcels, reasons, times];
            self.add(&self.tables.write.letters, parameters);
        }
        let done = self.each(|set| &set.dead_letters_done);
        if !done.is_empty() {
            let shards: Vec<i32> = done.iter().map(|(shard, _)| *shard).collect();
            let numbers = integers(done.iter().map(|(_, number)| **number))?;
            let count = done.len() as i64;
            self.add(&self.tables.write.letters_done, arrays![shards, numbers, count]);
        }
        self.add_skips()
    }

    fn add_skips(&mut self) -> Answer<()> {
        let skips = self.each(|set| &set.dead_letters_skipped);
        if skips.is_empty() {
            return Ok(());
        }
        let shards: Vec<i32> = skips.iter().map(|(shard, _)| *shard).collect();
        let numbers = integers(skips.iter().map(|(_, skip)| skip.number))?;
        let by = texts(skips.iter().map(|(_, skip)| skip.skip.by.as_str()));
        let why = texts(skips.iter().map(|(_, skip)| skip.skip.reason.as_str()));
        let times: Vec<i64> = skips.iter().map(|(_, skip)| skip.skip.at.0).collect();
        let count = skips.len() as i64;
        self.add(&self.tables.write.letters_skip, arrays![shards, numbers, by, why, times, count]);
        let passed = skips.iter().filter_map(|(shard, skip)| Some((*shard, skip.passed_over.as_ref()?)));
        let passed: Vec<(i32, &(Source, u64))> = passed.collect();
        if !passed.is_empty() {
            let shards: Vec<i32> = passed.iter().map(|(shard, _)| *shard).collect();
            let (logs, services, indexes) = sources(passed.iter().map(|(_, (source, _))| source));
            let positions = integers(passed.iter().map(|(_, (_, position))| *position))?;
            let parameters = arrays![shards, logs, services, indexes, positions];
            self.add(&self.tables.write.passed_over, parameters);
        }
        Ok(())
    }

    /// Each counter once, in one order; one that does not change is left alone.
    fn add_counters(&mut self) -> Answer<()> {
        let mut sums: BTreeMap<(i16, &str, i32), i64> = BTreeMap::new();
        for (shard, ((kind, tag), change)) in self.each(|set| &set.counts) {
            *sums.entry((self.tables.kind(kind)?.code, &**tag, shard)).or_default() += change;
        }
        sums.retain(|_, change| *change != 0);
        if sums.is_empty() {
            return Ok(());
        }
        let shards: Vec<i32> = sums.keys().map(|(_, _, shard)| *shard).collect();
        let kinds: Vec<i16> = sums.keys().map(|(kind, _, _)| *kind).collect();
        let tags = texts(sums.keys().map(|(_, tag, _)| *tag));
        let changes: Vec<i64> = sums.values().copied().collect();
        self.add(&self.tables.write.counters, arrays![shards, kinds, tags, changes]);
        Ok(())
    }
}

fn entity_arrays<'a>(writes: &[(i32, &'a EntityWrite)]) -> Answer<Vec<Parameter<'a>>> {
    let rows = || writes.iter().map(|(_, write)| &write.row);
    let ids = integers(rows().map(|row| row.key.id))?;
    let versions = integers(rows().map(|row| row.version))?;
    let tags = texts(rows().map(|row| &*row.tag));
    let timers: Vec<Option<Cow<'a, str>>> =
        rows().map(|row| row.timer.as_ref().map(|timer| stored_text(&timer.name))).collect();
    let dues: Vec<Option<i64>> = rows().map(|row| row.timer.as_ref().map(|timer| timer.due.0)).collect();
    let mut open = Vec::with_capacity(writes.len());
    for row in rows() {
        open.push(array_of(&row.effects_open)?);
    }
    let states = texts(rows().map(|row| row.state.as_str()));
    Ok(arrays![ids, versions, tags, timers, dues, open, states])
}

/// Numbers as PostgreSQL writes an array; one array cannot hold others of different lengths, so each is a text.
fn array_of(numbers: &[u64]) -> Answer<Cow<'static, str>> {
    if numbers.is_empty() {
        return Ok(Cow::Borrowed("{}"));
    }
    let numbers: Answer<Vec<String>> = numbers.iter().map(|each| Ok(integer(*each)?.to_string())).collect();
    Ok(Cow::Owned(format!("{{{}}}", numbers?.join(","))))
}

fn integers(numbers: impl Iterator<Item = u64>) -> Answer<Vec<i64>> {
    numbers.map(integer).collect()
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Cow<'a, str>> {
    texts.map(stored_text).collect()
}

/// The columns that name logs.
fn sources<'a>(sources: impl Iterator<Item = &'a Source>) -> (Vec<String>, Vec<Cow<'a, str>>, Vec<i32>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        columns.0.push(source.log.to_string());
        columns.1.push(stored_text(&source.service));
        columns.2.push(i32::from(source.shard));
    }
    columns
}
