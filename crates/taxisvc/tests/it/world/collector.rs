//! Who takes spans by OTLP over HTTP, as a collector does, and keeps them to be looked at.

use super::until;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The spans of a call that is too far, from the click on.
pub(crate) const WAY_TO_THE_REFUND: [&str; 11] = [
    "POST call",
    "POST /calls",
    "call CallRequested",
    "payment FareAsked",
    "ask take",
    "payment FarePaid",
    "drive DriveNotAvailable",
    "call CallCancelled",
    "payment FareReturning",
    "ask back",
    "payment FareRefunded",
];

/// A span, with who told it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty where there is none.
    pub(crate) parent: String,
    /// The traces of its links.
    pub(crate) links: Vec<String>,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    headers: Vec<HeaderMap>,
}

/// A collector; it is gone when it is dropped.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    _runtime: Runtime,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Taken::default()));
        let router = Router::new().route("/v1/traces", post(take)).with_state(taken.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, taken, _runtime: runtime }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken.lock().unwrap().spans.clone()
    }

    pub(crate) fn of_trace(&self, trace: &str) -> Trace {
        let spans = self.spans().into_iter().filter(|span| span.trace == trace);
        Trace(spans.map(|span| (span.id.clone(), span)).collect())
    }

    /// Waits until spans of all these names are there, and the parents of all: each process sends its own.
    #[track_caller]
    pub(crate) fn until_told(&self, trace: &str, names: &[&str]) -> Trace {
        let mut seen = 0;
        until(&format!("the spans {names:?}"), || {
            let trace = self.of_trace(trace);
            if trace.0.len() != std::mem::replace(&mut seen, trace.0.len()) {
                println!("{trace}");
            }
            (trace.is_whole() && names.iter().all(|name| trace.has(name))).then_some(trace)
        })
    }

    /// A header that came with every batch.
    pub(crate) fn header(&self, name: &str) -> BTreeSet<String> {
        let taken = self.taken.lock().unwrap();
        let said = taken.headers.iter().map(|headers| headers.get(name).map(|value| value.to_str().unwrap()));
        said.map(|value| value.unwrap_or_default().to_owned()).collect()
    }
}

/// The spans of one trace, by their ids.
pub(crate) struct Trace(BTreeMap<String, Span>);

impl Trace {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.values().any(|span| span.name == name)
    }

    #[track_caller]
    pub(crate) fn named(&self, name: &str) -> &Span {
        let found = self.0.values().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no span {name:?} among\n{self}"))
    }

    /// Whether all have their parents here but the gateway's, where it came in.
    fn is_whole(&self) -> bool {
        let has_parent = |span: &Span| self.0.contains_key(&span.parent) || span.service == "gateway";
        !self.0.is_empty() && self.0.values().all(has_parent)
    }

    pub(crate) fn services(&self) -> BTreeSet<&str> {
        self.0.values().map(|span| span.service.as_str()).collect()
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// The names from a span up to the one that began it all.
    pub(crate) fn way_to(&self, name: &str) -> Vec<&str> {
        let mut span = self.named(name);
        let mut way = vec![span.name.as_str()];
        while let Some(parent) = self.0.get(&span.parent) {
            span = parent;
            way.push(&span.name);
            assert!(way.len() <= self.0.len(), "a trace is a tree");
        }
        way.reverse();
        way
    }

    /// One tree: every span but those of `root` has its parent here, and none begins before it.
    #[track_caller]
    pub(crate) fn is_connected_below(&self, root: &str) {
        for span in self.0.values() {
            assert!(span.began <= span.ended, "{span:?}");
            if span.parent == root {
                continue;
            }
            let parent = self.0.get(&span.parent);
            let parent = parent.unwrap_or_else(|| panic!("{span:?} has no parent among\n{self}"));
            assert!(parent.began <= span.began, "{span:?} began before {parent:?}");
        }
        let roots = self.0.values().filter(|span| span.parent == root).count();
        assert_eq!(roots, 1, "one began it all:\n{self}");
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut spans: Vec<&Span> = self.0.values().collect();
        spans.sort_by_key(|span| (span.began, span.ended));
        for Span { service, name, id, parent, began, ended, .. } in spans {
            writeln!(formatter, "{service:9} {name:40} {id} ← {parent:16} {:6} µs", (ended - began) / 1_000)?;
        }
        Ok(())
    }
}

async fn take(State(taken): State<Arc<Mutex<Taken>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let mut taken = taken.lock().unwrap();
    for of_service in request.resource_spans {
        let told = attributes(&of_service.resource.unwrap_or_default().attributes);
        assert_eq!(told["service.namespace"], "taxisvc");
        for span in of_service.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            taken.spans.push(Span {
                service: told["service.name"].clone(),
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
                began: span.start_time_unix_nano,
                ended: span.end_time_unix_nano,
                attributes: attributes(&span.attributes),
            });
        }
    }
    taken.headers.push(headers);
    StatusCode::OK
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
