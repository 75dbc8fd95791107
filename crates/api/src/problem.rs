//! What goes wrong, as RFC 9457 problem details: each kind has one type, one status and one title, for ever.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::idempotency::REPLAYED;

/// A kind a line: the last segment of its type's URI, its status and its title.
macro_rules! kinds {
    ($($(#[$comment:meta])* $kind:ident = $name:literal, $status:ident, $title:literal;)*) => {
        /// What a program can rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[$comment])* $kind,)*
        }

        impl Kind {
            const ALL: &[Self] = &[$(Self::$kind),*];

            fn facts(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Self::$kind => ($name, StatusCode::$status, $title),)*
                }
            }
        }
    };
}

kinds! {
    Malformed = "malformed", BAD_REQUEST, "The request is malformed";
    /// Who asks has not shown that they may.
    Unauthorized = "unauthorized", UNAUTHORIZED, "This is for operators";
    NotFound = "not-found", NOT_FOUND, "There is nothing here";
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "This method is not allowed";
    NotAcceptable = "not-acceptable", NOT_ACCEPTABLE, "No such form of it can be given";
    RequestTimeout = "request-timeout", REQUEST_TIMEOUT, "The request did not arrive in time";
    PayloadTooLarge = "payload-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body is not JSON";
    /// Well-formed, but nothing that could be done.
    Impossible = "impossible", UNPROCESSABLE_ENTITY, "This cannot be done";
    KeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key came with another body before";
    /// Not in the state that it is in.
    NotAllowedNow = "not-allowed-now", CONFLICT, "This is not allowed in this state";
    OtherFare = "other-fare", CONFLICT, "The fare is another";
    OtherLog = "another-log", CONFLICT, "The position is one of another log";
    PaymentRefused = "payment-refused", PAYMENT_REQUIRED, "The payment is refused";
    PaymentGivenUp = "payment-given-up", GATEWAY_TIMEOUT, "The payment is given up for good";
    TooBusy = "too-busy", SERVICE_UNAVAILABLE, "Too much at once; nothing was stored";
    StorageFull = "storage-full", SERVICE_UNAVAILABLE, "There is no room for anything new; nothing was stored";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The store cannot be read just now";
    NotReadYet = "not-read-yet", SERVICE_UNAVAILABLE, "What was asked for is not read yet";
    OutcomeUnknown = "outcome-unknown", GATEWAY_TIMEOUT, "Whether this was done is not known";
    Internal = "internal", INTERNAL_SERVER_ERROR, "The fault is ours";
}

/// Every type of problem that is answered here: the last segment of its URI, its status, its title.
pub fn problem_types() -> impl Iterator<Item = (&'static str, StatusCode, &'static str)> {
    Kind::ALL.iter().map(|kind| kind.facts())
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

    pub(crate) fn retry_after(self) -> Self {
        self.retry_after_s(1)
    }

    pub(crate) fn retry_after_s(mut self, seconds: u16) -> Self {
        self.0.retry_after_s = Some(seconds);
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
        if told.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = told.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if told.is_replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
