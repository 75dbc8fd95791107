//! Where commands look: at the data directory, or at the databases of services that run by themselves. No command asks which.

use crate::clock::told::of_server;
use crate::config::secret::without_password;
use crate::config::{Config, Kind};
use crate::{data_dir, databases};
use engine::clock::{Clock, SystemClock, Timestamp};
use engine_postgres::inspect::inspect;
use wiring::{Layout, Readers, audit, call};

/// What is looked at, beside whoever writes it.
pub(super) struct Look {
    pub(super) readers: Readers,
    /// In words, for people.
    pub(super) place: String,
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
    match config.store.kind {
        Kind::Sqlite => {
            let data_dir::Look { readers, is_running } = data_dir::look(config)?;
            let running_at = is_running.then(|| of_server(&config.data));
            let place = format!("the data directory {}", config.data.display());
            Ok(Look { readers, place, running_at, audited: audited(config, None) })
        }
        Kind::Postgres => {
            let in_use_for_ms = in_use_for_ms(config)?;
            let readers = databases::look(config)?;
            // Whoever writes them goes by clocks of other machines, which `doctor` compares.
            let running_at = in_use_for_ms.map(|_| SystemClock.now());
            let place = format!(
                "the databases of postgres.call, {}, and of the others",
                without_password(config.postgres.url(call::NAME))
            );
            Ok(Look { readers, place, running_at, audited: audited(config, in_use_for_ms) })
        }
    }
}

/// What an audit by a process that runs has to know. A database that is away is found by whoever reads it next.
pub(crate) fn audited_beside(config: &Config) -> audit::Options {
    let in_use_for_ms = match config.store.kind {
        Kind::Sqlite => None,
        Kind::Postgres => in_use_for_ms(config).ok().flatten(),
    };
    audited(config, in_use_for_ms)
}

fn audited(config: &Config, in_use_for_ms: Option<i64>) -> audit::Options {
    let usual = audit::Options { rules: config.rules(), ..audit::Options::default() };
    audit::Options {
        partitions: match config.store.kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(config.kafka.partitions),
        },
        late_after_ms: late_after_ms(in_use_for_ms, usual.late_after_ms),
        ..usual
    }
}

/// How long somebody of ours has been connected to one of them, without a pause; nothing where nobody is.
fn in_use_for_ms(config: &Config) -> anyhow::Result<Option<i64>> {
    let mut longest = None;
    for (name, services) in Layout::Apart.groups() {
        let inspected = inspect(&databases::options(config, &services), &SystemClock);
        let inspection = inspected.map_err(|error| databases::explain(config, name, error))?;
        longest = longest.max(inspection.sessions_for_ms);
    }
    Ok(longest)
}

/// Nothing is late that was on its way when everything was stopped, before whoever runs now has had as long to see to it as
/// anybody has. Where nobody runs, the time of the last event stands, by which nothing becomes late.
fn late_after_ms(in_use_for_ms: Option<i64>, usual_ms: i64) -> i64 {
    let has_just_started = in_use_for_ms.is_some_and(|so_far_ms| so_far_ms < usual_ms);
    if has_just_started { i64::MAX } else { usual_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_just_started_is_late_with_nothing() {
        let check = |in_use_for_ms, expected| assert_eq!(late_after_ms(in_use_for_ms, 600_000), expected);
        check(None, 600_000);
        check(Some(0), i64::MAX);
        check(Some(599_999), i64::MAX);
        check(Some(600_000), 600_000);
        check(Some(i64::MAX), 600_000);
    }
}
