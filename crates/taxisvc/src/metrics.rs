//! What a process tells of itself: whether it is ready, and its counts in Prometheus's words.

use engine::runner::Stats;
use gateway::Gateway;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// An engine that has not turned for so long is stuck: a healthy one turns several times a second, busy or not.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A process's own health.
pub(crate) struct Health {
    /// One for each database.
    pub(crate) engines: Vec<(&'static str, Arc<Stats>)>,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl api::Health for Health {
    fn ready(&self) -> Result<(), String> {
        if *self.stopping.borrow() {
            return Err("it is shutting down".to_owned());
        }
        for (database, stats) in &self.engines {
            if !stats.is_available.load(Ordering::Relaxed) {
                return Err(format!("the database {database} cannot be written"));
            }
            let silent_for = stats.silent_for();
            if silent_for > SILENCE_MAX {
                return Err(format!(
                    "the database {database} has not answered for {} s",
                    silent_for.as_secs()
                ));
            }
        }
        match self.gateway.as_ref().map(Gateway::readiness) {
            Some(readiness) if !readiness.is_ready() => {
                Err(format!("no replica answers for: {}", readiness.unanswered.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn metrics(&self) -> String {
        let mut registry = Registry::with_prefix("taxisvc");
        registry.register_collector(Box::new(Engines(self.engines.clone())));
        if let Some(gateway) = &self.gateway {
            register_gateway(&mut registry, gateway);
        }
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }
}

#[derive(Debug)]
struct Engines(Vec<(&'static str, Arc<Stats>)>);

impl Engines {
    /// One metric, once for each database.
    fn tell<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        read: impl Fn(&Stats) -> M,
    ) -> fmt::Result {
        let all: Vec<(&str, M)> = self.0.iter().map(|(database, stats)| (*database, read(stats))).collect();
        let Some((_, first)) = all.first() else { return Ok(()) };
        let mut metric = encoder.encode_descriptor(name, help, None, first.metric_type())?;
        for (database, value) in &all {
            value.encode(metric.encode_family(&[("database", *database)])?)?;
        }
        Ok(())
    }
}

type Read<N> = fn(&Stats) -> N;

const COUNTERS: [(&str, &str, Read<u64>); 5] = [
    ("commits", "Commits of a database", |stats| stats.commits.load(Ordering::Relaxed)),
    ("events", "Events recorded", |stats| stats.events.load(Ordering::Relaxed)),
    ("batches_redone", "Batches decided again", |stats| stats.redone.load(Ordering::Relaxed)),
    ("dead_letters", "Messages put aside", |stats| stats.dead_letters.load(Ordering::Relaxed)),
    ("overdue", "Notes that something should have ended and has not", |stats| {
        stats.alarms.load(Ordering::Relaxed)
    }),
];

const SECONDS: [(&str, &str, Read<f64>); 1] = [("commit_seconds", "Time spent in commits", |stats| {
    stats.commit_micros.load(Ordering::Relaxed) as f64 / 1e6
})];

const GAUGES: [(&str, &str, Read<f64>); 4] = [
    ("database_available", "Whether a database can be written", |stats| {
        f64::from(u8::from(stats.is_available.load(Ordering::Relaxed)))
    }),
    ("engine_silent_seconds", "How long ago the engine last turned", |stats| {
        stats.silent_for().as_secs_f64()
    }),
    ("commands_waiting", "Commands that wait to be decided", |stats| {
        stats.waiting.load(Ordering::Relaxed) as f64
    }),
    ("entities_parked", "Entities that wait for a dead letter of theirs", |stats| {
        stats.parked.load(Ordering::Relaxed) as f64
    }),
];

impl Collector for Engines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, read) in COUNTERS {
            self.tell(&mut encoder, (name, help), |stats| ConstCounter::new(read(stats)))?;
        }
        for (name, help, read) in SECONDS {
            self.tell(&mut encoder, (name, help), |stats| ConstCounter::new(read(stats)))?;
        }
        for (name, help, read) in GAUGES {
            self.tell(&mut encoder, (name, help), |stats| ConstGauge::new(read(stats)))?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    class: String,
}

fn register_gateway(registry: &mut Registry, gateway: &Gateway) {
    let stats = gateway.stats();
    let answers = Family::<RouteLabels, Counter>::default();
    for route in stats.routes() {
        for (class, count) in route.by_class() {
            let labels = RouteLabels { route: route.name, class: format!("{class}xx") };
            answers.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register("gateway_answers", "Answers given, by route and class of status", answers);
    for (name, help, count) in [
        ("gateway_retries", "Requests sent again", stats.retries()),
        ("gateway_ejections", "Replicas left out", stats.ejections()),
        ("gateway_rate_limited", "Requests over their client's limit", stats.rate_limited()),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    let in_flight: Gauge = Gauge::default();
    in_flight.set(i64::try_from(stats.in_flight()).unwrap_or(i64::MAX));
    registry.register("gateway_in_flight", "Requests under way", in_flight);
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway::settings::Settings;
    use std::collections::BTreeSet;

    fn text() -> String {
        let stats: [Arc<Stats>; 2] = Default::default();
        stats[0].commits.store(3, Ordering::Relaxed);
        stats[0].commit_micros.store(1_500_000, Ordering::Relaxed);
        stats[0].parked.store(2, Ordering::Relaxed);
        let [call, drive] = stats;
        let (_stopping, stopped) = watch::channel(false);
        let gateway = Gateway::new(Settings::default(), Vec::new());
        let engines = vec![("call", call), ("drive", drive)];
        api::Health::metrics(&Health { engines, gateway: Some(gateway), stopping: stopped })
    }

    /// A counter's name ends in `_total`, and nothing else's does; each is described once.
    #[test]
    fn every_metric_is_named_as_prometheus_wants_it() {
        let text = text();
        let mut described = BTreeSet::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            assert!(name.starts_with("taxisvc_") && described.insert(name), "{line}");
            let mut samples = text.lines().filter(|line| line.starts_with(&format!("{name}_total")));
            assert_eq!(samples.next().is_some(), kind == "counter", "{line} in {text}");
        }
        for sample in [
            "taxisvc_commits_total{database=\"call\"} 3",
            "taxisvc_commits_total{database=\"drive\"} 0",
            "taxisvc_commit_seconds_total{database=\"call\"} 1.5",
            "taxisvc_entities_parked{database=\"call\"} 2.0",
            "taxisvc_overdue_total{database=\"call\"} 0",
            "taxisvc_gateway_answers_total{route=\"none\",class=\"2xx\"} 0",
            "taxisvc_gateway_rate_limited_total 0",
            "taxisvc_gateway_in_flight 0",
        ] {
            assert!(text.lines().any(|line| line == sample), "{sample} is not in {text}");
        }
    }

    #[test]
    fn every_metric_is_in_the_document() {
        let document = include_str!("../../../docs/operations.md");
        let text = text();
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE taxisvc_")) {
            let (name, kind) = line.split_once(' ').unwrap();
            let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            assert!(document.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
        }
    }
}
