//! A file that goes back to an older state goes on as another log: what others know of its positions is not of this one.

use crate::layout::{self, Layout};
use crate::{Database, OpenError, lock, set_up_writer};
use engine::log::LogId;
use engine::store::Schema;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::path::Path;

/// What changes in files that belong together.
#[derive(Debug, Clone)]
pub struct Renewal<'a> {
    /// The logs of all of them, as they are called so far and from now on.
    pub logs: &'a [(LogId, LogId)],
    /// Numbers that a service does not give any more: those below this one. What the file says already is never lowered.
    pub numbers: Option<(&'static str, u64)>,
}

/// Under which name a file keeps the first number that a service may give.
pub(crate) fn numbers_name(service: &str) -> String {
    format!("numbers.{service}")
}

/// The first number that the service may give at least, where the file says so.
pub(crate) fn least_number(connection: &Connection, service: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let found: Option<String> =
        connection.query_row(sql, [numbers_name(service)], |row| row.get(0)).optional()?;
    Ok(found.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Renames the logs in a file wherever it speaks of one, in one transaction. One that was renamed already stays as it is, so a
/// renewal of several files that was cut off is carried out again.
pub fn renew(
    path: &Path,
    (schemas, program): (&[Schema], u32),
    renewal: &Renewal<'_>,
) -> Result<(), OpenError> {
    let _lock = lock(path)?;
    let mut connection = Connection::open_with_flags(path, crate::flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    layout::check_is_ours(&connection)?;
    set_up_writer(&mut connection)?;
    // What is of an older format is made one of this first.
    let log = Layout::prepare(&mut connection, schemas, (LogId(0), program))?.log;
    let Some((_, new)) = renewal.logs.iter().find(|(old, _)| *old == log) else {
        let is_done = renewal.logs.iter().any(|(_, new)| *new == log);
        return if is_done { Ok(()) } else { Err(OpenError::Damaged(format!("its log is {log}"))) };
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (old, new) in renewal.logs {
        let (old, new) = (old.to_string(), new.to_string());
        for Schema { service: s, .. } in schemas {
            for table in ["inbox", "passed_over"] {
                let sql = format!("UPDATE \"{s}_{table}\" SET log = ?2 WHERE log = ?1");
                transaction.execute(&sql, [&old, &new])?;
            }
            // A message that was put aside says where it stood.
            let in_parcel = |log: &str| format!("\"log\":\"{log}\"");
            let sql = format!("UPDATE \"{s}_dead_letter\" SET parcel = replace(parcel, ?1, ?2)");
            transaction.execute(&sql, [in_parcel(&old), in_parcel(&new)])?;
        }
    }
    let set =
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    transaction.execute(set, params!["log", new.to_string()])?;
    if let Some((service, least)) = renewal.numbers
        && schemas.iter().any(|schema| schema.service == service)
    {
        let least = least.max(least_number(&transaction, service)?);
        transaction.execute(set, params![numbers_name(service), least.to_string()])?;
    }
    transaction.commit()?;
    Ok(())
}

/// Takes back what a renewal had begun to write into a file and did not come to an end with. Whoever only reads cannot, and could
/// not read it.
pub fn roll_back(path: &Path) -> Result<(), OpenError> {
    let _lock = lock(path)?;
    let connection = Connection::open_with_flags(path, crate::flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    // The first who reads it finds the journal.
    let _: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(())
}

impl Database {
    /// The first number that the service would give next.
    pub fn next_number(&self, service: &str) -> Result<u64, OpenError> {
        let damaged =
            |failure: crate::failure::Failure| OpenError::Damaged(failure.into_store_error().to_string());
        let tables = self.layout.tables(service).map_err(damaged)?;
        let lent = self.pool.lend().map_err(damaged)?;
        let last = match tables.kinds.first() {
            Some(kind) => lent.query_row(&kind.id_max, [], |row| row.get::<_, Option<i64>>(0))?,
            None => None,
        };
        Ok((last.unwrap_or(0).unsigned_abs() + 1).max(least_number(&lent, service)?))
    }
}
