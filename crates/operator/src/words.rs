//! What is said to people, in each of the languages, and how amounts, distances and times are said.

use crate::language::Language;
use crate::time::{At, Parts};
use engine::clock::Timestamp;
use serde::Serialize;
use taxi::distance::Meters;

/// The same said in every language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    #[serde(rename = "en")]
    pub english: String,
    #[serde(rename = "ko")]
    pub korean: String,
}

impl Words {
    pub fn new(english: impl Into<String>, korean: impl Into<String>) -> Self {
        Self { english: english.into(), korean: korean.into() }
    }

    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Korean => &self.korean,
        }
    }

    /// One sentence after the other.
    pub(crate) fn and(mut self, more: &Self) -> Self {
        for (text, added) in [(&mut self.english, &more.english), (&mut self.korean, &more.korean)] {
            if !text.is_empty() && !added.is_empty() {
                text.push(' ');
            }
            text.push_str(added);
        }
        self
    }
}

/// `1,500,000`.
pub(crate) fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1,500,000 won`.
pub(crate) fn won(amount: taxi::money::Won) -> Words {
    let text = thousands(amount.0);
    Words::new(format!("{text} won"), format!("{text}원"))
}

/// `12.5 km`, without zeros at its end.
pub(crate) fn kilometers(distance: Meters) -> Words {
    let (whole, rest) = (distance.get() / 1_000, distance.get() % 1_000);
    let fraction = format!("{rest:03}");
    let fraction = fraction.trim_end_matches('0');
    let whole = thousands(i64::from(whole));
    let text = if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") };
    Words::new(format!("{text} km"), format!("{text}km"))
}

/// How long something took, in its two largest units: `1 minute 30 seconds`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> Words {
    let seconds = to.0.saturating_sub(from.0).max(0) / 1_000;
    let units = [
        (seconds / 86_400, "day", "일"),
        (seconds / 3_600 % 24, "hour", "시간"),
        (seconds / 60 % 60, "minute", "분"),
        (seconds % 60, "second", "초"),
    ];
    let first = units.iter().position(|(count, ..)| *count > 0).unwrap_or(units.len() - 1);
    let said = units[first..].iter().take(2).filter(|(count, ..)| *count > 0 || seconds == 0);
    let plural = |count: i64| if count == 1 { "" } else { "s" };
    let english = said.clone().map(|(count, unit, _)| format!("{count} {unit}{}", plural(*count)));
    let korean = said.map(|(count, _, unit)| format!("{count}{unit}"));
    Words::new(english.collect::<Vec<_>>().join(" "), korean.collect::<Vec<_>>().join(" "))
}

/// Day and time by Korean clocks, to follow a verb: `at 16:04:40`, or `on 24 November 2026 at 16:04:40` where the day is
/// not the one that was said before.
pub(crate) fn when(at: Timestamp, said_before: Option<Timestamp>) -> Words {
    let (day, clock) = day_and_clock(at);
    let is_same_day = said_before.is_some_and(|before| day_and_clock(before).0 == day);
    if is_same_day {
        return Words::new(format!("at {}", clock.english), clock.korean);
    }
    Words::new(format!("on {} at {}", day.english, clock.english), format!("{} {}", day.korean, clock.korean))
}

/// The same to stand by itself, with its offset: `16:04:40 (+09:00)`.
pub(crate) fn clock(at: Timestamp, said_before: Timestamp) -> Words {
    let (day, clock) = day_and_clock(at);
    if day_and_clock(said_before).0 == day {
        return Words::new(format!("{} (+09:00)", clock.english), format!("{}(+09:00)", clock.korean));
    }
    Words::new(
        format!("{} {} (+09:00)", day.english, clock.english),
        format!("{} {}(+09:00)", day.korean, clock.korean),
    )
}

fn day_and_clock(at: Timestamp) -> (Words, Words) {
    let Parts { year, month, day, hour, minute, second, .. } = At(at).in_korea();
    let name = MONTHS[usize::try_from(month - 1).unwrap_or_default()];
    (
        Words::new(format!("{day} {name} {year}"), format!("{year}년 {month}월 {day}일")),
        Words::new(
            format!("{hour:02}:{minute:02}:{second:02}"),
            format!("{hour}시 {minute:02}분 {second:02}초"),
        ),
    )
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_distances_are_said_with_separators() {
        let check = |number: i64, text: &str| assert_eq!(thousands(number), text);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_500_000, "1,500,000");
        check(-100_000, "-100,000");
        let far = |meters: u32| kilometers(Meters::new(meters).unwrap()).english;
        assert_eq!([far(10_000), far(1_234), far(12_500)], ["10 km", "1.234 km", "12.5 km"]);
        assert_eq!(kilometers(Meters::MAX).korean, "20,000km");
    }

    #[test]
    fn spans_are_said_in_their_two_largest_units() {
        let check = |ms: i64, english: &str, korean: &str| {
            assert_eq!(span(Timestamp(0), Timestamp(ms)), Words::new(english, korean));
        };
        check(999, "0 seconds", "0초");
        check(1_000, "1 second", "1초");
        check(60_000, "1 minute", "1분");
        check(90_500, "1 minute 30 seconds", "1분 30초");
        check(86_400_000, "1 day", "1일");
        check(86_405_000, "1 day", "1일");
        check(7_260_000, "2 hours 1 minute", "2시간 1분");
    }

    #[test]
    fn a_day_is_said_once() {
        let at = Timestamp(1_795_472_466_964);
        let said = when(at, None);
        assert_eq!(said.english, "on 24 November 2026 at 07:21:06");
        assert_eq!(said.korean, "2026년 11월 24일 7시 21분 06초");
        assert_eq!(when(at, Some(Timestamp(at.0 - 3_600_000))).english, "at 07:21:06");
        assert_eq!(clock(at, Timestamp(at.0 - 3_600_000)).english, "07:21:06 (+09:00)");
        assert_eq!(clock(at, Timestamp(at.0 - 86_400_000)).english, "24 November 2026 07:21:06 (+09:00)");
    }
}
