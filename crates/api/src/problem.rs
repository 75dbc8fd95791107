//! What goes wrong, as RFC 9457 problem details, told in the language of whoever asked.

use axum::body::Body;
use axum::response::Response;
use engine::dead_letter::outline;
use http::{HeaderValue, StatusCode, header};
use language::Language;
use language::sentence::Gap;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::detail::Detail;
use crate::idempotency::REPLAYED;

pub(crate) use language::problem::Kind;

/// Every type of problem that is answered by anyone: the last segment of its URI, its status, its title.
pub fn problem_types() -> impl Iterator<Item = (&'static str, StatusCode, &'static str)> {
    Kind::ALL.iter().map(|kind| (kind.name(), status(*kind), kind.title().of(Language::English)))
}

fn status(kind: Kind) -> StatusCode {
    StatusCode::from_u16(kind.status()).expect("every kind has a status of HTTP")
}

/// One answer of that sort; boxed, since nearly every request has none.
#[derive(Debug)]
pub(crate) struct Problem(Box<Told>);

#[derive(Debug)]
struct Told {
    kind: Kind,
    detail: Detail,
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
    pub(crate) fn new(kind: Kind, detail: impl Into<Detail>) -> Self {
        Self(Box::new(Told {
            kind,
            detail: detail.into(),
            field: None,
            state: None,
            retry_after_s: None,
            is_replayed: false,
        }))
    }

    pub(crate) fn malformed(detail: impl Into<Detail>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    pub(crate) fn too_busy(detail: Detail) -> Self {
        Self::new(Kind::TooBusy, detail).retry_after()
    }

    /// The store does not take what it is given: nothing was stored.
    pub(crate) fn not_stored(detail: Detail) -> Self {
        Self::new(Kind::Unavailable, detail).retry_after()
    }

    pub(crate) fn outcome_unknown(detail: Detail) -> Self {
        Self::new(Kind::OutcomeUnknown, detail)
    }

    /// The store could not be asked; what exactly is wrong is the operator's, not the client's.
    pub(crate) fn unreadable(error: &engine::store::StoreError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::new(Kind::Unavailable, Detail::Unreadable).retry_after()
    }

    pub(crate) fn internal(what: &str) -> Self {
        tracing::error!(what = outline(what), "a request failed by a fault of ours");
        Self::new(Kind::Internal, Detail::Internal)
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

    pub(crate) fn into_response(self, request_id: &HeaderValue, language: Language) -> Response {
        let told = *self.0;
        let status = status(told.kind);
        let document = Document {
            r#type: told.kind.uri(),
            title: told.kind.title().of(language),
            status: status.as_u16(),
            detail: &told.detail.told(language),
            field: told.field.as_deref(),
            request_id: request_id.to_str().unwrap_or_default(),
            state: told.state.iter().map(|(field, state)| (*field, state)).collect(),
        };
        let body = serde_json::to_vec(&document).expect("texts and numbers always serialise");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        headers.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_LANGUAGE));
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
