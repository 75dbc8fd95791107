//! The log: lines for people on standard error.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Begins to log what `directives` asks for: a level, or levels by module.
pub(crate) fn start(directives: &str) -> anyhow::Result<()> {
    let filter: EnvFilter = directives.parse().with_context(|| {
        format!("{directives:?} is not a log level: try error, warn, info, debug or trace")
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
    Ok(())
}
