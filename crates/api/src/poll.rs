//! Looks, while somebody listens, whether other processes have written to the logs that are told here.

use engine::bus::Bus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long it rests when the store cannot be asked.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(1);

/// One thread for all who listen, and none while nobody does.
pub(crate) struct Poller {
    bus: Arc<Bus>,
    every: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    listening: usize,
    is_polling: bool,
}

/// Somebody listens for as long as this is kept.
pub(crate) struct Listening(Arc<Poller>);

impl Poller {
    pub(crate) fn new(bus: Arc<Bus>, every: Duration) -> Arc<Self> {
        Arc::new(Self { bus, every, state: Mutex::default() })
    }

    pub(crate) fn listen(self: &Arc<Self>) -> Listening {
        let mut state = self.state();
        state.listening += 1;
        if !state.is_polling {
            let poller = self.clone();
            let begun = std::thread::Builder::new().name("poll".to_owned()).spawn(move || poller.poll());
            match begun {
                Ok(_) => state.is_polling = true,
                Err(error) => tracing::error!(%error, "events of others are not looked for"),
            }
        }
        Listening(self.clone())
    }

    fn poll(&self) {
        while self.goes_on() {
            let rest = match self.bus.poll() {
                Ok(_) => self.every,
                Err(error) => {
                    tracing::debug!(%error, "whether there are new events is not known");
                    UNAVAILABLE_WAIT
                }
            };
            std::thread::park_timeout(rest);
        }
    }

    /// Ends in the same moment in which nobody listens any more, or the next one could be heard by nobody.
    fn goes_on(&self) -> bool {
        let mut state = self.state();
        state.is_polling = state.listening > 0;
        state.is_polling
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.state().listening -= 1;
    }
}
