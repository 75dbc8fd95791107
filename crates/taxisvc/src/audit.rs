//! `taxisvc audit`: every invariant over a data directory, running or not.

use crate::config::Config;
use crate::data_dir;
use engine::clock::{Clock, SystemClock};
use std::io::Write;
use std::process::ExitCode;
use wiring::audit;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let look = data_dir::look(config)?;
    let now = look.is_running.then(|| SystemClock.now());
    let rules = audit::Options { rules: config.rules(), ..audit::Options::default() };
    let report = audit::audit_readers(&look.readers, now, &rules)?;
    let text = if options.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
    // A reader that has seen enough is no fault of the data.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
