//! `taxisvc audit`: every invariant over all that is stored, running or not.

use super::look::look;
use super::print;
use crate::config::Config;
use std::process::ExitCode;
use wiring::audit;

const HELP: &str = "\
Examples:
  taxisvc audit
  taxisvc audit --data a-copy --json | jq .money

What is wrong is named row by row. On the way is what one service has said and the next has not heard yet; late is what \
has been on its way for more than ten minutes beside a running server.

With store.kind = \"postgres\" it looks at the databases of all services, each at a moment of its own, beside running \
replicas too; then what the topic has not been told yet is on the way as well, and nothing is late while no replica runs, or \
before any has run for ten minutes.

Exit codes: 0 when everything holds, 1 when not or when the data cannot be read.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let look = look(config)?;
    let report = audit::audit_readers(&look.readers, look.running_at, &look.audited)?;
    if options.json {
        print::json(&report)?;
    } else {
        eprintln!("looked at: {}", look.place);
        print::text(&format!("{report}\n"))?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
