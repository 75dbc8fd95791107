//! A server as it is, for somebody who only looks: its version, whether it keeps what it acknowledges, its clock, and who
//! else is connected.

use crate::server::Server;
use crate::session::{Purpose, Session};
use crate::{OpenError, Options};
use engine::clock::Clock;

/// What a server says of itself and of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub version: String,
    /// The version of the tables; nothing where there are none yet.
    pub tables: Option<u32>,
    /// Settings without which an acknowledged commit may be lost, and what each of them is: `fsync`, `full_page_writes`,
    /// `synchronous_commit`. The last one is set by every session of ours that writes.
    pub durable: [(&'static str, String); 3],
    /// By so much its clock is ahead of the one that was given, and how far that may be off.
    pub ahead_ms: i64,
    pub off_ms: i64,
    /// Other sessions of ours in this database: replicas, and others who look.
    pub sessions: u64,
    /// How long the first of those that write has been there; nothing where there are none. As long as there is where another
    /// user's are not shown.
    pub sessions_for_ms: Option<i64>,
    /// Other sessions in this database, whoever's.
    pub others: u64,
    /// Connections of all kinds to the server, and how many it takes.
    pub connections: (u64, u64),
}

const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// `reset_val` is what a session begins with, whatever this one has set.
const LOOK: &str = "SELECT current_setting('server_version'), \
    (SELECT string_agg(reset_val, ',' ORDER BY name) FROM pg_settings \
      WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')), \
    (SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
      AND application_name IN (current_setting('application_name'), regexp_replace(current_setting('application_name'), ' reads$', ''))), \
    (SELECT CASE WHEN count(*) = 0 THEN NULL WHEN count(backend_start) < count(*) THEN 9223372036854775807 \
      ELSE (extract(epoch FROM clock_timestamp() - min(backend_start)) * 1000)::bigint END::text \
      FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
      AND (application_name = regexp_replace(current_setting('application_name'), ' reads$', '') \
        OR application_name IS NULL)), \
    (SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'client backend'), \
    current_setting('max_connections'), to_regclass('engine.schema_version') IS NOT NULL, \
    (SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
      AND (backend_type = 'client backend' OR backend_type IS NULL))";

/// Asks a server. A database that is not ours, or not made yet, can be looked at as well.
pub fn inspect(options: &Options, clock: &dyn Clock) -> Result<Inspection, OpenError> {
    let server = Server::of(options)?;
    let (session, row) = Session::connect(&server, Purpose::Reading, LOOK)?;
    let text = |place: usize| row.get(place).cloned().flatten().unwrap_or_default();
    let number = |place: usize| text(place).parse().unwrap_or(0);
    let set_to = text(1);
    let mut set_to = set_to.split(',').map(str::to_owned);
    let before = clock.now();
    let asked = session.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", Vec::new())?;
    let after = clock.now();
    let its: i64 = asked.first().map_or(before.0, |row| row.get(0));
    let off_ms = (after.0 - before.0) / 2;
    let tables = match text(6).as_str() {
        "t" => session.query("SELECT version FROM engine.schema_version", Vec::new())?,
        _ => Vec::new(),
    };
    let tables = tables.first().map(|row| row.get::<_, i32>(0));
    Ok(Inspection {
        version: text(0),
        tables: tables.and_then(|version| u32::try_from(version).ok()),
        durable: DURABLE.map(|name| (name, set_to.next().unwrap_or_default())),
        ahead_ms: its - (before.0 + off_ms),
        off_ms,
        sessions: number(2),
        sessions_for_ms: text(3).parse().ok(),
        others: number(7),
        connections: (number(4), number(5)),
    })
}
