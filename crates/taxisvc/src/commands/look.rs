//! Where commands look: at the data directory, or at the databases of services that run by themselves. No command asks which.

use crate::clock::told::of_server;
use crate::config::{Config, Kind};
use crate::{data_dir, databases};
use engine::clock::{Clock, SystemClock, Timestamp};
use wiring::{Readers, audit};

/// What is looked at, beside whoever writes it.
pub(super) struct Look {
    pub(super) readers: Readers,
    /// The time by whoever writes it; nothing where nobody does, and nothing becomes late.
    pub(super) running_at: Option<Timestamp>,
    /// What an audit has to know of it.
    pub(super) audited: audit::Options,
}

impl Look {
    /// The time that is told.
    pub(super) fn now(&self) -> Timestamp {
        self.running_at.unwrap_or_else(|| SystemClock.now())
    }
}

/// Opens what the settings name; nothing is made, and nothing is changed.
pub(super) fn look(config: &Config) -> anyhow::Result<Look> {
    let audited = audit::Options { rules: config.rules(), ..audit::Options::default() };
    match config.store.kind {
        Kind::Sqlite => {
            let data_dir::Look { readers, is_running } = data_dir::look(config)?;
            let running_at = is_running.then(|| of_server(&config.data));
            Ok(Look { readers, running_at, audited })
        }
        Kind::Postgres => {
            let readers = databases::look(config)?;
            // Whoever writes them goes by clocks of other machines, which `doctor` compares.
            let running_at = Some(SystemClock.now());
            let partitions = Some(config.kafka.partitions);
            Ok(Look { readers, running_at, audited: audit::Options { partitions, ..audited } })
        }
    }
}
