//! The machine: what it lets a process open, and its clock.

use super::Findings;
use crate::clock::recorded_last;
use crate::config::Config;
use crate::open_files::ENOUGH;
use engine::clock::{Clock, SystemClock, Timestamp};
use engine::store::Reader;
use operator::time::At;
use rustix::process::{Resource, Rlimit, getrlimit};
use std::path::Path;
use wiring::{Readers, call, drive, payment, view};

/// 2026-01-01: no clock that is set is before it.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000);
/// A clock may be set back by so much without anybody minding.
const BEHIND_MS_MAX: i64 = 1_000;
/// Made by systemd's own time service once it has heard the time.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

pub(super) fn look(
    config: &Config,
    readers: Option<&Readers>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    open_files(findings);
    let recorded = match readers {
        None => None,
        Some(readers) => {
            let logs: [(&[&'static str], &dyn Reader); 4] = [
                (&[call::NAME], &*readers.call),
                (&[payment::NAME], &*readers.payment),
                (&[drive::NAME], &*readers.drive),
                (&[view::NAME], &*readers.view),
            ];
            recorded_last(logs.into_iter(), config.store.shards)?
        }
    };
    clock(SystemClock.now(), recorded, findings);
    Ok(())
}

fn open_files(findings: &mut Findings) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    match maximum {
        Some(allowed) if allowed < ENOUGH => findings.warn(
            "open files",
            format!("{allowed} at most, and every connection is one"),
            "ulimit -Hn, or LimitNOFILE= of systemd",
        ),
        Some(allowed) => findings.ok("open files", format!("{allowed} at most")),
        None => findings.ok("open files", "no limit"),
    }
}

fn clock(now: Timestamp, recorded: Option<Timestamp>, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let says = format!("{}", At(now));
    if now < EARLIEST {
        return findings.wrong(CHECK, format!("{says}: it is not set"), "set it, and keep it by NTP");
    }
    if let Some(last) = recorded.filter(|last| last.0 - now.0 > BEHIND_MS_MAX) {
        return findings.wrong(
            CHECK,
            format!("{says}, behind the last event, which is of {}", At(last)),
            "set it, and keep it by NTP; if it is right now, it was wrong when that was recorded, and deadlines are late",
        );
    }
    if Path::new(SYNCHRONIZED).exists() {
        findings.ok(CHECK, format!("{says}, synchronized"));
    } else {
        findings.ok(CHECK, format!("{says}; whether it is synchronized cannot be known here"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_that_is_not_set_or_behind_its_own_events_is_wrong() {
        let state = |now: i64, recorded: Option<i64>| {
            let mut findings = Findings::default();
            clock(Timestamp(now), recorded.map(Timestamp), &mut findings);
            findings.findings[0].state
        };
        let today = EARLIEST.0 + 1;
        assert_eq!(state(today, None), State::Ok);
        assert_eq!(state(today, Some(today + BEHIND_MS_MAX)), State::Ok);
        assert_eq!(state(today, Some(today + BEHIND_MS_MAX + 1)), State::Wrong);
        assert_eq!(state(0, None), State::Wrong);
    }
}
