//! What a run came to, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The counts of a run. Every row read is in exactly one of unreadable, refused, completed, compensated, cancelled,
/// paymentFailed and leftOpen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub run: String,
    pub trips: String,
    pub to: String,
    pub read: u64,
    pub unreadable: u64,
    pub unreadable_first: Vec<UnreadableRow>,
    /// What only the file shows, by kind; a trip may have several.
    pub noted: BTreeMap<&'static str, u64>,
    /// Trips picked up before the trip on the line above.
    pub out_of_order: u64,
    /// Calls that the server took on.
    pub called: u64,
    /// Of these, those that an earlier run of the same name had called.
    pub called_before: u64,
    /// Calls that it refused, by the type of its problem.
    pub refused: BTreeMap<String, u64>,
    /// Drives that it refused to end, by the type of its problem; the trips count under what became of them.
    pub ends_refused: BTreeMap<String, u64>,
    pub completed: u64,
    pub compensated: u64,
    pub cancelled: u64,
    pub payment_failed: u64,
    pub left_open: u64,
    pub left_open_first: Vec<OpenTrip>,
    /// Requests sent again under their own key, by the trouble before.
    pub repeated: BTreeMap<&'static str, u64>,
    /// Whether the run ended before the file did.
    pub stopped: bool,
    pub wall_seconds: f64,
    pub trips_per_second: f64,
    pub latency: Latencies,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableRow {
    pub line: u64,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenTrip {
    pub trip: u64,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    /// `POST /calls`, from the first attempt to the answer.
    pub call: Latency,
    /// From the first attempt to call until the drive is seen to have started.
    pub drive_start: Latency,
    /// `POST /drives/end`.
    pub end: Latency,
}

/// In microseconds, to three significant digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    pub count: u64,
    pub p50_micros: u64,
    pub p90_micros: u64,
    pub p99_micros: u64,
    pub max_micros: u64,
}

impl Summary {
    /// Whether every trip in the file was brought to an end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.stopped && self.left_open == 0
    }

    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} to {} as run {}", self.trips, self.to, self.run)?;
        writeln!(f)?;
        line(f, "read", self.read, "")?;
        line(f, "unreadable", self.unreadable, "")?;
        for row in &self.unreadable_first {
            writeln!(f, "  {:<16}{:>10}   line {} {}", "", "", row.line, row.reason)?;
        }
        lines(f, "noted", &self.noted)?;
        if self.out_of_order > 0 {
            line(f, "out of order", self.out_of_order, "")?;
        }
        line(f, "called", self.called, "")?;
        if self.called_before > 0 {
            line(f, "of them before", self.called_before, "by an earlier run of this name")?;
        }
        lines(f, "refused", &self.refused)?;
        lines(f, "ends refused", &self.ends_refused)?;
        line(f, "completed", self.completed, "")?;
        line(f, "compensated", self.compensated, "")?;
        line(f, "cancelled", self.cancelled, "")?;
        line(f, "payment failed", self.payment_failed, "")?;
        line(f, "left open", self.left_open, "")?;
        for open in &self.left_open_first {
            writeln!(f, "  {:<16}{:>10}   trip {}: {}", "", "", open.trip, open.reason)?;
        }
        lines(f, "repeated", &self.repeated)?;
        writeln!(f)?;
        writeln!(f, "  {:.1} s, {:.0} trips/s", self.wall_seconds, self.trips_per_second)?;
        writeln!(f)?;
        writeln!(f, "  {:<20}{:>10}{:>10}{:>10}{:>10}   ms", "", "p50", "p90", "p99", "max")?;
        latency(f, "POST /calls", &self.latency.call)?;
        latency(f, "until driveStart", &self.latency.drive_start)?;
        latency(f, "POST /drives/end", &self.latency.end)?;
        if !self.is_whole() {
            writeln!(f)?;
            writeln!(f, "  not every trip came to its end; the same command resumes the run")?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, count: u64, kind: &str) -> fmt::Result {
    let text = format!("  {name:<16}{:>10}   {kind}", grouped(count));
    writeln!(f, "{}", text.trim_end())
}

/// One line per kind, the name on the first; a single zero where there is none.
fn lines<K: AsRef<str>>(f: &mut fmt::Formatter<'_>, name: &str, counts: &BTreeMap<K, u64>) -> fmt::Result {
    if counts.is_empty() {
        return line(f, name, 0, "");
    }
    for (index, (kind, count)) in counts.iter().enumerate() {
        line(f, if index == 0 { name } else { "" }, *count, kind.as_ref())?;
    }
    Ok(())
}

fn latency(f: &mut fmt::Formatter<'_>, name: &str, latency: &Latency) -> fmt::Result {
    let ms = |micros: u64| micros as f64 / 1000.0;
    writeln!(
        f,
        "  {name:<20}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
        ms(latency.p50_micros),
        ms(latency.p90_micros),
        ms(latency.p99_micros),
        ms(latency.max_micros)
    )
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (61_317, "61,317"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(count), text);
        }
    }
}
