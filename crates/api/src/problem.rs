//! What goes wrong, as RFC 9457 problem details: each kind has one type, one status and one title, for ever.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::idempotency::REPLAYED;

/// What a program can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    PayloadTooLarge,
    UnsupportedMediaType,
    /// Well-formed, but nothing that could be done.
    Impossible,
    KeyReused,
    /// Not in the state that it is in.
    NotAllowedNow,
    OtherFare,
    OtherLog,
    PaymentRefused,
    PaymentGivenUp,
    /// Too much at once; nothing was stored.
    TooBusy,
    /// The store cannot be read just now.
    Unavailable,
    NotReadYet,
    OutcomeUnknown,
    Internal,
}

impl Kind {
    /// The last segment of the type's URI, the status, and the title.
    fn facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Malformed => ("malformed", StatusCode::BAD_REQUEST, "The request is malformed"),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is nothing here"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed")
            }
            Self::NotAcceptable => {
                ("not-acceptable", StatusCode::NOT_ACCEPTABLE, "No such form of it can be given")
            }
            Self::RequestTimeout => {
                ("request-timeout", StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time")
            }
            Self::PayloadTooLarge => {
                ("payload-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
            }
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON")
            }
            Self::Impossible => ("impossible", StatusCode::UNPROCESSABLE_ENTITY, "This cannot be done"),
            Self::KeyReused => (
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The idempotency key came with another body before",
            ),
            Self::NotAllowedNow => {
                ("not-allowed-now", StatusCode::CONFLICT, "This is not allowed in this state")
            }
            Self::OtherFare => ("other-fare", StatusCode::CONFLICT, "The fare is another"),
            Self::OtherLog => ("another-log", StatusCode::CONFLICT, "The position is one of another log"),
            Self::PaymentRefused => {
                ("payment-refused", StatusCode::PAYMENT_REQUIRED, "The payment is refused")
            }
            Self::PaymentGivenUp => {
                ("payment-given-up", StatusCode::GATEWAY_TIMEOUT, "The payment is given up for good")
            }
            Self::TooBusy => {
                ("too-busy", StatusCode::SERVICE_UNAVAILABLE, "Too much at once; nothing was stored")
            }
            Self::Unavailable => {
                ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "The store cannot be read just now")
            }
            Self::NotReadYet => {
                ("not-read-yet", StatusCode::SERVICE_UNAVAILABLE, "What was asked for is not read yet")
            }
            Self::OutcomeUnknown => {
                ("outcome-unknown", StatusCode::GATEWAY_TIMEOUT, "Whether this was done is not known")
            }
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "The fault is ours"),
        }
    }
}

/// One answer of that sort; boxed, since nearly every request has none.
#[derive(Debug)]
pub(crate) struct Problem(Box<Told>);

#[derive(Debug)]
struct Told {
    kind: Kind,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    /// The state that stands in the way: its field and its word.
    state: Option<(&'static str, Value)>,
    retry_after_s: Option<u16>,
    is_replayed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    request_id: &'a str,
    #[serde(flatten)]
    state: BTreeMap<&'static str, &'a Value>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Told {
            kind,
            detail: detail.into(),
            field: None,
            state: None,
            retry_after_s: None,
            is_replayed: false,
        }))
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    pub(crate) fn too_busy(detail: &'static str) -> Self {
        Self::new(Kind::TooBusy, detail).retry_after()
    }

    pub(crate) fn outcome_unknown(why: &'static str) -> Self {
        Self::new(Kind::OutcomeUnknown, format!("{why}; ask again with the same Idempotency-Key"))
    }

    /// The store could not be asked; what exactly is wrong is the operator's, not the client's.
    pub(crate) fn unreadable(error: &engine::store::StoreError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::new(Kind::Unavailable, "the store cannot be read; try again").retry_after()
    }

    pub(crate) fn internal(what: &str) -> Self {
        tracing::error!(what, "a request failed by a fault of ours");
        Self::new(Kind::Internal, "nothing of this request was stored; the fault is logged")
    }

    pub(crate) fn of_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    pub(crate) fn in_state(mut self, field: &'static str, state: impl Into<Value>) -> Self {
        self.0.state = Some((field, state.into()));
        self
    }

    pub(crate) fn retry_after(mut self) -> Self {
        self.0.retry_after_s = Some(1);
        self
    }

    pub(crate) fn replayed(mut self, is_replayed: bool) -> Self {
        self.0.is_replayed = is_replayed;
        self
    }

    pub(crate) fn into_response(self, request_id: &HeaderValue) -> Response {
        let told = *self.0;
        let (name, status, title) = told.kind.facts();
        let document = Document {
            r#type: format!("/problems/{name}"),
            title,
            status: status.as_u16(),
            detail: &told.detail,
            field: told.field.as_deref(),
            request_id: request_id.to_str().unwrap_or_default(),
            state: told.state.iter().map(|(field, state)| (*field, state)).collect(),
        };
        let body = serde_json::to_vec(&document).expect("texts and numbers always serialise");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = told.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if told.is_replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
