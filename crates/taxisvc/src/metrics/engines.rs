//! The figures of the engines, by database.

use super::tell;
use engine::figures::Observed;
use engine::runner::Stats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[derive(Debug)]
pub(super) struct Engines(pub(super) Vec<(&'static str, Arc<Stats>)>);

impl Engines {
    /// One metric, once for each database.
    fn tell<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        named: (&str, &str),
        read: impl Fn(&Stats) -> M,
    ) -> fmt::Result {
        let read = self.0.iter().map(|(database, stats)| ([("database", *database)], read(stats)));
        tell(encoder, named, &read.collect::<Vec<_>>())
    }
}

type Read<N> = fn(&Stats) -> N;

const COUNTERS: [(&str, &str, Read<u64>); 4] = [
    ("commits", "Commits of a database", |stats| stats.commits.load(Ordering::Relaxed)),
    ("batches_redone", "Batches decided again", |stats| stats.redone.load(Ordering::Relaxed)),
    ("dead_letters", "Messages put aside", |stats| stats.dead_letters.load(Ordering::Relaxed)),
    ("overdue", "Notes that something should have ended and has not", |stats| {
        stats.alarms.load(Ordering::Relaxed)
    }),
];

/// What each of the engine's own units is of that in which it is told.
const HISTOGRAMS: [(&str, &str, f64, Read<Observed>); 3] = [
    ("commit_inputs", "How many messages a commit carried", 1.0, |stats| stats.batch_inputs.read()),
    ("commit_duration_seconds", "How long a commit took", 1e6, |stats| stats.commit_duration_micros.read()),
    ("time_to_drive_seconds", "From a call until a taxi was heard to be on its way", 1e3, |stats| {
        stats.took_ms.read()
    }),
];

const GAUGES: [(&str, &str, Read<f64>); 3] = [
    ("database_available", "Whether a database can be written", |stats| {
        f64::from(u8::from(stats.is_available.load(Ordering::Relaxed)))
    }),
    ("engine_silent_seconds", "How long ago the engine last turned", |stats| {
        stats.silent_for().as_secs_f64()
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
        let events = self.0.iter().flat_map(|(database, stats)| {
            let told =
                |(event, count)| ([("database", *database), ("type", event)], ConstCounter::new(count));
            stats.events.read().into_iter().map(told)
        });
        tell(&mut encoder, ("events", "Events recorded, by type"), &events.collect::<Vec<_>>())?;
        let passed = self.0.iter().flat_map(|(database, stats)| {
            let told =
                |(timer, count)| ([("database", *database), ("timer", timer)], ConstCounter::new(count));
            stats.deadlines.read().into_iter().map(told)
        });
        let help = "Deadlines that passed without what was waited for, by timer";
        tell(&mut encoder, ("deadlines_passed", help), &passed.collect::<Vec<_>>())?;
        for (name, help, unit, read) in HISTOGRAMS {
            self.tell(&mut encoder, (name, help), |stats| Histogram { observed: read(stats), unit })?;
        }
        for (name, help, read) in GAUGES {
            self.tell(&mut encoder, (name, help), |stats| ConstGauge::new(read(stats)))?;
        }
        Ok(())
    }
}

/// A histogram of an engine, as Prometheus has it: each bucket includes those below it.
struct Histogram {
    observed: Observed,
    unit: f64,
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let Observed { bounds, counts, sum } = &self.observed;
        let bounds = bounds.iter().map(|bound| *bound as f64 / self.unit).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = *sum as f64 / self.unit;
        encoder.encode_histogram::<NoLabelSet>(sum, self.observed.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
