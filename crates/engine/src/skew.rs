//! How far this machine's clock is from the database's, where several replicas write one: none of them ends what another
//! has begun before its time.
//!
//! Deadlines are armed by one replica and looked for by all. So what is armed goes by the later of the two clocks, and
//! what is due by the earlier one: a clock that is wrong can put a deadline off, and brings none forward.

use crate::clock::{Clock, Timestamp, is_time};
use crate::store::{Store, Stored};
use std::sync::atomic::{AtomicI64, Ordering};

/// How often the database is asked.
pub const ASK_EVERY_MS: i64 = 1_000;

/// What clocks that are kept in step may differ by; by less nothing is corrected, and nobody is told.
pub const SKEW_MS_MAX: i64 = 1_000;

/// The times by which a turn works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// When what is decided now happens; deadlines count from it.
    pub(crate) now: Timestamp,
    /// What was to happen up to here is due.
    pub(crate) due_by: Timestamp,
}

/// What is known of the database's clock.
#[derive(Debug, Default)]
pub(crate) struct Skew {
    next_ask: Option<Timestamp>,
    /// By so much this machine's clock is ahead at least; below zero, behind.
    ahead_ms: i64,
}

impl Skew {
    /// What time it is; the database is asked now and then, and before anything else is done.
    pub(crate) fn look(
        &mut self,
        store: &mut dyn Store,
        clock: &dyn Clock,
        told: &AtomicI64,
    ) -> Stored<Times> {
        let own = clock.now();
        if self.next_ask.is_none_or(|next| is_time(own, next, ASK_EVERY_MS)) {
            if let Some(its) = store.clock()? {
                let before_ms = self.ahead_ms;
                self.ahead_ms = ahead_ms((own, clock.now()), its);
                tell(before_ms, self.ahead_ms);
                told.store(self.ahead_ms, Ordering::Relaxed);
            }
            self.next_ask = Some(own.plus_ms(ASK_EVERY_MS));
        }
        Ok(self.times(own))
    }

    fn times(&self, own: Timestamp) -> Times {
        let its = own.plus_ms(-self.ahead_ms);
        Times { now: own.max(its), due_by: own.min(its) }
    }
}

/// By how much at least a clock that was read before and after another is ahead of it; nothing, where that is little.
fn ahead_ms((before, after): (Timestamp, Timestamp), its: Timestamp) -> i64 {
    let ahead_ms = if before > its { before.0 - its.0 } else { (after.0 - its.0).min(0) };
    if ahead_ms.abs() > SKEW_MS_MAX { ahead_ms } else { 0 }
}

fn tell(before_ms: i64, ahead_ms: i64) {
    match (before_ms != 0, ahead_ms != 0) {
        (false, true) => tracing::warn!(
            ahead_ms,
            "this machine's clock and the database's differ: nothing is ended before its time by either"
        ),
        (true, false) => tracing::info!("this machine's clock and the database's are in step again"),
        (true, true) | (false, false) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_and_large_counts() {
        for (before, after, its, expected) in [
            (10_000, 10_000, 10_000, 0),
            (10_000, 10_000, 9_000, 0),
            (10_000, 10_000, 8_999, 1_001),
            (10_000, 10_000, 11_001, -1_001),
            // The answer took long, so it may have been any time in between.
            (10_000, 15_000, 12_500, 0),
            (10_000, 15_000, 17_000, -2_000),
            (10_000, 15_000, 5_000, 5_000),
        ] {
            let ahead = ahead_ms((Timestamp(before), Timestamp(after)), Timestamp(its));
            assert_eq!(ahead, expected, "{before} {after} {its}");
        }
    }
}
