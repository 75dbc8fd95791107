//! `taxisvc audit`: every invariant over a data directory, running or not.

use super::print;
use crate::clock::told::of_server;
use crate::config::Config;
use crate::data_dir;
use std::process::ExitCode;
use wiring::audit;

const HELP: &str = "\
Examples:
  taxisvc audit
  taxisvc audit --data a-copy --json | jq .money

What is wrong is named row by row. On the way is what one service has said and the next has not heard yet; late is what \
has been on its way for more than ten minutes beside a running server.

Exit codes: 0 when everything holds, 1 when not or when the directory cannot be read.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let look = data_dir::look(config)?;
    let now = look.is_running.then(|| of_server(&config.data));
    let rules = audit::Options { rules: config.rules(), ..audit::Options::default() };
    let report = audit::audit_readers(&look.readers, now, &rules)?;
    if options.json {
        print::json(&report)?;
    } else {
        print::text(&format!("{report}\n"))?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
