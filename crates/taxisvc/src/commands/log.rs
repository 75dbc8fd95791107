//! `taxisvc log`: how much the running server logs, told or changed while it runs.

use super::print;
use super::server::{Server, To};
use crate::config::Config;
use anyhow::Context;
use http::Method;
use serde_json::json;
use std::process::ExitCode;
use wiring::call;

const HELP: &str = "\
Examples:
  taxisvc log                        what the running server logs
  taxisvc log debug
  taxisvc log info,engine=debug      levels by module
  taxisvc log debug --to 127.0.0.1:8083

Of several processes each has its own: name the one that is meant with --to, else it is the gateway.

It counts at once, and until the server is started again or `log` in its settings file becomes another one. The server is \
asked over HTTP with the operator's token.

Exit codes: 0, or 1 when no server runs on the data directory or it refuses the level.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// error, warn, info, debug, trace, or levels by module
    level: Option<String>,
    #[command(flatten)]
    to: To,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let server = Server::find(config, &options.to, call::NAME)?.with_context(|| {
        format!("no server runs on {}: start it, or say --data if it has another", config.data.display())
    })?;
    let answer = match &options.level {
        None => server.ask(&Method::GET, PATH, None)?,
        Some(level) => server.ask(&Method::PUT, PATH, Some(&json!({"level": level})))?,
    };
    if options.json {
        print::json(&answer)?;
    } else {
        print::text(&format!("{}\n", answer["level"].as_str().unwrap_or_default()))?;
    }
    Ok(ExitCode::SUCCESS)
}

const PATH: &str = "/operator/log";
