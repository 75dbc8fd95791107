//! Points in time by the calendar: milliseconds since 1970 as dates, and as RFC 3339 writes them.

use engine::clock::Timestamp;
use std::fmt;

const MS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;

/// A point in time in UTC, by the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub milli: i64,
}

impl Parts {
    pub fn of(at: Timestamp) -> Self {
        let (year, month, day) = date(at.0.div_euclid(MS_PER_DAY));
        let of_day = at.0.rem_euclid(MS_PER_DAY);
        Self {
            year,
            month,
            day,
            hour: of_day / 3_600_000,
            minute: of_day / 60_000 % 60,
            second: of_day / 1_000 % 60,
            milli: of_day % 1_000,
        }
    }
}

/// RFC 3339 in UTC to the millisecond: `2026-11-23T22:21:06.964Z`.
impl fmt::Display for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, milli } = self;
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// A point in time as RFC 3339 writes it, with any offset; what is finer than a millisecond is left out.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(day, ['-', '-'])?;
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, [':', ':'])?;
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let is_day = (1..=12).contains(&month) && date(days(year, month, day)) == (year, month, day);
    let (milli, rest) = fraction(rest)?;
    let offset = offset_minutes(rest)?;
    let minutes = hour * 60 + minute - offset;
    // A leap second is the last of its minute.
    let second_ms = second.min(59) * 1_000;
    let ms = days(year, month, day) * MS_PER_DAY + minutes * 60_000 + second_ms + milli;
    (is_time && is_day).then_some(Timestamp(ms))
}

/// Three numbers of digits alone, with these between them.
fn numbers(text: &str, between: [char; 2]) -> Option<[i64; 3]> {
    let (first, rest) = text.split_once(between[0])?;
    let (second, third) = rest.split_once(between[1])?;
    Some([digits(first)?, digits(second)?, digits(third)?])
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The milliseconds of `.964`, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = text.split_at(length);
    let milli = digits(&format!("{:0<3}", &fraction[..length.min(3)]))?;
    (length > 0).then_some((milli, rest))
}

/// The minutes of `+09:00`; none for `Z`.
fn offset_minutes(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = text.split_once(':')?;
    let is_offset = hours.len() == 2 && minutes.len() == 2;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (is_offset && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Year, month and day of a count of days since 1970-01-01: Howard Hinnant's `civil_from_days`.
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

/// The other way: Howard Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let check = |ms: i64, text: &str| {
            assert_eq!(Parts::of(Timestamp(ms)).to_string(), text);
            assert_eq!(parse_rfc3339(text), Some(Timestamp(ms)));
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_868_799_999, "2000-02-29T23:59:59.999Z");
        check(1_795_472_466_964, "2026-11-23T22:21:06.964Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
        for day in (-719_528..2_932_896).step_by(31) {
            let at = Timestamp(day * MS_PER_DAY + 1);
            assert_eq!(parse_rfc3339(&Parts::of(at).to_string()), Some(at), "day {day}");
        }
    }

    #[test]
    fn any_offset_and_any_fraction_is_read() {
        let check = |text: &str, ms: i64| assert_eq!(parse_rfc3339(text), Some(Timestamp(ms)), "{text}");
        check("2026-11-24T07:21:06.964+09:00", 1_795_472_466_964);
        check("2026-11-23t17:21:06.9649999-05:00", 1_795_472_466_964);
        check("2026-11-23 22:21:06z", 1_795_472_466_000);
        check("2026-11-23T22:21:06.9Z", 1_795_472_466_900);
        check("2016-12-31T23:59:60Z", 1_483_228_799_000);
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T22:21:06",
            "2026-11-23T22:21Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T22:60:00Z",
            "2026-11-23T22:21:06.Z",
            "2026-11-23T22:21:06+9:00",
            "2026-11-23T22:21:06+0900",
            "2026-11-23T22:21:06+24:00",
            "+026-11-23T22:21:06Z",
            "2026-11-23T22:21:0éZ",
            "yesterday",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
    }
}
