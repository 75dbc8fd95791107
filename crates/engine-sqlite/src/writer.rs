//! The one writer of a file.

use crate::commit;
use crate::failure::{Failure, number};
use crate::keys::Keys;
use crate::layout::Layout;
use crate::read;
use crate::tables::Tables;
use crate::{rebuild, renew};
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parked};
use engine::effect::Effect;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, InboxKey, Rebuild, Store, StoreError, Stored, WriteSet};
use engine::timer::DueTimer;
use rusqlite::{Connection, OptionalExtension, params};
use std::fs::File;
use std::sync::Arc;

/// Records of a service that one pruning forgets: it is done between two commits, which wait for it.
const PRUNE_ROWS_MAX: usize = 10_000;

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) layout: Arc<Layout>,
    pub(crate) memory: Vec<Memory>,
    _lock: File,
}

/// What the writer knows of a service without asking the file; nobody else can change it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) keys: Keys,
    /// The last entity id that was given away or stored.
    pub(crate) id_last: u64,
    /// The last id that is stored, for each kind: what lies behind it need not be looked for.
    pub(crate) stored_last: Vec<u64>,
    /// It is a projection that is being dropped.
    pub(crate) is_dropping: bool,
}

impl Writer {
    pub(crate) fn new(connection: Connection, layout: Arc<Layout>, lock: File) -> Result<Self, Failure> {
        let memory = layout.services().iter().map(|tables| remember(&connection, tables));
        Ok(Self { memory: memory.collect::<Result<_, _>>()?, connection, layout, _lock: lock })
    }

    /// All in one transaction: one for each would take the file's locks for each.
    fn load_all(&self, service: &str, keys: &[EntityKey]) -> Result<Vec<Option<EntityRow>>, Failure> {
        let place = self.layout.place(service)?;
        let tables = &self.layout.services()[place];
        let transaction = self.connection.unchecked_transaction()?;
        let rows = keys.iter().map(|key| {
            let kind = tables.place_of_kind(key.kind)?;
            if key.id > self.memory[place].stored_last[kind] {
                return Ok(None);
            }
            read::entity(&transaction, &tables.kinds[kind], key.id)
        });
        let rows = rows.collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(rows)
    }

    fn recall_one(&self, place: usize, request: &RequestKey) -> Result<Option<IdempotencyRow>, Failure> {
        let tables = &self.layout.services()[place];
        let Some(record) = self.memory[place].keys.number(request) else {
            return Ok(None);
        };
        let mut statement = self.connection.prepare_cached(&tables.answer.get)?;
        let mut rows = statement.query([record])?;
        let row =
            rows.next()?.ok_or_else(|| Failure::Broken(format!("the answer to {request:?} is missing")))?;
        let (route, key): (String, String) = (row.get(0)?, row.get(1)?);
        if route != request.route || key != request.key {
            return Ok(None);
        }
        let kind = tables.kind_of_code(row.get(3)?)?.name;
        Ok(Some(IdempotencyRow {
            request: request.clone(),
            fingerprint: row.get(2)?,
            key: EntityKey { kind, id: number(row, 4)? },
            refusal: row.get(5)?,
            at: Timestamp(row.get(6)?),
        }))
    }

    fn prune_some(&mut self, place: usize, before: Timestamp) -> Result<usize, Failure> {
        let tables = &self.layout.services()[place];
        let mut forgotten: Vec<(i64, String, String)> = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(&tables.answer.oldest)?;
            let mut rows = statement.query([i64::try_from(PRUNE_ROWS_MAX).unwrap_or(i64::MAX)])?;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(3)? >= before.0 {
                    break;
                }
                forgotten.push((row.get(0)?, row.get(1)?, row.get(2)?));
            }
        }
        let Some((last, _, _)) = forgotten.last() else {
            return Ok(0);
        };
        self.connection.prepare_cached(&tables.answer.delete)?.execute(params![last])?;
        for (_, route, key) in &forgotten {
            self.memory[place].keys.forget(route, key);
        }
        Ok(forgotten.len())
    }

    /// Whether the last commit of every set's shard is this one, and where it left the log.
    fn find(&self, sets: &[WriteSet]) -> Result<Commit, Failure> {
        let mut positions = Vec::with_capacity(sets.len());
        for set in sets {
            let tables = self.layout.tables(set.shard.service)?;
            let index = tables.own_shard(set.shard)?;
            let mut statement = self.connection.prepare_cached(&tables.log.batch)?;
            let mut rows = statement.query([index])?;
            let row = rows
                .next()?
                .ok_or_else(|| Failure::Broken(format!("the row of {} is missing", set.shard)))?;
            if row.get::<_, i64>(1)? != set.batch.cast_signed() {
                return Ok(Commit::Conflict);
            }
            positions.push(number(row, 0)?);
        }
        Ok(Commit::Done(positions))
    }
}

/// Reads what is kept in memory.
fn remember(connection: &Connection, tables: &Tables) -> Result<Memory, Failure> {
    let mut memory = Memory::default();
    for kind in &tables.kinds {
        let last: Option<i64> = connection.query_row(&kind.id_max, [], |row| row.get(0))?;
        memory.stored_last.push(last.unwrap_or(0).unsigned_abs());
    }
    let given = renew::least_number(connection, tables.schema.service)?.saturating_sub(1);
    memory.id_last = memory.stored_last.first().copied().unwrap_or(0).max(given);
    memory.is_dropping = rebuild::stage(connection, tables.schema.service)? == Some(Rebuild::Dropping);
    let mut statement = connection.prepare(&tables.answer.keys)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (route, key) = (row.get_ref(1)?, row.get_ref(2)?);
        let text = |value: rusqlite::types::ValueRef<'_>| {
            let text = value.as_str().map(str::to_owned);
            text.map_err(|error| Failure::Broken(error.to_string()))
        };
        memory.keys.add((&text(route)?, &text(key)?), row.get(0)?);
    }
    Ok(memory)
}

fn stored<T>(result: Result<T, Failure>) -> Stored<T> {
    result.map_err(Failure::into_store_error)
}

impl Store for Writer {
    fn log(&self) -> LogId {
        self.layout.log
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn load(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        stored(self.load_all(service, keys))
    }

    fn recall(&mut self, service: &'static str, keys: &[RequestKey]) -> Stored<Vec<Option<IdempotencyRow>>> {
        let place = stored(self.layout.place(service))?;
        stored(keys.iter().map(|key| self.recall_one(place, key)).collect())
    }

    fn can_remember(&self, service: &'static str) -> bool {
        self.layout.place(service).is_ok_and(|place| self.memory[place].keys.has_room())
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        stored(read::inbox(&self.connection, &self.layout, shard))
    }

    fn last_position(&mut self, shard: ShardName) -> Stored<u64> {
        stored(read::last_position(&self.connection, &self.layout, shard))
    }

    fn published_last(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        let tables = stored(self.layout.tables(service))?;
        let last = keys.iter().map(|key| read::published_last(&self.connection, tables, *key));
        stored(last.collect())
    }

    fn traces(&mut self, service: &'static str, wanted: &[(EntityKey, u64)]) -> Stored<Vec<Option<String>>> {
        let tables = stored(self.layout.tables(service))?;
        let found = wanted.iter().map(|wanted| read::trace(&self.connection, tables, *wanted));
        stored(found.collect())
    }

    fn timers_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<DueTimer>> {
        let tables = stored(self.layout.tables(shard.service))?;
        stored(read::timers_due(&self.connection, tables, (shard, now, limit)))
    }

    fn effects_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<Effect>> {
        let tables = stored(self.layout.tables(shard.service))?;
        stored(read::effects_due(&self.connection, tables, (shard, now, limit)))
    }

    fn dead_letters(&mut self, shard: ShardName, entity_id: Option<u64>) -> Stored<Vec<DeadLetter>> {
        let which = entity_id.map_or(read::Letters::Waiting, read::Letters::OfEntity);
        stored(read::dead_letters(&self.connection, &self.layout, shard, which))
    }

    fn parked(&mut self, shard: ShardName, after: u64) -> Stored<Parked> {
        stored(read::parked(&self.connection, &self.layout, (shard, after)))
    }

    fn still_parked(&mut self, shard: ShardName, entities: &[u64]) -> Stored<Vec<u64>> {
        stored(read::still_parked(&self.connection, &self.layout, (shard, entities)))
    }

    fn dead_letters_first(
        &mut self,
        shard: ShardName,
        entity_id: u64,
        limit: usize,
    ) -> Stored<Vec<DeadLetter>> {
        let which = read::Letters::FirstOfEntity(entity_id, limit);
        stored(read::dead_letters(&self.connection, &self.layout, shard, which))
    }

    fn dead_letter(&mut self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        let which = read::Letters::Numbered(number);
        stored(read::dead_letters(&self.connection, &self.layout, shard, which)).map(|mut found| found.pop())
    }

    fn reserve(&mut self, service: &'static str, count: u32, least: u64) -> Stored<u64> {
        let place = stored(self.layout.place(service))?;
        let memory = &mut self.memory[place];
        let first = (memory.id_last + 1).max(least);
        let last = (first - 1).checked_add(u64::from(count));
        let last = last.filter(|last| i64::try_from(*last).is_ok());
        let last = last.ok_or_else(|| StoreError::Unavailable(format!("{service} has no ids left")))?;
        memory.id_last = last;
        Ok(first)
    }

    fn commit(&mut self, sets: &[WriteSet]) -> Commit {
        commit::commit(self, sets)
    }

    fn resolve(&mut self, sets: &[WriteSet]) -> Stored<Commit> {
        stored(self.find(sets))
    }

    fn answered_last(&mut self) -> Stored<Option<Timestamp>> {
        let mut last = None;
        for tables in self.layout.services() {
            let statement = self.connection.prepare_cached(&tables.answer.last);
            let at = statement.and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional());
            last = last.max(stored(at.map_err(Failure::from))?.map(Timestamp));
        }
        Ok(last)
    }

    fn prune(&mut self, before: Timestamp) -> Stored<u64> {
        let mut pruned = 0;
        for place in 0..self.memory.len() {
            pruned += stored(self.prune_some(place, before))? as u64;
        }
        Ok(pruned)
    }

    fn prune_skipped(&mut self, before: Timestamp) -> Stored<u64> {
        let mut pruned = 0;
        for tables in self.layout.services() {
            let prune = self.connection.prepare_cached(&tables.letter.prune);
            let gone = prune.and_then(|mut prune| prune.execute([before.0]));
            pruned += stored(gone.map_err(Failure::from))? as u64;
        }
        Ok(pruned)
    }

    fn rebuild(&mut self, service: &'static str) -> Stored<Option<(u64, Rebuild)>> {
        let number = stored(rebuild::number(&self.connection, service))?;
        let stage = stored(rebuild::stage(&self.connection, service))?;
        Ok(stage.map(|stage| (number, stage)))
    }

    fn begin_rebuild(&mut self, service: &'static str) -> Stored<u64> {
        let place = stored(self.layout.place(service))?;
        let number = stored(rebuild::begin(&self.connection, service))?;
        self.memory[place].is_dropping = true;
        Ok(number)
    }

    fn drop_some(&mut self, service: &'static str, limit: usize) -> Stored<Rebuild> {
        let place = stored(self.layout.place(service))?;
        if !self.memory[place].is_dropping {
            return Ok(Rebuild::Reading);
        }
        let stage = stored(rebuild::drop_some(&self.connection, &self.layout.services()[place], limit))?;
        self.memory[place].is_dropping = stage == Rebuild::Dropping;
        Ok(stage)
    }

    fn end_rebuild(&mut self, service: &'static str, number: u64) -> Stored<bool> {
        if self.rebuild(service)? != Some((number, Rebuild::Reading)) {
            return Ok(false);
        }
        stored(rebuild::note(&self.connection, service, None))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use crate::Database;
    use engine::idempotency::{IdempotencyRow, RequestKey};
    use engine::log::{EntityKey, LogId, ShardName};
    use engine::store::{Commit, Schema, Store, WriteSet};

    const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 1 };

    fn large(batch: u64) -> WriteSet {
        let mut set = WriteSet::new(ShardName { service: "order", index: 0 }, batch);
        set.idempotency.push(IdempotencyRow {
            request: RequestKey { route: "POST /orders", key: batch.to_string() },
            fingerprint: [0; 16],
            key: EntityKey { kind: "order", id: 1 },
            refusal: Some("x".repeat(100_000)),
            at: engine::clock::Timestamp(0),
        });
        set
    }

    #[test]
    fn a_full_disk_takes_nothing_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let database = Database::create_or_open(&path, &[ORDER], LogId(1), 1).unwrap();
        let mut writer = database.writer.lock().unwrap().take().unwrap();
        assert_eq!(writer.commit(&[large(1)]), Commit::Done(vec![0]));
        let pages: i64 = writer.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |writer: &super::Writer, pages: i64| {
            let set =
                writer.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()));
            set.unwrap();
        };
        limit(&writer, pages + 1);
        assert!(matches!(writer.commit(&[large(2)]), Commit::Unavailable(_)));
        let asked = [large(1), large(2)].map(|set| set.idempotency[0].request.clone());
        let known: Vec<bool> = writer.recall("order", &asked).unwrap().iter().map(Option::is_some).collect();
        assert_eq!(known, [true, false]);
        limit(&writer, pages + 1_000);
        assert_eq!(writer.commit(&[large(2)]), Commit::Done(vec![0]));
    }

    /// The first part of the WAL's index, past which it has to grow: on a full disk it cannot.
    #[test]
    fn the_index_of_the_wal_does_not_grow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let database = Database::create_or_open(&path, &[ORDER], LogId(1), 1).unwrap();
        let mut writer = database.writer.lock().unwrap().take().unwrap();
        let length =
            |end: &str| std::fs::metadata(directory.path().join(format!("store.db-{end}"))).unwrap().len();
        for batch in 1..=700 {
            assert_eq!(writer.commit(&[large(batch)]), Commit::Done(vec![0]));
            assert_eq!(length("shm"), 32 << 10, "after {batch} commits");
        }
        assert!(length("wal") < 32 << 20, "it was begun anew");
    }

    #[test]
    fn a_file_that_fails_ends_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let database = Database::create_or_open(&path, &[ORDER], LogId(1), 1).unwrap();
        let mut writer = database.writer.lock().unwrap().take().unwrap();
        writer.connection.execute_batch("DROP TABLE order_idempotency").unwrap();
        assert!(matches!(writer.commit(&[large(1)]), Commit::Fatal(_)));
    }
}
