//! How a service is that runs by itself, also before there is a database behind it.

use crate::live::Live;
use crate::metrics::Health;
use crate::traces::Traces;
use api::Exposition;
use engine::log::LogId;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch;

pub(super) struct LateHealth {
    /// What it waits for, while it does.
    waits: Mutex<String>,
    before: Health,
    then: OnceLock<Health>,
}

impl LateHealth {
    pub(super) fn new(
        live: Arc<Live>,
        traces: Option<Arc<Traces>>,
        stopping: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let engines = Vec::new();
        let before = Health { engines, gateway: None, services: None, looking: None, live, traces, stopping };
        let waits = Mutex::new("it is starting".to_owned());
        Arc::new(Self { waits, before, then: OnceLock::new() })
    }

    pub(super) fn waits_for(&self, what: String) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Only the first one counts.
    pub(super) fn set(&self, health: Health) {
        // There is one beginning.
        let _ = self.then.set(health);
    }

    fn now(&self) -> &Health {
        self.then.get().unwrap_or(&self.before)
    }
}

impl api::Health for LateHealth {
    fn ready(&self) -> Result<(), String> {
        self.now().ready()?;
        if self.then.get().is_some() {
            return Ok(());
        }
        Err(self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn warnings(&self) -> Vec<String> {
        self.now().warnings()
    }

    fn log(&self) -> Option<LogId> {
        self.now().log()
    }

    fn metrics(&self, exposition: Exposition) -> String {
        self.now().metrics(exposition)
    }
}
