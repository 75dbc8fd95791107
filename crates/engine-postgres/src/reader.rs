//! Everyone who only reads: single reads, and moments of the whole database.

use crate::answers;
use crate::failure::{Answer, Failure};
use crate::heads;
use crate::layout::Layout;
use crate::list;
use crate::pool::{Lent, Pool, Who};
use crate::read::{self, Letters};
use crate::rebuild;
use crate::session::Session;
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Side};
use engine::effect::Effect;
use engine::idempotency::IdempotencyRow;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{Backlog, EntityRow, InboxKey, Query, Reader, Rebuild, Schema, Snapshot, Stored, Visit};
use std::sync::Arc;

pub(crate) struct Onlooker {
    pool: Arc<Pool>,
    who: Who,
}

impl Onlooker {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, who: Who::Many }
    }

    fn read<T>(&self, read: impl Fn(&Session, &Layout) -> Answer<T>) -> Stored<T> {
        self.pool.read(self.who, read).map_err(Failure::into_store_error)
    }
}

impl Reader for Onlooker {
    fn log(&self) -> LogId {
        self.pool.layout.log
    }

    fn apart(&self) -> Arc<dyn Reader> {
        Arc::new(Self { pool: self.pool.clone(), who: Who::Apart })
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.read(|session, layout| read::entity(session, layout.tables(service)?, key))
    }

    fn rows(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| read::entities_asked(session, layout.tables(service)?, keys))
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.read(|session, layout| read::inbox(session, layout, shard))
    }

    fn inbox_rows(&self, shard: ShardName, keys: &[InboxKey]) -> Stored<Vec<u64>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| read::inbox_rows(session, layout, (shard, keys)))
    }

    fn published_last(&self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| heads::published_last(session, layout.tables(service)?, keys))
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        self.read(|session, layout| list::list(session, layout.tables(query.service)?, query))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.read(|session, layout| read::counts(session, layout.tables(service)?, kind))
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        self.read(|session, layout| read::events_after(session, layout, (shard, position, limit)))
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.read(|session, layout| read::last_position(session, layout, shard))
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        self.read(|session, layout| read::backlog(session, layout.tables(service)?, overdue_before))
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        self.read(|session, layout| read::armed(session, layout.tables(service)?, limit))
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        let moment = Moment::begin(&self.pool, self.who).map_err(Failure::into_store_error)?;
        Ok(Box::new(moment))
    }
}

/// A read transaction, as long as it is needed: nothing of the server's ends it, and its rows are read some at a time. While
/// it is open the server keeps every row that was there at its moment, so tables grow by what is changed meanwhile.
struct Moment<'a> {
    pool: &'a Pool,
    lent: Lent<'a>,
}

impl<'a> Moment<'a> {
    fn begin(pool: &'a Pool, who: Who) -> Answer<Self> {
        let mut lent = pool.lend(who)?;
        let begun = match begin(lent.session()) {
            Err(failure) if failure.is_of_connection() => {
                lent.replace(pool.connect()?);
                begin(lent.session())
            }
            begun => begun,
        };
        if let Err(failure) = begun {
            // Its transaction has begun and failed: whoever got it next could read nothing.
            lent.give_up();
            return Err(failure);
        }
        lent.session().be_patient(true);
        Ok(Self { pool, lent })
    }

    fn read<T>(&self, read: impl FnOnce(&Session, &Layout) -> Answer<T>) -> Stored<T> {
        read(self.lent.session(), &self.pool.layout).map_err(Failure::into_store_error)
    }
}

/// The moment is that of the first read, so one is made at once. As long as it lasts the server keeps what was there then, and
/// what has been written since gets slower to find: one whose holder stands still is ended.
fn begin(session: &Session) -> Answer<()> {
    session.run(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
         SET LOCAL idle_in_transaction_session_timeout = '30min'; SELECT count(*) FROM engine.meta",
    )
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        self.lent.session().be_patient(false);
        if self.lent.session().run("ROLLBACK").is_err() {
            // One that cannot end its transaction must not be lent again.
            self.lent.give_up();
        }
    }
}

impl Snapshot for Moment<'_> {
    fn log(&self) -> LogId {
        self.pool.layout.log
    }

    fn schemas(&self) -> &[Schema] {
        &self.pool.layout.schemas
    }

    fn events(&self, shard: ShardName, visit: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        self.read(|session, layout| read::events(session, layout, shard, visit))
    }

    fn events_by_entity(
        &self,
        service: &'static str,
        visit: &mut dyn FnMut(Recorded) -> Visit,
    ) -> Stored<()> {
        self.read(|session, layout| {
            read::events_by_entity(session, (layout.tables(service)?, layout.log), visit)
        })
    }

    fn story(&self, service: &'static str, entity_id: u64) -> Stored<Vec<Recorded>> {
        self.read(|session, layout| read::story(session, (layout.tables(service)?, layout.log), entity_id))
    }

    fn entities(&self, service: &'static str, visit: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()> {
        self.read(|session, layout| read::entities(session, layout.tables(service)?, visit))
    }

    fn entity(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.read(|session, layout| read::entity(session, layout.tables(service)?, key))
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.read(|session, layout| read::last_position(session, layout, shard))
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.read(|session, layout| read::inbox(session, layout, shard))
    }

    fn effects(&self, service: &'static str) -> Stored<Vec<Effect>> {
        self.read(|session, layout| read::effects(session, layout.tables(service)?))
    }

    fn dead_letters(&self, shard: ShardName) -> Stored<Vec<DeadLetter>> {
        self.read(|session, layout| read::dead_letters(session, layout, shard, Letters::Every))
    }

    fn dead_letters_first(&self, shard: ShardName, side: Side, limit: usize) -> Stored<Vec<DeadLetter>> {
        let which = Letters::First(side, limit);
        self.read(|session, layout| read::dead_letters(session, layout, shard, which))
    }

    fn dead_letters_counted(&self, shard: ShardName, side: Side) -> Stored<u64> {
        self.read(|session, layout| read::dead_letters_counted(session, layout, (shard, side)))
    }

    fn dead_letters_of(&self, shard: ShardName, entity_id: u64) -> Stored<Vec<DeadLetter>> {
        let which = Letters::EveryOfEntity(entity_id);
        self.read(|session, layout| read::dead_letters(session, layout, shard, which))
    }

    fn numbers_waiting(&self, shard: ShardName, entity_id: u64) -> Stored<Vec<u64>> {
        self.read(|session, layout| read::numbers_waiting(session, layout, (shard, entity_id)))
    }

    fn dead_letter(&self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        let which = Letters::Numbered(number);
        let found = self.read(|session, layout| read::dead_letters(session, layout, shard, which))?;
        Ok(found.into_iter().next())
    }

    fn passed_over(&self, shard: ShardName) -> Stored<Vec<(Source, u64)>> {
        self.read(|session, layout| read::passed_over(session, layout, shard))
    }

    fn answers(&self, service: &'static str, visit: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()> {
        self.read(|session, layout| answers::every(session, layout.tables(service)?, visit))
    }

    fn rebuild(&self, service: &'static str) -> Stored<Option<Rebuild>> {
        let found = self.read(|session, layout| rebuild::stage(session, layout.tables(service)?))?;
        Ok(found.map(|(_, stage)| stage))
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.read(|session, layout| read::counts(session, layout.tables(service)?, kind))
    }
}
