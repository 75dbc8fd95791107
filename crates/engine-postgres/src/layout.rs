//! What a database is: its log, its services with their kinds and shards. Made once, checked at every opening.

use crate::failure::{Answer, Failure};
use crate::migrate::{self, Migration};
use crate::server::Server;
use crate::session::{Purpose, Session};
use crate::tables::{Kind, Tables};
use crate::value::{column, text};
use crate::{OpenError, Options};
use engine::log::LogId;
use engine::store::Schema;

/// The oldest server that is known to do.
pub(crate) const SERVER_MIN: &str = "15";
const SERVER_NUMBER_MIN: i32 = 150_000;

/// Names become parts of the names of tables and indexes, which PostgreSQL cuts off at 63 bytes.
pub(crate) const NAME_BYTES_MAX: usize = 20;

/// How keys are spread over shards: `engine::log::shard_of`.
const HASH: &str = "splitmix64";

/// Held while a database is looked at in order to change it: several processes may start at once.
pub(crate) const OPENING_LOCK: i64 = 0x656e_6769_6e65;

/// How long one attempt to change a table waits for those who use it, while others wait behind it; and how often it is
/// tried.
const CHANGE_WAIT: &str = "1s";
const CHANGES_TRIED_MAX: usize = 20;

/// What every new session asks, so that it never goes on with a database that has become another one meanwhile.
pub(crate) const GREETING: &str = "SELECT (SELECT value FROM engine.meta WHERE name = 'log'), \
    (SELECT oldest_reader FROM engine.schema_version), pg_is_in_recovery()";

/// A name within SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A database as it was opened.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) log: LogId,
    pub(crate) schemas: Vec<Schema>,
    services: Vec<Tables>,
    /// The version of the tables that this program knows.
    known: u32,
}

impl Layout {
    pub(crate) fn tables(&self, service: &str) -> Answer<&Tables> {
        self.place(service).map(|place| &self.services[place])
    }

    pub(crate) fn place(&self, service: &str) -> Answer<usize> {
        let found = self.services.iter().position(|tables| tables.schema.service == service);
        found.ok_or_else(|| Failure::Refused(format!("the database holds no service {service}")))
    }

    pub(crate) fn services(&self) -> &[Tables] {
        &self.services
    }

    /// Connects, and makes sure that the database is still the one that was opened.
    pub(crate) fn connect(&self, server: &Server, purpose: Purpose) -> Answer<Session> {
        let (session, row) = Session::connect(server, purpose, GREETING)?;
        let log = row.first().cloned().flatten().unwrap_or_default();
        if log != self.log.to_string() {
            let why = format!(
                "the log of the database was {} and is {log:?}: it was restored, start anew",
                self.log
            );
            return Err(Failure::Broken(why));
        }
        // Of a standby everything is old, and nothing is written there.
        if row.get(2).cloned().flatten().is_some_and(|is_standby| is_standby == "t") {
            return Err(Failure::Busy("the server is a standby".to_owned()));
        }
        let oldest_reader = row.get(1).cloned().flatten().and_then(|number| number.parse::<u32>().ok());
        if oldest_reader.is_none_or(|oldest| oldest > self.known) {
            let why = format!(
                "the tables of the database can only be used by programs of version {} and later, this one knows {}: \
                 use a newer program",
                oldest_reader.unwrap_or_default(),
                self.known
            );
            return Err(Failure::Broken(why));
        }
        Ok(session)
    }

    /// Makes what is missing, and checks what is there, in one transaction.
    pub(crate) fn prepare(
        session: &Session,
        (options, new_log): (&Options, LogId),
        steps: &[Migration],
    ) -> Result<Self, OpenError> {
        check_names(&options.schemas)?;
        check_server(session)?;
        for _ in 1..CHANGES_TRIED_MAX {
            match Self::try_prepare(session, (&options.schemas, new_log), steps) {
                Err(OpenError::Unavailable(why)) if !session.is_broken() => {
                    tracing::info!(why, "the tables are in use while they are to be changed");
                }
                done => return done,
            }
        }
        Self::try_prepare(session, (&options.schemas, new_log), steps)
    }

    fn try_prepare(
        session: &Session,
        (schemas, new_log): (&[Schema], LogId),
        steps: &[Migration],
    ) -> Result<Self, OpenError> {
        let begin = format!(
            "BEGIN; SELECT pg_advisory_xact_lock({OPENING_LOCK}); SET LOCAL lock_timeout = '{CHANGE_WAIT}'"
        );
        let done = session
            .run(&begin)
            .map_err(OpenError::from)
            .and_then(|()| make(session, (schemas, new_log), steps))
            .and_then(|()| Self::read(session, schemas, migrate::known(steps)));
        match done {
            Ok(layout) => session.run("COMMIT").map(|()| layout).map_err(OpenError::from),
            Err(error) => {
                session.run("ROLLBACK")?;
                Err(error)
            }
        }
    }

    /// Checks a database that is only looked at.
    pub(crate) fn check(
        session: &Session,
        schemas: &[Schema],
        steps: &[Migration],
    ) -> Result<Self, OpenError> {
        check_names(schemas)?;
        check_server(session)?;
        let known = migrate::known(steps);
        let found = version(session)?.ok_or(OpenError::Empty)?;
        check_version(found, known)?;
        if found.0 < known {
            return Err(OpenError::Older { found: found.0, known });
        }
        Self::read(session, schemas, known)
    }

    fn read(session: &Session, schemas: &[Schema], known: u32) -> Result<Self, OpenError> {
        let log = meta(session, "log")?.parse().map_err(OpenError::Damaged)?;
        let hash = meta(session, "hash")?;
        if hash != HASH {
            return Err(OpenError::Hash(hash));
        }
        check_services(session, schemas)?;
        let services = schemas.iter().map(|schema| tables_of(session, *schema));
        Ok(Self { log, schemas: schemas.to_vec(), services: services.collect::<Result<_, _>>()?, known })
    }
}

/// Names become parts of table names.
fn check_names(schemas: &[Schema]) -> Result<(), OpenError> {
    let names = schemas.iter().flat_map(|schema| schema.kinds.iter().chain([&schema.service]));
    for name in names {
        let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !is_word {
            return Err(OpenError::Name((*name).to_owned()));
        }
    }
    Ok(())
}

/// What the server is, and whether what it says it has stored can be relied on.
fn check_server(session: &Session) -> Result<(), OpenError> {
    let sql = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), \
        current_setting('server_encoding'), current_setting('synchronous_commit'), current_setting('fsync'), \
        current_setting('full_page_writes')";
    let rows = session.query(sql, Vec::new())?;
    let row = rows.first().ok_or_else(|| OpenError::Damaged("its server does not say what it is".into()))?;
    if column::<i32>(row, 0)? < SERVER_NUMBER_MIN {
        return Err(OpenError::Server { found: text(row, 1)? });
    }
    let encoding = text(row, 2)?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding(encoding));
    }
    for (place, setting, what) in [
        (3, "synchronous_commit", "its own sessions set it on"),
        (4, "fsync", "a crash of the machine can lose what was answered"),
        (5, "full_page_writes", "a crash of the machine can damage the database"),
    ] {
        if text(row, place)? == "off" {
            tracing::warn!(setting, what, "PostgreSQL runs with a setting off that durability rests on");
        }
    }
    Ok(())
}

/// The version of the tables with the oldest that can use them; `None` for a database without any.
fn version(session: &Session) -> Result<Option<(u32, u32)>, OpenError> {
    let sql = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'engine') > 0, \
        to_regclass('engine.schema_version') IS NOT NULL";
    let rows = session.query(sql, Vec::new())?;
    let row = rows.first().ok_or_else(|| OpenError::Damaged("it does not list its tables".into()))?;
    match (column(row, 0)?, column(row, 1)?) {
        (false, _) => Ok(None),
        (true, false) => Err(OpenError::Foreign),
        (true, true) => {
            let rows =
                session.query("SELECT version, oldest_reader FROM engine.schema_version", Vec::new())?;
            let row = rows.first();
            let row = row.ok_or_else(|| OpenError::Damaged("it does not say its version".into()))?;
            let of = |place| column::<i32>(row, place).map(i32::unsigned_abs);
            Ok(Some((of(0)?, of(1)?)))
        }
    }
}

fn check_version((found, oldest_reader): (u32, u32), known: u32) -> Result<(), OpenError> {
    if oldest_reader > known {
        return Err(OpenError::Newer { found, oldest_reader, known });
    }
    Ok(())
}

fn make(
    session: &Session,
    (schemas, new_log): (&[Schema], LogId),
    steps: &[Migration],
) -> Result<(), OpenError> {
    match version(session)? {
        None => {
            migrate::upgrade(session, (steps, 0), &[])?;
            session.run(&format!(
                "INSERT INTO engine.meta (name, value) VALUES ('log', '{new_log}'), ('hash', '{HASH}')"
            ))?;
            for (code, schema) in (1_i16..).zip(schemas) {
                add_service(session, (code, schema), steps)?;
            }
        }
        Some(found) => {
            check_version(found, migrate::known(steps))?;
            if found.0 < migrate::known(steps) {
                migrate::upgrade(session, (steps, found.0), &holds(session)?)?;
            }
        }
    }
    for schema in schemas {
        add_kinds(session, schema, steps)?;
    }
    Ok(())
}

/// The services of a database with their kinds.
fn holds(session: &Session) -> Answer<Vec<(String, Vec<String>)>> {
    let sql = "SELECT s.name, k.name FROM engine.meta_service AS s LEFT JOIN engine.meta_kind AS k \
        ON k.service = s.code ORDER BY s.code, k.code";
    let mut held: Vec<(String, Vec<String>)> = Vec::new();
    for row in session.query(sql, Vec::new())? {
        let service = text(&row, 0)?;
        if held.last().is_none_or(|(last, _)| *last != service) {
            held.push((service, Vec::new()));
        }
        let kind: Option<String> = column(&row, 1)?;
        if let (Some((_, kinds)), Some(kind)) = (held.last_mut(), kind) {
            kinds.push(kind);
        }
    }
    Ok(held)
}

fn add_service(
    session: &Session,
    (code, schema): (i16, &Schema),
    steps: &[Migration],
) -> Result<(), OpenError> {
    let Schema { service, shards, .. } = *schema;
    migrate::add_service(session, steps, service)?;
    session.run(&format!(
        "INSERT INTO engine.meta_service (code, name, shards) VALUES ({code}, '{service}', {shards}); \
         INSERT INTO engine.number (service, next) VALUES ({code}, 1); \
         INSERT INTO engine.shard (service, shard, position) \
           SELECT {code}, shard, 0 FROM generate_series(0, {shards} - 1) AS shard"
    ))?;
    Ok(())
}

fn add_kinds(session: &Session, schema: &Schema, steps: &[Migration]) -> Result<(), OpenError> {
    let held = holds(session)?;
    let Some((service, kinds)) = held.iter().find(|(name, _)| name == schema.service) else {
        return Ok(());
    };
    for kind in schema.kinds.iter().filter(|kind| !kinds.iter().any(|known| known == *kind)) {
        migrate::add_kind(session, steps, (service, kind))?;
        session.run(&format!(
            "INSERT INTO engine.meta_kind (service, code, name) SELECT s.code, \
               (SELECT coalesce(max(k.code), 0) + 1 FROM engine.meta_kind AS k WHERE k.service = s.code), '{kind}' \
             FROM engine.meta_service AS s WHERE s.name = '{service}'"
        ))?;
    }
    Ok(())
}

fn meta(session: &Session, name: &'static str) -> Result<String, OpenError> {
    let rows = session.query("SELECT value FROM engine.meta WHERE name = $1", vec![Box::new(name)])?;
    let row = rows.first().ok_or_else(|| OpenError::Damaged(format!("it does not say its {name}")))?;
    Ok(text(row, 0)?)
}

/// The services and their shards are what they were when the database was made.
fn check_services(session: &Session, schemas: &[Schema]) -> Result<(), OpenError> {
    let rows = session.query("SELECT name, shards FROM engine.meta_service ORDER BY name", Vec::new())?;
    let stored: Answer<Vec<(String, i32)>> =
        rows.iter().map(|row| Ok((text(row, 0)?, column(row, 1)?))).collect();
    let stored = stored?;
    let mut asked: Vec<&Schema> = schemas.iter().collect();
    asked.sort_unstable_by_key(|schema| schema.service);
    if !stored.iter().map(|(name, _)| name.as_str()).eq(asked.iter().map(|schema| schema.service)) {
        let stored: Vec<&str> = stored.iter().map(|(name, _)| name.as_str()).collect();
        let asked: Vec<&str> = asked.iter().map(|schema| schema.service).collect();
        return Err(OpenError::Services { stored: stored.join(", "), asked: asked.join(", ") });
    }
    for (schema, (service, shards)) in asked.iter().zip(stored) {
        if i32::from(schema.shards) != shards {
            let stored = u16::try_from(shards)
                .map_err(|_| OpenError::Damaged(format!("{service} has {shards} shards")))?;
            return Err(OpenError::Shards { service, stored, asked: schema.shards });
        }
    }
    Ok(())
}

fn tables_of(session: &Session, schema: Schema) -> Result<Tables, OpenError> {
    let service = schema.service;
    let sql = "SELECT s.code, k.code, k.name FROM engine.meta_service AS s JOIN engine.meta_kind AS k \
        ON k.service = s.code WHERE s.name = $1";
    let rows = session.query(sql, vec![Box::new(service)])?;
    let mut kinds = Vec::new();
    let mut own_code = 0;
    for row in &rows {
        own_code = column(row, 0)?;
        let name = text(row, 2)?;
        let known = schema.kinds.iter().find(|kind| **kind == name);
        let known =
            known.ok_or_else(|| OpenError::UnknownKind { service: service.to_owned(), kind: name })?;
        kinds.push(Kind::new(service, known, column(row, 1)?));
    }
    let place = |kind: &Kind| schema.kinds.iter().position(|name| *name == kind.name);
    kinds.sort_by_key(place);
    if kinds.len() != schema.kinds.len() {
        return Err(OpenError::Damaged(format!("{service} lacks one of {}", schema.kinds.join(", "))));
    }
    Ok(Tables::new(schema, own_code, kinds))
}
