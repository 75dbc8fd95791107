//! What is said to people, in each of the languages, and how amounts, distances and times are said.

use crate::language::Language;
use crate::time::At;
use engine::clock::Timestamp;
use serde::Serialize;
use taxi::distance::Meters;
use wiring::calendar::Parts;

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

/// Day and time as people say them, by Korean clocks: `at 4:04 in the afternoon`, and `on 24 November` before it where that
/// is not the day that was said before; the year only where it is not this one.
pub(crate) fn when(at: Timestamp, said_before: Option<Timestamp>, now: Timestamp) -> Words {
    let (moment, this) = (At(at).in_korea(), At(now).in_korea());
    let before = said_before.map(|before| At(before).in_korea());
    let day = |parts: &Parts| (parts.year, parts.month, parts.day);
    let is_same_day = before.as_ref().is_some_and(|before| day(before) == day(&moment));
    let is_same_part = is_same_day && before.is_some_and(|before| has_same_part(before.hour, moment.hour));
    let clock = spoken(&moment, !is_same_part);
    if is_same_day {
        return Words::new(format!("at {}", clock.english), clock.korean);
    }
    let name = MONTHS[usize::try_from(moment.month - 1).unwrap_or_default()];
    let (mut english, mut korean) = (String::new(), String::new());
    if moment.year != this.year {
        (english, korean) = (format!(" {}", moment.year), format!("{}년 ", moment.year));
    }
    Words::new(
        format!("on {} {name}{english} at {}", moment.day, clock.english),
        format!("{korean}{}월 {}일 {}", moment.month, moment.day, clock.korean),
    )
}

/// The end of a wait, as people say it: never earlier than it is, so the next full minute.
pub(crate) fn by(due: Timestamp, now: Timestamp) -> Words {
    let due = Timestamp(due.0.saturating_add(59_999).div_euclid(60_000).saturating_mul(60_000));
    let (moment, this) = (At(due).in_korea(), At(now).in_korea());
    let clock = spoken(&moment, true);
    if (moment.year, moment.month, moment.day) == (this.year, this.month, this.day) {
        return clock;
    }
    let name = MONTHS[usize::try_from(moment.month - 1).unwrap_or_default()];
    Words::new(
        format!("{} on {} {name}", clock.english, moment.day),
        format!("{}월 {}일 {}", moment.month, moment.day, clock.korean),
    )
}

/// `7:44 in the evening`, or `7:44` where the part of the day was just said; in Korean the half of the day is always said.
fn spoken(moment: &Parts, with_part: bool) -> Words {
    let hour = if moment.hour % 12 == 0 { 12 } else { moment.hour % 12 };
    let part = if with_part { format!(" {}", part_of_day(moment.hour)) } else { String::new() };
    let half = if moment.hour < 12 { "오전" } else { "오후" };
    let minute = if moment.minute == 0 { String::new() } else { format!(" {}분", moment.minute) };
    Words::new(format!("{hour}:{:02}{part}", moment.minute), format!("{half} {hour}시{minute}"))
}

/// The two nights of a day are not the same.
fn has_same_part(one: i64, other: i64) -> bool {
    part_of_day(one) == part_of_day(other) && (one < 12) == (other < 12)
}

fn part_of_day(hour: i64) -> &'static str {
    match hour {
        5..12 => "in the morning",
        12..18 => "in the afternoon",
        18..22 => "in the evening",
        _ => "at night",
    }
}

/// The exact time to stand by itself, with its offset: `16:04:40 (+09:00)`; the day before it where it is another one.
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
    fn times_are_said_as_people_say_them() {
        let midnight = Timestamp(1_795_446_000_000);
        let at = |hour: i64, minute: i64| midnight.plus_ms((hour * 60 + minute) * 60_000);
        let check = |at: Timestamp, before: Option<Timestamp>, english: &str, korean: &str| {
            assert_eq!(when(at, before, midnight), Words::new(english, korean));
        };
        let evening = at(19, 44);
        check(evening, None, "on 24 November at 7:44 in the evening", "11월 24일 오후 7시 44분");
        check(evening, Some(at(18, 0)), "at 7:44", "오후 7시 44분");
        check(evening, Some(at(17, 59)), "at 7:44 in the evening", "오후 7시 44분");
        check(at(0, 5), Some(evening), "at 12:05 at night", "오전 12시 5분");
        check(at(12, 0), Some(at(9, 0)), "at 12:00 in the afternoon", "오후 12시");
        check(at(23, 10), Some(at(0, 5)), "at 11:10 at night", "오후 11시 10분");
        check(at(33, 0), Some(evening), "on 25 November at 9:00 in the morning", "11월 25일 오전 9시");
        let next_year = midnight.plus_ms(60 * 86_400_000);
        let said = when(evening, None, next_year);
        assert_eq!(said.english, "on 24 November 2026 at 7:44 in the evening");
        assert_eq!(said.korean, "2026년 11월 24일 오후 7시 44분");
        assert_eq!(
            by(Timestamp(evening.0 + 1), midnight),
            Words::new("7:45 in the evening", "오후 7시 45분")
        );
        assert_eq!(by(evening, midnight).english, "7:44 in the evening");
        let tomorrow = by(at(33, 0), midnight);
        assert_eq!(tomorrow, Words::new("9:00 in the morning on 25 November", "11월 25일 오전 9시"));
    }

    #[test]
    fn exact_times_name_another_day() {
        let at = Timestamp(1_795_472_466_964);
        assert_eq!(clock(at, Timestamp(at.0 - 3_600_000)).english, "07:21:06 (+09:00)");
        assert_eq!(clock(at, Timestamp(at.0 - 86_400_000)).english, "24 November 2026 07:21:06 (+09:00)");
    }
}
