//! The log: on standard error, in lines for people or objects for programs, as much of it as is wanted at the time.

mod directives;
mod panics;

use crate::config::LogFormat;
use anyhow::anyhow;
use api::LogLevel;
use directives::filter;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// Lines that wait to be written. Whoever reads standard error may be slow, or gone for lunch: then lines are lost and
/// counted, and nobody who rides has to wait for it.
const LINES_WAITING_MAX: usize = 65_536;

static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    level: Arc<Level>,
    lost: ErrorCounter,
}

/// Writes what waits to be written when it is dropped, at the end of the process.
#[must_use]
pub(crate) struct Flush(#[expect(dead_code, reason = "it is kept to be dropped")] WorkerGuard);

/// Whether it says what is to be logged.
pub(crate) fn check(directives: &str) -> anyhow::Result<()> {
    filter(directives).map(drop).map_err(anyhow::Error::msg)
}

/// Begins to log what `directives` asks for: a level, or levels by module.
pub(crate) fn start(directives: &str, format: LogFormat) -> anyhow::Result<Flush> {
    let filter = filter(directives).map_err(anyhow::Error::msg)?;
    let (filter, handle) = reload::Layer::new(filter);
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING_MAX);
    let (writer, guard) = builder.thread_name("log").finish(std::io::stderr());
    let level = Arc::new(Level { handle, directives: Mutex::new(directives.to_owned()) });
    let log = Log { level, lost: writer.error_counter() };
    LOG.set(log).map_err(|_| anyhow!("the log is started once"))?;
    tracing_subscriber::registry().with(filter).with(lines(format, writer)).init();
    panics::log_them();
    Ok(Flush(guard))
}

/// What is logged, to be changed while the process runs; nothing before the start.
pub(crate) fn level() -> Option<Arc<dyn LogLevel>> {
    LOG.get().map(|log| log.level.clone() as Arc<dyn LogLevel>)
}

/// Lines that were lost because nobody took them from standard error.
pub(crate) fn lines_lost() -> u64 {
    LOG.get().map_or(0, |log| log.lost.dropped_lines() as u64)
}

type Filtered = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;

fn lines(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<Filtered> + Send + Sync> {
    let lines = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).compact().boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    }
}

struct Level {
    handle: Handle<EnvFilter, Registry>,
    directives: Mutex<String>,
}

impl Level {
    fn directives(&self) -> MutexGuard<'_, String> {
        self.directives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogLevel for Level {
    fn get(&self) -> String {
        self.directives().clone()
    }

    fn set(&self, directives: &str) -> Result<(), String> {
        let filter = filter(directives)?;
        let mut known = self.directives();
        self.handle.reload(filter).map_err(|error| error.to_string())?;
        directives.clone_into(&mut known);
        Ok(())
    }
}
