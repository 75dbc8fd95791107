//! What a file is: its format, its log, its services with their kinds and shards. Made once, checked at every opening.

use crate::OpenError;
use crate::failure::Failure;
use crate::tables::{Kind, Tables};
use engine::log::LogId;
use engine::store::Schema;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// The version of the tables' layout. A file of a newer one is refused, one of an older one is made
/// one of this when it is opened to be written.
pub const FORMAT: u32 = 2;

const CREATE_META: &str = "\
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID; \
    CREATE TABLE meta_service (name TEXT PRIMARY KEY, shards INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
    CREATE TABLE meta_kind (service TEXT NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL, \
      PRIMARY KEY (service, code), UNIQUE (service, name)) STRICT, WITHOUT ROWID;";

/// A file as it was opened.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) log: LogId,
    pub(crate) schemas: Vec<Schema>,
    services: Vec<Tables>,
}

impl Layout {
    pub(crate) fn tables(&self, service: &str) -> Result<&Tables, Failure> {
        self.services
            .iter()
            .find(|tables| tables.schema.service == service)
            .ok_or_else(|| Failure::Refused(format!("the file holds no service {service}")))
    }

    pub(crate) fn place(&self, service: &str) -> Result<usize, Failure> {
        self.services
            .iter()
            .position(|tables| tables.schema.service == service)
            .ok_or_else(|| Failure::Refused(format!("the file holds no service {service}")))
    }

    pub(crate) fn services(&self) -> &[Tables] {
        &self.services
    }

    /// Makes what is missing, and checks what is there, in one transaction.
    pub(crate) fn prepare(
        connection: &mut Connection,
        schemas: &[Schema],
        (new_log, program): (LogId, u32),
    ) -> Result<Self, OpenError> {
        check_names(schemas)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !has_meta(&transaction)? {
            transaction.execute_batch(CREATE_META)?;
            set_meta(&transaction, "format", &FORMAT.to_string())?;
            set_meta(&transaction, "program", &program.to_string())?;
            set_meta(&transaction, "log", &new_log.to_string())?;
        }
        let format = check_versions(&transaction, program)?;
        upgrade(&transaction, format)?;
        for schema in schemas {
            add_service(&transaction, schema)?;
        }
        set_meta(&transaction, "program", &program.to_string())?;
        let layout = Self::read(&transaction, schemas, FORMAT)?;
        transaction.commit()?;
        Ok(layout)
    }

    /// Checks a file that may not be changed.
    pub(crate) fn check(
        connection: &Connection,
        schemas: &[Schema],
        program: u32,
    ) -> Result<Self, OpenError> {
        check_names(schemas)?;
        if !has_meta(connection)? {
            return Err(OpenError::Foreign);
        }
        let format = check_versions(connection, program)?;
        Self::read(connection, schemas, format)
    }

    fn read(connection: &Connection, schemas: &[Schema], format: u32) -> Result<Self, OpenError> {
        let log = meta(connection, "log")?;
        let log = log.parse().map_err(OpenError::Damaged)?;
        let mut statement = connection.prepare("SELECT name, shards FROM meta_service ORDER BY name")?;
        let stored = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for found in stored {
            let (name, shards): (String, u16) = found?;
            let asked = schemas.iter().find(|schema| schema.service == name);
            let asked = asked.ok_or_else(|| OpenError::UnknownService(name.clone()))?;
            if asked.shards != shards {
                return Err(OpenError::Shards { service: name, stored: shards, asked: asked.shards });
            }
        }
        let services = schemas.iter().map(|schema| tables_of(connection, *schema, format));
        Ok(Self { log, schemas: schemas.to_vec(), services: services.collect::<Result<_, _>>()? })
    }
}

/// Refuses a database that has tables of something else, before anything of it is changed.
pub(crate) fn check_is_ours(connection: &Connection) -> Result<(), OpenError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && !has_meta(connection)? {
        return Err(OpenError::Foreign);
    }
    Ok(())
}

/// Names become parts of table names.
fn check_names(schemas: &[Schema]) -> Result<(), OpenError> {
    let names = schemas.iter().flat_map(|schema| schema.kinds.iter().chain([&schema.service]));
    for name in names {
        let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if name.is_empty() || !is_word {
            return Err(OpenError::Name((*name).to_owned()));
        }
    }
    Ok(())
}

fn has_meta(connection: &Connection) -> Result<bool, OpenError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('meta', 'meta_service')";
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 2)
}

fn meta(connection: &Connection, name: &str) -> Result<String, OpenError> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let found = connection.query_row(sql, [name], |row| row.get(0)).optional()?;
    found.ok_or_else(|| OpenError::Damaged(format!("it does not say its {name}")))
}

fn set_meta(transaction: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<usize> {
    let sql =
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    transaction.execute(sql, [name, value])
}

/// Refuses what a newer program has written; returns the format of the tables.
fn check_versions(connection: &Connection, program: u32) -> Result<u32, OpenError> {
    let stored = |name: &'static str| {
        let text = meta(connection, name)?;
        let number = text.parse::<u32>();
        number.map_err(|_| OpenError::Damaged(format!("its {name} is {text:?}")))
    };
    for (what, known) in [("format", FORMAT), ("program", program)] {
        let found = stored(what)?;
        if found > known {
            return Err(OpenError::Newer { what, found, known });
        }
    }
    stored("format")
}

/// Makes the tables of an older format those of this one, within the transaction of the opening.
fn upgrade(transaction: &Transaction<'_>, format: u32) -> Result<(), OpenError> {
    if format == FORMAT {
        return Ok(());
    }
    let mut statement = transaction.prepare("SELECT name FROM meta_service")?;
    let services: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for service in services {
        transaction.execute_batch(&Tables::to_format_2(&service))?;
    }
    set_meta(transaction, "format", &FORMAT.to_string())?;
    Ok(())
}

fn add_service(transaction: &Transaction<'_>, schema: &Schema) -> Result<(), OpenError> {
    let name = schema.service;
    let sql = "INSERT INTO meta_service (name, shards) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if transaction.execute(sql, params![name, schema.shards])? == 1 {
        transaction.execute_batch(&Tables::create(name))?;
        let sql = format!("INSERT INTO \"{name}_shard\" (shard, position, batch) VALUES (?1, 0, 0)");
        let mut insert = transaction.prepare(&sql)?;
        for shard in 0..schema.shards {
            insert.execute([shard])?;
        }
    }
    for kind in schema.kinds {
        let sql = "INSERT INTO meta_kind (service, code, name) VALUES \
                   (?1, (SELECT coalesce(max(code), 0) + 1 FROM meta_kind WHERE service = ?1), ?2) \
                   ON CONFLICT DO NOTHING";
        if transaction.execute(sql, [name, kind])? == 1 {
            transaction.execute_batch(&Kind::new(name, kind, 0).create())?;
        }
    }
    Ok(())
}

fn tables_of(connection: &Connection, schema: Schema, format: u32) -> Result<Tables, OpenError> {
    let service = schema.service;
    let sql = "SELECT name, code FROM meta_kind WHERE service = ?1";
    let mut statement = connection.prepare(sql)?;
    let stored = statement.query_map([service], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let stored: Vec<(String, i64)> = stored.collect::<rusqlite::Result<_>>()?;
    if stored.is_empty() {
        return Err(OpenError::MissingService(service.to_owned()));
    }
    if let Some((kind, _)) = stored.iter().find(|(name, _)| !schema.kinds.contains(&name.as_str())) {
        return Err(OpenError::UnknownKind { service: service.to_owned(), kind: kind.clone() });
    }
    let mut kinds = Vec::new();
    for kind in schema.kinds {
        let code = stored.iter().find(|(name, _)| name == kind);
        let (_, code) = code.ok_or_else(|| OpenError::MissingService(format!("{service} ({kind})")))?;
        kinds.push(Kind::new(service, kind, *code));
    }
    Ok(Tables::new(schema, kinds, format))
}
