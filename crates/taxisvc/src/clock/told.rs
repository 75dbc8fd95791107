//! The file `clock` of a data directory: which time its process has told last, for the next one and for commands beside it.

use super::since_boot;
use engine::clock::steady::SteadyClock;
use engine::clock::{Clock, SystemClock, Timestamp};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval};

const FILE: &str = "clock";
/// Becomes the file once it is whole.
const FILE_NEW: &str = "clock.new";
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) time: Timestamp,
    /// When that was, by the clock that nobody can set.
    since_boot_ms: i64,
}

impl Told {
    /// Nothing where none was noted, or a power cut has left half of it: the last event stands for it then.
    pub(super) fn read(data: &Path) -> Option<Self> {
        let text = match std::fs::read_to_string(data.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, "the time that was told last cannot be read; the last event stands for it");
                return None;
            }
        };
        let (time, since_boot_ms) = text.trim().split_once(' ')?;
        Some(Self { time: Timestamp(time.parse().ok()?), since_boot_ms: since_boot_ms.parse().ok()? })
    }

    /// What a process that has noted this tells now, when it runs on this machine and has not stopped since.
    fn now(self) -> Timestamp {
        self.time.plus_ms(since_boot_ms().saturating_sub(self.since_boot_ms).max(0))
    }
}

fn since_boot_ms() -> i64 {
    i64::try_from(since_boot().as_millis()).unwrap_or(i64::MAX)
}

/// The time by the server that runs on the directory; by the machine's clock where it has noted none yet.
pub(crate) fn of_server(data: &Path) -> Timestamp {
    Told::read(data).map_or_else(|| SystemClock.now(), Told::now)
}

/// Notes the time of a clock once a minute, and when it is dropped.
pub(crate) struct Notes {
    data: PathBuf,
    clock: Arc<SteadyClock>,
}

impl Notes {
    pub(crate) fn begin(data: &Path, clock: &Arc<SteadyClock>) -> Self {
        let notes = Self { data: data.to_owned(), clock: clock.clone() };
        notes.note();
        notes
    }

    pub(crate) fn keep_noting(&self, runtime: &Handle) {
        let notes = Arc::new((self.data.clone(), self.clock.clone()));
        runtime.spawn(async move {
            let mut ticks = interval(NOTE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let notes = notes.clone();
                // A disk may take its time; what could not be noted is in the log, and noted in a minute.
                let _ = tokio::task::spawn_blocking(move || note(&notes.0, &notes.1)).await;
            }
        });
    }

    fn note(&self) {
        note(&self.data, &self.clock);
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.note();
    }
}

/// Not synced: after a power cut an older one is as good, and the events are what counts.
fn note(data: &Path, clock: &SteadyClock) {
    let text = format!("{} {}\n", clock.now().0, since_boot_ms());
    let new = data.join(FILE_NEW);
    let noted = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, data.join(FILE)));
    if let Err(error) = noted {
        tracing::warn!(%error, "the time cannot be noted; a start after the clock was set back may put deadlines off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_AN_HOUR_MS: i64 = 1_800_000;

    fn begin(data: &Path, last_event: Option<Timestamp>) -> Arc<SteadyClock> {
        Arc::new(SteadyClock::begin(super::super::last_of(data, last_event), since_boot).0)
    }

    /// The wall clock was set back by half an hour while nothing was recorded; the process stops, starts, and does so again.
    #[test]
    fn quiet_time_before_a_stop_is_not_told_again_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let event = SystemClock.now();
        let ahead = event.plus_ms(HALF_AN_HOUR_MS);
        let mut last = ahead;
        for _ in 0..3 {
            let clock = Arc::new(SteadyClock::begin(Some(last), since_boot).0);
            drop(Notes::begin(folder.path(), &clock));
            let next = begin(folder.path(), Some(event)).now();
            assert!(next >= last, "{next:?} {last:?}");
            last = next;
        }
        let later = last.plus_ms(60_000);
        assert!(begin(folder.path(), Some(later)).now() >= later, "the later of both");
    }

    #[test]
    fn beside_a_server_its_time_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let before = SystemClock.now();
        assert!(of_server(folder.path()) >= before, "nothing is noted yet");
        let told = Told { time: before.plus_ms(-86_400_000), since_boot_ms: since_boot_ms() - 5_000 };
        std::fs::write(folder.path().join(FILE), format!("{} {}\n", told.time.0, told.since_boot_ms))
            .unwrap();
        assert_eq!(Told::read(folder.path()), Some(told));
        let by_server = of_server(folder.path());
        assert!(by_server >= told.time.plus_ms(5_000) && by_server < before, "{by_server:?}");
        // Of another boot.
        std::fs::write(folder.path().join(FILE), format!("{} {}\n", before.0, i64::MAX)).unwrap();
        assert_eq!(of_server(folder.path()), before);
    }

    #[test]
    fn half_a_note_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for half in ["", "17956", "17956 ", "x 3"] {
            std::fs::write(folder.path().join(FILE), half).unwrap();
            assert_eq!(Told::read(folder.path()), None, "{half:?}");
        }
    }
}
