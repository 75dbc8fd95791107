//! The figures of the gateway, by its routes.

use super::tell;
use ::gateway::Gateway;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    class: String,
}

pub(super) fn register(registry: &mut Registry, gateway: &Gateway) {
    let stats = gateway.stats();
    let answers = Family::<RouteLabels, Counter>::default();
    let mut durations = Vec::new();
    for route in stats.routes() {
        durations.push(([("route", route.name)], route.seconds.clone()));
        for (class, count) in route.by_class() {
            let labels = RouteLabels { route: route.name, class: format!("{class}xx") };
            answers.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register_collector(Box::new(Durations(durations)));
    registry.register("gateway_answers", "Answers given, by route and class of status", answers);
    for (name, help, count) in [
        ("gateway_retries", "Requests sent again", stats.retries()),
        ("gateway_ejections", "Replicas left out", stats.ejections()),
        ("gateway_rate_limited", "Requests over their client's limit", stats.rate_limited()),
    ] {
        registry.register(name, help, ConstCounter::new(count));
    }
    let in_flight = ConstGauge::new(i64::try_from(stats.in_flight()).unwrap_or(i64::MAX));
    registry.register("gateway_in_flight", "Requests under way", in_flight);
}

#[derive(Debug)]
struct Durations(Vec<([(&'static str, &'static str); 1], Histogram)>);

impl Collector for Durations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time until an answer began, by route";
        tell(&mut encoder, ("gateway_answer_duration_seconds", help), &self.0)
    }
}
