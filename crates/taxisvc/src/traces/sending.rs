//! Sending spans: a collector that is away is told of once, and nobody waits for it.

use super::Told;
use anyhow::{Context, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter as ToCollector, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Every service whose spans a process may tell.
const SERVICES: [&str; 8] = ["gateway", "web", "operator", "call", "payment", "provider", "drive", "view"];
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// What a collector may answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What became of spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    told: AtomicU64,
    sent: AtomicU64,
    lost: AtomicU64,
    /// Those that wait, or are on their way.
    waiting: AtomicU64,
}

impl Counts {
    /// Counts a span, and says whether there is room for it.
    pub(super) fn add(&self, waiting_max: u64) -> bool {
        self.told.fetch_add(1, Ordering::Relaxed);
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < waiting_max;
        if !has_room {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    fn end(&self, spans: u64, were_sent: bool) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let became = if were_sent { &self.sent } else { &self.lost };
        became.fetch_add(spans, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Told {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Told { spans: read(&self.told), sent: read(&self.sent), lost: read(&self.lost) }
    }
}

/// The collector, asked for each service by itself: a span belongs to what its exporter says of itself.
#[derive(Debug)]
pub(super) struct Collector {
    exporters: BTreeMap<&'static str, ToCollector>,
    sender: SharedSender,
    address: String,
    counts: Arc<Counts>,
    is_away: AtomicBool,
}

impl Collector {
    pub(super) fn new(
        address: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        counts: Arc<Counts>,
    ) -> anyhow::Result<Self> {
        let sender = SharedSender(Arc::new(Sender::new(address.starts_with("https:"), headers)?));
        let instance = format!("{:016x}", crate::edge::draw());
        let exporter = |service: &'static str| {
            let exporter = ToCollector::builder()
                .with_http()
                .with_http_client(sender.clone())
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(address)
                .with_timeout(SEND_TIMEOUT)
                .build();
            let mut exporter = exporter.context("traces.endpoint cannot be used")?;
            exporter.set_resource(&resource(service, &instance));
            Ok((service, exporter))
        };
        let exporters = SERVICES.into_iter().map(exporter).collect::<anyhow::Result<_>>()?;
        let address = address.to_owned();
        Ok(Self { exporters, sender, address, counts, is_away: AtomicBool::new(false) })
    }

    /// Says that the collector is away, or back, once each.
    fn note(&self, result: &OTelSdkResult) {
        let is_away = result.is_err();
        if self.is_away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        let collector = &self.address;
        match result {
            Ok(()) => tracing::info!(collector, "spans are sent again"),
            Err(error) => {
                // Where nothing came back, OpenTelemetry's word for it is the same, whatever the cause.
                let why = self.sender.0.why().unwrap_or_else(|| error.to_string());
                tracing::warn!(collector, why, "spans cannot be sent, and are lost");
            }
        }
    }
}

/// Who tells: OpenTelemetry's names for a service, which `OTEL_RESOURCE_ATTRIBUTES` may add to.
fn resource(service: &'static str, instance: &str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new("service.namespace", "taxisvc"),
            KeyValue::new("service.version", crate::version::VERSION),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ])
        .build()
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut by_service: BTreeMap<String, Vec<SpanData>> = BTreeMap::new();
        for span in batch {
            by_service.entry(span.instrumentation_scope.name().to_owned()).or_default().push(span);
        }
        let mut all = Ok(());
        for (service, spans) in by_service {
            let count = spans.len() as u64;
            let result = match self.exporters.get(service.as_str()) {
                // One that does not answer is not waited for once more for each service.
                Some(_) if all.is_err() => {
                    Err(OTelSdkError::InternalFailure("it was away a moment ago".into()))
                }
                Some(exporter) => exporter.export(spans).await,
                None => Err(OTelSdkError::InternalFailure(format!("{service} is not known"))),
            };
            self.counts.end(count, result.is_ok());
            self.note(&result);
            all = all.and(result);
        }
        all
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporters.values().try_for_each(|exporter| exporter.shutdown_with_timeout(timeout))
    }
}

/// An HTTP client with a runtime of its own, since the thread that sends has none.
struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    runtime: Runtime,
    /// Why nothing came back the last time, until somebody asks.
    why: Mutex<Option<String>>,
}

#[derive(Clone)]
struct SharedSender(Arc<Sender>);

impl fmt::Debug for SharedSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSender")
    }
}

impl Sender {
    fn new(is_encrypted: bool, headers: Vec<(HeaderName, HeaderValue)>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(believing(is_encrypted)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let runtime = runtime.context("cannot start a runtime")?;
        Ok(Self { client, headers, runtime, why: Mutex::new(None) })
    }

    fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, sent: &Result<Response<Bytes>, HttpError>) {
        let why = sent.as_ref().err().map(|error| {
            let mut why = error.to_string();
            let mut cause = error.source();
            while let Some(next) = cause {
                why = format!("{why}: {next}");
                cause = next.source();
            }
            why
        });
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, HttpError> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// Whom this machine believes; nobody is asked where nothing is encrypted, since there may be no such list.
fn believing(is_encrypted: bool) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if is_encrypted {
        // A system's list may hold some that are of no use to anybody.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        ensure!(
            !roots.is_empty(),
            "this machine has no list of certificates whose word on a collector is believed"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.context("TLS cannot be begun")?.with_root_certificates(roots).with_no_client_auth())
}

#[async_trait]
impl HttpClient for SharedSender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = self.0.send(request.map(Full::new));
        let sent = self.0.runtime.block_on(async { tokio::time::timeout(SEND_TIMEOUT, sending).await });
        let sent = sent.unwrap_or_else(|_| {
            Err(HttpError::from(format!("it has not answered for {} s", SEND_TIMEOUT.as_secs())))
        });
        self.0.note(&sent);
        sent
    }
}
