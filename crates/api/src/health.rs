//! What a process tells about itself on every port: whether it lives, whether it is ready, and its figures.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use engine::log::LogId;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::sync::Arc;

use crate::asked::{Ids, refuse_method};

/// Who knows how the process is.
pub trait Health: Send + Sync + 'static {
    /// Whether requests can be served; else why not.
    fn ready(&self) -> Result<(), String>;

    /// What somebody should see to, though requests can be served.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Which data the process serves, as positions name it; nothing where it has none.
    fn log(&self) -> Option<LogId> {
        None
    }

    /// The figures. It may take as long as a read of the store, and is asked on a thread that may block.
    fn metrics(&self, exposition: Exposition) -> String;
}

/// In which words the figures are told; Prometheus reads both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    OpenMetrics,
    /// The older one, for whoever does not ask for OpenMetrics.
    Text,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Exposition {
    fn wanted(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        if accepted.any(|value| value.contains(OPEN_METRICS)) { Self::OpenMetrics } else { Self::Text }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

const UP: &str = "UP";
const DOWN: &str = "DOWN";

#[derive(Serialize)]
struct State {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogId>,
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
        .route(live, only(get(async || alive())))
        .route(ready, only(get(async move || readiness(&*health))))
        .route(alias, only(get(async move || readiness(&*for_alias))))
        .route(figures, only(get(async move |headers: HeaderMap| metrics(for_metrics, &headers).await)))
}

fn alive() -> Response {
    state(&State { status: UP, reason: None, warnings: Vec::new(), log: None })
}

fn readiness(health: &dyn Health) -> Response {
    let reason = health.ready().err();
    let status = if reason.is_none() { UP } else { DOWN };
    state(&State { status, reason, warnings: health.warnings(), log: health.log() })
}

fn state(state: &State) -> Response {
    let code = if state.reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_vec(state).expect("texts always serialise");
    respond(code, "application/json", body.into())
}

async fn metrics(health: Arc<dyn Health>, headers: &HeaderMap) -> Response {
    let exposition = Exposition::wanted(headers);
    let told = tokio::task::spawn_blocking(move || health.metrics(exposition)).await;
    match told {
        Ok(text) => respond(StatusCode::OK, exposition.media_type(), text.into()),
        Err(error) => {
            tracing::error!(%error, "the figures broke off");
            respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Body::empty())
        }
    }
}

fn respond(code: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
