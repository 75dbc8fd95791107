//! Views for analysts: what a state or an event says, as columns with a type, in a schema of their own.

use crate::layout::quoted;

/// The schema that holds them; to be granted apart from the tables.
pub const SCHEMA: &str = "analysis";

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
    /// `status`, and the timer that is armed with the time at which it runs out.
    Entities { kind: &'static str, id: &'static str },
    /// Every event. Before the named columns stand shard, position, the entity's id under the name given here, its version,
    /// the event's type, when, who, why and the trace.
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

impl View {
    /// The query that it stands for.
    pub(crate) fn query(&self) -> String {
        let service = self.service;
        let (table, body, mut columns) = match &self.rows {
            Rows::Entities { kind, id } => {
                (format!("engine.\"{service}_entity_{kind}\""), "state", entity_columns(id))
            }
            Rows::Events { id } => (format!("engine.\"{service}_event\""), "body", event_columns(id)),
        };
        columns.extend(self.columns.iter().map(Column::sql));
        // The parsed document is made once a row: without OFFSET it would be made once a column.
        format!(
            "SELECT {columns} FROM {table} AS r, \
             LATERAL (SELECT replace(r.{body}, '\\u0000', '\\ufffd')::jsonb AS d OFFSET 0) AS j",
            columns = columns.join(", "),
        )
    }
}

fn entity_columns(id: &str) -> Vec<String> {
    vec![
        format!("r.id AS {}", quoted(id)),
        "r.version".to_owned(),
        "r.tag AS status".to_owned(),
        "r.timer AS deadline".to_owned(),
        "to_timestamp(r.due / 1000.0) AS deadline_at".to_owned(),
    ]
}

fn event_columns(id: &str) -> Vec<String> {
    vec![
        "r.shard".to_owned(),
        "r.position".to_owned(),
        format!("r.id AS {}", quoted(id)),
        "r.version".to_owned(),
        "r.type".to_owned(),
        "to_timestamp(r.at / 1000.0) AS at".to_owned(),
        "r.published".to_owned(),
        "r.actor".to_owned(),
        "r.cause".to_owned(),
        "r.trace".to_owned(),
    ]
}

impl Column {
    fn sql(&self) -> String {
        let path: Vec<String> = self.path.iter().map(|part| quoted(part)).collect();
        let text = format!("j.d #>> '{{{}}}'", path.join(","));
        let typed = match self.kind {
            ColumnKind::Text => text,
            ColumnKind::Integer => format!("({text})::bigint"),
            ColumnKind::Boolean => format!("({text})::boolean"),
            ColumnKind::Time => format!("to_timestamp(({text})::bigint / 1000.0)"),
        };
        format!("{typed} AS {}", quoted(self.name))
    }
}
