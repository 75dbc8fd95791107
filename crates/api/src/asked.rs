//! A request on its way through a handler: who asks, from where, in which form, and how its answer is finished.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use engine::idempotency::Idempotency;
use engine::log::{Cause, Origin};
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, header};
use language::Language;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use taxi::actor::Actor;
use taxi::id::CallId;
use trace::TRACEPARENT;

use crate::detail::Detail;
use crate::hal::{Base, Form};
use crate::problem::{Kind, Problem};
use crate::query::QueryText;
use crate::{Api, body, idempotency, limits, observe};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");

const REQUEST_ID_LENGTH_MAX: usize = 128;

/// What a handler comes to.
pub(crate) type Answered = Result<Response, Problem>;

/// A request and what it is asked of.
pub(crate) struct Asked {
    pub(crate) api: Arc<Api>,
    pub(crate) head: Parts,
    request_id: HeaderValue,
}

impl Asked {
    pub(crate) fn query(&self) -> Result<QueryText<'_>, Problem> {
        QueryText::read(self.head.uri.query())
    }

    /// The form in which the client takes a resource.
    pub(crate) fn form(&self) -> Result<Form, Problem> {
        Form::wanted(&self.head.headers)
    }

    /// Where the client stands, for links.
    pub(crate) fn base(&self) -> Result<Base, Problem> {
        Base::of(&self.head, self.api.trusts(self.peer()))
    }

    /// The whole body, which must be JSON.
    pub(crate) async fn read(&self, body: Body) -> Result<Bytes, Problem> {
        body::read(&self.head.headers, body, &self.api.settings()).await
    }

    pub(crate) fn idempotency(
        &self,
        route: &'static str,
        body: &Bytes,
    ) -> Result<Option<Idempotency>, Problem> {
        idempotency::read(&self.head.headers, route, body)
    }

    pub(crate) fn origin(&self, actor: Actor) -> Origin {
        // What is there was read and written anew where the request came in.
        let trace = self.head.headers.get(TRACEPARENT);
        Origin {
            actor: Cow::Borrowed(actor.as_str()),
            cause: Cause::Request(self.request_id().to_owned()),
            trace: trace.and_then(|trace| trace.to_str().ok()).map(str::to_owned),
        }
    }

    pub(crate) fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// Has the log name the call that this is about.
    pub(crate) fn note_call(&self, call_id: CallId) {
        if let Some(call) = self.head.extensions.get::<observe::Call>() {
            call.note(call_id);
        }
    }

    /// Whether the client would rather not wait (RFC 7240).
    pub(crate) fn prefers_async(&self) -> bool {
        let given = self.head.headers.get_all(PREFER).iter();
        given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|preference| {
            let token = preference.split(';').next().unwrap_or_default().trim();
            token.eq_ignore_ascii_case("respond-async")
        })
    }
}

/// The methods of one path.
pub(crate) struct Methods {
    api: Arc<Api>,
    router: MethodRouter,
    names: Vec<&'static str>,
}

/// The paths of one router, and the list of them.
pub(crate) struct Routes {
    router: Router,
    list: Vec<(&'static str, &'static str)>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), list: Vec::new() }
    }

    pub(crate) fn route(mut self, path: &'static str, methods: Methods) -> Self {
        self.list.extend(methods.names.iter().map(|name| (*name, path)));
        Self { router: self.router.route(path, methods.router), ..self }
    }

    /// Methods and paths.
    pub(crate) fn list(self) -> Vec<(&'static str, &'static str)> {
        self.list
    }

    /// A router that tells in our words what it does not have.
    pub(crate) fn into_router(self, api: &Arc<Api>) -> Router {
        let nothing_here = api.clone();
        let router = self.router.fallback(async move |request: Request<Body>| {
            refuse(&nothing_here, request, Problem::new(Kind::NotFound, Detail::NoSuchPath))
        });
        observe::observed(router, api)
    }

    /// The same, and whatever begins with `prefix` is refused to whom `guard` does not let in, be it there or not.
    pub(crate) fn into_guarded_router(
        self,
        api: &Arc<Api>,
        prefix: &'static str,
        guard: fn(&Api, &HeaderMap) -> Result<(), Problem>,
    ) -> Router {
        let (nothing_here, guarded) = (api.clone(), api.clone());
        let nothing_here = any(async move |request: Request<Body>| {
            refuse(&nothing_here, request, Problem::new(Kind::NotFound, Detail::NoSuchPath))
        });
        let router = self.router.route(prefix, nothing_here.clone());
        let router = router.route(&format!("{prefix}/{{*rest}}"), nothing_here);
        let router = router.layer(from_fn(move |request: Request<Body>, next: Next| {
            let api = guarded.clone();
            async move {
                match guard(&api, request.headers()) {
                    Ok(()) => next.run(request).await,
                    Err(problem) => refuse(&api, request, problem),
                }
            }
        }));
        Self { router, ..self }.into_router(api)
    }
}

impl Methods {
    pub(crate) fn of(api: &Arc<Api>) -> Self {
        let refuse = api.clone();
        let router = MethodRouter::new().fallback(move |request: Request<Body>| {
            let (asked, _) = Asked::of(&refuse, request);
            async move { asked.finish(Err(Problem::new(Kind::MethodNotAllowed, Detail::MethodsInAllow))) }
        });
        Self { api: api.clone(), router, names: Vec::new() }
    }

    pub(crate) fn get<W, F>(mut self, work: W) -> Self
    where
        W: FnOnce(Asked) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answered> + Send + 'static,
    {
        let api = self.api.clone();
        self.names.push("GET");
        let router =
            self.router.get(move |request: Request<Body>| answer(api, request, |asked, _| work(asked)));
        Self { router, ..self }
    }

    pub(crate) fn put<W, F>(mut self, work: W) -> Self
    where
        W: FnOnce(Asked, Body) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answered> + Send + 'static,
    {
        let api = self.api.clone();
        self.names.push("PUT");
        let router = self.router.put(move |request: Request<Body>| answer(api, request, work));
        Self { router, ..self }
    }

    pub(crate) fn post<W, F>(mut self, work: W) -> Self
    where
        W: FnOnce(Asked, Body) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answered> + Send + 'static,
    {
        let api = self.api.clone();
        self.names.push("POST");
        let router = self.router.post(move |request: Request<Body>| answer(api, request, work));
        Self { router, ..self }
    }
}

/// Refuses a request that no handler takes.
pub(crate) fn refuse(api: &Arc<Api>, request: Request<Body>, problem: Problem) -> Response {
    let (asked, _) = Asked::of(api, request);
    asked.finish(Err(problem))
}

async fn answer<W, F>(api: Arc<Api>, request: Request<Body>, work: W) -> Response
where
    W: FnOnce(Asked, Body) -> F,
    F: Future<Output = Answered>,
{
    let (asked, body) = Asked::of(&api, request);
    let (request_id, language) = (asked.request_id.clone(), asked.language());
    let answered = work(asked, body).await;
    finish(answered, request_id, language)
}

impl Asked {
    fn of(api: &Arc<Api>, request: Request<Body>) -> (Self, Body) {
        let (head, body) = request.into_parts();
        let request_id = api.ids.keep_or_make(&head.headers);
        let asked = Self { api: api.clone(), head, request_id };
        (asked, body)
    }

    /// The language in which the client is told what people read.
    pub(crate) fn language(&self) -> Language {
        wanted(&self.head.headers)
    }

    /// The same, unless `?lang=` asks for one.
    pub(crate) fn language_or_asked(&self) -> Result<Language, Problem> {
        language_of(&self.head.headers, self.head.uri.query())
    }

    /// Whom this request is counted for.
    pub(crate) fn client(&self) -> IpAddr {
        let peer = self.peer();
        limits::client(peer, &self.head.headers, self.api.trusts(peer))
    }

    fn peer(&self) -> Option<IpAddr> {
        let peer = self.head.extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|ConnectInfo(address)| address.ip())
    }

    fn finish(self, answered: Answered) -> Response {
        let language = self.language();
        finish(answered, self.request_id, language)
    }
}

/// Refuses a method where no service stands behind the path.
pub(crate) fn refuse_method(headers: &HeaderMap, ids: &Ids) -> Response {
    let refused = Err(Problem::new(Kind::MethodNotAllowed, Detail::MethodsInAllow));
    finish(refused, ids.keep_or_make(headers), wanted(headers))
}

/// Refuses a path where no service stands behind it.
pub(crate) fn refuse_path(headers: &HeaderMap, ids: &Ids) -> Response {
    let refused = Err(Problem::new(Kind::NotFound, Detail::NoSuchDocument));
    conclude(refused, headers, ids)
}

/// Finishes an answer where no service stands behind the path.
pub(crate) fn conclude(answered: Answered, headers: &HeaderMap, ids: &Ids) -> Response {
    finish(answered, ids.keep_or_make(headers), wanted(headers))
}

fn finish(answered: Answered, request_id: HeaderValue, language: Language) -> Response {
    let mut response = answered.unwrap_or_else(|problem| problem.into_response(&request_id, language));
    response.headers_mut().insert(REQUEST_ID, request_id);
    response
}

/// The language that `?lang=` asks for, else the one that is liked best.
pub(crate) fn language_of(headers: &HeaderMap, query: Option<&str>) -> Result<Language, Problem> {
    const NAME: &str = "lang";
    match QueryText::read(query)?.get(NAME)? {
        None => Ok(wanted(headers)),
        Some(tag) => Language::tagged(tag).ok_or_else(|| {
            let known = Language::ALL.map(Language::tag).join(", ");
            Problem::malformed(Detail::NotOneOf(NAME, known)).of_field(NAME)
        }),
    }
}

fn wanted(headers: &HeaderMap) -> Language {
    let given = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    Language::wanted_of(given)
}

/// Makes ids of requests that do not repeat.
pub(crate) struct Ids {
    seed: u64,
    next: AtomicU64,
}

impl Ids {
    #[expect(clippy::disallowed_methods, reason = "the edge draws the ids of requests, and this is its seed")]
    pub(crate) fn draw() -> Self {
        Self { seed: rand::random(), next: AtomicU64::new(rand::random()) }
    }

    /// The id that the client or the gateway gave, if it is one, or a new one.
    fn keep_or_make(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get(REQUEST_ID).filter(|given| is_request_id(given.as_bytes()));
        given.cloned().unwrap_or_else(|| {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let text = format!("{:016x}{number:016x}", self.seed);
            HeaderValue::try_from(text).expect("hexadecimal digits are a header value")
        })
    }
}

fn is_request_id(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=REQUEST_ID_LENGTH_MAX).contains(&id.len()) && id.iter().all(allowed)
}

/// The last segment of the path, decoded.
pub(crate) fn last_segment(head: &Parts) -> Result<Cow<'_, str>, Problem> {
    let segment = head.uri.path().rsplit('/').next().unwrap_or_default();
    crate::query::decode(segment)
}

/// A header that comes once, as text.
pub(crate) fn one_header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Problem> {
    let mut given = headers.get_all(name).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(Problem::malformed(Detail::HeaderUnreadable).of_field(name)),
        },
        (Some(_), Some(_)) => Err(Problem::malformed(Detail::HeaderTwice).of_field(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
        let ids = Ids::draw();
        let kept = |given: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_static(given));
            ids.keep_or_make(&headers) == given
        };
        assert!(kept("a1-B2_c.3"));
        for wrong in ["", "two words", "<script>"] {
            assert!(!kept(wrong), "{wrong}");
        }
        let none = HeaderMap::new();
        assert_ne!(ids.keep_or_make(&none), ids.keep_or_make(&none));
    }
}
