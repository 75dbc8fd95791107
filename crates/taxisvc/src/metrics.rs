//! What a process tells of itself: whether it is ready, and its counts in Prometheus's words.

use engine::runner::Stats;
use gateway::Gateway;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

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

impl Collector for Engines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (database, stats) in &self.0 {
            let micros = stats.commit_micros.load(Ordering::Relaxed);
            let counters = [
                ("commits", "Commits of a database", stats.commits.load(Ordering::Relaxed)),
                ("events", "Events recorded", stats.events.load(Ordering::Relaxed)),
                ("commit_microseconds", "Time spent in commits", micros),
                ("batches_redone", "Batches decided again", stats.redone.load(Ordering::Relaxed)),
                ("dead_letters", "Messages put aside", stats.dead_letters.load(Ordering::Relaxed)),
            ];
            for (name, help, value) in counters {
                let counter = ConstCounter::new(value);
                let labels = [("database", *database)];
                let mut metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
                counter.encode(metric.encode_family(&labels)?)?;
            }
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
    let answers = Family::<RouteLabels, Gauge>::default();
    for route in stats.routes() {
        for (class, count) in route.by_class() {
            let labels = RouteLabels { route: route.name, class: format!("{class}xx") };
            answers.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    registry.register("gateway_answers", "Answers given, by route and class of status", answers);
    let in_flight = i64::try_from(stats.in_flight()).unwrap_or(i64::MAX);
    let numbers = [
        ("gateway_in_flight", "Requests under way", in_flight),
        ("gateway_retries", "Requests sent again", i64::try_from(stats.retries()).unwrap_or(i64::MAX)),
        ("gateway_ejections", "Replicas left out", i64::try_from(stats.ejections()).unwrap_or(i64::MAX)),
    ];
    for (name, help, value) in numbers {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
}
