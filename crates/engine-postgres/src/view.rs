//! Views for analysts: what a state or an event says, as columns with a type, in a schema of their own.

use crate::failure::{Answer, Failure};
use crate::layout::quoted;
use crate::session::Session;
use crate::value::column;
use sha2::{Digest as _, Sha256};

/// The schema that holds them; to be granted apart from the tables.
pub const SCHEMA: &str = "analysis";

/// Held while a view is looked at in order to make it.
const VIEWS_LOCK: i64 = 0x656e_6769_6e66;

/// Whether the schema is there, what is noted of a view, and its columns.
const FIND: &str = "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1) > 0, \
    (SELECT obj_description(c.oid, 'pg_class') FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
      WHERE n.nspname = $1 AND c.relname = $2), \
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid \
      JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 \
      AND NOT a.attisdropped ORDER BY a.attnum)";

/// One view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub name: &'static str,
    pub service: &'static str,
    pub rows: Rows,
    pub columns: Vec<Column>,
}

/// What a view has a row for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Every entity of a kind. Before the named columns stand its id, under the name given here, its version, its tag as
    /// `status`, and the timer that is armed as `deadline`, with the time at which it runs out as `deadline_at`.
    Entities { kind: &'static str, id: &'static str },
    /// Every event. Before the named columns stand the entity's id, under the name given here, then shard, position, version,
    /// type, at, published, actor, cause and trace.
    Events { id: &'static str },
}

/// One column, from the JSON of a state or of an event's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub path: Vec<&'static str>,
    pub kind: ColumnKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    /// `bigint`.
    Integer,
    Boolean,
    /// `timestamptz`, from milliseconds since 1970.
    Time,
}

/// Of an entity, before the named columns.
const OF_ENTITY: [(&str, &str); 4] = [
    ("version", "r.version"),
    ("status", "r.tag"),
    ("deadline", "r.timer"),
    ("deadline_at", "to_timestamp(r.due / 1000.0)"),
];

/// Of an event, before the named columns.
const OF_EVENT: [(&str, &str); 9] = [
    ("shard", "r.shard"),
    ("position", "r.position"),
    ("version", "r.version"),
    ("type", "r.type"),
    ("at", "to_timestamp(r.at / 1000.0)"),
    ("published", "r.published"),
    ("actor", "r.actor"),
    ("cause", "r.cause"),
    ("trace", "r.trace"),
];

impl View {
    /// The names of its columns with what stands in each.
    fn all_columns(&self) -> Vec<(&'static str, String)> {
        let (id, fixed) = match &self.rows {
            Rows::Entities { id, .. } => (*id, &OF_ENTITY[..]),
            Rows::Events { id } => (*id, &OF_EVENT[..]),
        };
        let fixed = fixed.iter().map(|(name, sql)| (*name, (*sql).to_owned()));
        let named = self.columns.iter().map(|column| (column.name, column.sql()));
        [(id, "r.id".to_owned())].into_iter().chain(fixed).chain(named).collect()
    }

    /// The query that it stands for.
    fn query(&self) -> String {
        let service = self.service;
        let (table, body) = match &self.rows {
            Rows::Entities { kind, .. } => (format!("engine.\"{service}_entity_{kind}\""), "state"),
            Rows::Events { .. } => (format!("engine.\"{service}_event\""), "body"),
        };
        let columns = self.all_columns().into_iter();
        let columns: Vec<String> = columns.map(|(name, sql)| format!("{sql} AS {}", quoted(name))).collect();
        // The document is parsed once a row: without OFFSET it would be once a column. It may hold the one character that
        // PostgreSQL has none for.
        format!(
            "SELECT {} FROM {table} AS r, \
             LATERAL (SELECT replace(r.{body}, '\\u0000', '\\ufffd')::jsonb AS d OFFSET 0) AS j",
            columns.join(", "),
        )
    }
}

impl Column {
    fn sql(&self) -> String {
        let path: Vec<String> = self.path.iter().map(|part| quoted(part)).collect();
        let text = format!("(j.d #>> '{{{}}}')", path.join(","));
        match self.kind {
            ColumnKind::Text => text,
            ColumnKind::Integer => format!("{text}::bigint"),
            ColumnKind::Boolean => format!("{text}::boolean"),
            ColumnKind::Time => format!("to_timestamp({text}::bigint / 1000.0)"),
        }
    }
}

/// Makes the views, where they are not there as they should be. They are for people, so that nothing waits for them or fails
/// with them: who reads one for long keeps it as it is, until the next start.
pub(crate) fn make(session: &Session, views: &[View]) {
    for view in views {
        let made = session.run("BEGIN").and_then(|()| {
            let made = make_one(session, view);
            session.run(if made.is_ok() { "COMMIT" } else { "ROLLBACK" }).and(made)
        });
        if let Err(failure) = made {
            tracing::warn!(view = view.name, ?failure, "a view for analysts could not be made");
        }
    }
}

fn make_one(session: &Session, view: &View) -> Answer<()> {
    session.query("SELECT pg_advisory_xact_lock($1)", vec![Box::new(VIEWS_LOCK)])?;
    session.run("SET LOCAL lock_timeout = '1s'")?;
    let name = format!("{SCHEMA}.{}", quoted(view.name));
    let query = view.query();
    let mark = format!("engine {}", hash_of(&query));
    let found = session.query(FIND, vec![Box::new(SCHEMA), Box::new(view.name)])?;
    let row = found.first().ok_or_else(|| Failure::Broken("no row".into()))?;
    if column::<Option<String>>(row, 1)?.as_deref() == Some(mark.as_str()) {
        return Ok(());
    }
    let stored: Vec<String> = column(row, 2)?;
    let wanted: Vec<&str> = view.all_columns().into_iter().map(|(name, _)| name).collect();
    let is_new = stored.is_empty();
    let is_continued = stored.iter().map(String::as_str).eq(wanted.iter().copied().take(stored.len()));
    if !is_new && !is_continued {
        if wanted.iter().all(|name| stored.iter().any(|known| known == name)) {
            tracing::info!(view = view.name, "the view has more than this program knows, and stays");
            return Ok(());
        }
        tracing::warn!(
            view = view.name,
            "the view is made anew; who was granted it must be granted it again"
        );
        session.run(&format!("DROP VIEW {name}"))?;
    }
    if !column::<bool>(row, 0)? {
        session.run(&format!("CREATE SCHEMA {SCHEMA}"))?;
    }
    session.run(&format!("CREATE OR REPLACE VIEW {name} AS {query}; COMMENT ON VIEW {name} IS '{mark}'"))
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
