//! Points in time: for programs in UTC, for people in Korean time with its offset written beside it.

use serde::{Serialize, Serializer};
use std::fmt;

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;
const KOREA_AHEAD_MS: i64 = 9 * 60 * 60 * 1_000;

/// A point in time; as JSON it is RFC 3339 in UTC to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub engine::clock::Timestamp);

/// The parts of a point in time that people say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) milli: i64,
}

impl At {
    /// By the clocks of Korea, nine hours ahead of UTC all year round.
    pub(crate) fn in_korea(self) -> Parts {
        parts(self.0.0.saturating_add(KOREA_AHEAD_MS))
    }

    /// `2026-11-24 16:04:40.123 +09:00`.
    pub(crate) fn precise(self) -> String {
        let Parts { year, month, day, hour, minute, second, milli } = self.in_korea();
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03} +09:00")
    }
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { year, month, day, hour, minute, second, milli } = parts(self.0.0);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn parts(ms: i64) -> Parts {
    let (year, month, day) = date(ms.div_euclid(MS_PER_DAY));
    let of_day = ms.rem_euclid(MS_PER_DAY);
    Parts {
        year,
        month,
        day,
        hour: of_day / 3_600_000,
        minute: of_day / 60_000 % 60,
        second: of_day / 1_000 % 60,
        milli: of_day % 1_000,
    }
}

/// Year, month and day of a count of days since 1970-01-01, by the proleptic Gregorian calendar: Howard Hinnant's
/// `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Timestamp;

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
