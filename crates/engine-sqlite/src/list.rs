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

/// A stretch of an index: conditions with the value of each.
type Stretch = Vec<(&'static str, Value)>;

pub(crate) fn list(
    connection: &Connection,
    tables: &Tables,
    query: &Query,
) -> Result<Vec<EntityRow>, Failure> {
    let kind = tables.kind(query.kind)?;
    let walk = Walk::new(query);
    let limit = query.limit as usize;
    let mut page = Vec::new();
    // A page of several stretches is of one moment all the same.
    let moment = connection.unchecked_transaction()?;
    for stretch in stretches(query, &walk) {
        let (sql, values) = statement(kind, query, &walk, stretch);
        let mut statement = moment.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while page.len() < limit
            && let Some(row) = rows.next()?
        {
            page.push(read::entity_of(row, kind)?);
        }
    }
    moment.commit()?;
    if walk.is_reversed {
        page.reverse();
    }
    Ok(page)
}

/// What the page is cut from, in the order of the walk. SQLite finds the place of a row id within an index only when
/// all before it is equal, so the rest of a tag and the tags after it are two stretches.
fn stretches(query: &Query, walk: &Walk<'_>) -> Vec<Stretch> {
    let of_tag = |tag: &str| ("tag = ?", Value::Text(tag.to_owned()));
    let filter: Stretch = query.tag.iter().map(|tag| of_tag(tag)).collect();
    let Some((tag, id)) = walk.from else {
        return vec![filter];
    };
    let beyond_id = beyond(id, walk.is_descending);
    let with_id = |mut stretch: Stretch| {
        stretch.push(beyond_id.clone());
        vec![stretch]
    };
    match (query.order, query.tag.as_deref()) {
        (Order::Id, _) => with_id(filter),
        (Order::Tag, Some(own)) if own == tag => with_id(filter),
        (Order::Tag, Some(own)) if (own > tag) != walk.is_descending => vec![filter],
        (Order::Tag, Some(_)) => Vec::new(),
        (Order::Tag, None) => {
            let beyond_tag = if walk.is_descending { "tag < ?" } else { "tag > ?" };
            let mut stretches = with_id(vec![of_tag(tag)]);
            stretches.push(vec![(beyond_tag, Value::Text(tag.to_owned()))]);
            stretches
        }
    }
}

/// Ids above what can be stored are above all that are; `<=` with one less keeps the highest in reach.
fn beyond(id: u64, is_descending: bool) -> (&'static str, Value) {
    let id = i64::try_from(id);
    if is_descending {
        ("id <= ?", Value::Integer(id.map_or(i64::MAX, |id| id - 1)))
    } else {
        ("id > ?", Value::Integer(id.unwrap_or(i64::MAX)))
    }
}

fn statement(kind: &Kind, query: &Query, walk: &Walk<'_>, stretch: Stretch) -> (String, Vec<Value>) {
    let (conditions, mut values): (Vec<&str>, Vec<Value>) = stretch.into_iter().unzip();
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

/// Those of each kind whose timers run out first.
pub(crate) fn armed(connection: &Connection, tables: &Tables, limit: u32) -> Result<Vec<EntityRow>, Failure> {
    let mut found = Vec::new();
    for kind in &tables.kinds {
        let mut statement = connection.prepare_cached(&armed_of(kind))?;
        let mut rows = statement.query([limit])?;
        while let Some(row) = rows.next()? {
            found.push(read::entity_of(row, kind)?);
        }
    }
    Ok(found)
}

fn armed_of(kind: &Kind) -> String {
    format!("SELECT {ENTITY_COLUMNS} FROM {} WHERE due IS NOT NULL ORDER BY due, id LIMIT ?1", kind.table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_open_are_found_without_those_that_are_not() {
        let kind = Kind::new("order", "order", 1);
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&kind.create()).unwrap();
        let plan = plan(&connection, &armed_of(&kind), vec![Value::Integer(1)]);
        assert!(
            plan.contains("USING INDEX order_entity_order_by_due") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }

    /// Every page walks an index in its order, from where it begins: none is sorted, none begins at the beginning.
    #[test]
    fn no_page_is_sorted_or_scanned() {
        let kind = Kind::new("order", "order", 1);
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&kind.create()).unwrap();
        let place = || ("open".to_owned(), 5);
        for order in [Order::Id, Order::Tag] {
            for (tag, descending) in
                [(None, false), (None, true), (Some("open"), false), (Some("open"), true)]
            {
                let (tag_after, id) = place();
                let (tag_before, _) = place();
                for start in [
                    Start::First { skip: 3 },
                    Start::Last { skip: 3 },
                    Start::After { tag: tag_after, id },
                    Start::Before { tag: tag_before, id },
                ] {
                    let query = Query {
                        service: "order",
                        kind: "order",
                        order,
                        descending,
                        tag: tag.map(str::to_owned),
                        start,
                        limit: 10,
                    };
                    check(&connection, &kind, &query);
                }
            }
        }
    }

    fn check(connection: &Connection, kind: &Kind, query: &Query) {
        let walk = Walk::new(query);
        for stretch in stretches(query, &walk) {
            let conditions: Vec<&str> = stretch.iter().map(|(condition, _)| *condition).collect();
            let searched = match conditions[..] {
                [] => "",
                ["tag = ?"] => "(tag=?)",
                ["tag = ?", "id > ?"] => "(tag=? AND rowid>?)",
                ["tag = ?", "id <= ?"] => "(tag=? AND rowid<?)",
                ["tag > ?"] => "(tag>?)",
                ["tag < ?"] => "(tag<?)",
                ["id > ?"] => "(rowid>?)",
                ["id <= ?"] => "(rowid<?)",
                _ => panic!("unknown: {conditions:?}"),
            };
            let (sql, values) = statement(kind, query, &walk, stretch);
            let plan = plan(connection, &sql, values);
            assert!(plan.contains(searched) && !plan.contains("TEMP B-TREE"), "{query:?}: {plan}");
            assert_eq!(plan.contains("SEARCH"), !searched.is_empty(), "{query:?}: {plan}");
        }
    }

    fn plan(connection: &Connection, sql: &str, values: Vec<Value>) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3));
        let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
        steps.join("; ")
    }
}
