//! What is counted and logged of every request: route, method, status and time, and nothing about who asked.

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use engine::clock::Stopwatch;
use http::{HeaderValue, Request, StatusCode, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use taxi::id::CallId;
use trace::{Answering, TRACEPARENT, Value, method_name};
use wiring::{call, drive, payment, view};

use crate::Api;
use crate::asked::REQUEST_ID;

/// From what is read from memory to the longest wait for a store, in seconds.
const DURATIONS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The route of a path that no service has.
const NO_ROUTE: &str = "none";
/// The class of an answer that nobody waited for.
const GONE: &str = "gone";
const ID_AT_THE_END: &str = "/{id}";

/// Requests by route, and those under way.
pub struct Requests {
    answers: Family<AnswerLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    streams_open: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabels {
    route: String,
    method: &'static str,
    class: &'static str,
}

impl Default for Requests {
    fn default() -> Self {
        let seconds = Family::new_with_constructor((|| Histogram::new(DURATIONS)) as fn() -> Histogram);
        Self {
            answers: Family::default(),
            seconds,
            in_flight: Gauge::default(),
            streams_open: Gauge::default(),
        }
    }
}

impl Requests {
    /// Counts an answer that took so long.
    pub fn count(&self, (route, method): (&str, &'static str), class: &'static str, took: Duration) {
        let labels = RouteLabels { route: route.to_owned(), method };
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
        let labels = AnswerLabels { route: labels.route, method, class };
        self.answers.get_or_create(&labels).inc();
    }

    /// Has the counts shown.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Answers of the services, by route, method and class of status";
        registry.register("http_requests", help, self.answers.clone());
        let help = "Time until an answer began, by route and method";
        let seconds = self.seconds.clone();
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, seconds);
        let help = "Requests that wait for the beginning of their answer";
        registry.register("http_requests_in_flight", help, self.in_flight.clone());
        registry.register("event_streams_open", "Event streams that are open", self.streams_open.clone());
    }
}

/// Counts an event stream for as long as it is kept.
pub(crate) struct OpenStream(Gauge);

impl OpenStream {
    pub(crate) fn of(requests: &Requests) -> Self {
        requests.streams_open.inc();
        Self(requests.streams_open.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Has all that the router answers counted and logged.
pub(crate) fn observed(router: Router, api: &Arc<Api>) -> Router {
    let api = api.clone();
    router.layer(from_fn(move |request: Request<Body>, next: Next| {
        let api = api.clone();
        async move { watch(&api, request, next).await }
    }))
}

async fn watch(api: &Api, mut request: Request<Body>, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let call = Call(Arc::new(AtomicU64::new(id_in(&route, request.uri().path()))));
    request.extensions_mut().insert(call.clone());
    let mut answering = Answering::begin(api.bus.tracing(), service_of(&route), request.headers_mut());
    let headers = request.headers();
    let (trace, agent) = (headers.get(TRACEPARENT).cloned(), headers.get(header::USER_AGENT).cloned());
    let method = request.method().clone();
    if let Some(answering) = &mut answering {
        answering.asks(&method, &route);
    }
    let mut under_way = UnderWay::new(&api.requests, route, method_name(&method));
    let response = next.run(request).await;
    let status = response.status();
    under_way.class = class_of(status);
    if let Some(answering) = answering {
        answering.end(status, more_of(&response, &call));
    }
    Line {
        method: under_way.method,
        route: &under_way.route,
        status,
        duration_ms: under_way.since.elapsed().as_micros() as f64 / 1e3,
        request_id: response.headers().get(&REQUEST_ID),
        trace,
        call,
        agent,
    }
    .log(method.is_safe());
    response
}

/// Whose route it is, for whoever tells services apart.
fn service_of(route: &str) -> &'static str {
    match route.split('/').nth(1).unwrap_or_default() {
        "calls" => call::NAME,
        "payments" | "fares" | "callpay" => payment::NAME,
        "drives" => drive::NAME,
        "callViews" => view::NAME,
        "operator" => "operator",
        _ => "web",
    }
}

/// By what a request is found in the log, and the call that it is about.
fn more_of(response: &Response, call: &Call) -> Vec<(&'static str, Value)> {
    let request_id = response.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let request_id = request_id.map(|id| ("taxisvc.request_id", id.into()));
    let call_id = call.id().map(|id| ("taxisvc.call_id", id.to_string().into()));
    request_id.into_iter().chain(call_id).collect()
}

/// A request until it is answered, or until nobody waits for that any more.
struct UnderWay<'a> {
    requests: &'a Requests,
    route: String,
    method: &'static str,
    class: &'static str,
    since: Stopwatch,
}

impl<'a> UnderWay<'a> {
    fn new(requests: &'a Requests, route: String, method: &'static str) -> Self {
        requests.in_flight.inc();
        Self { requests, route, method, class: GONE, since: Stopwatch::start() }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.requests.in_flight.dec();
        self.requests.count((&self.route, self.method), self.class, self.since.elapsed());
    }
}

/// The call that a request is about, told by its path or by whoever reads its body; 0 for none.
#[derive(Clone)]
pub(crate) struct Call(Arc<AtomicU64>);

impl Call {
    pub(crate) fn note(&self, call_id: CallId) {
        self.0.store(call_id.get(), Ordering::Relaxed);
    }

    fn id(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|id| *id > 0)
    }
}

/// What the log says of a request.
struct Line<'a> {
    method: &'static str,
    route: &'a str,
    status: StatusCode,
    duration_ms: f64,
    request_id: Option<&'a HeaderValue>,
    trace: Option<HeaderValue>,
    call: Call,
    agent: Option<HeaderValue>,
}

macro_rules! log_at {
    ($level:ident, $line:expr) => {
        tracing::$level!(
            target: "request",
            method = $line.method,
            route = $line.route,
            status = $line.status.as_u16(),
            duration_ms = $line.duration_ms,
            request_id = $line.request_id.and_then(|id| id.to_str().ok()),
            trace_id = $line.trace_id(),
            call_id = $line.call.id(),
            client = client_of($line.agent.as_ref()),
            "answered"
        )
    };
}

impl Line<'_> {
    /// Each accepted call once by default; what is only looked at when it is asked for.
    fn log(&self, is_read: bool) {
        if self.status.is_server_error() {
            log_at!(warn, self);
        } else if is_read && self.status != StatusCode::UNAUTHORIZED {
            log_at!(debug, self);
        } else {
            log_at!(info, self);
        }
    }

    fn trace_id(&self) -> Option<&str> {
        self.trace.as_ref()?.to_str().ok()?.split('-').nth(1)
    }
}

/// What sort of program asks; more of it could tell one person from another.
fn client_of(agent: Option<&HeaderValue>) -> &'static str {
    let Some(agent) = agent.and_then(|agent| agent.to_str().ok()) else { return "unknown" };
    let is = |names: &[&str]| names.iter().any(|name| agent.starts_with(name));
    if is(&["Mozilla/"]) {
        "browser"
    } else if is(&["curl/", "HTTPie/", "Wget/"]) {
        "command-line"
    } else {
        "program"
    }
}

fn id_in(route: &str, path: &str) -> u64 {
    let segment = if route.ends_with(ID_AT_THE_END) { path.rsplit('/').next() } else { None };
    segment.and_then(|segment| segment.parse().ok()).unwrap_or(0)
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
