//! Points in time: for programs in UTC, for people in Korean time with its offset written beside it.

use engine::clock::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;
use wiring::calendar::Parts;

const KOREA_AHEAD_MS: i64 = 9 * 60 * 60 * 1_000;

/// A point in time; as JSON it is RFC 3339 in UTC to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub Timestamp);

impl At {
    /// By the clocks of Korea, nine hours ahead of UTC all year round.
    pub(crate) fn in_korea(self) -> Parts {
        Parts::of(Timestamp(self.0.0.saturating_add(KOREA_AHEAD_MS)))
    }

    /// `2026-11-24 16:04:40.123 +09:00`.
    pub(crate) fn precise(self) -> String {
        let Parts { year, month, day, hour, minute, second, milli } = self.in_korea();
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03} +09:00")
    }
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Parts::of(self.0).fmt(formatter)
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_read_utc_and_people_korean_time() {
        let check = |ms: i64, utc: &str, korea: &str| {
            let at = At(Timestamp(ms));
            assert_eq!((at.to_string().as_str(), at.precise().as_str()), (utc, korea));
        };
        check(0, "1970-01-01T00:00:00.000Z", "1970-01-01 09:00:00.000 +09:00");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z", "2000-02-29 08:59:59.999 +09:00");
        check(1_795_472_466_964, "2026-11-23T22:21:06.964Z", "2026-11-24 07:21:06.964 +09:00");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z", "2100-03-01 09:00:00.000 +09:00");
    }
}
