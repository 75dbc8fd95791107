//! What pages of other origins are told: whether they may read the answer, and what they may send.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::settings::Cors;
use axum::body::Body;
use axum::response::Response;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
/// With credentials `*` would be the name of a header, so that these are named.
const EXPOSED_WITH_CREDENTIALS: HeaderValue = HeaderValue::from_static(
    "Location, Link, ETag, Allow, Retry-After, X-Request-Id, Taxisvc-Position, Idempotent-Replayed, Preference-Applied",
);
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");
const ANY: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const VARY_ON_ORIGIN: HeaderValue = HeaderValue::from_static("origin");
const VARY_ON_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// Whether a request is a browser asking what it may ask.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors {
    /// The answer to a preflight; `None` leaves it to the service.
    pub(crate) fn preflight(&self, asked: &HeaderMap) -> Option<Response> {
        if matches!(self, Cors::Off) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::VARY, VARY_ON_PREFLIGHT);
        if !self.allows(asked.get(header::ORIGIN)) {
            return Some(response);
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        Some(response)
    }

    /// Says on an answer who may read it. What the service said about that does not count.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if matches!(self, Cors::Off) {
            return;
        }
        for name in SET_BY_US {
            headers.remove(name);
        }
        match self {
            Cors::Off => {}
            Cors::AnyOrigin => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
            }
            Cors::Origins { credentials, .. } => {
                headers.append(header::VARY, VARY_ON_ORIGIN);
                let Some(origin) = origin.filter(|origin| self.allows(Some(origin))) else {
                    return;
                };
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                let exposed = if *credentials { EXPOSED_WITH_CREDENTIALS } else { ANY };
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
                if *credentials {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
                }
            }
        }
    }

    fn allows(&self, origin: Option<&HeaderValue>) -> bool {
        match self {
            Cors::Off => false,
            Cors::AnyOrigin => origin.is_some(),
            Cors::Origins { allowed, .. } => {
                origin.is_some_and(|origin| allowed.iter().any(|known| known.as_bytes() == origin.as_bytes()))
            }
        }
    }
}

const SET_BY_US: [HeaderName; 3] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];
