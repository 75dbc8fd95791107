//! Pages of a list: what is asked of them, as SQL that walks one index from where the page begins.

use crate::failure::Failure;
use crate::read;
use crate::tables::{ENTITY_COLUMNS, Kind, Tables};
use engine::store::{EntityRow, Order, Query, Start};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How a page is walked.
struct Walk<'a> {
    is_descending: bool,
    /// The page was walked against the list's order.
    is_reversed: bool,
    from: Option<(&'a str, u64)>,
    skip: u64,
}

impl<'a> Walk<'a> {
    fn new(query: &'a Query) -> Self {
        let (is_reversed, from, skip) = match &query.start {
            Start::First { skip } => (false, None, *skip),
            Start::Last { skip } => (true, None, *skip),
            Start::After { tag, id } => (false, Some((tag.as_str(), *id)), 0),
            Start::Before { tag, id } => (true, Some((tag.as_str(), *id)), 0),
        };
        Self { is_descending: query.descending != is_reversed, is_reversed, from, skip }
    }
}

pub(crate) fn list(
    connection: &Connection,
    tables: &Tables,
    query: &Query,
) -> Result<Vec<EntityRow>, Failure> {
    let kind = tables.kind(query.kind)?;
    let walk = Walk::new(query);
    let (sql, values) = statement(kind, query, &walk);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(read::entity_of(row, kind)?);
    }
    if walk.is_reversed {
        page.reverse();
    }
    Ok(page)
}

fn statement(kind: &Kind, query: &Query, walk: &Walk<'_>) -> (String, Vec<Value>) {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    if let Some(tag) = &query.tag {
        conditions.push("tag = ?");
        values.push(Value::Text(tag.clone()));
    }
    if let Some((tag, id)) = walk.from {
        // Ids above what can be stored are above all that are; `<=` with one less keeps the highest in reach.
        let id = if walk.is_descending {
            i64::try_from(id).map_or(i64::MAX, |id| id - 1)
        } else {
            i64::try_from(id).unwrap_or(i64::MAX)
        };
        match (query.order, walk.is_descending) {
            (Order::Id, false) => conditions.push("id > ?"),
            (Order::Id, true) => conditions.push("id <= ?"),
            (Order::Tag, false) => conditions.push("(tag, id) > (?, ?)"),
            (Order::Tag, true) => conditions.push("(tag, id) <= (?, ?)"),
        }
        if query.order == Order::Tag {
            values.push(Value::Text(tag.to_owned()));
        }
        values.push(Value::Integer(id));
    }
    let condition =
        if conditions.is_empty() { String::new() } else { format!("WHERE {} ", conditions.join(" AND ")) };
    let order = match (query.order, walk.is_descending) {
        (Order::Id, false) => "id",
        (Order::Id, true) => "id DESC",
        (Order::Tag, false) => "tag, id",
        (Order::Tag, true) => "tag DESC, id DESC",
    };
    values.push(Value::Integer(i64::from(query.limit)));
    values.push(Value::Integer(i64::try_from(walk.skip).unwrap_or(i64::MAX)));
    let table = &kind.table;
    let sql = format!("SELECT {ENTITY_COLUMNS} FROM {table} {condition}ORDER BY {order} LIMIT ? OFFSET ?");
    (sql, values)
}
