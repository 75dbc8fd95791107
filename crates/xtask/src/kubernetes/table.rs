//! What was done, and what was seen: printed as it happens, and as a table at the end.

use super::cluster::now;
use std::time::Duration;

pub(super) struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    seen: String,
    took: Duration,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Does a thing that says what was seen of it.
    pub(super) fn row(
        &mut self,
        what: &str,
        work: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        println!("== {what}");
        let begun = now();
        let seen = work().map_err(|error| error.context(what.to_owned()))?;
        let took = begun.elapsed();
        println!("   {seen} ({:.0} s)", took.as_secs_f64());
        self.rows.push(Row { what: what.to_owned(), seen, took });
        Ok(())
    }

    pub(super) fn print(&self) {
        println!("\n| what was done | what was seen | s |\n|---|---|---|");
        for Row { what, seen, took } in &self.rows {
            println!("| {what} | {seen} | {:.0} |", took.as_secs_f64());
        }
    }
}
