//! The machine without a server: opened for one thing, turned until that is done, and closed.

use crate::clock;
use crate::config::Config;
use crate::data_dir;
use crate::edge::{draw, options, runtime};
use crate::sentinel::Failing;
use anyhow::bail;
use engine::handle::Doorbell;
use engine::runner::{Runner, Turn};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wiring::{Handles, Readers};

/// How long it waits for something to do.
const IDLE_WAIT: Duration = Duration::from_millis(20);
/// Turns in a row for which the store may be away.
const UNAVAILABLE_TURNS_MAX: u32 = 250;

/// What the machine is asked through.
pub(super) struct Machine<'a> {
    pub(super) handles: &'a Handles,
    pub(super) readers: &'a Readers,
    runners: &'a mut [Runner],
}

/// Opens the directory, which must be one already, for as long as `act` takes.
pub(super) fn with_machine<T>(
    config: &Config,
    act: impl FnOnce(&mut Machine<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    data_dir::check(config)?;
    let failing = Failing::default();
    let data = data_dir::open(config, draw, &failing)?;
    let runtime = runtime()?;
    let clock = clock::begin(&config.data, &data, config.store.shards)?;
    let _notes = clock::told::Notes::begin(&config.data, &clock);
    let options = options(config, clock, runtime.handle());
    let assembly = wiring::assemble(data.databases, &options)?;
    let mut runners = assembly.runners;
    let mut machine =
        Machine { handles: &assembly.handles, readers: &assembly.readers, runners: &mut runners };
    act(&mut machine)
}

impl Machine<'_> {
    /// Turns until there is an answer, and all that follows from it is done.
    pub(super) fn turn_until<T: Send + 'static>(
        &mut self,
        ask: impl FnOnce(&Handles, Box<dyn FnOnce(T) + Send>),
    ) -> anyhow::Result<T> {
        let answer = Arc::new(Mutex::new(None));
        let told = answer.clone();
        ask(
            self.handles,
            Box::new(move |came_of| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(came_of);
            }),
        );
        let heard = || answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut found = None;
        self.turn_while(|_| {
            found = found.take().or_else(heard);
            found.is_none()
        })?;
        found.ok_or_else(|| anyhow::anyhow!("the engine did not answer"))
    }

    /// Turns as long as that is so, and then until there is nothing to do.
    pub(super) fn turn_while(&mut self, mut goes_on: impl FnMut(&Handles) -> bool) -> anyhow::Result<()> {
        let bells: Vec<Arc<Doorbell>> = self.runners.iter().map(Runner::doorbell).collect();
        let mut unavailable = 0;
        loop {
            let mut worked = false;
            for runner in self.runners.iter_mut() {
                match runner.turn()? {
                    Turn::Idle => {}
                    Turn::Worked => worked = true,
                    Turn::Unavailable => unavailable += 1,
                }
            }
            if worked {
                unavailable = 0;
                continue;
            }
            if unavailable > UNAVAILABLE_TURNS_MAX {
                bail!("the database cannot be written: see `taxisvc doctor`");
            }
            if !goes_on(self.handles) {
                return Ok(());
            }
            bells.iter().for_each(|bell| bell.wait(IDLE_WAIT));
        }
    }
}
