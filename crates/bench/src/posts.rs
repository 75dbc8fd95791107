//! How fast calls are placed over HTTP: acknowledged once they are on the disk, or once they are paid.

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderValue, StatusCode, header};
use std::net::SocketAddr;
use tokio::net::TcpListener;

use crate::client::{Connection, number_of};
use crate::load::{Load, Outcome};
use crate::measured::{Measured, percentile};
use crate::pages;
use crate::server::{Server, new_data};

const CONNECTIONS: usize = 64;
const POSTS: u64 = 60_000;
const OTHER_CONNECTIONS: [usize; 3] = [16, 128, 256];
const OTHER_POSTS: u64 = 30_000;
const PLACED: u64 = 30_000;

/// What a call is answered with, about, for the handler that stores nothing.
const BARE_ANSWER: &str = r#"{"callId":1,"userId":"bench-1","userName":"rider 1","callStatus":"payRequest","distance":7.3,"fare":73000,"requestedAt":"2026-01-01T00:00:00.000Z","_links":{"self":{"href":"http://127.0.0.1:40000/calls/1"},"call":{"href":"http://127.0.0.1:40000/calls/1"}}}"#;

/// Calls that need not wait for payment: 202 after the commit.
pub(crate) async fn posts() -> anyhow::Result<Vec<Measured>> {
    let bare = Server::start_bare()?;
    let most = bare_posts(bare.address("bare")?).await?;
    drop(bare);
    let load = format!("{POSTS} calls, {CONNECTIONS} connections, each call with a key");
    let mut all = vec![Measured::new(
        "posts, bare",
        (most, "calls/s"),
        format!("{load}, answered by a bare axum handler that stores nothing"),
    )];
    for (port, name, road) in
        [("gateway", "posts", "through the gateway"), ("call", "posts, direct", "to the call port")]
    {
        let outcome = durable(When::Stored, port, (CONNECTIONS, POSTS)).await?;
        let (p50, p99) = (percentile(&outcome.latencies, 50), percentile(&outcome.latencies, 99));
        all.push(Measured::new(
            name,
            (outcome.rate(), "calls/s"),
            format!(
                "{load}, {road}, `Prefer: respond-async`, 202 after the commit, synchronous=FULL, \
                 p50 {p50:.1} ms, p99 {p99:.1} ms"
            ),
        ));
        let share = outcome.rate() / most;
        all.push(Measured::new(format!("{name}, of bare"), (share, "×"), "durable beside storing nothing"));
    }
    for connections in OTHER_CONNECTIONS {
        let outcome = durable(When::Stored, "gateway", (connections, OTHER_POSTS)).await?;
        let how = format!("{OTHER_POSTS} calls, {connections} connections, through the gateway");
        let name = format!("posts, {connections} connections");
        all.push(Measured::new(name, (outcome.rate(), "calls/s"), how));
    }
    Ok(all)
}

/// Calls that wait for payment's word: 201.
pub(crate) async fn placed() -> anyhow::Result<Vec<Measured>> {
    let outcome = durable(When::Paid, "gateway", (CONNECTIONS, PLACED)).await?;
    let not_waited_for = outcome.results.iter().filter(|placed| placed.status == 202).count();
    let load = format!(
        "{PLACED} calls, {CONNECTIONS} connections, through the gateway, 201 after payment; {not_waited_for} \
         answered 202 because the wait ran out"
    );
    let latency = |percent| (percentile(&outcome.latencies, percent), "ms");
    Ok(vec![
        Measured::new("placed", (outcome.rate(), "calls/s"), load.as_str()),
        Measured::new("placed, p50", latency(50), load.as_str()),
        Measured::new("placed, p99", latency(99), load.as_str()),
    ])
}

/// When a call is answered.
#[derive(Debug, Clone, Copy)]
enum When {
    Stored,
    Paid,
}

impl When {
    fn header(self) -> &'static str {
        match self {
            Self::Stored => "prefer: respond-async\r\n",
            Self::Paid => "",
        }
    }

    /// On a machine that is busy with something else the wait for payment may run out.
    fn is_answered_by(self, status: u16) -> bool {
        match self {
            Self::Stored => status == 202,
            Self::Paid => status == 201 || status == 202,
        }
    }
}

/// A call that was acknowledged.
struct Placed {
    id: u64,
    status: u16,
}

/// Posts, kills the server, starts it again, and finds every call that was acknowledged.
async fn durable(
    when: When,
    port: &str,
    (connections, count): (usize, u64),
) -> anyhow::Result<Outcome<Placed>> {
    let data = new_data()?;
    let server = Server::start(data.path()).await?;
    let load = Load { address: server.address(port)?, connections, count };
    let outcome = load.run(async move |connection, number| place(connection, number, when).await).await?;
    drop(server);
    let server = Server::start(data.path()).await?;
    pages::check(
        server.address("gateway")?,
        "/calls",
        outcome.results.iter().map(|placed| placed.id).collect(),
    )
    .await?;
    Ok(outcome)
}

async fn place(connection: &mut Connection, number: u64, when: When) -> anyhow::Result<Placed> {
    let answer = connection
        .post(
            "/calls",
            format_args!("{}idempotency-key: \"bench-{number}\"\r\n", when.header()),
            format_args!(r#"{{"userId":"bench-{number}","userName":"rider {number}","distance":"7.3"}}"#),
        )
        .await?;
    let status = answer.status;
    anyhow::ensure!(when.is_answered_by(status), "a call was answered {}: {}", answer.status, answer.body);
    let id = number_of(answer.body, "callId").context("an answer without a callId")?;
    Ok(Placed { id, status })
}

async fn bare_posts(address: SocketAddr) -> anyhow::Result<f64> {
    let load = Load { address, connections: CONNECTIONS, count: POSTS };
    let outcome = load.run(async |connection, number| place(connection, number, When::Stored).await).await?;
    Ok(outcome.rate())
}

/// Answers calls and stores none; until it is killed.
pub(crate) async fn serve_bare() -> anyhow::Result<()> {
    let router = Router::new().route("/calls", post(bare));
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    println!("bare http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn bare(body: Bytes) -> Response {
    let status = if body.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
    let mut response = Response::new(Body::from(BARE_ANSWER));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/hal+json"));
    headers.insert(header::LOCATION, HeaderValue::from_static("/calls/1"));
    response
}
