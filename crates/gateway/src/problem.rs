//! The answers the gateway gives by itself, as RFC 9457 problem details.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// A kind a line: its type's URI relative to the origin, its status and its title.
macro_rules! kinds {
    ($($(#[$comment:meta])* $kind:ident = $uri:literal, $status:ident, $title:literal;)*) => {
        /// What a client can rely on: each kind has one type, one status and one title, for ever.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$comment])* $kind,)*
        }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// The type's URI, relative to the origin.
            #[must_use]
            pub fn uri(self) -> &'static str {
                match self {
                    $(Kind::$kind => $uri,)*
                }
            }

            /// The status it comes with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self {
                    $(Kind::$kind => StatusCode::$status,)*
                }
            }

            /// What it means, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Kind::$kind => $title,)*
                }
            }
        }
    };
}

kinds! {
    /// The request cannot be understood, or is framed so that two readers could understand it differently.
    Malformed = "/problems/malformed", BAD_REQUEST, "The request is malformed";
    /// No route takes this path.
    NotFound = "/problems/not-found", NOT_FOUND, "There is nothing here";
    /// The method is not for a gateway.
    MethodNotAllowed = "/problems/method-not-allowed", METHOD_NOT_ALLOWED, "This method is not allowed";
    /// The body is over the limit.
    PayloadTooLarge = "/problems/payload-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body did not come in time.
    RequestTimeout = "/problems/request-timeout", REQUEST_TIMEOUT, "The request did not arrive in time";
    /// The client asks more than its share.
    RateLimited = "/problems/rate-limited", TOO_MANY_REQUESTS, "Too many requests from this client";
    /// More requests than are worked on at once; nothing was done.
    TooBusy = "/problems/too-busy", SERVICE_UNAVAILABLE, "Too much at once; nothing was stored";
    /// No replica could be asked; nothing was done.
    UpstreamUnavailable = "/problems/upstream-unavailable", SERVICE_UNAVAILABLE, "The service cannot be reached";
    /// A replica broke off; nothing was to be done but read.
    UpstreamBroken = "/problems/upstream-broken", BAD_GATEWAY, "The service broke off its answer";
    /// The answer to a read did not come in time.
    UpstreamTimeout = "/problems/upstream-timeout", GATEWAY_TIMEOUT, "The service did not answer in time";
    /// A change was asked for, and whether it was made is not known.
    OutcomeUnknown = "/problems/outcome-unknown", GATEWAY_TIMEOUT, "Whether this was done is not known";
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
