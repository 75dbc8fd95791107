//! What a client of Kafka says by itself, its log and its errors, so that a long outage does not fill the log.

use crate::refusal::Heard;
use engine::clock::Stopwatch;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lines that a client may write within [`LINES_WINDOW`]; the rest is counted.
const LINES_MAX: u32 = 10;
const LINES_WINDOW: Duration = Duration::from_secs(30);
/// Under which a client says at every beginning what it thinks of its settings. They are ours, and not news.
const ABOUT_SETTINGS: &str = "CONFWARN";
/// Under which it logs what it also reports as errors.
const SAID_AS_ERRORS: [&str; 2] = ["FAIL", "ERROR"];

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets so many lines pass in each span of time.
pub(crate) struct Throttle(Mutex<Window>);

struct Window {
    since: Stopwatch,
    lines: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Write,
    /// Write it, and say first how many were left out.
    After(u64),
    LeaveOut,
}

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(Window { since: Stopwatch::start(), lines: 0, left_out: 0 }))
    }
}

impl Throttle {
    /// Whether a line may be written, having said what was left out before it.
    pub(crate) fn lets_pass(&self, role: &str) -> bool {
        let mut window = lock(&self.0);
        let elapsed = window.since.elapsed();
        match window.next(elapsed) {
            Line::Write => true,
            Line::After(left_out) => {
                tracing::warn!(role, left_out, "lines about Kafka were left out");
                true
            }
            Line::LeaveOut => false,
        }
    }
}

impl Window {
    fn next(&mut self, elapsed: Duration) -> Line {
        if elapsed >= LINES_WINDOW {
            let left_out = self.left_out;
            *self = Self { since: Stopwatch::start(), lines: 1, left_out: 0 };
            return if left_out > 0 { Line::After(left_out) } else { Line::Write };
        }
        if self.lines < LINES_MAX {
            self.lines += 1;
            return Line::Write;
        }
        self.left_out += 1;
        Line::LeaveOut
    }
}

/// The ears of a client.
pub(crate) struct Ears {
    role: &'static str,
    throttle: Throttle,
    heard: Mutex<Heard>,
}

impl Ears {
    pub(crate) fn of(role: &'static str) -> Self {
        Self { role, throttle: Throttle::default(), heard: Mutex::default() }
    }

    /// What was said last of how a connection went.
    pub(crate) fn heard(&self) -> Heard {
        lock(&self.heard).clone()
    }

    /// Whoever knows better says so: a broker has answered, say.
    pub(crate) fn believe(&self, heard: Heard) {
        *lock(&self.heard) = heard;
    }
}

impl ClientContext for Ears {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let role = self.role;
        if facility == ABOUT_SETTINGS || SAID_AS_ERRORS.contains(&facility) {
            tracing::debug!(target: "kafka", role, facility, "{line}");
            return;
        }
        match level {
            // What is an error to the library is none to us: it goes on trying, and what it cannot do we hear elsewhere.
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                if self.throttle.lets_pass(role) {
                    tracing::warn!(target: "kafka", role, facility, "{line}");
                }
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "kafka", role, facility, "{line}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut heard = lock(&self.heard);
        *heard = std::mem::take(&mut *heard).after(error.rdkafka_error_code(), reason);
        let is_refused = matches!(*heard, Heard::Refused(_));
        drop(heard);
        let is_away = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::Resolve
            )
        );
        let is_told = is_refused || is_away;
        // That nobody answers, and why nobody is let in, is said by whoever asks, with the setting that it is about.
        if is_told {
            tracing::debug!(target: "kafka", role = self.role, %error, "{reason}");
            return;
        }
        if self.throttle.lets_pass(self.role) {
            tracing::warn!(target: "kafka", role = self.role, %error, "{reason}");
        }
    }
}

/// Whoever only asks tells nothing, and is reported nothing.
impl ProducerContext for Ears {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_left_out_past_the_limit_and_counted() {
        let mut window = Window { since: Stopwatch::start(), lines: 0, left_out: 0 };
        for _ in 0..LINES_MAX {
            assert_eq!(window.next(Duration::ZERO), Line::Write);
        }
        assert_eq!(window.next(Duration::ZERO), Line::LeaveOut);
        assert_eq!(window.next(Duration::ZERO), Line::LeaveOut);
        assert_eq!(window.next(LINES_WINDOW), Line::After(2));
        assert_eq!(window.next(Duration::ZERO), Line::Write);
    }
}
