//! A new database filled with what another store holds.
//!
//! It goes by steps, each a transaction, and the database says how far it is. It is begun: it has tables and the log's id, and
//! nobody can use it. It is loaded, all of it in one transaction. It is done: from then on it is as any other. So what was
//! cut off is taken up where it was, and nothing that is half there is ever used.

use crate::commit::Shards;
use crate::failure::{Answer, Failure};
use crate::layout::{Layout, OPENING_LOCK};
use crate::migrate::MIGRATIONS;
use crate::server::Server;
use crate::session::{Call, Purpose, Session};
use crate::tables::{Tables, common};
use crate::value::{column, integer, stored_text, text};
use crate::writes::Writes;
use crate::{Database, OpenError, Options, SET_LOG, view};
use engine::carry::{Carried, Changes, Filling, carry};
use engine::clock::Timestamp;
use engine::dead_letter::DeadLetter;
use engine::log::{LogId, ShardName, Source};
use engine::store::{Schema, Snapshot, StoreError, Stored, WriteSet};

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Begun,
    Loaded,
    Done,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Loaded => "loaded",
            Self::Done => "done",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Begun, Self::Loaded, Self::Done].into_iter().find(|stage| stage.name() == name)
    }
}

/// Why nothing is imported into a database.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("it holds something already: {0}")]
    NotEmpty(String),
    #[error("it holds what was imported from elsewhere, or at another time ({0}): make it anew")]
    Other(String),
    #[error("{0} connections are open to it: stop its replicas, the gateway, and whoever looks at it")]
    InUse(i64),
}

impl From<Failure> for ImportError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure.into_store_error())
    }
}

/// What is imported.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// Which log it is, and goes on to be.
    pub log: LogId,
    /// Tells this state of that store from any other.
    pub origin: &'a str,
    /// Anything that is no log's id yet: what the log is called until nobody can use the database.
    pub drawn: LogId,
}

const MARK: &str = "SELECT value FROM engine.meta WHERE name = 'import'";
const SET_MARK: &str = "INSERT INTO engine.meta (name, value) VALUES ('import', $1) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
/// Before which time none of its timers runs out.
const TIME: &str = "SELECT value FROM engine.meta WHERE name = 'import_no_timer_before'";
const SET_TIME: &str = "INSERT INTO engine.meta (name, value) VALUES ('import_no_timer_before', $1) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
/// Whoever opens a database waits for this, and then sees the mark.
const ALONE: &str = "SELECT pg_advisory_xact_lock($1)";
const COMPANY: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
    AND pid <> pg_backend_pid() AND (backend_type = 'client backend' OR backend_type IS NULL)";

/// Refuses a database into which an import has not come to its end.
pub(crate) fn refuse_half(session: &Session) -> Result<(), OpenError> {
    match mark(session)? {
        Some((stage, _)) if stage != Stage::Done => Err(OpenError::Importing),
        Some(_) | None => Ok(()),
    }
}

/// How far it is, and where it comes from.
fn mark(session: &Session) -> Answer<Option<(Stage, String)>> {
    let rows = session.query(MARK, Vec::new())?;
    let Some(row) = rows.first() else { return Ok(None) };
    let said = text(row, 0)?;
    let found = said.split_once(' ').and_then(|(name, origin)| Some((Stage::of(name)?, origin.to_owned())));
    found.map(Some).ok_or_else(|| Failure::Broken(format!("its import is {said:?}")))
}

fn set_mark<'a>(stage: Stage, origin: &str) -> Call<'a> {
    Call::new(SET_MARK, vec![Box::new(format!("{} {origin}", stage.name()))])
}

/// What an import finds: nothing at all, or tables of this program. Those of an older one are not brought up to this one, for
/// they are somebody's.
fn is_new(checked: Result<Layout, OpenError>) -> Result<Option<Layout>, ImportError> {
    match checked {
        Ok(layout) => Ok(Some(layout)),
        Err(OpenError::Empty) => Ok(None),
        Err(OpenError::Older { found, .. }) => Err(ImportError::NotEmpty(format!(
            "it has tables of version {found}, which an older program made"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Looks whether something can be imported into a database, and changes nothing. Says how far this import is there already.
pub fn check(options: &Options, import: Import<'_>) -> Result<Option<Stage>, ImportError> {
    let server = Server::of(options)?;
    let (session, _) = Session::connect(&server, Purpose::Opening, "").map_err(OpenError::from)?;
    match is_new(Layout::check(&session, &options.schemas, MIGRATIONS))? {
        Some(layout) => may_begin(&session, &layout, import),
        // What is missing is made.
        None => Ok(None),
    }
}

/// Makes the tables of a database that is not there or empty, and keeps everybody else from using it. One in which the same
/// import was begun is left as it is; says how far it has come.
pub fn begin(options: &Options, import: Import<'_>) -> Result<Stage, ImportError> {
    let server = Server::of(options)?;
    let (session, _) = Session::connect(&server, Purpose::Opening, "").map_err(OpenError::from)?;
    let layout = match is_new(Layout::check(&session, &options.schemas, MIGRATIONS))? {
        Some(layout) => layout,
        None => Layout::prepare(&session, (options, import.drawn), MIGRATIONS)?,
    };
    session.run("BEGIN")?;
    session.query(ALONE, vec![Box::new(OPENING_LOCK)])?;
    if let Some(stage) = may_begin(&session, &layout, import)? {
        return Ok(stage);
    }
    // Whoever has opened it before is refused by its log's id from now on, and whoever opens it by the mark.
    session.ask(&[
        Call::new(SET_LOG, vec![Box::new(import.log.to_string())]),
        set_mark(Stage::Begun, import.origin),
    ])?;
    session.run("COMMIT")?;
    Ok(Stage::Begun)
}

/// How far this import is already; nothing where it can be begun.
fn may_begin(session: &Session, layout: &Layout, import: Import<'_>) -> Result<Option<Stage>, ImportError> {
    let company = session.query(COMPANY, Vec::new())?;
    let company: i64 = company.first().map_or(Ok(0), |row| column(row, 0))?;
    let stage = match mark(session)? {
        Some((stage, origin)) if origin == import.origin => Some(stage),
        Some((_, origin)) => return Err(ImportError::Other(origin)),
        None => None,
    };
    // Once it is done, the fleet may run.
    if company > 0 && stage != Some(Stage::Done) {
        return Err(ImportError::InUse(company));
    }
    if stage.is_none() {
        for tables in layout.services() {
            if let Some(table) = first_filled(session, tables)? {
                return Err(ImportError::NotEmpty(format!("there are rows in {table}")));
            }
        }
    }
    Ok(stage)
}

fn first_filled(session: &Session, tables: &Tables) -> Answer<Option<String>> {
    let service = tables.schema.service;
    let kinds = tables.schema.kinds.iter().map(|kind| format!("entity_{kind}"));
    let others = ["event", "inbox", "effect", "idempotency", "dead_letter", "passed_over", "counter"];
    for table in others.map(str::to_owned).into_iter().chain(kinds) {
        let name = format!("engine.\"{service}_{table}\"");
        let rows = session.query(&format!("SELECT EXISTS (SELECT 1 FROM {name})"), Vec::new())?;
        if rows.first().map_or(Ok(false), |row| column(row, 0))? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Loads everything in one transaction. `next_numbers` are the first that each service may give from now on.
pub fn load(
    options: &Options,
    import: Import<'_>,
    (from, changes, next_numbers): (&dyn Snapshot, Changes, &[(&str, u64)]),
) -> Result<Carried, ImportError> {
    let server = Server::of(options)?;
    let (session, _) = Session::connect(&server, Purpose::Opening, "").map_err(OpenError::from)?;
    session.be_patient(true);
    let layout = Layout::check(&session, &options.schemas, MIGRATIONS)?;
    session.run("BEGIN")?;
    session.query(ALONE, vec![Box::new(OPENING_LOCK)])?;
    match mark(&session)? {
        Some((Stage::Begun, origin)) if origin == import.origin => {}
        Some((stage, origin)) => return Err(ImportError::Other(format!("{} {origin}", stage.name()))),
        None => return Err(ImportError::NotEmpty("nobody has begun this import".to_owned())),
    }
    let mut loading = Loading { session: &session, layout: &layout };
    let mut carried = Carried::default();
    for schema in &options.schemas {
        carried.add(&carry(from, *schema, (&mut loading, changes))?);
    }
    for (service, least) in next_numbers {
        let code = layout.tables(service)?.code;
        session.query(common::SKIP_NUMBERS, vec![Box::new(code), Box::new(integer(*least)?)])?;
    }
    session.ask(&[set_mark(Stage::Loaded, import.origin)])?;
    session.run("COMMIT")?;
    Ok(carried)
}

/// Opens what is loaded to look at it, though nobody else may use it yet.
pub fn open_loaded(options: &Options) -> Result<Database, OpenError> {
    let server = Server::of(options)?;
    let (session, _) = Session::connect(&server, Purpose::Opening, "")?;
    let layout = Layout::check(&session, &options.schemas, MIGRATIONS)?;
    Ok(Database::with(layout, server, options))
}

/// From now on anybody may use it. Its timers were put off when they were loaded, which may be long ago: none runs out
/// before the given time. Returns that which counts: it is an earlier one where this was done before.
pub fn finish(
    options: &Options,
    import: Import<'_>,
    no_timer_before: Option<Timestamp>,
) -> Result<Option<Timestamp>, ImportError> {
    let server = Server::of(options)?;
    let (session, _) = Session::connect(&server, Purpose::Opening, "").map_err(OpenError::from)?;
    session.be_patient(true);
    let layout = Layout::check(&session, &options.schemas, MIGRATIONS)?;
    view::make(&session, &options.views);
    session.run("BEGIN")?;
    session.query(ALONE, vec![Box::new(OPENING_LOCK)])?;
    match mark(&session)? {
        Some((Stage::Loaded, origin)) if origin == import.origin => {}
        Some((Stage::Done, origin)) if origin == import.origin => return Ok(noted_time(&session)?),
        found => return Err(ImportError::Other(format!("{found:?}"))),
    }
    if let Some(least) = no_timer_before {
        for tables in layout.services() {
            let Schema { service, kinds, .. } = tables.schema;
            for kind in kinds {
                let sql = format!("UPDATE engine.\"{service}_entity_{kind}\" SET due = $1 WHERE due < $1");
                session.query(&sql, vec![Box::new(least.0)])?;
            }
        }
        session.query(SET_TIME, vec![Box::new(least.0.to_string())])?;
    }
    session.ask(&[set_mark(Stage::Done, import.origin)])?;
    session.run("COMMIT")?;
    Ok(no_timer_before)
}

/// Before which time no timer runs out, as it was said when this was done.
fn noted_time(session: &Session) -> Answer<Option<Timestamp>> {
    let rows = session.query(TIME, Vec::new())?;
    let Some(row) = rows.first() else { return Ok(None) };
    let said = text(row, 0)?;
    let noted = said.parse().map(Timestamp);
    noted.map(Some).map_err(|_| Failure::Broken(format!("the time of its import is {said:?}")))
}

/// The rows of a store on their way into the tables, within the transaction that was begun.
struct Loading<'a> {
    session: &'a Session,
    layout: &'a Layout,
}

impl Loading<'_> {
    fn try_fill(&self, set: &WriteSet) -> Answer<()> {
        let tables = self.layout.tables(set.shard.service)?;
        let sets = vec![set];
        let mut calls: Vec<Call<'_>> = Shards::of(self.layout, &sets)?.step(&sets).into_iter().collect();
        Writes { tables, sets, calls: &mut calls }.add_all()?;
        self.session.ask(&calls).map(drop)
    }

    fn try_letters(&self, shard: ShardName, letters: &[DeadLetter]) -> Answer<()> {
        let tables = self.layout.tables(shard.service)?;
        let table = format!("engine.\"{}_dead_letter\"", shard.service);
        let insert = format!(
            "INSERT INTO {table} (number, shard, entity_id, parcel, reason, at, skipped_by, skipped_why, skipped_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        );
        let index = tables.own_shard(shard)?;
        for letter in letters {
            let parcel = serde_json::to_string(&letter.parcel);
            let parcel = parcel.map_err(|error| Failure::Refused(error.to_string()))?;
            let skip = letter.skipped.as_ref();
            let by = skip.map(|skip| stored_text(&skip.by));
            let why = skip.map(|skip| stored_text(&skip.reason));
            self.session.query(
                &insert,
                vec![
                    Box::new(integer(letter.number)?),
                    Box::new(index),
                    Box::new(letter.entity_id.cast_signed()),
                    Box::new(parcel),
                    Box::new(stored_text(&letter.reason)),
                    Box::new(letter.at.0),
                    Box::new(by),
                    Box::new(why),
                    Box::new(skip.map(|skip| skip.at.0)),
                ],
            )?;
        }
        // What is put aside from now on comes after them.
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'number'), (SELECT max(number) FROM {table}))"
        );
        self.session.query(&next, Vec::new()).map(drop)
    }

    fn try_passed_over(&self, shard: ShardName, passed: &[(Source, u64)]) -> Answer<()> {
        let tables = self.layout.tables(shard.service)?;
        let index = tables.own_shard(shard)?;
        let shards = vec![index; passed.len()];
        let logs: Vec<String> = passed.iter().map(|(source, _)| source.log.to_string()).collect();
        let services: Vec<_> = passed.iter().map(|(source, _)| stored_text(&source.service)).collect();
        let indexes: Vec<i32> = passed.iter().map(|(source, _)| i32::from(source.shard)).collect();
        let positions =
            passed.iter().map(|(_, position)| integer(*position)).collect::<Answer<Vec<i64>>>()?;
        let parameters = vec![
            Box::new(shards) as _,
            Box::new(logs) as _,
            Box::new(services) as _,
            Box::new(indexes) as _,
            Box::new(positions) as _,
        ];
        self.session.query(&tables.write.passed_over, parameters).map(drop)
    }
}

impl Filling for Loading<'_> {
    fn fill(&mut self, set: &WriteSet) -> Stored<()> {
        self.try_fill(set).map_err(Failure::into_store_error)
    }

    fn fill_letters(&mut self, shard: ShardName, letters: &[DeadLetter]) -> Stored<()> {
        self.try_letters(shard, letters).map_err(Failure::into_store_error)
    }

    fn fill_passed_over(&mut self, shard: ShardName, passed: &[(Source, u64)]) -> Stored<()> {
        self.try_passed_over(shard, passed).map_err(Failure::into_store_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_an_older_program_are_left_as_they_are() {
        let older = is_new(Err(OpenError::Older { found: 1, known: 2 }));
        assert!(matches!(&older, Err(ImportError::NotEmpty(why)) if why.contains("version 1")), "{older:?}");
        assert!(matches!(is_new(Err(OpenError::Empty)), Ok(None)));
        assert!(matches!(is_new(Err(OpenError::Importing)), Err(ImportError::Open(_))));
    }
}
