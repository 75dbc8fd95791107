//! The clock that the process goes by: it begins no earlier than what was told before, and is not put off by being set.

pub(crate) mod told;

use crate::data_dir;
use engine::clock::Timestamp;
use engine::clock::steady::{Begun, SteadyClock};
use engine::log::ShardName;
use engine::store::{Reader, Stored};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Services of one database, and who reads it.
pub(crate) type Logs<'a> = (&'a [&'static str], &'a dyn Reader);

/// A clock over the databases of this process, in the directory that is opened.
pub(crate) fn begin(directory: &Path, data: &data_dir::DataDir, shards: u16) -> Stored<Arc<SteadyClock>> {
    let logs = data.databases.iter().map(|database| (database.services.as_slice(), &*database.reader));
    let recorded = recorded_last(logs, shards)?;
    Ok(after(last_of(directory, recorded)))
}

/// A clock that goes on from what was told last.
pub(crate) fn after(last: Option<Timestamp>) -> Arc<SteadyClock> {
    let (clock, begun) = SteadyClock::begin(last, since_boot);
    match begun {
        Begun::AtTheWall => {}
        Begun::Ahead(ahead) => tracing::warn!(
            ?ahead,
            "what was told last is ahead of the machine's clock; this process goes on from there, and the clock catches up"
        ),
        Begun::Behind(ahead) => tracing::error!(
            ?ahead,
            "what was told last is far ahead of the machine's clock: is that set right? If so, deadlines that were armed \
             before are late by as much; if not, stop, set it, and start again"
        ),
    }
    Arc::new(clock)
}

/// What was told last: while nothing happens, that is later than the last event.
fn last_of(directory: &Path, recorded: Option<Timestamp>) -> Option<Timestamp> {
    recorded.max(told::Told::read(directory).map(|told| told.time))
}

/// When the last event was recorded.
pub(crate) fn recorded_last<'a>(
    logs: impl Iterator<Item = Logs<'a>>,
    shards: u16,
) -> Stored<Option<Timestamp>> {
    let mut last = None;
    for (services, reader) in logs {
        for service in services {
            for index in 0..shards {
                let shard = ShardName { service, index };
                let position = reader.last_position(shard)?;
                let events = reader.events_after(shard, position.saturating_sub(1), 1)?;
                last = last.max(events.first().map(|event| event.at));
            }
        }
    }
    Ok(last)
}

/// By a clock that nobody can set; where it can be, one that also counts the time for which the machine slept.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    clock_gettime(clock).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_boot_passes() {
        let before = since_boot();
        assert!(before > Duration::ZERO);
        while since_boot() == before {}
        assert!(since_boot() > before);
    }
}
