//! The threads that drive the databases of a process, each its own.

use crate::sentinel::{Failing, fail};
use anyhow::Context;
use engine::handle::Doorbell;
use engine::runner::{Fatal, Runner, Stats};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the engine may take to answer what was accepted, once the ports are closed.
const ENGINE_DRAIN_MAX: Duration = Duration::from_secs(5);

/// What the engines did, by database.
pub(crate) type Engines = Vec<(&'static str, Arc<Stats>)>;

type Thread = JoinHandle<Result<(), Fatal>>;

/// The threads that drive the databases.
pub(crate) struct Machine {
    stop: Arc<AtomicBool>,
    threads: Vec<(Thread, Arc<Doorbell>)>,
    pub(crate) engines: Engines,
}

impl Machine {
    /// `runners` with the names of their databases.
    pub(crate) fn start(
        runners: impl IntoIterator<Item = (&'static str, Runner)>,
        failing: &Failing,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut engines = Vec::new();
        for (database, mut runner) in runners {
            // A first turn reads how far everything is, and has numbers for new calls ready.
            runner.turn()?;
            engines.push((database, runner.stats()));
            let doorbell = runner.doorbell();
            let (stop, failing) = (stop.clone(), failing.clone());
            let thread = std::thread::Builder::new()
                .name(format!("engine-{database}"))
                .spawn(move || drive(runner, &stop, &failing))
                .context("cannot start a thread")?;
            threads.push((thread, doorbell));
        }
        Ok(Self { stop, threads, engines })
    }

    /// Has everything answered that was accepted, and ends.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        let mut first = Ok(());
        for (thread, doorbell) in self.threads {
            doorbell.ring();
            let ended = thread.join();
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(fatal)) => first = first.and(Err(fatal.into())),
                Err(_) => first = first.and(Err(anyhow::anyhow!("an engine thread panicked"))),
            }
        }
        first
    }
}

fn drive(runner: Runner, stop: &AtomicBool, failing: &Failing) -> Result<(), Fatal> {
    let tell = OnEnd(failing);
    let ended = runner.run(stop, ENGINE_DRAIN_MAX);
    if let Err(fatal) = &ended {
        tracing::error!(%fatal, "the engine stops");
    }
    drop(tell);
    ended
}

/// Tells that a thread ended, also when it panics.
struct OnEnd<'a>(&'a Failing);

impl Drop for OnEnd<'_> {
    fn drop(&mut self) {
        fail(self.0, "an engine ended though nobody asked it to".to_owned());
    }
}
