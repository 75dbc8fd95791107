//! Has an upstream answer a request, and asks again where that cannot do harm.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service;

use crate::body::{Relayed, is_event_stream};
use crate::headers::clean_response;
use crate::problem::{Detail, Kind, Problem};
use crate::replica::{Failure, Lease};
use crate::replica_set::{Nobody, ReplicaSet};
use crate::request_id::Ids;
use crate::settings::Settings;
use crate::stats::Stats;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Has a service of this process answer.
pub(crate) async fn to_local(
    service: &Router,
    parts: Parts,
    body: Bytes,
    settings: &Settings,
) -> Result<Response, Problem> {
    let risk = Risk::of(&parts);
    let deadline = Instant::now() + settings.request_timeout;
    let answering = service.clone().call(Request::from_parts(parts, Body::from(body)));
    match tokio::time::timeout_at(deadline, answering).await {
        Ok(Ok(mut response)) => {
            clean_response(response.headers_mut());
            Ok(response)
        }
        Err(_) => Err(risk.timed_out()),
    }
}

/// By which a replica says that it has done nothing with a request, since it starts.
const STARTING: &str = "taxisvc-starting";

/// Has one of the replicas answer.
pub(crate) async fn to_replicas(
    set: &ReplicaSet,
    outgoing: Outgoing,
    (settings, stats, ids): (&Settings, &Stats, &Ids),
) -> Result<Response, Problem> {
    let deadline = Instant::now() + settings.request_timeout;
    let mut asked = Vec::new();
    let mut was_sent = false;
    let mut retries_left = settings.retries.per_request_max;
    let replicas = set.replicas();
    set.budget().pay_in();
    loop {
        let mut lease = match replicas.choose(ids, &mut asked, outgoing.risk.may_repeat) {
            Ok(lease) => lease,
            Err(Nobody::Free) if asked.len() < replicas.len() => continue,
            Err(_) if was_sent => return Err(outgoing.risk.broke_off(settings)),
            Err(Nobody::Free) => return Err(too_busy(settings)),
            Err(Nobody::Left) => return Err(unreachable_now(settings)),
        };
        match lease.send(outgoing.copy(), deadline).await {
            // A replica that starts has done nothing with it.
            Ok(response) if is_starting(&response) && asked.len() < replicas.len() => {
                lease.fail();
                continue;
            }
            Ok(response) => return outgoing.relay(response, lease, settings),
            Err(Failure::NotSent) if Instant::now() < deadline => continue,
            Err(Failure::NotSent) if !was_sent => return Err(unreachable_now(settings)),
            Err(Failure::NotSent | Failure::TimedOut) => return Err(outgoing.risk.timed_out()),
            Err(Failure::Broken) => was_sent = true,
        }
        if !outgoing.risk.may_repeat || retries_left == 0 || !set.budget().take_retry() {
            return Err(outgoing.risk.broke_off(settings));
        }
        retries_left -= 1;
        stats.count_retry();
        if asked.len() == replicas.len() {
            asked.clear();
        }
    }
}

fn is_starting<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SERVICE_UNAVAILABLE && response.headers().contains_key(STARTING)
}

fn too_busy(settings: &Settings) -> Problem {
    Problem::new(Kind::TooBusy, Detail::ReplicasBusy).retry_after(settings.retry_after)
}

fn unreachable_now(settings: &Settings) -> Problem {
    Problem::new(Kind::UpstreamUnavailable, Detail::NoReplica).retry_after(settings.retry_after)
}

/// What it would mean to send a request twice, or not to know what became of it.
#[derive(Debug, Clone, Copy)]
struct Risk {
    only_reads: bool,
    may_repeat: bool,
    has_key: bool,
}

impl Risk {
    fn of(parts: &Parts) -> Risk {
        let has_key = parts.headers.contains_key(IDEMPOTENCY_KEY);
        Risk {
            only_reads: parts.method.is_safe(),
            may_repeat: parts.method.is_idempotent() || has_key,
            has_key,
        }
    }

    fn timed_out(self) -> Problem {
        if self.only_reads {
            Problem::new(Kind::UpstreamTimeout, Detail::AnswerLate)
        } else {
            self.outcome_unknown()
        }
    }

    fn broke_off(self, settings: &Settings) -> Problem {
        if self.only_reads {
            Problem::new(Kind::UpstreamBroken, Detail::AnswerBroken).retry_after(settings.retry_after)
        } else {
            self.outcome_unknown()
        }
    }

    fn outcome_unknown(self) -> Problem {
        let detail = if self.has_key { Detail::NoAnswer } else { Detail::NoAnswerNoKey };
        Problem::new(Kind::OutcomeUnknown, detail)
    }
}

/// A request as it goes to a replica, as often as it has to.
pub(crate) struct Outgoing {
    head: Parts,
    body: Bytes,
    risk: Risk,
}

impl Outgoing {
    pub(crate) fn new(mut head: Parts, body: Bytes) -> Outgoing {
        let risk = Risk::of(&head);
        head.uri = origin_form(head.uri);
        // The length is said anew, by what was read and not by what was claimed.
        head.headers.remove(header::CONTENT_LENGTH);
        let expects_body =
            !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE);
        if expects_body || !body.is_empty() {
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Outgoing { head, body, risk }
    }

    fn copy(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        request
    }

    fn relay(
        &self,
        response: Response<Incoming>,
        lease: Lease,
        settings: &Settings,
    ) -> Result<Response, Problem> {
        let (mut head, incoming) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.risk.broke_off(settings));
        }
        clean_response(&mut head.headers);
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let pause_max = if is_event_stream(&head.headers) {
            lease.count_as_success();
            None
        } else {
            Some(settings.request_timeout)
        };
        let body = Relayed::new(incoming, lease, pause_max, self.head.method == Method::HEAD);
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

fn origin_form(uri: Uri) -> Uri {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return uri;
    }
    uri.into_parts().path_and_query.map_or_else(Uri::default, Uri::from)
}
