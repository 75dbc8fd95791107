//! The log: lines for people on standard error.

use anyhow::{Context, anyhow};
use api::LogLevel;
use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

static LEVEL: OnceLock<Arc<dyn LogLevel>> = OnceLock::new();

/// Begins to log what `directives` asks for: a level, or levels by module.
pub(crate) fn start(directives: &str) -> anyhow::Result<()> {
    let filter = filter(directives)?;
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(is_terminal).compact().with_filter_reloading();
    let level = Arc::new(Level(log.reload_handle()));
    LEVEL.set(level).map_err(|_| anyhow!("the log is started once"))?;
    log.init();
    Ok(())
}

/// What is logged, to be changed while the process runs; nothing before the start.
pub(crate) fn level() -> Option<Arc<dyn LogLevel>> {
    LEVEL.get().cloned()
}

fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    directives
        .parse()
        .with_context(|| format!("{directives:?} is not a log level: try error, warn, info, debug or trace"))
}

struct Level<S>(Handle<EnvFilter, S>);

impl<S: 'static> LogLevel for Level<S> {
    fn get(&self) -> String {
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }

    fn set(&self, directives: &str) -> Result<(), String> {
        let filter = filter(directives).map_err(|error| format!("{error:#}"))?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}
