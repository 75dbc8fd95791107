//! Pages of a list: what is asked of them, as SQL that walks one index from where the page begins.

use crate::ddl::TAG_CHARACTERS;
use crate::failure::Answer;
use crate::read;
use crate::session::{Parameter, Session};
use crate::tables::{ENTITY_COLUMNS, Kind, Tables, tag_order};
use crate::value::stored_text;
use engine::store::{EntityRow, Order, Query, Start};

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

pub(crate) fn list(session: &Session, tables: &Tables, query: &Query) -> Answer<Vec<EntityRow>> {
    let kind = tables.kind(query.kind)?;
    let walk = Walk::new(query);
    let (sql, parameters) = statement(kind, query, &walk);
    let rows = session.query(&sql, parameters)?;
    let page: Answer<Vec<EntityRow>> = rows.iter().map(|row| read::entity_of(row, kind)).collect();
    let mut page = page?;
    if walk.is_reversed {
        page.reverse();
    }
    Ok(page)
}

fn statement<'a>(kind: &Kind, query: &'a Query, walk: &Walk<'a>) -> (String, Vec<Parameter<'a>>) {
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    let mut conditions: Vec<String> = Vec::new();
    let mut next = |parameter: Parameter<'a>| {
        parameters.push(parameter);
        format!("${}", parameters.len())
    };
    let tag = tag_order();
    if let Some(own) = &query.tag {
        let own = next(Box::new(stored_text(own)));
        conditions.push(format!("{tag} = left({own}, {TAG_CHARACTERS}) AND tag = {own}"));
    }
    if let Some((after, id)) = walk.from {
        let (sign, id) = beyond(id, walk.is_descending);
        let id = next(Box::new(id));
        conditions.push(match query.order {
            Order::Id => format!("id {sign} {id}"),
            Order::Tag => {
                let after = next(Box::new(stored_text(after)));
                format!("({tag}, id) {sign} (left({after}, {TAG_CHARACTERS}), {id})")
            }
        });
    }
    let filter = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let direction = if walk.is_descending { "DESC" } else { "ASC" };
    // Of one tag alone, the order by tag is that by id, and has the index that finds the tag.
    let order = match (query.order, &query.tag) {
        (Order::Id, None) => format!("id {direction}"),
        (Order::Tag, _) | (Order::Id, Some(_)) => format!("{tag} {direction}, id {direction}"),
    };
    let limit = next(Box::new(i64::from(query.limit)));
    let skip = next(Box::new(i64::try_from(walk.skip).unwrap_or(i64::MAX)));
    let table = &kind.table;
    let sql = format!(
        "SELECT {ENTITY_COLUMNS} FROM {table} WHERE {filter} ORDER BY {order} LIMIT {limit} OFFSET {skip}"
    );
    (sql, parameters)
}

/// Ids above what can be stored are above all that are; `<=` with one less keeps the highest in reach.
fn beyond(id: u64, is_descending: bool) -> (&'static str, i64) {
    let id = i64::try_from(id);
    if is_descending { ("<=", id.map_or(i64::MAX, |id| id - 1)) } else { (">", id.unwrap_or(i64::MAX)) }
}

/// Every statement that a page can come to.
#[cfg(test)]
pub(crate) fn every_statement(kind: &Kind) -> Vec<String> {
    let mut statements = Vec::new();
    for order in [Order::Id, Order::Tag] {
        for (tag, descending) in [(None, false), (None, true), (Some("open"), false), (Some("open"), true)] {
            for start in [
                Start::First { skip: 3 },
                Start::Last { skip: 3 },
                Start::After { tag: "open".into(), id: 5 },
                Start::Before { tag: "open".into(), id: 5 },
            ] {
                let tag = tag.map(str::to_owned);
                let query =
                    Query { service: "order", kind: "order", order, descending, tag, start, limit: 10 };
                statements.push(statement(kind, &query, &Walk::new(&query)).0);
            }
        }
    }
    statements
}
