//! Everyone who only reads: a pool of read-only connections, and moments of the whole file.

use crate::answers;
use crate::failure::Failure;
use crate::layout::Layout;
use crate::read;
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Side};
use engine::effect::Effect;
use engine::idempotency::IdempotencyRow;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{Backlog, EntityRow, InboxKey, Query, Reader, Rebuild, Schema, Snapshot, Stored, Visit};
use rusqlite::Connection;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections that may be open at once; who wants another waits for one.
const CONNECTIONS_MAX: usize = 64;
/// Of them, those that stay open while nobody reads.
const CONNECTIONS_IDLE_MAX: usize = 16;

/// How long one waits for a connection.
const LEND_WAIT_MAX: Duration = Duration::from_secs(5);

pub(crate) struct Pool {
    path: PathBuf,
    layout: Arc<Layout>,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
}

/// A connection of the pool, which goes back when it is dropped.
pub(crate) struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is taken out only when it is dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.lent -= 1;
        if let Some(connection) = self.connection.take()
            && state.idle.len() < CONNECTIONS_IDLE_MAX
        {
            state.idle.push(connection);
        }
        self.pool.returned.notify_one();
    }
}

impl Pool {
    pub(crate) fn new(path: &Path, layout: Arc<Layout>) -> Self {
        Self { path: path.to_owned(), layout, state: Mutex::default(), returned: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lend(&self) -> Result<Lent<'_>, Failure> {
        let state = self.state();
        let is_full = |state: &mut State| state.lent >= CONNECTIONS_MAX;
        let waited = self.returned.wait_timeout_while(state, LEND_WAIT_MAX, is_full);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Failure::Busy(format!("{CONNECTIONS_MAX} others are reading")));
        }
        state.lent += 1;
        let connection = state.idle.pop();
        drop(state);
        let mut lent = Lent { pool: self, connection };
        if lent.connection.is_none() {
            // For want of file descriptors, say: no fault of the file, which is open already.
            let opened = crate::open_reader(&self.path);
            lent.connection = Some(opened.map_err(|error| Failure::Busy(error.to_string()))?);
        }
        Ok(lent)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection, &Layout) -> Result<T, Failure>) -> Stored<T> {
        let result = self.lend().and_then(|connection| read(&connection, &self.layout));
        result.map_err(Failure::into_store_error)
    }
}

fn events_after(
    connection: &Connection,
    layout: &Layout,
    (shard, position, limit): (ShardName, u64, usize),
) -> Result<Vec<Recorded>, Failure> {
    let mut events = Vec::new();
    read::events_after(connection, layout, (shard, position, limit), &mut |event| {
        events.push(event);
        Visit::On
    })?;
    Ok(events)
}

impl Reader for Pool {
    fn log(&self) -> LogId {
        self.layout.log
    }

    fn apart(&self) -> Arc<dyn Reader> {
        Arc::new(Self::new(&self.path, self.layout.clone()))
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.read(|connection, layout| {
            let kind = layout.tables(service)?.kind(key.kind)?;
            read::entity(connection, kind, key.id)
        })
    }

    /// All in one transaction: one for each would take the file's locks for each.
    fn rows(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        self.read(|connection, layout| {
            let tables = layout.tables(service)?;
            let transaction = connection.unchecked_transaction()?;
            let rows = keys.iter().map(|key| read::entity(&transaction, tables.kind(key.kind)?, key.id));
            rows.collect()
        })
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.read(|connection, layout| read::inbox(connection, layout, shard))
    }

    fn published_last(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        self.read(|connection, layout| {
            let tables = layout.tables(service)?;
            keys.iter().map(|key| read::published_last(connection, tables, *key)).collect()
        })
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        self.read(|connection, layout| crate::list::list(connection, layout.tables(query.service)?, query))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.read(|connection, layout| read::counts(connection, layout.tables(service)?, kind))
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        self.read(|connection, layout| events_after(connection, layout, (shard, position, limit)))
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.read(|connection, layout| read::last_position(connection, layout, shard))
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        self.read(|connection, layout| read::backlog(connection, layout.tables(service)?, overdue_before))
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        self.read(|connection, layout| crate::list::armed(connection, layout.tables(service)?, limit))
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        let begun = self.lend().and_then(|connection| {
            // The moment is that of the first read, so one is made at once.
            connection.execute_batch("BEGIN; SELECT count(*) FROM meta;")?;
            Ok(Moment { connection })
        });
        let moment = begun.map_err(Failure::into_store_error)?;
        Ok(Box::new(moment))
    }
}

/// A read transaction. While it is open the WAL cannot start over, so it grows by what is written meanwhile.
struct Moment<'a> {
    connection: Lent<'a>,
}

impl Moment<'_> {
    fn read<T>(&self, read: impl FnOnce(&Connection, &Layout) -> Result<T, Failure>) -> Stored<T> {
        read(&self.connection, &self.connection.pool.layout).map_err(Failure::into_store_error)
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        if self.connection.execute_batch("ROLLBACK").is_err() {
            // One that cannot end its transaction must not be lent again.
            self.connection.connection = None;
        }
    }
}

impl Snapshot for Moment<'_> {
    fn log(&self) -> LogId {
        self.connection.pool.layout.log
    }

    fn schemas(&self) -> &[Schema] {
        &self.connection.pool.layout.schemas
    }

    fn events(&self, shard: ShardName, visit: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        self.read(|connection, layout| read::events_after(connection, layout, (shard, 0, usize::MAX), visit))
    }

    fn events_by_entity(
        &self,
        service: &'static str,
        visit: &mut dyn FnMut(Recorded) -> Visit,
    ) -> Stored<()> {
        self.read(|connection, layout| {
            read::events_by_entity(connection, (layout.tables(service)?, layout.log), visit)
        })
    }

    fn story(&self, service: &'static str, entity_id: u64) -> Stored<Vec<Recorded>> {
        self.read(|connection, layout| {
            read::story(connection, (layout.tables(service)?, layout.log), entity_id)
        })
    }

    fn entities(&self, service: &'static str, visit: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()> {
        self.read(|connection, layout| read::entities(connection, layout.tables(service)?, visit))
    }

    fn entity(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.read(|connection, layout| {
            let kind = layout.tables(service)?.kind(key.kind)?;
            read::entity(connection, kind, key.id)
        })
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.read(|connection, layout| read::last_position(connection, layout, shard))
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.read(|connection, layout| read::inbox(connection, layout, shard))
    }

    fn effects(&self, service: &'static str) -> Stored<Vec<Effect>> {
        self.read(|connection, layout| read::effects(connection, layout.tables(service)?))
    }

    fn dead_letters(&self, shard: ShardName) -> Stored<Vec<DeadLetter>> {
        self.read(|connection, layout| read::dead_letters(connection, layout, shard, read::Letters::Every))
    }

    fn dead_letters_first(&self, shard: ShardName, side: Side, limit: usize) -> Stored<Vec<DeadLetter>> {
        let which = read::Letters::First(side, limit);
        self.read(|connection, layout| read::dead_letters(connection, layout, shard, which))
    }

    fn dead_letters_counted(&self, shard: ShardName, side: Side) -> Stored<u64> {
        self.read(|connection, layout| read::dead_letters_counted(connection, layout, (shard, side)))
    }

    fn dead_letters_of(&self, shard: ShardName, entity_id: u64) -> Stored<Vec<DeadLetter>> {
        let which = read::Letters::EveryOfEntity(entity_id);
        self.read(|connection, layout| read::dead_letters(connection, layout, shard, which))
    }

    fn numbers_waiting(&self, shard: ShardName, entity_id: u64) -> Stored<Vec<u64>> {
        self.read(|connection, layout| read::numbers_waiting(connection, layout, (shard, entity_id)))
    }

    fn dead_letter(&self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        let which = read::Letters::Numbered(number);
        let found = self.read(|connection, layout| read::dead_letters(connection, layout, shard, which))?;
        Ok(found.into_iter().next())
    }

    fn passed_over(&self, shard: ShardName) -> Stored<Vec<(Source, u64)>> {
        self.read(|connection, layout| read::passed_over(connection, layout, shard))
    }

    fn answers(&self, service: &'static str, visit: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()> {
        self.read(|connection, layout| answers::every(connection, layout.tables(service)?, visit))
    }

    fn rebuild(&self, service: &'static str) -> Stored<Option<Rebuild>> {
        self.read(|connection, _| crate::rebuild::stage(connection, service))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.read(|connection, layout| read::counts(connection, layout.tables(service)?, kind))
    }
}
