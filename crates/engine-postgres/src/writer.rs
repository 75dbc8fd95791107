//! One of several writers of a database, with a connection of its own.

use crate::answers;
use crate::commit::{self, Author, Plan, Shards};
use crate::failure::{Answer, Failure};
use crate::heads;
use crate::layout::Layout;
use crate::read::{self, Letters, at_most};
use crate::rebuild;
use crate::server::Server;
use crate::session::{Call, Purpose, Session};
use crate::tables::common;
use crate::value::{Digest, column, number, text};
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parked};
use engine::effect::Effect;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, InboxKey, Rebuild, Store, StoreError, Stored, WriteSet};
use engine::timer::DueTimer;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of a service that one pruning forgets: it is done between two commits, which wait for it.
const PRUNE_ROWS_MAX: i64 = 10_000;

pub(crate) struct Writer {
    layout: Arc<Layout>,
    server: Arc<Server>,
    session: Option<Session>,
    /// Who this is among all writers that the database ever had; drawn with the first session.
    writer: Option<i64>,
    /// Which of its sessions this is: what an earlier one has sent and was given up is not stored any more.
    sessions: i64,
}

impl Writer {
    pub(crate) fn new(layout: Arc<Layout>, server: Arc<Server>) -> Self {
        Self { layout, server, session: None, writer: None, sessions: 0 }
    }

    /// The session, a new one where there is none or the last one broke.
    fn session(&mut self) -> Answer<(&Session, Author)> {
        if self.session.as_ref().is_some_and(Session::is_broken) {
            self.session = None;
        }
        if self.session.is_none() {
            let session = self.layout.connect(&self.server, Purpose::Writing)?;
            if self.sessions > 0 {
                tracing::info!("the writer is connected to PostgreSQL again");
            }
            if self.writer.is_none() {
                let rows = session.query(common::WRITER, Vec::new()).map_err(Failure::into_nothing_done)?;
                self.writer = rows.first().map(|row| column(row, 0)).transpose()?;
            }
            self.sessions += 1;
            self.session = Some(session);
        }
        let author = Author { writer: self.writer.unwrap_or_default(), session: self.sessions };
        let session = self.session.as_ref().expect("it was put there just now");
        Ok((session, author))
    }

    /// Reads something. A connection that was lost while nobody used it is noticed only now, so that is tried once more.
    fn read<T>(&mut self, read: impl Fn(&Session, &Layout) -> Answer<T>) -> Stored<T> {
        let layout = self.layout.clone();
        let first = self.session().and_then(|(session, _)| read(session, &layout));
        let answer = match first {
            Err(failure) if failure.is_of_connection() => {
                self.session().and_then(|(session, _)| read(session, &layout))
            }
            answer => answer,
        };
        answer.map_err(|failure| self.told(failure).into_store_error())
    }

    /// After an error that says that the session is not what it was, the next use makes a new one.
    fn told(&mut self, failure: Failure) -> Failure {
        if failure.is_of_connection() {
            tracing::debug!(?failure, "the connection to PostgreSQL is lost");
            self.session = None;
        }
        failure
    }

    fn try_commit(&mut self, sets: &[WriteSet]) -> Answer<Vec<u64>> {
        let layout = self.layout.clone();
        if commit::only_reads(sets) {
            return self.check(&layout, sets);
        }
        let mut tries = 0;
        loop {
            let (session, author) = self.session()?;
            let plan = Plan::new(&layout, sets, author)?;
            match session.transact(&plan.calls, "COMMIT") {
                Ok(answers) => return plan.positions(&layout, &answers),
                // It ended before anything was stored: a connection that nobody had used for a while.
                Err(Failure::Busy(_) | Failure::Ended(_)) if tries == 0 && session.is_broken() => tries += 1,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Nothing is stored, so nothing is locked, and an answer that was lost is lost for nothing.
    fn check(&mut self, layout: &Layout, sets: &[WriteSet]) -> Answer<Vec<u64>> {
        let (session, _) = self.session()?;
        let calls = commit::checks(layout, sets)?;
        session.ask(&calls).map_err(Failure::into_nothing_done)?;
        let last = sets.iter().map(|set| read::last_position(session, layout, set.shard));
        last.collect::<Answer<_>>().map_err(Failure::into_nothing_done)
    }

    /// Whether the batches were stored. The lock is had once whatever holds it has ended; what is still on its way and has
    /// not begun is kept from being stored by the note that this session leaves.
    fn find(&mut self, sets: &[WriteSet]) -> Answer<Commit> {
        let layout = self.layout.clone();
        let (session, author) = self.session()?;
        let all: Vec<&WriteSet> = sets.iter().collect();
        let shards = Shards::of(&layout, &all)?;
        let calls = [shards.lock(), shards.find(&all), shards.give_up(author)];
        let answers = session.transact(&calls, "COMMIT").map_err(Failure::into_nothing_done)?;
        commit::found(&layout, sets, &answers[1])
    }

    fn recall_all(
        session: &Session,
        layout: &Layout,
        (service, keys): (&str, &[RequestKey]),
    ) -> Answer<Vec<Option<IdempotencyRow>>> {
        let tables = layout.tables(service)?;
        let digests: Vec<Digest> = keys.iter().map(Digest::of).collect();
        let rows = session.query(&tables.read.answers, vec![Box::new(digests)])?;
        let mut found: HashMap<(String, String), IdempotencyRow> = HashMap::new();
        for row in &rows {
            let (route, key) = (text(row, 0)?, text(row, 1)?);
            let asked = keys.iter().find(|asked| asked.route == route && asked.key == key);
            let Some(request) = asked.cloned() else { continue };
            found.insert((route, key), answers::of_row(row, tables, request)?);
        }
        let of = |asked: &RequestKey| found.get(&(asked.route.to_owned(), asked.key.clone())).cloned();
        Ok(keys.iter().map(of).collect())
    }

    fn prune_all(&mut self, before: Timestamp, sql: fn(&crate::tables::Tables) -> &str) -> Stored<u64> {
        self.read(|session, layout| {
            let calls: Vec<Call<'_>> = layout
                .services()
                .iter()
                .map(|tables| Call::new(sql(tables), vec![Box::new(before.0), Box::new(PRUNE_ROWS_MAX)]))
                .collect();
            let mut pruned = 0;
            for rows in session.ask(&calls)? {
                pruned += rows.first().map_or(Ok(0), |row| number(row, 0))?;
            }
            Ok(pruned)
        })
    }
}

impl Store for Writer {
    fn log(&self) -> LogId {
        self.layout.log
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    fn load(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| read::entities_asked(session, layout.tables(service)?, keys))
    }

    fn recall(&mut self, service: &'static str, keys: &[RequestKey]) -> Stored<Vec<Option<IdempotencyRow>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| Self::recall_all(session, layout, (service, keys)))
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        self.read(|session, layout| read::inbox(session, layout, shard))
    }

    fn last_position(&mut self, shard: ShardName) -> Stored<u64> {
        self.read(|session, layout| read::last_position(session, layout, shard))
    }

    fn published_last(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| heads::published_last(session, layout.tables(service)?, keys))
    }

    fn traces(&mut self, service: &'static str, wanted: &[(EntityKey, u64)]) -> Stored<Vec<Option<String>>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|session, layout| heads::traces(session, layout.tables(service)?, wanted))
    }

    fn timers_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<DueTimer>> {
        self.read(|session, layout| {
            read::timers_due(session, layout.tables(shard.service)?, (shard, now, limit))
        })
    }

    fn effects_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<Effect>> {
        self.read(|session, layout| {
            read::effects_due(session, layout.tables(shard.service)?, (shard, now, limit))
        })
    }

    fn dead_letters(&mut self, shard: ShardName, entity_id: Option<u64>) -> Stored<Vec<DeadLetter>> {
        let which = entity_id.map_or(Letters::Waiting, |id| Letters::FirstOfEntity(id, usize::MAX));
        self.read(|session, layout| read::dead_letters(session, layout, shard, which))
    }

    fn parked(&mut self, shard: ShardName, after: u64) -> Stored<Parked> {
        self.read(|session, layout| read::parked(session, layout, (shard, after)))
    }

    fn still_parked(&mut self, shard: ShardName, entities: &[u64]) -> Stored<Vec<u64>> {
        self.read(|session, layout| read::still_parked(session, layout, (shard, entities)))
    }

    fn dead_letters_first(
        &mut self,
        shard: ShardName,
        entity_id: u64,
        limit: usize,
    ) -> Stored<Vec<DeadLetter>> {
        let which = Letters::FirstOfEntity(entity_id, limit);
        self.read(|session, layout| read::dead_letters(session, layout, shard, which))
    }

    fn dead_letter(&mut self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        let which = Letters::Numbered(number);
        let found = self.read(|session, layout| read::dead_letters(session, layout, shard, which));
        found.map(|mut found| found.pop())
    }

    fn reserve(&mut self, service: &'static str, count: u32, least: u64) -> Stored<u64> {
        let none_left = || StoreError::Unavailable(format!("{service} has no ids left"));
        let least = i64::try_from(least).map_err(|_| none_left())?;
        let rows = self.read(|session, layout| {
            let code = layout.tables(service)?.code;
            let parameters = vec![Box::new(code) as _, Box::new(least) as _, Box::new(i64::from(count)) as _];
            session.query(common::RESERVE, parameters)
        })?;
        let row = rows.first().ok_or_else(none_left)?;
        number(row, 0).map_err(Failure::into_store_error)
    }

    fn commit(&mut self, sets: &[WriteSet]) -> Commit {
        match self.try_commit(sets) {
            Ok(positions) => Commit::Done(positions),
            Err(failure) => self.told(failure).into_commit(),
        }
    }

    fn resolve(&mut self, sets: &[WriteSet]) -> Stored<Commit> {
        let found = self.find(sets);
        found.map_err(|failure| self.told(failure).into_store_error())
    }

    fn clock(&mut self) -> Stored<Option<Timestamp>> {
        let rows = self.read(|session, _| session.query(common::CLOCK, Vec::new()))?;
        let its = rows.first().map(|row| column(row, 0).map(Timestamp)).transpose();
        its.map_err(Failure::into_store_error)
    }

    fn answered_last(&mut self) -> Stored<Option<Timestamp>> {
        self.read(|session, layout| {
            let last = |tables: &crate::tables::Tables| {
                let rows = session.query(&tables.read.answered_last, Vec::new())?;
                rows.first().map(|row| Ok(Timestamp(column(row, 0)?))).transpose()
            };
            let lasts: Answer<Vec<_>> = layout.services().iter().map(last).collect();
            Ok(lasts?.into_iter().flatten().max())
        })
    }

    fn prune(&mut self, before: Timestamp) -> Stored<u64> {
        let pruned = self.prune_all(before, |tables| &tables.write.prune_answers)?;
        self.read(|session, _| session.query(common::FORGET, Vec::new()))?;
        Ok(pruned)
    }

    fn prune_skipped(&mut self, before: Timestamp) -> Stored<u64> {
        let mut pruned = 0;
        loop {
            let some = self.prune_all(before, |tables| &tables.write.prune_skipped)?;
            pruned += some;
            if some < at_most_unsigned() {
                return Ok(pruned);
            }
        }
    }

    fn rebuild(&mut self, service: &'static str) -> Stored<Option<(u64, Rebuild)>> {
        self.read(|session, layout| rebuild::stage(session, layout.tables(service)?))
    }

    fn begin_rebuild(&mut self, service: &'static str) -> Stored<u64> {
        self.read(|session, layout| rebuild::begin(session, layout.tables(service)?))
    }

    fn drop_some(&mut self, service: &'static str, limit: usize) -> Stored<Rebuild> {
        self.read(|session, layout| rebuild::drop_some(session, layout.tables(service)?, at_most(limit)))
    }

    fn end_rebuild(&mut self, service: &'static str, number: u64) -> Stored<bool> {
        self.read(|session, layout| rebuild::end(session, layout.tables(service)?, number))
    }
}

fn at_most_unsigned() -> u64 {
    PRUNE_ROWS_MAX.unsigned_abs()
}
