//! A projection that is made anew: how far that is, in a row of its own, and its entities dropped slice by slice.

use crate::failure::Failure;
use crate::tables::Tables;
use engine::store::Rebuild;
use rusqlite::{Connection, OptionalExtension};

const DROPPING: &str = "dropping";
const READING: &str = "reading";

fn name(service: &str) -> String {
    format!("rebuild of {service}")
}

pub(crate) fn stage(connection: &Connection, service: &str) -> Result<Option<Rebuild>, Failure> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let found = connection.query_row(sql, [name(service)], |row| row.get::<_, String>(0)).optional()?;
    match found.as_deref() {
        None => Ok(None),
        Some(DROPPING) => Ok(Some(Rebuild::Dropping)),
        Some(READING) => Ok(Some(Rebuild::Reading)),
        Some(unknown) => Err(Failure::Broken(format!("the {} is {unknown:?}", name(service)))),
    }
}

/// Of how many times that it was made anew the last one is; a file of an earlier program does not say.
pub(crate) fn number(connection: &Connection, service: &str) -> Result<u64, Failure> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let name = format!("rebuilds of {service}");
    let found = connection.query_row(sql, [&name], |row| row.get::<_, String>(0)).optional()?;
    let number = found.as_deref().unwrap_or("0").parse::<u64>();
    number.map_err(|error| Failure::Broken(format!("the {name}: {error}")))
}

/// Begins another one, and returns its number.
pub(crate) fn begin(connection: &Connection, service: &str) -> Result<u64, Failure> {
    let transaction = connection.unchecked_transaction()?;
    let number = number(&transaction, service)? + 1;
    put(&transaction, &format!("rebuilds of {service}"), &number.to_string())?;
    note(&transaction, service, Some(Rebuild::Dropping))?;
    transaction.commit()?;
    Ok(number)
}

fn put(connection: &Connection, name: &str, value: &str) -> Result<usize, Failure> {
    let sql =
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    Ok(connection.execute(sql, [name, value])?)
}

pub(crate) fn note(connection: &Connection, service: &str, stage: Option<Rebuild>) -> Result<(), Failure> {
    let name = name(service);
    match stage.map(word) {
        None => connection.execute("DELETE FROM meta WHERE name = ?1", [&name])?,
        Some(word) => put(connection, &name, word)?,
    };
    Ok(())
}

fn word(stage: Rebuild) -> &'static str {
    match stage {
        Rebuild::Dropping => DROPPING,
        Rebuild::Reading => READING,
    }
}

/// A slice of the entities, in one transaction; with the last of them everything else that it is to read anew. What
/// fails leaves all as it was, for the transaction ends with it.
pub(crate) fn drop_some(connection: &Connection, tables: &Tables, limit: usize) -> Result<Rebuild, Failure> {
    let transaction = connection.unchecked_transaction()?;
    let mut left = limit;
    for kind in &tables.kinds {
        if left > 0 {
            let slice = i64::try_from(left).unwrap_or(i64::MAX);
            left = left.saturating_sub(transaction.prepare_cached(&kind.drop_some)?.execute([slice])?);
        }
    }
    let service = tables.schema.service;
    // A full slice may have been the last one; the next will find that.
    let stage = if left == 0 { Rebuild::Dropping } else { Rebuild::Reading };
    if stage == Rebuild::Reading {
        transaction.execute(&tables.inbox.clear, [])?;
        transaction.execute(&tables.counter.clear, [])?;
        transaction.execute(&tables.letter.clear_waiting, [])?;
        transaction.execute(&tables.letter.clear_passed_over, [])?;
    }
    note(&transaction, service, Some(stage))?;
    transaction.commit()?;
    Ok(stage)
}
