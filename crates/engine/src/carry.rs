//! All that one store holds of its services carried into another, in the rows that every store has.
//!
//! What a store can be read of ([`Snapshot`]) becomes write sets, as if everything had been decided just now: so whatever a row
//! has more one day is carried with it. Logs keep their ids, and events their positions.

use crate::clock::Timestamp;
use crate::dead_letter::DeadLetter;
use crate::log::{LogId, Recorded, ShardName, Source, shard_of};
use crate::store::{
    EntityRow, EntityWrite, InboxKey, InboxMove, NewEvent, Schema, Snapshot, StoreError, Stored, Visit,
    WriteSet,
};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Rows that are given at once.
const ROWS_AT_ONCE: usize = 2_000;

/// A name that is written in a program, read back from a store. There are few of them: types of events, and routes.
pub fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = String::leak(name.to_owned());
    names.insert(name);
    name
}

/// A store that is filled, and that nobody uses before it is full.
pub trait Filling {
    /// Rows of one shard, of which there are none yet. Events follow on those that were given before.
    fn fill(&mut self, set: &WriteSet) -> Stored<()>;

    /// Dead letters with their numbers, those that were passed over too.
    fn fill_letters(&mut self, shard: ShardName, letters: &[DeadLetter]) -> Stored<()>;

    fn fill_passed_over(&mut self, shard: ShardName, passed: &[(Source, u64)]) -> Stored<()>;
}

/// What is not carried as it stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes {
    /// No timer runs out before.
    pub no_timer_before: Option<Timestamp>,
}

/// How much was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    pub events: u64,
    pub entities: u64,
    pub effects: u64,
    pub answers: u64,
    pub inbox: u64,
    pub letters: u64,
    pub passed_over: u64,
    pub timers_moved: u64,
}

impl Carried {
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.entities += other.entities;
        self.effects += other.effects;
        self.answers += other.answers;
        self.inbox += other.inbox;
        self.letters += other.letters;
        self.passed_over += other.passed_over;
        self.timers_moved += other.timers_moved;
    }
}

/// By which name an inbox knows a log once what it has heard of it is told by a topic, from the beginning: what the row says
/// was heard may have been, and no row of the topic says it yet. The log's own name would say that it is known.
pub fn former(log: LogId) -> LogId {
    LogId(!log.0)
}

/// Carries everything of one service.
pub fn carry(
    from: &dyn Snapshot,
    schema: Schema,
    (into, changes): (&mut dyn Filling, Changes),
) -> Stored<Carried> {
    let service = schema.service;
    if from.rebuild(service)?.is_some() {
        return Err(StoreError::Fatal(format!(
            "{service} is being made anew: let that come to its end first"
        )));
    }
    let mut carrying = Carrying {
        from,
        schema,
        changes,
        into,
        sets: shards(schema).map(|shard| WriteSet::new(shard, 0)).collect(),
        carried: Carried::default(),
    };
    carrying.events()?;
    carrying.entities()?;
    carrying.effects()?;
    carrying.answers()?;
    carrying.of_shards()?;
    Ok(carrying.carried)
}

fn shards(schema: Schema) -> impl Iterator<Item = ShardName> {
    (0..schema.shards).map(move |index| ShardName { service: schema.service, index })
}

struct Carrying<'a> {
    from: &'a dyn Snapshot,
    schema: Schema,
    changes: Changes,
    into: &'a mut dyn Filling,
    /// What was read and not given yet, of each shard.
    sets: Vec<WriteSet>,
    carried: Carried,
}

impl Carrying<'_> {
    fn events(&mut self) -> Stored<()> {
        let from = self.from;
        for shard in shards(self.schema) {
            let (mut given, mut first) = (0, 0);
            let mut failed = Ok(());
            from.events(shard, &mut |event| {
                given += 1;
                first = if given == 1 { event.position } else { first };
                failed = self.event(shard, event);
                if failed.is_ok() { Visit::On } else { Visit::Enough }
            })?;
            failed?;
            self.give(shard.index)?;
            let last = from.last_position(shard)?;
            if given != last || first > 1 {
                let why = format!(
                    "{shard} has {given} events from {first} on and ends at {last}: there are gaps in it"
                );
                return Err(StoreError::Fatal(why));
            }
        }
        Ok(())
    }

    fn event(&mut self, shard: ShardName, event: Recorded) -> Stored<()> {
        let key = self.own_key(&event.entity_kind, event.entity_id)?;
        let Recorded { version, event_type, schema, published, at, actor, cause, trace, body, .. } = event;
        let event_type = interned(&event_type);
        let new = NewEvent { key, version, event_type, schema, published, at, actor, cause, trace, body };
        let set = &mut self.sets[usize::from(shard.index)];
        set.events.push(new);
        self.carried.events += 1;
        if set.events.len() >= ROWS_AT_ONCE { self.give(shard.index) } else { Ok(()) }
    }

    fn own_key(&self, kind: &str, id: u64) -> Stored<crate::log::EntityKey> {
        crate::dead_letter::own_key(self.schema.kinds, kind, id)
            .ok_or_else(|| StoreError::Fatal(format!("{} has no {kind}", self.schema.service)))
    }

    fn entities(&mut self) -> Stored<()> {
        let from = self.from;
        let mut failed = Ok(());
        from.entities(self.schema.service, &mut |row| {
            failed = self.entity(row);
            if failed.is_ok() { Visit::On } else { Visit::Enough }
        })?;
        failed?;
        self.give_all()
    }

    fn entity(&mut self, mut row: EntityRow) -> Stored<()> {
        if let Some((timer, least)) = row.timer.as_mut().zip(self.changes.no_timer_before)
            && timer.due < least
        {
            timer.due = least;
            self.carried.timers_moved += 1;
        }
        let shard = shard_of(row.key.id, self.schema.shards);
        let set = &mut self.sets[usize::from(shard)];
        // Counters are made anew by what there is.
        set.counts.push(((row.key.kind, Cow::Owned(row.tag.to_string())), 1));
        set.entities.push(EntityWrite { row, replaces: 0 });
        self.carried.entities += 1;
        if set.entities.len() >= ROWS_AT_ONCE { self.give(shard) } else { Ok(()) }
    }

    fn effects(&mut self) -> Stored<()> {
        for effect in self.from.effects(self.schema.service)? {
            let shard = shard_of(effect.key.id, self.schema.shards);
            let set = &mut self.sets[usize::from(shard)];
            set.effects_new.push(effect);
            self.carried.effects += 1;
            if set.effects_new.len() >= ROWS_AT_ONCE {
                self.give(shard)?;
            }
        }
        self.give_all()
    }

    fn answers(&mut self) -> Stored<()> {
        let from = self.from;
        let mut failed = Ok(());
        from.answers(self.schema.service, &mut |row| {
            let shard = shard_of(row.key.id, self.schema.shards);
            let set = &mut self.sets[usize::from(shard)];
            set.idempotency.push(row);
            self.carried.answers += 1;
            if set.idempotency.len() >= ROWS_AT_ONCE {
                failed = self.give(shard);
            }
            if failed.is_ok() { Visit::On } else { Visit::Enough }
        })?;
        failed?;
        self.give_all()
    }

    /// What each shard keeps for itself: how far it has read, and what was put aside.
    fn of_shards(&mut self) -> Stored<()> {
        for shard in shards(self.schema) {
            let rows = self.from.inbox(shard)?;
            self.carried.inbox += rows.len() as u64;
            let set = &mut self.sets[usize::from(shard.index)];
            set.inbox = rows.into_iter().filter(|(_, position)| *position > 0).map(moved).collect();
            self.give(shard.index)?;
            let letters = self.from.dead_letters(shard)?;
            self.carried.letters += letters.len() as u64;
            let passed = self.from.passed_over(shard)?;
            self.carried.passed_over += passed.len() as u64;
            if !letters.is_empty() {
                self.into.fill_letters(shard, &letters)?;
            }
            if !passed.is_empty() {
                self.into.fill_passed_over(shard, &passed)?;
            }
        }
        Ok(())
    }

    fn give_all(&mut self) -> Stored<()> {
        (0..self.schema.shards).try_for_each(|shard| self.give(shard))
    }

    fn give(&mut self, shard: u16) -> Stored<()> {
        let name = ShardName { service: self.schema.service, index: shard };
        let set = std::mem::replace(&mut self.sets[usize::from(shard)], WriteSet::new(name, 0));
        if set.changes_nothing() && set.effects_new.is_empty() {
            return Ok(());
        }
        self.into.fill(&set)
    }
}

fn moved((key, position): (InboxKey, u64)) -> InboxMove {
    let source = Source { log: former(key.source.log), ..key.source };
    InboxMove { key: InboxKey { source, ..key }, from: 0, to: position }
}
