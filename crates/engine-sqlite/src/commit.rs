//! One commit: all write sets in one transaction, table by table, or nothing of any.

use crate::failure::{Failure, integer};
use crate::keys::Keys;
use crate::read;
use crate::tables::{Kind, Tables, place};
use crate::writer::Writer;
use engine::effect::Effect;
use engine::store::{Commit, EntityWrite, LetterSkip, TimerMove, WriteSet};
use rusqlite::{CachedStatement, Connection, params};

/// What is undone in memory when a commit fails: keys that were added, by service.
type Added = Vec<(usize, (u64, u64))>;

pub(crate) fn commit(writer: &mut Writer, sets: &[WriteSet]) -> Commit {
    let mut added = Added::new();
    match try_commit(writer, sets, &mut added) {
        Ok(positions) => {
            raise_ids(writer, sets);
            Commit::Done(positions)
        }
        Err(failure) => {
            for (service, digest) in added {
                writer.memory[service].keys.remove(digest);
            }
            // SQLite ends the transaction itself after some errors.
            if !writer.connection.is_autocommit()
                && let Err(error) = writer.connection.execute_batch("ROLLBACK")
            {
                return Commit::Fatal(format!("a commit could not be taken back: {error}"));
            }
            failure.into_commit()
        }
    }
}

fn try_commit(writer: &mut Writer, sets: &[WriteSet], added: &mut Added) -> Result<Vec<u64>, Failure> {
    let connection = &writer.connection;
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut positions = Vec::with_capacity(sets.len());
    for set in sets {
        let service = writer.layout.place(set.shard.service)?;
        if writer.memory[service].is_dropping {
            return Err(Failure::Fenced);
        }
        let tables = &writer.layout.services()[service];
        let one = One { connection, tables, set };
        positions.push(one.write()?);
        one.write_idempotency(&mut writer.memory[service].keys, (service, added))?;
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(positions)
}

/// An id that was stored is never given away.
fn raise_ids(writer: &mut Writer, sets: &[WriteSet]) {
    for set in sets {
        let Ok(service) = writer.layout.place(set.shard.service) else {
            continue;
        };
        let tables = &writer.layout.services()[service];
        let memory = &mut writer.memory[service];
        for write in &set.entities {
            let Ok(kind) = tables.place_of_kind(write.row.key.kind) else { continue };
            memory.stored_last[kind] = memory.stored_last[kind].max(write.row.key.id);
        }
        memory.id_last = memory.id_last.max(memory.stored_last.first().copied().unwrap_or(0));
    }
}

/// A write set on its way into the tables of its service.
struct One<'a> {
    connection: &'a Connection,
    tables: &'a Tables,
    set: &'a WriteSet,
}

impl One<'_> {
    /// Returns the position of the shard's last event afterwards.
    fn write(&self) -> Result<u64, Failure> {
        for (key, version) in &self.set.reads {
            if read::version(self.connection, self.tables, *key)? != *version {
                return Err(Failure::Conflict);
            }
        }
        self.check_aside()?;
        self.move_inbox()?;
        self.write_entities()?;
        let position = self.write_events()?;
        self.write_effects()?;
        self.write_dead_letters()?;
        self.move_timers()?;
        self.write_counts()?;
        Ok(position)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Failure> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// What was known of dead letters that wait is so still.
    fn check_aside(&self) -> Result<(), Failure> {
        let shard = self.tables.own_shard(self.set.shard)?;
        if let Some(last) = self.set.letters_known {
            let mut later = self.prepare(&self.tables.letter.later)?;
            if later.exists(params![shard, integer(last)?])? {
                return Err(Failure::Conflict);
            }
        }
        for id in &self.set.behind {
            if !read::is_parked(self.connection, self.tables, (shard, *id))? {
                return Err(Failure::Conflict);
            }
        }
        Ok(())
    }

    fn move_inbox(&self) -> Result<(), Failure> {
        if self.set.inbox.is_empty() {
            return Ok(());
        }
        let shard = self.tables.own_shard(self.set.shard)?;
        let mut insert = self.prepare(&self.tables.inbox.insert)?;
        let mut update = self.prepare(&self.tables.inbox.advance)?;
        for moved in &self.set.inbox {
            let source = &moved.key.source;
            let (log, to) = (source.log.to_string(), integer(moved.to)?);
            let (partition, service, source_shard) = (moved.key.partition, &source.service, source.shard);
            let changed = if moved.from == 0 {
                insert.execute(params![shard, partition, log, service, source_shard, to])?
            } else {
                let from = integer(moved.from)?;
                update.execute(params![shard, partition, log, service, source_shard, to, from])?
            };
            if changed != 1 {
                return Err(Failure::Fenced);
            }
        }
        Ok(())
    }

    fn write_entities(&self) -> Result<(), Failure> {
        let mut written = 0;
        for kind in &self.tables.kinds {
            let of_kind = |write: &&EntityWrite| write.row.key.kind == kind.name;
            let writes: Vec<&EntityWrite> = self.set.entities.iter().filter(of_kind).collect();
            written += writes.len();
            self.write_entities_of(kind, &writes)?;
        }
        if written != self.set.entities.len() {
            let why = format!("an entity of a kind that {} does not own", self.set.shard.service);
            return Err(Failure::Refused(why));
        }
        Ok(())
    }

    fn write_entities_of(&self, kind: &Kind, writes: &[&EntityWrite]) -> Result<(), Failure> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut insert = self.prepare(&kind.insert)?;
        let mut update = self.prepare(&kind.update)?;
        for EntityWrite { row, replaces } in writes.iter().copied() {
            let (id, version, tag) = (integer(row.key.id)?, integer(row.version)?, &row.tag);
            let timer = row.timer.as_ref().map(|timer| &timer.name);
            let due = row.timer.as_ref().map(|timer| timer.due.0);
            let open = sequences(&row.effects_open);
            let changed = if *replaces == 0 {
                insert.execute(params![id, version, tag, timer, due, open, row.state])?
            } else {
                let replaces = integer(*replaces)?;
                update.execute(params![id, version, tag, timer, due, open, row.state, replaces])?
            };
            if changed != 1 {
                return Err(Failure::Conflict);
            }
        }
        Ok(())
    }

    fn write_events(&self) -> Result<u64, Failure> {
        let shard = self.tables.own_shard(self.set.shard)?;
        let events = &self.set.events;
        let mut step = self.prepare(&self.tables.log.step)?;
        let count = integer(events.len() as u64)?;
        let last: i64 =
            step.query_row(params![shard, count, self.set.batch.cast_signed()], |row| row.get(0))?;
        let first = last + 1 - count;
        let mut insert = self.prepare(&self.tables.log.insert)?;
        for (event, position) in events.iter().zip(first..) {
            insert.execute(params![
                place(self.set.shard.index, position.unsigned_abs())?,
                self.tables.kind(event.key.kind)?.code,
                integer(event.key.id)?,
                integer(event.version)?,
                event.event_type,
                event.schema,
                event.published,
                event.at.0,
                event.actor,
                event.cause,
                event.trace,
                event.body,
            ])?;
        }
        Ok(last.unsigned_abs())
    }

    fn write_effects(&self) -> Result<(), Failure> {
        let mut insert = self.prepare(&self.tables.effect.insert)?;
        for effect in &self.set.effects_new {
            let Effect { key, sequence, name, body, attempts, claimed_until, trace: _ } = effect;
            insert.execute(params![
                self.tables.kind(key.kind)?.code,
                integer(key.id)?,
                integer(*sequence)?,
                name,
                body,
                attempts,
                claimed_until.0,
            ])?;
        }
        let mut claim = self.prepare(&self.tables.effect.claim)?;
        for claimed in &self.set.effects_claimed {
            let kind = self.tables.kind(claimed.key.kind)?.code;
            let (id, sequence) = (integer(claimed.key.id)?, integer(claimed.sequence)?);
            let (before, until) = (claimed.attempts_before, claimed.claimed_until.0);
            if claim.execute(params![kind, id, sequence, before, until])? != 1 {
                return Err(Failure::Conflict);
            }
        }
        let mut delete = self.prepare(&self.tables.effect.delete)?;
        for (key, sequence) in &self.set.effects_done {
            let kind = self.tables.kind(key.kind)?.code;
            if delete.execute(params![kind, integer(key.id)?, integer(*sequence)?])? != 1 {
                return Err(Failure::Conflict);
            }
        }
        Ok(())
    }

    fn write_idempotency(
        &self,
        keys: &mut Keys,
        (service, added): (usize, &mut Added),
    ) -> Result<(), Failure> {
        if self.set.idempotency.is_empty() {
            return Ok(());
        }
        let mut insert = self.prepare(&self.tables.answer.insert)?;
        for row in &self.set.idempotency {
            let (route, key) = (row.request.route, row.request.key.as_str());
            let kind = self.tables.kind(row.key.kind)?.code;
            let (id, refusal, at) = (integer(row.key.id)?, &row.refusal, row.at.0);
            insert.execute(params![route, key, row.fingerprint, kind, id, refusal, at])?;
            let number = self.connection.last_insert_rowid();
            let digest = keys.add((route, key), number).ok_or(Failure::Conflict)?;
            added.push((service, digest));
        }
        Ok(())
    }

    fn write_dead_letters(&self) -> Result<(), Failure> {
        let shard = self.tables.own_shard(self.set.shard)?;
        let mut insert = self.prepare(&self.tables.letter.insert)?;
        for letter in &self.set.dead_letters {
            let parcel =
                serde_json::to_string(&letter.parcel).map_err(|error| Failure::Refused(error.to_string()))?;
            let entity_id = letter.entity_id.cast_signed();
            insert.execute(params![shard, entity_id, parcel, letter.reason, letter.at.0])?;
        }
        let mut delete = self.prepare(&self.tables.letter.delete)?;
        for number in &self.set.dead_letters_done {
            if delete.execute(params![shard, integer(*number)?])? != 1 {
                return Err(Failure::Conflict);
            }
        }
        if !self.set.dead_letters_skipped.is_empty() {
            self.skip_dead_letters(shard)?;
        }
        Ok(())
    }

    fn skip_dead_letters(&self, shard: i64) -> Result<(), Failure> {
        let mut skip = self.prepare(&self.tables.letter.skip)?;
        let mut pass_over = self.prepare(&self.tables.letter.pass_over)?;
        for LetterSkip { number, skip: passed, passed_over } in &self.set.dead_letters_skipped {
            let number = integer(*number)?;
            if skip.execute(params![shard, number, passed.by, passed.reason, passed.at.0])? != 1 {
                return Err(Failure::Conflict);
            }
            if let Some((source, position)) = passed_over {
                let (log, service) = (source.log.to_string(), &source.service);
                pass_over.execute(params![shard, log, service, source.shard, integer(*position)?])?;
            }
        }
        Ok(())
    }

    fn move_timers(&self) -> Result<(), Failure> {
        for TimerMove { key, from, due } in &self.set.timers_moved {
            let mut update = self.prepare(&self.tables.kind(key.kind)?.move_timer)?;
            if update.execute(params![integer(key.id)?, from.name, from.due.0, due.0])? != 1 {
                return Err(Failure::Conflict);
            }
        }
        Ok(())
    }

    fn write_counts(&self) -> Result<(), Failure> {
        let mut add = self.prepare(&self.tables.counter.add)?;
        for ((kind, tag), change) in &self.set.counts {
            add.execute(params![self.tables.kind(kind)?.code, tag, change])?;
        }
        Ok(())
    }
}

/// Open effects as a JSON array.
fn sequences(open: &[u64]) -> String {
    let numbers: Vec<String> = open.iter().map(u64::to_string).collect();
    format!("[{}]", numbers.join(","))
}
