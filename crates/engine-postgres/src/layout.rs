//! What a database is: its log, its services with their kinds and shards. Made once, checked at every opening.

/// The oldest server that is known to do.
pub(crate) const SERVER_MIN: &str = "15";

/// Names become parts of the names of tables and indexes, which PostgreSQL cuts off at 63 bytes.
pub(crate) const NAME_BYTES_MAX: usize = 20;

/// A name within SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
