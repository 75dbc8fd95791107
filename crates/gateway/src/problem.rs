//! The answers the gateway gives by itself, as RFC 9457 problem details.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// What a client can rely on: each kind has one type, one status and one title, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood, or is framed so that two readers could understand it differently.
    Malformed,
    /// No route takes this path.
    NotFound,
    /// The method is not for a gateway.
    MethodNotAllowed,
    /// The body is over the limit.
    PayloadTooLarge,
    /// The body did not come in time.
    RequestTimeout,
    /// The client asks more than its share.
    RateLimited,
    /// More requests than are worked on at once; nothing was done.
    TooBusy,
    /// No replica could be asked; nothing was done.
    UpstreamUnavailable,
    /// A replica broke off; nothing was to be done but read.
    UpstreamBroken,
    /// The answer to a read did not come in time.
    UpstreamTimeout,
    /// A change was asked for, and whether it was made is not known.
    OutcomeUnknown,
}

impl Kind {
    /// The type's URI, relative to the origin.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Kind::Malformed => "/problems/malformed",
            Kind::NotFound => "/problems/not-found",
            Kind::MethodNotAllowed => "/problems/method-not-allowed",
            Kind::PayloadTooLarge => "/problems/payload-too-large",
            Kind::RequestTimeout => "/problems/request-timeout",
            Kind::RateLimited => "/problems/rate-limited",
            Kind::TooBusy => "/problems/too-busy",
            Kind::UpstreamUnavailable => "/problems/upstream-unavailable",
            Kind::UpstreamBroken => "/problems/upstream-broken",
            Kind::UpstreamTimeout => "/problems/upstream-timeout",
            Kind::OutcomeUnknown => "/problems/outcome-unknown",
        }
    }

    /// The status it comes with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Kind::Malformed => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Kind::TooBusy | Kind::UpstreamUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::UpstreamBroken => StatusCode::BAD_GATEWAY,
            Kind::UpstreamTimeout | Kind::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Malformed => "The request is malformed",
            Kind::NotFound => "There is nothing here",
            Kind::MethodNotAllowed => "This method is not allowed",
            Kind::PayloadTooLarge => "The body is too large",
            Kind::RequestTimeout => "The request did not arrive in time",
            Kind::RateLimited => "Too many requests from this client",
            Kind::TooBusy => "Too many requests at once",
            Kind::UpstreamUnavailable => "The service cannot be reached",
            Kind::UpstreamBroken => "The service broke off its answer",
            Kind::UpstreamTimeout => "The service did not answer in time",
            Kind::OutcomeUnknown => "Whether this was done is not known",
        }
    }
}

/// One such answer.
#[derive(Debug)]
pub struct Problem {
    /// What went wrong, as a program reads it.
    pub kind: Kind,
    /// What went wrong, as a person reads it.
    pub detail: String,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// Whether the connection is of no use any more.
    pub closes_connection: bool,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), retry_after: None, closes_connection: false }
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    pub(crate) fn closing(mut self) -> Problem {
        self.closes_connection = true;
        self
    }

    pub(crate) fn into_response(self, request_id: Option<&HeaderValue>) -> Response {
        let status = self.kind.status();
        let mut body = serde_json::json!({
            "type": self.kind.uri(),
            "title": self.kind.title(),
            "status": status.as_u16(),
            "detail": self.detail,
        });
        if let Some(id) = request_id.and_then(|id| id.to_str().ok()) {
            body["requestId"] = id.into();
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
        }
        if self.kind == Kind::MethodNotAllowed {
            headers.insert(
                header::ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
        }
        if self.closes_connection {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whole seconds, at least one: a client told to wait zero seconds would be back at once.
fn seconds_up(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}
