//! Counts that are cheap to keep and are read by whoever renders metrics.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::histogram::Histogram;

/// What the gateway has done since it was made.
#[derive(Debug)]
pub struct Stats {
    routes: Vec<RouteStats>,
    retries: AtomicU64,
    ejections: AtomicU64,
    rate_limited: AtomicU64,
    in_flight: AtomicUsize,
}

/// What one route has answered.
#[derive(Debug)]
pub struct RouteStats {
    /// The route's name; `none` for paths without a route.
    pub name: &'static str,
    /// Until an answer began, in seconds.
    pub seconds: Histogram,
    answers: [AtomicU64; CLASSES],
}

/// From what is answered at once to the longest wait for a service, in seconds.
const DURATIONS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The classes of a status: 1xx to 5xx.
const CLASSES: usize = 5;

impl Stats {
    pub(crate) fn new(names: impl Iterator<Item = &'static str>) -> Stats {
        let route =
            |name| RouteStats { name, seconds: Histogram::new(DURATIONS), answers: Default::default() };
        Stats {
            routes: names.chain(["none"]).map(route).collect(),
            retries: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Per route; the last one, `none`, is for paths without a route.
    pub fn routes(&self) -> &[RouteStats] {
        &self.routes
    }

    /// How often a request was sent again.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// How often a replica was left out.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// How many requests were over their client's limit.
    pub fn rate_limited(&self) -> u64 {
        self.rate_limited.load(Ordering::Relaxed)
    }

    /// How many requests wait for the beginning of their answer now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn count_answer(&self, route: Option<usize>, status: StatusCode, took: Duration) {
        let route = &self.routes[route.unwrap_or(self.routes.len() - 1)];
        route.seconds.observe(took.as_secs_f64());
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES);
        route.answers[class - 1].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_ejection(&self) {
        self.ejections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request in until the guard is dropped; `None` when there are too many.
    pub(crate) fn enter(&self, in_flight_max: usize) -> Option<InFlight<'_>> {
        let guard = InFlight(&self.in_flight);
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        (before < in_flight_max).then_some(guard)
    }
}

impl RouteStats {
    /// How many answers were of this class: 2 is all of 200 to 299.
    pub fn answers(&self, class: usize) -> u64 {
        self.answers[class - 1].load(Ordering::Relaxed)
    }

    /// All classes with their counts.
    pub fn by_class(&self) -> impl Iterator<Item = (usize, u64)> {
        (1..=CLASSES).map(|class| (class, self.answers(class)))
    }
}

/// A request that is being worked on.
pub(crate) struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
