//! What a process tells about itself on every port: whether it lives, whether it is ready, and its figures.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::sync::Arc;

use crate::asked::{Ids, refuse_method};

/// Who knows how the process is.
pub trait Health: Send + Sync + 'static {
    /// Whether requests can be served; else why not.
    fn ready(&self) -> Result<(), String>;

    /// The figures, in the text format of OpenMetrics, which Prometheus reads.
    fn metrics(&self) -> String;
}

#[derive(Serialize)]
struct State {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) const PATHS: [&str; 4] = ["/health/live", "/health/ready", "/actuator/health", "/metrics"];

/// `/health/live`, `/health/ready`, `/actuator/health` and `/metrics`. It has no fallback, to be merged with any router.
pub fn health_router(health: Arc<dyn Health>) -> Router {
    let (for_alias, for_metrics) = (health.clone(), health.clone());
    let ids = Arc::new(Ids::draw());
    let only = |methods: MethodRouter| {
        let ids = ids.clone();
        methods.fallback(async move |headers: HeaderMap| refuse_method(&headers, &ids))
    };
    let [live, ready, alias, figures] = PATHS;
    Router::new()
        .route(live, only(get(async || state(Ok(())))))
        .route(ready, only(get(async move || state(health.ready()))))
        .route(alias, only(get(async move || state(for_alias.ready()))))
        .route(figures, only(get(async move || metrics(for_metrics.metrics()))))
}

fn state(ready: Result<(), String>) -> Response {
    let (code, status) = match &ready {
        Ok(()) => (StatusCode::OK, "UP"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "DOWN"),
    };
    let state = State { status, reason: ready.err() };
    let body = serde_json::to_vec(&state).expect("texts always serialise");
    respond(code, "application/json", body.into())
}

fn metrics(text: String) -> Response {
    respond(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text.into())
}

fn respond(code: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
