//! One replica: its connections, how many requests it has, and whether it is to be asked at all.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::settings::{Connections, Ejection, Settings};
use crate::stats::Stats;

type Sender = SendRequest<Full<Bytes>>;

/// The port of a replica that names none.
const PORT_DEFAULT: u16 = 80;

/// Why there is no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// Not a byte was sent.
    NotSent,
    /// It was sent, and the connection broke.
    Broken,
    /// It was sent, and time ran out.
    TimedOut,
}

/// Where a replica is: one address, or whatever its name leads to where nobody has looked it up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) authority: Authority,
    pub(crate) address: Option<SocketAddr>,
}

impl Place {
    pub(crate) fn of(authority: &Authority) -> Place {
        let (host, port) = host_and_port(authority);
        let address = host.parse().ok().map(|ip| SocketAddr::new(ip, port));
        Place { authority: authority.clone(), address }
    }

    /// All places that the name stands for now; `None` when nobody says.
    pub(crate) async fn look_up(authority: &Authority, timeout: Duration) -> Option<Vec<Place>> {
        let looking = tokio::net::lookup_host(host_and_port(authority));
        let found = tokio::time::timeout(timeout, looking).await.ok()?.ok()?;
        let place = |address| Place { authority: authority.clone(), address: Some(address) };
        let mut places: Vec<Place> = Vec::new();
        for place in found.map(place) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        (!places.is_empty()).then_some(places)
    }
}

impl Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) if address.to_string() != self.authority.as_str() => {
                write!(formatter, "{} at {address}", self.authority)
            }
            Some(_) | None => self.authority.fmt(formatter),
        }
    }
}

fn host_and_port(authority: &Authority) -> (&str, u16) {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    (host, authority.port_u16().unwrap_or(PORT_DEFAULT))
}

pub(crate) struct Replica {
    pub(crate) place: Place,
    host: HeaderValue,
    connections: Connections,
    connect_timeout: Duration,
    idle: Mutex<VecDeque<Idle>>,
    in_flight: AtomicUsize,
    health: Health,
    stats: Arc<Stats>,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

impl Replica {
    pub(crate) fn new(place: Place, settings: &Settings, stats: Arc<Stats>) -> Replica {
        Replica {
            host: HeaderValue::try_from(place.authority.as_str()).expect("an authority is a header value"),
            place,
            connections: settings.connections.clone(),
            connect_timeout: settings.connect_timeout,
            idle: Mutex::new(VecDeque::new()),
            in_flight: AtomicUsize::new(0),
            health: Health::new(settings.ejection.clone()),
            stats,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Counts a request in; `None` when the replica has as many as it may.
    pub(crate) fn lease(self: &Arc<Self>, as_trial: bool) -> Option<Lease> {
        let lease = Lease { replica: Arc::clone(self), sender: None, as_trial };
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        (before < self.connections.in_flight_max).then_some(lease)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Idle { sender, since }) = idle.pop_back() {
            if !sender.is_closed() && since.elapsed() < self.connections.idle_time_max {
                return Some(sender);
            }
        }
        None
    }

    fn keep_idle(&self, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back(Idle { sender, since: Instant::now() });
        if idle.len() > self.connections.idle_max {
            idle.pop_front();
        }
    }

    /// Closes the connections that nobody has used for a while.
    pub(crate) fn close_old_connections(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < self.connections.idle_time_max);
    }

    /// Asks over a connection of its own, outside all counts, how the replica is.
    pub(crate) async fn says_it_is_well(&self, path: &'static str) -> bool {
        let Ok(mut sender) = self.connect().await else {
            return false;
        };
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = http::Uri::from_static(path);
        request.headers_mut().insert(header::HOST, self.host.clone());
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let answered = sender.send_request(request).await;
        answered.is_ok_and(|response| !response.status().is_server_error())
    }

    async fn connect(&self) -> io::Result<Sender> {
        let connecting = async {
            match self.place.address {
                Some(address) => TcpStream::connect(address).await,
                None => TcpStream::connect(host_and_port(&self.place.authority)).await,
            }
        };
        let stream = tokio::time::timeout(self.connect_timeout, connecting).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to a replica ended");
            }
        });
        Ok(sender)
    }

    fn count(&self, failure: Failure, why: &dyn Display, as_trial: bool) -> Failure {
        tracing::debug!(replica = %self.place, ?failure, %why, "a replica failed");
        self.failed(as_trial);
        failure
    }

    pub(crate) fn succeeded(&self) {
        self.health.succeeded();
    }

    pub(crate) fn failed(&self, as_trial: bool) {
        if self.health.failed(as_trial) {
            self.stats.count_ejection();
            tracing::warn!(replica = %self.place, "left out after failing");
        }
    }
}

/// A request that a replica has, until its answer is through.
pub(crate) struct Lease {
    replica: Arc<Replica>,
    sender: Option<Sender>,
    /// Whether the replica was out and this request finds out whether it is back.
    as_trial: bool,
}

impl Lease {
    /// Sends a request and waits for the beginning of its answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Failure> {
        request.headers_mut().insert(header::HOST, self.replica.host.clone());
        loop {
            let (mut sender, is_new) = match self.replica.take_idle() {
                Some(sender) => (sender, false),
                None => (self.connect_by(deadline).await?, true),
            };
            // A connection kept may not have noticed yet that its last answer is through, or that it is closed.
            match tokio::time::timeout_at(deadline, sender.ready()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) if !is_new => continue,
                Ok(Err(error)) => return Err(self.count(Failure::NotSent, &error)),
                Err(late) => return Err(self.count(Failure::NotSent, &late)),
            }
            let sent = tokio::time::timeout_at(deadline, sender.try_send_request(request)).await;
            let mut error = match sent {
                Ok(Ok(response)) => {
                    self.sender = Some(sender);
                    return Ok(response);
                }
                Ok(Err(error)) => error,
                Err(late) => return Err(self.count(Failure::TimedOut, &late)),
            };
            match error.take_message() {
                Some(unsent) if !is_new => request = unsent,
                Some(_) => return Err(self.count(Failure::NotSent, error.error())),
                None => return Err(self.count(Failure::Broken, error.error())),
            }
        }
    }

    async fn connect_by(&self, deadline: Instant) -> Result<Sender, Failure> {
        match tokio::time::timeout_at(deadline, self.replica.connect()).await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(error)) => Err(self.count(Failure::NotSent, &error)),
            Err(late) => Err(self.count(Failure::NotSent, &late)),
        }
    }

    fn count(&self, failure: Failure, why: &dyn Display) -> Failure {
        self.replica.count(failure, why, self.as_trial)
    }

    /// The answer is through: the replica works, and its connection is free.
    pub(crate) fn succeed(mut self) {
        self.replica.succeeded();
        if let Some(sender) = self.sender.take() {
            self.replica.keep_idle(sender);
        }
    }

    /// The answer has begun well and will not end soon.
    pub(crate) fn count_as_success(&self) {
        self.replica.succeeded();
    }

    /// The answer broke off.
    pub(crate) fn fail(self) {
        self.replica.failed(self.as_trial);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.replica.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a replica is to be asked: it says so itself, and it has not failed time and again.
pub(crate) struct Health {
    ejection: Ejection,
    born: Instant,
    says_ready: AtomicBool,
    failures_in_a_row: AtomicU32,
    ejections_in_a_row: AtomicU32,
    /// Until when it is left out, in milliseconds since `born`; zero when it is not.
    out_until_ms: AtomicU64,
}

impl Health {
    pub(crate) fn new(ejection: Ejection) -> Health {
        Health {
            ejection,
            born: Instant::now(),
            says_ready: AtomicBool::new(true),
            failures_in_a_row: AtomicU32::new(0),
            ejections_in_a_row: AtomicU32::new(0),
            out_until_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.says_ready.load(Ordering::Relaxed) && self.out_until_ms.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn say_ready(&self, ready: bool) -> bool {
        self.says_ready.swap(ready, Ordering::Relaxed) != ready
    }

    /// Whether the time out is over and the caller is the one to try it; the next one may when this try is lost.
    pub(crate) fn claims_trial(&self) -> bool {
        let until = self.out_until_ms.load(Ordering::Relaxed);
        let now = self.now_ms();
        if until == 0 || now < until {
            return false;
        }
        let next = now + self.time_out_ms(self.ejections_in_a_row.load(Ordering::Relaxed));
        self.out_until_ms.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn succeeded(&self) {
        // Reading first keeps the line shared between processors in the usual case.
        if self.failures_in_a_row.load(Ordering::Relaxed) > 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            self.ejections_in_a_row.store(0, Ordering::Relaxed);
            self.out_until_ms.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a failure; says whether it is one that puts the replica out.
    fn failed(&self, as_trial: bool) -> bool {
        let failures = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let is_out = self.out_until_ms.load(Ordering::Relaxed) > 0;
        // Requests that were under way together fail together: that is one failure too many, not several.
        if failures < self.ejection.failures.get() || (is_out && !as_trial) {
            return false;
        }
        let times = self.ejections_in_a_row.fetch_add(1, Ordering::Relaxed);
        self.out_until_ms.store(self.now_ms() + self.time_out_ms(times), Ordering::Relaxed);
        true
    }

    fn time_out_ms(&self, ejections_before: u32) -> u64 {
        let time = self.ejection.time_min.saturating_mul(1 << ejections_before.min(20));
        let time = time.min(self.ejection.time_max);
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2).max(1)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_replica_is_out_for_longer_each_time_and_back_after_one_success() {
        let second = Duration::from_secs(1);
        let health = Health::new(Ejection {
            failures: NonZeroU32::new(2).unwrap(),
            time_min: second,
            time_max: 3 * second,
        });
        assert!(!health.failed(false));
        assert!(health.is_good(), "one failure is none");
        assert!(health.failed(false));
        assert!(!health.is_good());
        assert!(!health.failed(false), "was under way together with the other");
        for time_out in [second, 2 * second, 3 * second, 3 * second] {
            assert!(!health.claims_trial());
            tokio::time::advance(time_out).await;
            assert!(health.claims_trial());
            assert!(!health.claims_trial(), "one at a time");
            assert!(health.failed(true));
        }
        tokio::time::advance(3 * second).await;
        assert!(health.claims_trial());
        health.succeeded();
        assert!(health.is_good());
        assert!(!health.failed(false), "counting begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_without_an_outcome_is_followed_by_another() {
        let health = Health::new(Ejection {
            failures: NonZeroU32::MIN,
            time_min: Duration::from_secs(1),
            time_max: Duration::from_secs(8),
        });
        assert!(health.failed(false));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(health.claims_trial());
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(health.claims_trial());
    }
}
