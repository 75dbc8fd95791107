//! `taxisvc token`: what operators show.

use super::print;
use crate::config::Config;
use crate::data_dir::{self, listening, token};
use anyhow::{Context, bail};
use std::process::ExitCode;

const HELP: &str = "\
Examples:
  taxisvc token
  printf 'authorization: Bearer %s' \"$(taxisvc token)\" | curl -H @- localhost:8088/operator/config
  taxisvc token --renew        when it may have been seen by others

The first start draws a token and keeps it in the data directory, in the file operator-token, readable for its owner \
alone; it prints it on a terminal only. `operator.token` in the settings goes before it. An argument can be read by \
everybody on the machine, so the token goes to curl by its standard input.

Exit codes: 0, or 1 when there is none.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Draw another one, which counts from the next start on
    #[arg(long)]
    renew: bool,
}

pub(crate) fn run(config: &Config, options: &Options, draw: impl FnMut() -> u64) -> anyhow::Result<ExitCode> {
    if options.renew {
        return renew(config, draw);
    }
    let token = token::find(config)?.with_context(|| {
        format!("{} has no token yet: the first start of the server draws it", config.data.display())
    })?;
    print::text(&format!("{}\n", token.text))?;
    Ok(ExitCode::SUCCESS)
}

fn renew(config: &Config, draw: impl FnMut() -> u64) -> anyhow::Result<ExitCode> {
    if !config.operator.token.is_empty() {
        bail!(
            "operator.token is set, and goes before the one that is kept: change it there (`taxisvc config`)"
        );
    }
    data_dir::check(config)?;
    data_dir::refuse_to_run_on(&config.data)?;
    let token = token::renew(&config.data, draw)?;
    print::text(&format!("{}\n", token.text))?;
    if let Some(server) = listening::find(&config.data)? {
        eprintln!("taxisvc: the server at {} takes the old one until it is started again", server.gateway);
    }
    Ok(ExitCode::SUCCESS)
}
