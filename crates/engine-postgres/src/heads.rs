//! The last events of entities: where they stand, and the trace that they came by.

use crate::failure::Answer;
use crate::session::Session;
use crate::tables::Tables;
use crate::value::{number, text_if_any};
use engine::log::EntityKey;

/// The position of the last published event of each entity, in the order asked.
pub(crate) fn published_last(session: &Session, tables: &Tables, keys: &[EntityKey]) -> Answer<Vec<u64>> {
    let kinds: Answer<Vec<i16>> = keys.iter().map(|key| Ok(tables.kind(key.kind)?.code)).collect();
    // An id that cannot be stored is the id of nothing, as is a negative one.
    let ids: Vec<i64> = keys.iter().map(|key| i64::try_from(key.id).unwrap_or(-1)).collect();
    let rows = session.query(&tables.read.published_last, vec![Box::new(kinds?), Box::new(ids)])?;
    rows.iter().map(|row| number(row, 0)).collect()
}

/// The trace of the last event of each entity that is not beyond a version.
pub(crate) fn traces(
    session: &Session,
    tables: &Tables,
    wanted: &[(EntityKey, u64)],
) -> Answer<Vec<Option<String>>> {
    let kinds: Answer<Vec<i16>> = wanted.iter().map(|(key, _)| Ok(tables.kind(key.kind)?.code)).collect();
    let ids: Vec<i64> = wanted.iter().map(|(key, _)| i64::try_from(key.id).unwrap_or(-1)).collect();
    let versions = wanted.iter().map(|(_, version)| i64::try_from(*version).unwrap_or(i64::MAX));
    let versions: Vec<i64> = versions.collect();
    let sql = &tables.read.traces;
    let rows = session.query(sql, vec![Box::new(kinds?), Box::new(ids), Box::new(versions)])?;
    rows.iter().map(|row| text_if_any(row, 0)).collect()
}
