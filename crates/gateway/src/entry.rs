//! The entry: what happens to each request before and after an upstream answers it.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, header};
use tokio::time::Instant;
use tower::Service;
use trace::{Answering, Tracer};

use crate::body::{Unread, discard, read_whole};
use crate::cors::is_preflight;
use crate::forward::{Outgoing, to_local, to_replicas};
use crate::headers::{Standing, clean_request};
use crate::problem::{Detail, Kind, Problem, language_of};
use crate::rate::ClientRates;
use crate::replica_set::ReplicaSet;
use crate::request_id::{Ids, X_REQUEST_ID};
use crate::route::{Route, Table, Upstream};
use crate::server::Shutdown;
use crate::settings::Settings;
use crate::stats::Stats;

/// The one entry; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    manners: RwLock<Arc<Manners>>,
    table: Table,
    targets: Vec<(&'static str, Target)>,
    ids: Ids,
    stats: Arc<Stats>,
    tracer: OnceLock<Arc<dyn Tracer>>,
}

/// How requests are treated that come now; others may take their place while it runs.
struct Manners {
    settings: Settings,
    rates: Option<Arc<ClientRates>>,
}

enum Target {
    Local(Router),
    Http(Box<ReplicaSet>),
}

/// Whether every route can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The routes of which no replica is well.
    pub unanswered: Vec<&'static str>,
}

impl Readiness {
    /// Whether there is none such.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.unanswered.is_empty()
    }
}

impl Gateway {
    /// A gateway over these routes.
    #[must_use]
    pub fn new(settings: Settings, routes: Vec<Route>) -> Gateway {
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge draws the ids of requests, and this is its seed"
        )]
        let seed = rand::random();
        let stats = Arc::new(Stats::new(routes.iter().map(|route| route.name)));
        let table = Table::new(&routes);
        let target = |upstream| match upstream {
            Upstream::Local(service) => Target::Local(service),
            Upstream::Http(authorities) => {
                Target::Http(Box::new(ReplicaSet::new(authorities, &settings, &stats)))
            }
        };
        let targets = routes.into_iter().map(|route| (route.name, target(route.upstream))).collect();
        let rates = settings.rate_limit.as_ref().map(ClientRates::new).map(Arc::new);
        let manners = RwLock::new(Arc::new(Manners { settings, rates }));
        let (ids, tracer) = (Ids::new(seed), OnceLock::new());
        Gateway { inner: Arc::new(Inner { manners, table, targets, ids, stats, tracer }) }
    }

    /// Has what comes in told to a tracer; only the first one given counts.
    pub fn trace_with(&self, tracer: Arc<dyn Tracer>) {
        let is_first = self.inner.tracer.set(tracer).is_ok();
        debug_assert!(is_first, "a gateway has one tracer");
    }

    /// Requests that come from now on are treated so. How replicas are asked how they are, left out and connected to
    /// stays as it was at the start.
    pub fn set_settings(&self, settings: Settings) {
        let mut manners = self.inner.manners.write().unwrap_or_else(PoisonError::into_inner);
        // Who has used up a share has used it up, as long as the share is the same.
        let is_same = manners.settings.rate_limit == settings.rate_limit;
        let anew = || settings.rate_limit.as_ref().map(ClientRates::new).map(Arc::new);
        let rates = if is_same { manners.rates.clone() } else { anew() };
        *manners = Arc::new(Manners { settings, rates });
    }

    /// The requests of this route go to these replicas from now on; those under way stay where they are. Whether there is
    /// such a route, and it has replicas.
    pub fn set_upstreams(&self, route: &str, authorities: Vec<Authority>) -> bool {
        let target = self.inner.targets.iter().find(|(name, _)| *name == route);
        match target {
            Some((_, Target::Http(replicas))) => replicas.name(authorities),
            Some((_, Target::Local(_))) | None => return false,
        }
        true
    }

    /// The gateway as a router, to be merged with routes that are the process's own and given to a server.
    ///
    /// The server tells the peer as the extension `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.clone())
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// Whether every route can be answered, as far as is known.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let cannot = |target: &Target| match target {
            Target::Local(_) => false,
            Target::Http(set) => !set.replicas().has_good_one(),
        };
        let unanswered = self.inner.targets.iter().filter(|(_, target)| cannot(target));
        Readiness { unanswered: unanswered.map(|(name, _)| *name).collect() }
    }

    /// Asks every replica once how it is; to be awaited before the first readiness is told.
    pub async fn check_health(&self) {
        let manners = self.inner.manners();
        let Some(checks) = &manners.settings.health else {
            return;
        };
        let asking = self.inner.targets.iter().filter_map(|(_, target)| match target {
            Target::Local(_) => None,
            Target::Http(replicas) => Some(replicas.check_health(checks)),
        });
        futures_util::future::join_all(asking).await;
    }

    /// Keeps asking until the shutdown begins; to be spawned.
    pub async fn keep_checking_health(self, shutdown: Shutdown) {
        let asking = async {
            loop {
                self.check_health().await;
                let manners = self.inner.manners();
                let Some(checks) = &manners.settings.health else {
                    return;
                };
                tokio::time::sleep(checks.interval).await;
            }
        };
        tokio::select! {
            () = asking => {}
            () = shutdown.begun() => {}
        }
    }
}

impl Service<Request<Body>> for Gateway {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}

impl Inner {
    fn manners(&self) -> Arc<Manners> {
        Arc::clone(&self.manners.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let since = Instant::now();
        let (mut head, body) = request.into_parts();
        let mut answering = Answering::begin(self.tracer.get().cloned(), "gateway", &mut head.headers);
        let request_id = self.ids.keep_or_make(head.headers.get(X_REQUEST_ID));
        let origin = head.headers.get(header::ORIGIN).cloned();
        let language = language_of(&head.headers);
        let manners = self.manners();
        let route = self.table.find(head.uri.path());
        let method = head.method.clone();
        if let Some(answering) = &mut answering {
            answering.asks(&method, route.map_or("none", |route| self.targets[route].0));
        }
        let mut response = match self.forward(&manners, route, (head, body), &request_id).await {
            Ok(response) => response,
            Err(problem) => {
                log(&problem, &method, &request_id);
                problem.into_response(Some(&request_id), language)
            }
        };
        manners.settings.cors.mark(origin.as_ref(), response.headers_mut());
        response.headers_mut().insert(X_REQUEST_ID, request_id);
        self.stats.count_answer(route, response.status(), since.elapsed());
        if let Some(answering) = answering {
            let request_id = response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
            answering.end(response.status(), request_id.map(|id| ("taxisvc.request_id", id.into())));
        }
        response
    }

    async fn forward(
        &self,
        manners: &Manners,
        route: Option<usize>,
        (mut head, body): (Parts, Body),
        request_id: &HeaderValue,
    ) -> Result<Response, Problem> {
        let settings = &manners.settings;
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            return Err(Problem::new(Kind::MethodNotAllowed, Detail::NotAProxy).closing());
        }
        let asker = (&head.uri, head.version, &head.headers);
        let standing = Standing::of(peer_of(&head), asker, &settings.trusted_proxies)?;
        self.admit(manners, standing.client)?;
        let Some(_in_flight) = self.stats.enter(settings.requests_in_flight_max) else {
            return Err(
                Problem::new(Kind::TooBusy, Detail::TooManyRequests).retry_after(settings.retry_after)
            );
        };
        if is_preflight(&head.method, &head.headers)
            && let Some(response) = settings.cors.preflight(&head.headers)
        {
            return Ok(response);
        }
        let Some(route) = route else {
            return Err(Problem::new(Kind::NotFound, Detail::NoRoute));
        };
        let waits_for_leave = head.headers.contains_key(header::EXPECT);
        let body = read(body, waits_for_leave, settings).await?;
        clean_request(&mut head.headers, settings);
        standing.write(&mut head.headers);
        head.headers.insert(X_REQUEST_ID, request_id.clone());
        match &self.targets[route].1 {
            Target::Local(service) => to_local(service, head, body, settings).await,
            Target::Http(replicas) => {
                let outgoing = Outgoing::new(head, body);
                to_replicas(replicas, outgoing, (settings, &self.stats, &self.ids)).await
            }
        }
    }

    fn admit(&self, manners: &Manners, client: IpAddr) -> Result<(), Problem> {
        let Some(rates) = &manners.rates else { return Ok(()) };
        rates.admit(client).map_err(|wait| {
            self.stats.count_rate_limited();
            Problem::new(Kind::RateLimited, Detail::MoreThanItsShare).retry_after(wait)
        })
    }
}

async fn read(mut body: Body, waits_for_leave: bool, settings: &Settings) -> Result<Bytes, Problem> {
    let bytes_max = settings.body_bytes_max;
    let reading = tokio::time::timeout(settings.request_timeout, read_whole(&mut body, bytes_max));
    match reading.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unread::TooLarge)) => {
            if !waits_for_leave {
                discard(body).await;
            }
            Err(Problem::new(Kind::PayloadTooLarge, Detail::BodyTooLarge(bytes_max)).closing())
        }
        Ok(Err(Unread::Broken(error))) => {
            tracing::debug!(%error, "a body broke off");
            Err(Problem::new(Kind::Malformed, Detail::BodyBroken).closing())
        }
        Err(_) => Err(Problem::new(Kind::RequestTimeout, Detail::BodyLate).closing()),
    }
}

/// What a service answers it logs itself; this is what no service has seen.
fn log(problem: &Problem, method: &Method, request_id: &HeaderValue) {
    let (kind, method, request_id) = (problem.kind, method.as_str(), request_id.to_str().ok());
    let (status, problem) = (kind.status(), kind.uri());
    if status >= 500 {
        tracing::warn!(target: "request", method, status, problem, request_id, "answered by the gateway");
    } else {
        tracing::debug!(target: "request", method, status, problem, request_id, "answered by the gateway");
    }
}

/// The other end of the connection; without a server that tells, nobody in particular.
fn peer_of(head: &Parts) -> IpAddr {
    let told = head.extensions.get::<ConnectInfo<SocketAddr>>();
    told.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip())
}
