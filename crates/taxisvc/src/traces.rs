//! The spans of what this process does, sent to a collector by OTLP: in batches, on a thread of their own. Nobody waits for
//! the collector, and nothing but spans is lost while it is away. Why so: docs/decisions/0039-traces.md.

mod sending;

use crate::config::{self, Config, open_telemetry};
use crate::edge::draw;
use crate::live::Live;
use anyhow::{Context, bail};
use engine::bus::Bus;
use http::Uri;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, ShouldSample, SpanData, SpanEvents,
    SpanLinks, SpanProcessor,
};
use sending::{Collector, Counts};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use trace::{Kind, Span, Traceparent, Tracer, Value};

/// Where a collector takes spans, behind its address.
pub(crate) const PATH: &str = "/v1/traces";
/// Spans that wait; further ones are lost and counted.
const WAITING_MAX: usize = 16_384;
const BATCH_MAX: usize = 1_024;
const SEND_EVERY: Duration = Duration::from_secs(1);
/// For how long the collector is waited for at the end of the process.
const END_WAIT: Duration = Duration::from_secs(3);

/// Where this process tells of its spans.
pub(crate) struct Traces {
    processor: BatchSpanProcessor,
    sampler: RwLock<Sampler>,
    counts: Arc<Counts>,
    /// From a number that was drawn at the start.
    next: AtomicU64,
}

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Traces")
    }
}

/// What became of spans since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) spans: u64,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

/// Whether a collector can be where it is said to be.
pub(crate) fn check(traces: &config::Traces) -> anyhow::Result<()> {
    let ratio = traces.sample_ratio;
    if !(0.0..=1.0).contains(&ratio) {
        bail!("traces.sample_ratio is {ratio}, and must be 0 to 1: of how many traces spans are kept");
    }
    headers(&traces.headers)?;
    if traces.endpoint.is_empty() {
        return Ok(());
    }
    let uri: Option<Uri> = traces.endpoint.parse().ok();
    let is_address = uri.is_some_and(|uri| {
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        has_scheme && uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none()
    });
    if !is_address {
        let said = &traces.endpoint;
        bail!(
            "traces.endpoint is {said:?}, and must be the address of a collector, as http://127.0.0.1:4318"
        );
    }
    if traces.endpoint.trim_end_matches('/').ends_with(PATH) {
        bail!("traces.endpoint is {:?}: leave {PATH} out, which is put behind it", traces.endpoint);
    }
    Ok(())
}

/// `name=value` with commas between; what is wrong with them is told without what they say.
fn headers(text: &str) -> anyhow::Result<Vec<(http::HeaderName, http::HeaderValue)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let header = |(place, pair): (usize, &str)| {
        let named = pair.split_once('=').and_then(|(name, value)| {
            let mut value: http::HeaderValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse().ok()?, value))
        });
        named.with_context(|| {
            format!("traces.headers wants name=value, with commas between; number {} is none", place + 1)
        })
    };
    pairs.enumerate().map(header).collect()
}

impl Traces {
    /// Begins to send, where a collector is named.
    pub(crate) fn begin(live: &Live) -> anyhow::Result<Option<Arc<Self>>> {
        let config = live.now().config.traces.clone();
        if config.endpoint.is_empty() {
            if let Err(why) = open_telemetry::endpoint() {
                tracing::warn!(why, "spans are not sent where OpenTelemetry's variables say");
            }
            return Ok(None);
        }
        let counts = Arc::new(Counts::default());
        let address = format!("{}{PATH}", config.endpoint.trim_end_matches('/'));
        let collector = match Collector::new(&address, headers(&config.headers)?, counts.clone()) {
            Ok(collector) => collector,
            Err(error) => {
                // Rides matter more than spans of them.
                tracing::error!(why = format!("{error:#}"), "no spans are sent");
                return Ok(None);
            }
        };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX + BATCH_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let processor = BatchSpanProcessor::builder(collector).with_batch_config(batches).build();
        let sampler = RwLock::new(Sampler::AlwaysOn);
        let traces = Arc::new(Self { processor, sampler, counts, next: AtomicU64::new(draw()) });
        let following = traces.clone();
        live.follow(move |config: &Config| {
            let mut sampler = following.sampler.write().unwrap_or_else(PoisonError::into_inner);
            *sampler = Sampler::TraceIdRatioBased(config.traces.sample_ratio);
            Ok(())
        })?;
        tracing::info!(collector = address, "spans are sent");
        Ok(Some(traces))
    }

    /// Has what the services on a bus do told, where anybody wants it.
    pub(crate) fn follow(traces: Option<&Arc<Self>>, bus: &Bus) {
        if let Some(traces) = traces {
            bus.trace_with(traces.clone());
        }
    }

    pub(crate) fn told(&self) -> Told {
        self.counts.read()
    }

    /// Sends what waits, unless the collector keeps it waiting.
    pub(crate) fn end(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(END_WAIT) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

impl Tracer for Traces {
    #[expect(clippy::disallowed_methods, reason = "spans say when something was, by the machine's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn draw(&self) -> u64 {
        trace::mix(self.next.fetch_add(1, Ordering::Relaxed)).max(1)
    }

    fn samples(&self, trace_id: u128) -> bool {
        let sampler = self.sampler.read().unwrap_or_else(PoisonError::into_inner);
        let trace_id = TraceId::from_bytes(trace_id.to_be_bytes());
        let result = sampler.should_sample(None, trace_id, "", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    fn begin(&self) -> Traceparent {
        let trace_id = (u128::from(self.draw()) << 64) | u128::from(self.draw());
        let begun = Traceparent::new(trace_id, self.draw(), self.samples(trace_id));
        begun.expect("what is drawn is never zero")
    }

    fn tell(&self, span: Span) {
        if self.counts.add(WAITING_MAX as u64) {
            self.processor.on_end(exported(span));
        }
    }
}

/// A span as the exporter knows it; the service stands where it names the library, until it is sent.
fn exported(span: Span) -> SpanData {
    let kind = match span.kind {
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Consumer => SpanKind::Consumer,
        Kind::Internal => SpanKind::Internal,
    };
    let attributes = span.attributes.into_iter().map(|(name, value)| match value {
        Value::Text(text) => KeyValue::new(name, text),
        Value::Number(number) => KeyValue::new(name, number),
    });
    let mut links = SpanLinks::default();
    links.links = span.links.into_iter().map(|link| Link::new(context(link), Vec::new(), 0)).collect();
    SpanData {
        span_context: context(span.context),
        parent_span_id: span
            .parent
            .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_be_bytes())),
        parent_span_is_remote: true,
        span_kind: kind,
        name: span.name.into(),
        start_time: span.began,
        end_time: span.ended,
        attributes: attributes.collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: if span.has_failed { Status::error("") } else { Status::Unset },
        instrumentation_scope: InstrumentationScope::builder(span.service).build(),
    }
}

fn context(trace: Traceparent) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(trace.trace_id().to_be_bytes()),
        SpanId::from_bytes(trace.span_id().to_be_bytes()),
        if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED },
        false,
        TraceState::NONE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(endpoint: &str, headers: &str, sample_ratio: f64) -> Result<(), String> {
        let traces = config::Traces { endpoint: endpoint.into(), headers: headers.into(), sample_ratio };
        check(&traces).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_no_secret_told() {
        for right in ["", "http://127.0.0.1:4318", "https://otlp.example/otlp/", "http://collector:4318/"] {
            assert_eq!(said(right, "", 0.5), Ok(()), "{right}");
        }
        for wrong in [
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "/v1/traces",
            "http://one?two",
            "http://one:4318/v1/traces/",
        ] {
            assert!(said(wrong, "", 1.0).is_err_and(|why| why.contains("traces.endpoint")), "{wrong}");
        }
        for wrong in [-0.1, 1.1, f64::NAN] {
            assert!(said("", "", wrong).is_err_and(|why| why.contains("traces.sample_ratio")), "{wrong}");
        }
        assert_eq!(said("", "authorization=Basic c2VjcmV0OnNlY3JldA==, x-scope=1", 1.0), Ok(()));
        let why = said("", "x-scope=1,secret", 1.0).expect_err("it has no name");
        assert!(why.contains("number 2") && !why.contains("secret"), "{why}");
    }
}
