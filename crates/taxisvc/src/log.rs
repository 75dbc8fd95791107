//! The log: lines for people on standard error.

use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Begins to log what `directives` asks for: a level, or levels by module.
pub(crate) fn start(directives: &str) -> anyhow::Result<()> {
    let filter: EnvFilter = directives.parse().with_context(|| {
        format!("{directives:?} is not a log level: try error, warn, info, debug or trace")
    })?;
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(is_terminal).compact().init();
    Ok(())
}
