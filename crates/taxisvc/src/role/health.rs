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
        self.now().told(self.ready().is_ok(), exposition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::InForce;
    use api::Health as _;

    /// Nothing else is told of a database that was never there, and somebody must hear of it all the same.
    #[test]
    fn whoever_waits_for_its_database_says_that_it_is_not_ready() {
        let (_stopping, stopped) = watch::channel(false);
        let live = Live::new(&InForce::of_defaults(), |_| Ok(()));
        let health = LateHealth::new(live.clone(), None, stopped.clone());
        let tells = |line: &str| health.metrics(Exposition::OpenMetrics).lines().any(|told| told == line);
        assert!(health.ready().is_err() && tells("taxisvc_ready 0"));
        let engines = Vec::new();
        let begun = Health {
            engines,
            gateway: None,
            services: None,
            looking: None,
            live,
            traces: None,
            stopping: stopped,
        };
        health.set(begun);
        assert!(health.ready().is_ok() && tells("taxisvc_ready 1"));
    }
}
