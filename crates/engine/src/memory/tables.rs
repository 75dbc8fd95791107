//! The rows of one service in memory.

use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parked};
use crate::effect::Effect;
use crate::idempotency::{IdempotencyRow, RequestKey};
use crate::log::{EntityKey, LogId, Recorded, Source, shard_of};
use crate::store::{Backlog, Commit, EntityRow, InboxKey, Order, Query, Rebuild, Schema, Start, WriteSet};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The rows of one service.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tables {
    pub(super) entities: BTreeMap<EntityKey, EntityRow>,
    pub(super) events: Vec<Vec<Recorded>>,
    pub(super) inbox: Vec<BTreeMap<InboxKey, u64>>,
    pub(super) effects: BTreeMap<(EntityKey, u64), Effect>,
    pub(super) idempotency: HashMap<RequestKey, IdempotencyRow>,
    pub(super) letters: BTreeMap<u64, DeadLetter>,
    pub(super) passed_over: Vec<BTreeSet<(Source, u64)>>,
    pub(super) rebuild: Option<Rebuild>,
    pub(super) rebuilds_ever: u64,
    pub(super) letters_ever: u64,
    pub(super) counts: BTreeMap<(&'static str, String), i64>,
    /// Where each batch left the log of its shard.
    pub(super) batches: HashMap<(u16, u64), u64>,
    pub(super) next_number: u64,
}

impl Tables {
    pub(super) fn of(schema: Schema) -> Self {
        let shards = usize::from(schema.shards);
        Self {
            events: vec![Vec::new(); shards],
            inbox: vec![BTreeMap::new(); shards],
            passed_over: vec![BTreeSet::new(); shards],
            next_number: 1,
            ..Self::default()
        }
    }

    pub(super) fn check(&self, set: &WriteSet) -> Result<(), Commit> {
        if self.rebuild == Some(Rebuild::Dropping) {
            return Err(Commit::Fenced);
        }
        let version = |key: &EntityKey| self.entities.get(key).map_or(0, |row| row.version);
        let reads = set.reads.iter().all(|(key, read)| version(key) == *read);
        let writes = set.entities.iter().all(|write| version(&write.row.key) == write.replaces);
        let claims = set.effects_claimed.iter().all(|claim| {
            let effect = self.effects.get(&(claim.key, claim.sequence));
            effect.is_some_and(|effect| effect.attempts == claim.attempts_before)
        });
        let done = set.effects_done.iter().all(|key| self.effects.contains_key(key));
        let keys = set.idempotency.iter().all(|row| !self.idempotency.contains_key(&row.request));
        let skips = set.dead_letters_skipped.iter().all(|skip| {
            let letter = self.letters.get(&skip.number);
            letter.is_some_and(|letter| letter.skipped.is_none())
        });
        let letters = set.dead_letters_done.iter().all(|number| {
            let letter = self.letters.get(number);
            letter.is_some_and(|letter| letter.skipped.is_none())
        });
        let timers = set.timers_moved.iter().all(|moved| {
            let row = self.entities.get(&moved.key);
            row.is_some_and(|row| row.timer.as_ref() == Some(&moved.from))
        });
        let asides = self.is_aside_known(set);
        if !(reads && writes && claims && done && keys && skips && letters && timers && asides) {
            return Err(Commit::Conflict);
        }
        let rows = &self.inbox[usize::from(set.shard.index)];
        let inbox = set.inbox.iter().all(|step| rows.get(&step.key).copied().unwrap_or(0) == step.from);
        if inbox { Ok(()) } else { Err(Commit::Fenced) }
    }

    /// Whether what was known of dead letters that wait is so still.
    fn is_aside_known(&self, set: &WriteSet) -> bool {
        let shards =
            u16::try_from(self.inbox.len()).expect("a service has as many shards as a u16 can count");
        let mut waiting = self.letters(set.shard.index, shards, None);
        waiting.retain(|letter| letter.skipped.is_none());
        let parked = Parked::of(&waiting, 0).entities;
        let is_known =
            set.letters_known.is_none_or(|last| waiting.iter().all(|letter| letter.number <= last));
        is_known && set.behind.iter().all(|id| parked.contains(id))
    }

    pub(super) fn apply(&mut self, set: &WriteSet, log: LogId) {
        let shard = usize::from(set.shard.index);
        let source = Source { log, service: Cow::Borrowed(set.shard.service), shard: set.shard.index };
        for event in &set.events {
            let position = self.events[shard].len() as u64 + 1;
            self.events[shard].push(event.clone().recorded(source.clone(), position));
        }
        for write in &set.entities {
            self.entities.insert(write.row.key, write.row.clone());
        }
        for step in &set.inbox {
            self.inbox[shard].insert(step.key.clone(), step.to);
        }
        for effect in &set.effects_new {
            let row = Effect { trace: None, ..effect.clone() };
            self.effects.insert((effect.key, effect.sequence), row);
        }
        for claim in &set.effects_claimed {
            if let Some(effect) = self.effects.get_mut(&(claim.key, claim.sequence)) {
                effect.attempts = claim.attempts_before + 1;
                effect.claimed_until = claim.claimed_until;
            }
        }
        for done in &set.effects_done {
            self.effects.remove(done);
        }
        for row in &set.idempotency {
            self.idempotency.insert(row.request.clone(), row.clone());
        }
        for letter in &set.dead_letters {
            self.letters_ever += 1;
            self.letters
                .insert(self.letters_ever, DeadLetter { number: self.letters_ever, ..letter.clone() });
        }
        self.apply_to_letters(set);
        for ((kind, tag), change) in &set.counts {
            *self.counts.entry((kind, tag.to_string())).or_default() += change;
        }
        self.batches.insert((set.shard.index, set.batch), self.last(set.shard.index));
    }

    fn apply_to_letters(&mut self, set: &WriteSet) {
        for number in &set.dead_letters_done {
            self.letters.remove(number);
        }
        for skip in &set.dead_letters_skipped {
            if let Some(letter) = self.letters.get_mut(&skip.number) {
                letter.skipped = Some(skip.skip.clone());
            }
            self.passed_over[usize::from(set.shard.index)].extend(skip.passed_over.clone());
        }
        for moved in &set.timers_moved {
            if let Some(timer) = self.entities.get_mut(&moved.key).and_then(|row| row.timer.as_mut()) {
                timer.due = moved.due;
            }
        }
    }

    /// Drops some entities, and with the last of them everything else that a projection is to read anew.
    pub(super) fn drop_some(&mut self, limit: usize) -> Rebuild {
        if self.rebuild != Some(Rebuild::Dropping) {
            return Rebuild::Reading;
        }
        let mut stage = Rebuild::Dropping;
        for _ in 0..limit {
            if self.entities.pop_first().is_none() {
                break;
            }
        }
        if self.entities.is_empty() {
            self.counts.clear();
            self.inbox.iter_mut().for_each(BTreeMap::clear);
            self.passed_over.iter_mut().for_each(BTreeSet::clear);
            self.letters.retain(|_, letter| letter.skipped.is_some());
            stage = Rebuild::Reading;
        }
        self.rebuild = Some(stage);
        stage
    }

    pub(super) fn backlog(&self, overdue_before: Timestamp) -> Backlog {
        let dues = self.entities.values().filter_map(|row| Some(row.timer.as_ref()?.due));
        let wanted_at = |effect: &Effect| {
            let version = effect.wanted_at();
            let mut events = self.events.iter().flatten();
            let wanting = events.find(|event| {
                (&*event.entity_kind, event.entity_id, event.version)
                    == (effect.key.kind, effect.key.id, version)
            });
            wanting.map(|event| event.at)
        };
        let skipped = self.letters.values().filter(|letter| letter.skipped.is_some()).count() as u64;
        Backlog {
            timers_overdue: dues.clone().filter(|due| *due < overdue_before).count() as u64,
            timer_first_due: dues.min(),
            effects_open: self.effects.len() as u64,
            effect_oldest: self.effects.values().filter_map(wanted_at).min(),
            letters_waiting: self.letters.len() as u64 - skipped,
            letters_skipped: skipped,
        }
    }

    pub(super) fn armed(&self, limit: u32) -> Vec<EntityRow> {
        let kinds: BTreeSet<&str> = self.entities.keys().map(|key| key.kind).collect();
        let of_kind = |kind: &str| {
            let of_kind = self.entities.values().filter(|row| row.key.kind == kind);
            let armed = of_kind.filter_map(|row| Some((row.timer.as_ref()?.due, row)));
            let mut armed: Vec<_> = armed.collect();
            armed.sort_by_key(|(due, row)| (*due, row.key.id));
            armed.into_iter().take(limit as usize).map(|(_, row)| row.clone()).collect::<Vec<_>>()
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }

    pub(super) fn list(&self, query: &Query) -> Vec<EntityRow> {
        let mut rows: Vec<&EntityRow> = self
            .entities
            .values()
            .filter(|row| row.key.kind == query.kind)
            .filter(|row| query.tag.as_ref().is_none_or(|tag| row.tag == *tag))
            .collect();
        let place = |tag: &str, id: u64| match query.order {
            Order::Id => (String::new(), id),
            Order::Tag => (tag.to_owned(), id),
        };
        rows.sort_by_key(|row| place(&row.tag, row.key.id));
        if query.descending {
            rows.reverse();
        }
        let is_before = |row: &EntityRow, tag: &str, id: u64| {
            let (left, right) = (place(&row.tag, row.key.id), place(tag, id));
            if query.descending { left > right } else { left < right }
        };
        let limit = query.limit as usize;
        let skip = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let (from, to) = match &query.start {
            Start::First { skip: count } => (skip(*count), skip(*count).saturating_add(limit)),
            Start::Last { skip: count } => {
                let to = rows.len().saturating_sub(skip(*count));
                (to.saturating_sub(limit), to)
            }
            Start::After { tag, id } => {
                let at = place(tag, *id);
                let from =
                    rows.iter().filter(|row| is_before(row, tag, *id) || place(&row.tag, row.key.id) == at);
                let from = from.count();
                (from, from.saturating_add(limit))
            }
            Start::Before { tag, id } => {
                let to = rows.iter().filter(|row| is_before(row, tag, *id)).count();
                (to.saturating_sub(limit), to)
            }
        };
        let (from, to) = (from.min(rows.len()), to.min(rows.len()));
        rows[from..to].iter().map(|row| (*row).clone()).collect()
    }

    pub(super) fn counts(&self, kind: &'static str) -> Vec<(String, u64)> {
        let of_kind = self.counts.iter().filter(|((known, _), count)| *known == kind && **count != 0);
        of_kind.map(|((_, tag), count)| (tag.clone(), u64::try_from(*count).unwrap_or(0))).collect()
    }

    pub(super) fn after(&self, shard: u16, position: u64, limit: usize) -> Vec<Recorded> {
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        self.events[usize::from(shard)].iter().skip(skip).take(limit).cloned().collect()
    }

    pub(super) fn published_last(&self, key: EntityKey) -> u64 {
        let own =
            self.events.iter().flatten().filter(|event| {
                event.published && event.entity_kind == key.kind && event.entity_id == key.id
            });
        own.map(|event| event.position).max().unwrap_or(0)
    }

    pub(super) fn trace(&self, key: EntityKey, version: u64) -> Option<String> {
        let own = self.events.iter().flatten().filter(|event| {
            event.entity_kind == key.kind && event.entity_id == key.id && event.version <= version
        });
        own.max_by_key(|event| event.version)?.trace.clone()
    }

    pub(super) fn last(&self, shard: u16) -> u64 {
        self.events[usize::from(shard)].len() as u64
    }

    pub(super) fn letters(&self, shard: u16, shards: u16, entity_id: Option<u64>) -> Vec<DeadLetter> {
        let letters = self.letters.values().filter(|letter| shard_of(letter.entity_id, shards) == shard);
        letters.filter(|letter| entity_id.is_none_or(|id| letter.entity_id == id)).cloned().collect()
    }
}
