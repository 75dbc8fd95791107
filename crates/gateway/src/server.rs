//! The HTTP/1.1 server of every port of ours, and how it stops without losing a request.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, header};
use http_body::Frame;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::Service;

use crate::body::is_event_stream;
use crate::problem::{Detail, Kind, Problem, language_of};
use crate::socket::Socket;

/// How a port behaves.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How long a request's head may take, and a connection may lie idle.
    pub header_read_timeout: Duration,
    /// How long a client may refuse to read.
    pub write_timeout: Duration,
    /// The largest head of a request; at least [`HEADER_BYTES_LEAST`].
    pub header_bytes_max: usize,
    /// How many connections are served at once; more wait at the door.
    pub connections_max: usize,
    /// How long connections are still accepted after the shutdown has begun, for those who have not heard of it.
    pub drain_grace: Duration,
    /// How long the requests under way may take after that.
    pub drain_max: Duration,
}

/// The server's reading buffer is never smaller than this.
pub const HEADER_BYTES_LEAST: usize = 8192;

/// How long a draining server waits for the first request of a connection that never carried one.
const FIRST_REQUEST_WAIT: Duration = Duration::from_millis(250);

/// How long accepting pauses when the system refuses, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often it is said that the system refuses.
const REFUSALS_SAID_EVERY: Duration = Duration::from_secs(10);

impl Default for ServerSettings {
    fn default() -> ServerSettings {
        ServerSettings {
            header_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            header_bytes_max: 16 * 1024,
            connections_max: 8192,
            drain_grace: Duration::ZERO,
            drain_max: Duration::from_secs(10),
        }
    }
}

/// What stops servers; dropping it stops them too.
#[derive(Debug)]
pub struct Switch(watch::Sender<bool>);

impl Switch {
    /// A switch and what tells of it.
    #[must_use]
    pub fn new() -> (Switch, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (Switch(sender), Shutdown(receiver))
    }

    /// Begins the shutdown; once is for ever.
    pub fn turn_off(&self) {
        self.0.send_replace(true);
    }
}

/// Tells that a shutdown has begun.
///
/// Given to [`serve`], it says that the process is to stop. Found in a request's extensions, it says that the
/// grace is over and whoever answers without an end (an event stream) is to end now; the server ends the body of
/// a `text/event-stream` by itself.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until it begins.
    pub async fn begun(mut self) {
        // An error says that the switch is gone, which is a shutdown as well.
        let _ = self.0.wait_for(|off| *off).await;
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests answered in all.
    pub requests: u64,
    /// Connections that were open when the drain began and came to their own end.
    pub finished: usize,
    /// Connections that did not, and were dropped.
    pub dropped: usize,
}

/// Serves until the shutdown has begun and is through.
///
/// The shutdown has three steps. For `drain_grace` everything is still accepted and answered, each answer asking
/// its client to connect anew elsewhere. Then nothing more is accepted, requests under way are finished and event
/// streams are ended. What is left after `drain_max` is dropped.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: ServerSettings,
    shutdown: Shutdown,
) -> Drained {
    let (drain, draining) = Switch::new();
    let door = Door {
        listener,
        permits: Arc::new(Semaphore::new(settings.connections_max)),
        shared: Arc::new(Shared {
            router,
            protocol: protocol(&settings),
            write_timeout: settings.write_timeout,
            leaving: shutdown.clone(),
            draining,
            requests: AtomicU64::new(0),
        }),
    };
    let mut connections = JoinSet::new();
    let grace = async {
        shutdown.begun().await;
        tokio::time::sleep(settings.drain_grace).await;
    };
    door.accept_until(&mut connections, grace).await;
    door.accept_waiting(&mut connections);
    let shared = door.shared;
    drop(door.listener);
    drain.turn_off();

    while connections.try_join_next().is_some() {}
    let open = connections.len();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(settings.drain_max, all_ended).await;
    let dropped = connections.len();
    connections.shutdown().await;
    Drained { requests: shared.requests.load(Ordering::Relaxed), finished: open - dropped, dropped }
}

fn protocol(settings: &ServerSettings) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_read_timeout)
        .max_buf_size(settings.header_bytes_max.max(HEADER_BYTES_LEAST));
    protocol
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// What all connections of a server have in common.
struct Shared {
    router: Router,
    protocol: http1::Builder,
    write_timeout: Duration,
    leaving: Shutdown,
    draining: Shutdown,
    requests: AtomicU64,
}

impl Door {
    async fn accept_until(&self, connections: &mut JoinSet<()>, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        let mut refusals = Refusals::default();
        loop {
            tokio::select! {
                () = &mut end => return,
                (permit, accepted) = self.accept() => match accepted {
                    Ok((stream, peer)) => self.welcome(connections, permit, (stream, peer)),
                    Err(error) if is_of_one_client(&error) => {}
                    Err(error) => {
                        refusals.count(&error, Instant::now());
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// A connection that the system has accepted already would be reset if the listener closed over it.
    fn accept_waiting(&self, connections: &mut JoinSet<()>) {
        while let Some((permit, Ok(accepted))) = self.accept().now_or_never() {
            self.welcome(connections, permit, accepted);
        }
    }

    async fn accept(&self) -> (OwnedSemaphorePermit, std::io::Result<(TcpStream, SocketAddr)>) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        (permit, self.listener.accept().await)
    }

    fn welcome(
        &self,
        connections: &mut JoinSet<()>,
        permit: OwnedSemaphorePermit,
        (stream, peer): (TcpStream, SocketAddr),
    ) {
        let shared = Arc::clone(&self.shared);
        connections.spawn(async move {
            let _permit = permit;
            // Without it small answers wait for the client's acknowledgement; a failure costs only that time.
            let _ = stream.set_nodelay(true);
            shared.converse(stream, peer).await;
        });
    }
}

fn is_of_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// How often the system refused to accept; it is said now and then, for the log needs a file and a disk too.
#[derive(Debug, Default)]
struct Refusals {
    unsaid: u32,
    said_at: Option<Instant>,
}

impl Refusals {
    /// Says it unless it was said lately; whether it did.
    fn count(&mut self, error: &std::io::Error, now: Instant) -> bool {
        self.unsaid = self.unsaid.saturating_add(1);
        let is_due = self.said_at.is_none_or(|said_at| now - said_at >= REFUSALS_SAID_EVERY);
        if is_due {
            tracing::warn!(%error, times = self.unsaid, "cannot accept connections");
            *self = Self { unsaid: 0, said_at: Some(now) };
        }
        is_due
    }
}

impl Shared {
    async fn converse(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let requests_here = AtomicU64::new(0);
        let socket = Socket::new(stream, self.write_timeout);
        let length_seen = socket.length_seen();
        let answer = hyper::service::service_fn(|request: Request<Incoming>| {
            requests_here.fetch_add(1, Ordering::Relaxed);
            self.answer(request, peer, length_seen.swap(false, Ordering::Relaxed))
        });
        let mut connection = pin!(self.protocol.serve_connection(TokioIo::new(socket), answer));
        tokio::select! {
            ended = &mut connection => return log_end(ended),
            () = self.draining.clone().begun() => {}
        }
        // The protocol would close a connection whose first request is on its way, and that would be a request
        // lost: there was nobody to tell that client to go elsewhere.
        if requests_here.load(Ordering::Relaxed) == 0 {
            tokio::select! {
                ended = &mut connection => return log_end(ended),
                () = tokio::time::sleep(FIRST_REQUEST_WAIT) => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        log_end(connection.await);
    }

    fn answer(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        length_seen: bool,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(self.draining.clone());
        self.requests.fetch_add(1, Ordering::Relaxed);
        // Someone in front of us may have cut the stream elsewhere: nothing after a chunked request is read, and
        // one that announces a length as well is refused.
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let answering = if is_chunked && length_seen {
            let problem = Problem::new(Kind::Malformed, Detail::TwoLengths);
            Err(problem.into_response(None, language_of(request.headers())))
        } else {
            Ok(self.router.clone().call(request))
        };
        let shared = Arc::clone(self);
        async move {
            let mut response = match answering {
                Ok(answering) => answering.await?,
                Err(refusal) => refusal,
            };
            if is_chunked || shared.leaving.has_begun() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            if is_event_stream(response.headers()) {
                response = response
                    .map(|body| Body::new(Ending { body, end: Box::pin(shared.draining.clone().begun()) }));
            }
            Ok(response)
        }
    }
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// A body without an end, ended when the server drains.
struct Ending {
    body: Body,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_lasts_is_said_now_and_then() {
        let error = std::io::Error::other("too many open files");
        let start = Instant::now();
        let mut refusals = Refusals::default();
        let said = (0..600).filter(|pause| refusals.count(&error, start + ACCEPT_PAUSE * *pause));
        assert_eq!(said.collect::<Vec<_>>(), [0, 200, 400]);
    }
}
