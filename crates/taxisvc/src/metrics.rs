//! What a process tells of itself: whether it is ready, and its figures in Prometheus's words.

mod engines;
mod gateway;
mod machine;
mod open;
mod postgres;
mod process;
mod services;
mod settings;
mod spans;
mod store;
mod text;
mod topic;

pub(crate) use store::Figures;

use ::gateway::Gateway;
use api::{Exposition, Requests};
use engine::clock::steady::SteadyClock;
use engine::log::LogId;
use engine_postgres::connections::Connections;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use wiring::Handles;

use crate::disk::Disk;
use crate::kafka::Bus;
use crate::live::Live;
use crate::log;
use crate::machine::Engines;
use crate::traces::Traces;

/// An engine that has not turned for so long is stuck: a healthy one turns several times a second, busy or not.
const SILENCE_MAX: Duration = Duration::from_secs(10);

const REBUILDING: &str = "the view is being made anew, and reads of it are refused until it is whole; \
                          GET /operator/views/rebuild says how far it is";

const NOT_LOOKED_AT: &str =
    "/events and what operators look at cannot be told, since a database cannot be used";

/// A process's own health.
pub(crate) struct Health {
    /// One for each database.
    pub(crate) engines: Engines,
    pub(crate) gateway: Option<Gateway>,
    /// Where services run.
    pub(crate) services: Option<Services>,
    /// Where the databases of services elsewhere are looked at.
    pub(crate) looking: Option<Looking>,
    /// What came of the settings file.
    pub(crate) live: Arc<Live>,
    /// Where spans are told, if they are.
    pub(crate) traces: Option<Arc<Traces>>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// What somebody should see to about the machine's clock.
fn clock_warning(stats: &engine::runner::Stats) -> Option<String> {
    let apart_ms = stats.clock_ahead_ms.load(Ordering::Relaxed).abs();
    let warning =
        || format!("this machine's clock and its database's are {apart_ms} ms apart: keep them in step");
    (apart_ms != 0).then(warning)
}

/// What is told where the databases of services elsewhere are looked at.
pub(crate) struct Looking {
    pub(crate) requests: Arc<Requests>,
    /// Why they cannot be looked at.
    pub(crate) trouble: Arc<Mutex<Option<String>>>,
}

/// What is told where services run.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) requests: Arc<Requests>,
    pub(crate) handles: Handles,
    pub(crate) figures: Arc<Figures>,
    /// Where the data is in files.
    pub(crate) disk: Option<Arc<Disk>>,
    pub(crate) clock: Arc<SteadyClock>,
    /// Where services hear each other over Kafka.
    pub(crate) bus: Option<Bus>,
    /// Where the data is in PostgreSQL: those to the database of this name.
    pub(crate) connections: Option<(&'static str, Arc<Connections>)>,
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

    fn warnings(&self) -> Vec<String> {
        let trouble =
            |looking: &Looking| looking.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut warnings = self.live.warnings();
        let Some(services) = &self.services else {
            let trouble = self.looking.as_ref().and_then(trouble);
            warnings.extend(trouble.map(|why| format!("{NOT_LOOKED_AT}: {why}")));
            return warnings;
        };
        let is_rebuilding = services.handles.view.rebuilding().is_some();
        let disk = services.disk.as_ref().and_then(|disk| disk.warning());
        let bus = services.bus.iter().flat_map(Bus::warnings);
        let bus = bus.chain(self.engines.iter().filter_map(|(_, stats)| clock_warning(stats)));
        warnings.extend(disk.into_iter().chain(is_rebuilding.then(|| REBUILDING.to_owned())).chain(bus));
        warnings
    }

    fn log(&self) -> Option<LogId> {
        self.services.as_ref().map(|services| services.figures.log)
    }

    fn metrics(&self, exposition: Exposition) -> String {
        self.told(self.ready().is_ok(), exposition)
    }
}

impl Health {
    /// Its figures, of a process that is ready or is not.
    pub(crate) fn told(&self, is_ready: bool, exposition: Exposition) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail, and a figure that could not be told is no reason to tell none.
        if let Err(error) = self.write(is_ready, &mut text) {
            tracing::error!(%error, "figures cannot be told");
        }
        match exposition {
            Exposition::OpenMetrics => text,
            Exposition::Text => text::of_prometheus(&text),
        }
    }

    fn write(&self, is_ready: bool, text: &mut String) -> fmt::Result {
        let mut registry = Registry::with_prefix("taxisvc");
        process::register_build(&mut registry);
        let ready = ConstGauge::new(i64::from(is_ready));
        registry.register("ready", "Whether it can serve requests, as /health/ready says", ready);
        let lost = ConstCounter::new(log::lines_lost());
        registry.register("log_lines_lost", "Lines of the log that nobody took from standard error", lost);
        registry.register_collector(Box::new(settings::Settings(self.live.status())));
        let told = self.traces.as_ref().map(|traces| traces.told()).unwrap_or_default();
        registry.register_collector(Box::new(spans::Spans(told)));
        if let Some(looking) = &self.looking {
            looking.requests.register(&mut registry);
        }
        if let Some(services) = &self.services {
            services.requests.register(&mut registry);
            registry.register_collector(Box::new(services::Running(services.handles.clone())));
            registry.register_collector(Box::new(services.figures.read()));
            let (disk, clock) = (services.disk.clone(), services.clock.clone());
            registry.register_collector(Box::new(machine::Machine { disk, clock }));
            if let Some((database, connections)) = &services.connections {
                registry.register_collector(Box::new(postgres::Told(database, connections.counted())));
            }
            if let Some(bus) = &services.bus {
                registry.register_collector(Box::new(topic::Told(bus.stats())));
            }
        }
        registry.register_collector(Box::new(engines::Engines(self.engines.clone())));
        if let Some(gateway) = &self.gateway {
            gateway::register(&mut registry, gateway);
        }
        encode_registry(text, &registry)?;
        // Every program tells these under the same names.
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        encode_registry(text, &registry)?;
        encode_eof(text)
    }
}

/// One metric, once for each set of labels.
fn tell<L: EncodeLabelSet, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    all: &[(L, M)],
) -> fmt::Result {
    let Some((_, first)) = all.first() else { return Ok(()) };
    let mut metric = encoder.encode_descriptor(name, help, None, first.metric_type())?;
    for (labels, value) in all {
        value.encode(metric.encode_family(labels)?)?;
    }
    Ok(())
}

/// One metric, which there is once.
fn tell_one(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    value: &impl EncodeMetric,
) -> fmt::Result {
    value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)
}

#[cfg(test)]
mod tests;
