//! Time as an argument: the one place where a clock is read.

pub mod steady;

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn plus_ms(self, duration_ms: i64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Whether what is done every so often is due; a clock that was set back must not put it off.
pub(crate) fn is_time(now: Timestamp, next: Timestamp, every_ms: i64) -> bool {
    now >= next || next.plus_ms(-every_ms) > now
}

/// Whether a span that began at a time is over; one that began in what is now the future was cut by a clock set back.
pub(crate) fn is_over(now: Timestamp, since: Timestamp, span_ms: i64) -> bool {
    now >= since.plus_ms(span_ms) || since > now
}

/// The machine's clock as it is set: it may be set again at any moment, and then leaps.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// Microseconds since 1970-01-01T00:00:00Z.
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
    pub(crate) fn now_us() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(Self::now_us() / 1_000)
    }
}

/// A clock that stands until it is moved: for tests and the simulation.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn starting_at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    pub fn advance_ms(&self, duration_ms: i64) {
        self.0.fetch_add(duration_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Measures how long something took; never decides anything.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Default for Stopwatch {
    fn default() -> Self {
        Self::start()
    }
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
