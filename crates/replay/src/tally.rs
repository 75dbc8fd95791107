//! Counts, while a run goes on, what its summary will say.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::answer::{Outcome, View};
use crate::ends::{EndRow, Ends};
use crate::summary::{Latencies, Latency, OpenTrip, Summary, UnreadableRow};
use crate::trips::{Notes, Trip, Unreadable};

/// How many unreadable rows and open trips are told one by one.
const FIRST_SHOWN_MAX: usize = 5;
const LATENCY_DIGITS: u8 = 3;
const LATENCY_MICROS_MAX: u64 = 3_600_000_000;

/// How one trip left the run.
pub(crate) enum End {
    Refused(String),
    /// With what the read model shows, where it was asked.
    Over(Outcome, View),
    LeftOpen(String),
}

#[derive(Clone, Copy)]
pub(crate) enum Step {
    Call,
    DriveStart,
    End,
}

/// How far a run is.
pub(crate) struct Glance {
    pub(crate) read: u64,
    pub(crate) ended: u64,
    pub(crate) repeated: u64,
}

pub(crate) struct Tally(Mutex<Counts>);

struct Counts {
    summary: Summary,
    call: Histogram<u64>,
    drive_start: Histogram<u64>,
    end: Histogram<u64>,
    ended: u64,
    pickup_latest: i64,
    ends: Option<Ends>,
}

impl Tally {
    pub(crate) fn new(summary: Summary, ends: Option<Ends>) -> Self {
        let histogram = || {
            Histogram::new_with_max(LATENCY_MICROS_MAX, LATENCY_DIGITS)
                .expect("the bounds are constants that fit")
        };
        Self(Mutex::new(Counts {
            summary,
            call: histogram(),
            drive_start: histogram(),
            end: histogram(),
            ended: 0,
            pickup_latest: i64::MIN,
            ends,
        }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no holder of the counts panics")
    }

    pub(crate) fn read_trip(&self, trip: &Trip) {
        let mut counts = self.counts();
        counts.summary.read += 1;
        for note in trip.notes.iter() {
            *counts.summary.noted.entry(note.name()).or_default() += 1;
        }
        counts.summary.out_of_order += u64::from(trip.pickup_at < counts.pickup_latest);
        counts.pickup_latest = counts.pickup_latest.max(trip.pickup_at);
    }

    pub(crate) fn read_unreadable(&self, row: Unreadable) {
        let mut counts = self.counts();
        counts.summary.read += 1;
        counts.summary.unreadable += 1;
        counts.ended += 1;
        if let Some(ends) = &mut counts.ends {
            ends.push(end_row(row.number, "unreadable".to_owned(), View::default(), None));
        }
        let first = &mut counts.summary.unreadable_first;
        if first.len() < FIRST_SHOWN_MAX {
            first.push(UnreadableRow { line: row.line, reason: row.reason });
        }
    }

    pub(crate) fn called(&self, before: bool) {
        let mut counts = self.counts();
        counts.summary.called += 1;
        counts.summary.called_before += u64::from(before);
    }

    pub(crate) fn end_refused(&self, problem: String) {
        *self.counts().summary.ends_refused.entry(problem).or_default() += 1;
    }

    pub(crate) fn repeated(&self, trouble: &'static str) {
        *self.counts().summary.repeated.entry(trouble).or_default() += 1;
    }

    pub(crate) fn stopped(&self) {
        self.counts().summary.stopped = true;
    }

    pub(crate) fn took(&self, step: Step, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let mut counts = self.counts();
        let histogram = match step {
            Step::Call => &mut counts.call,
            Step::DriveStart => &mut counts.drive_start,
            Step::End => &mut counts.end,
        };
        histogram.saturating_record(micros);
    }

    pub(crate) fn trip_ended(&self, number: u64, notes: Notes, end: End) {
        let mut counts = self.counts();
        counts.ended += 1;
        let summary = &mut counts.summary;
        let (view, refused) = match end {
            End::Refused(problem) => {
                *summary.refused.entry(problem.clone()).or_default() += 1;
                (View::default(), Some(problem))
            }
            End::Over(outcome, view) => {
                match outcome {
                    Outcome::Completed => summary.completed += 1,
                    Outcome::Compensated => summary.compensated += 1,
                    Outcome::Cancelled => summary.cancelled += 1,
                    Outcome::PaymentFailed => summary.payment_failed += 1,
                }
                (view, None)
            }
            End::LeftOpen(reason) => {
                summary.left_open += 1;
                if summary.left_open_first.len() < FIRST_SHOWN_MAX {
                    summary.left_open_first.push(OpenTrip { trip: number, reason });
                }
                (View::default(), None)
            }
        };
        if let Some(ends) = &mut counts.ends {
            ends.push(end_row(number, notes.to_string(), view, refused));
        }
    }

    pub(crate) fn glance(&self) -> Glance {
        let counts = self.counts();
        Glance {
            read: counts.summary.read,
            ended: counts.ended,
            repeated: counts.summary.repeated.values().sum(),
        }
    }

    /// The summary, and what went wrong with writing the ends.
    pub(crate) fn finish(&self, wall: Duration) -> (Summary, anyhow::Result<()>) {
        let mut counts = self.counts();
        let written = counts.ends.take().map_or(Ok(()), Ends::finish);
        let mut summary = counts.summary.clone();
        summary.left_open += summary.read - counts.ended;
        summary.wall_seconds = wall.as_secs_f64();
        summary.trips_per_second =
            (summary.read - summary.unreadable - summary.left_open) as f64 / summary.wall_seconds;
        summary.latency = Latencies {
            call: latency(&counts.call),
            drive_start: latency(&counts.drive_start),
            end: latency(&counts.end),
        };
        (summary, written)
    }
}

fn end_row(trip: u64, noted: String, view: View, refused: Option<String>) -> EndRow {
    EndRow {
        trip,
        noted,
        call_status: view.call_status,
        pay_status: view.pay_status,
        drive_status: view.drive_status,
        fare: view.fare,
        refused,
    }
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    Latency {
        count: histogram.len(),
        p50_micros: histogram.value_at_quantile(0.5),
        p90_micros: histogram.value_at_quantile(0.9),
        p99_micros: histogram.value_at_quantile(0.99),
        max_micros: histogram.max(),
    }
}
