//! What builds on the API reads: the documents for programs, and the pages for people. Nothing of them comes from outside.

mod problems;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa_swagger_ui::Config;

use crate::asked::{Ids, conclude, refuse_method, refuse_path};
use crate::hal::Base;

/// The API, as OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("documents/openapi.json");
/// The events, as AsyncAPI 3.0.
pub const ASYNCAPI: &str = include_str!("documents/asyncapi.json");
/// The page for who builds on it; what stands in `<pre class="run">` is run by a test.
const GUIDE: &str = include_str!("documents/guide.html");

const REFERENCE: &str = include_str!("documents/reference.html");
const REFERENCE_SCRIPT: &str = include_str!("documents/reference.js");
const STYLE: &str = include_str!("documents/documents.css");

/// Where the examples of pages ask, as they are written.
const USUAL_ADDRESS: &str = "localhost:8088";

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// Nothing runs, nothing is loaded but our own style.
const GUIDE_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Swagger UI is our own script, asks our own origin, and draws its signs from data within its style.
const REFERENCE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) const PATHS: [&str; 8] = {
    let [all, all_in_folder, one] = problems::PATHS;
    ["/docs", "/docs/reference", "/docs/{file}", "/openapi.json", "/asyncapi.json", all, all_in_folder, one]
};

/// `/docs/**`, `/openapi.json`, `/asyncapi.json` and `/problems/**`: the same whatever runs behind.
pub fn documents_router() -> Router {
    let ids = Arc::new(Ids::draw());
    let only = only(&ids);
    let (for_files, for_others) = (ids.clone(), ids);
    let [guide, reference, files, openapi, asyncapi, ..] = PATHS;
    Router::new()
        .route(guide, only(get(async |head: Parts| page(for_reader(GUIDE, &head), GUIDE_POLICY))))
        .route(reference, only(get(async || page(Body::from(REFERENCE), REFERENCE_POLICY))))
        .route(
            files,
            only(get(async move |Path(name): Path<String>, headers: HeaderMap| {
                file(&name).unwrap_or_else(|| refuse_path(&headers, &for_files))
            })),
        )
        .route(openapi, only(get(async || respond(JSON, Body::from(OPENAPI)))))
        .route(asyncapi, only(get(async || respond(JSON, Body::from(ASYNCAPI)))))
        .merge(problems_router())
        .fallback(async move |headers: HeaderMap| refuse_path(&headers, &for_others))
}

/// `/problems/**`, where `type` leads. It has no fallback, to be merged with any router.
pub fn problems_router() -> Router {
    let ids = Arc::new(Ids::draw());
    let only = only(&ids);
    let (for_all, for_folder, for_one) = (ids.clone(), ids.clone(), ids);
    let [all, all_in_folder, one] = problems::PATHS;
    Router::new()
        .route(
            all,
            only(get(async move |head: Parts| conclude(problems::all(&head), &head.headers, &for_all))),
        )
        .route(
            all_in_folder,
            only(get(async move |head: Parts| conclude(problems::all(&head), &head.headers, &for_folder))),
        )
        .route(
            one,
            only(get(async move |Path(name): Path<String>, head: Parts| {
                conclude(problems::one(&head, &name), &head.headers, &for_one)
            })),
        )
}

/// Other methods are refused in our words.
fn only(ids: &Arc<Ids>) -> impl Fn(MethodRouter) -> MethodRouter + use<> {
    let ids = ids.clone();
    move |methods| {
        let ids = ids.clone();
        methods.fallback(async move |headers: HeaderMap| refuse_method(&headers, &ids))
    }
}

/// The examples ask whoever served the page. What stands in front of us is believed: a reader who lies about it reads it.
fn for_reader(text: &'static str, head: &Parts) -> Body {
    match Base::of(head, true) {
        Ok(base) => Body::from(base.in_place_of(USUAL_ADDRESS, text)),
        Err(_) => Body::from(text),
    }
}

fn page(text: Body, policy: &'static str) -> Response {
    let mut response = respond(HTML, text);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// What the pages are made of.
fn file(name: &str) -> Option<Response> {
    let (media_type, body) = match name {
        "documents.css" => (CSS, Body::from(STYLE)),
        "reference.js" => (SCRIPT, Body::from(REFERENCE_SCRIPT)),
        "swagger-ui.css" => (CSS, swagger_ui(name)?),
        "swagger-ui-bundle.js" => (SCRIPT, swagger_ui(name)?),
        _ => return None,
    };
    Some(respond(media_type, body))
}

/// A file of Swagger UI, which the crate carries within it.
fn swagger_ui(name: &str) -> Option<Body> {
    let found = utoipa_swagger_ui::serve(name, Arc::new(Config::from("/openapi.json"))).ok()??;
    Some(match found.bytes {
        Cow::Borrowed(bytes) => Body::from(Bytes::copy_from_slice(bytes)),
        Cow::Owned(bytes) => Body::from(bytes),
    })
}

fn respond(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] as [(HeaderName, &'static str); 4]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
