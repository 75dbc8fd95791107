//! How a server stops: what is under way ends well, what has no end is ended, and nothing holds it for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get as on_get;
use axum::{Extension, Router};
use gateway::server::{Drained, ServerSettings, Shutdown};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use crate::support::{Client, Replica, Reply, Running, calls_by_replicas, get, quiet, start_server, within};

/// A request in the hands of a service, until it is released.
struct Held {
    begun: mpsc::UnboundedReceiver<()>,
    release: Arc<Semaphore>,
}

fn held_router() -> (Held, Router) {
    let (begin, begun) = mpsc::unbounded_channel();
    let release = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&release);
    let answer = move || {
        let (begin, gate) = (begin.clone(), Arc::clone(&gate));
        async move {
            begin.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            "done"
        }
    };
    let router = Router::new().route("/held", on_get(answer)).route("/", on_get(|| async { "here" }));
    (Held { begun, release }, router)
}

#[tokio::test]
async fn a_request_under_way_is_finished_and_nothing_new_is_taken() {
    let (mut held, router) = held_router();
    let (address, switch, server) = start_server(router, ServerSettings::default()).await;
    let mut idle = Client::connect(address).await;
    assert_eq!(idle.ask(get("/")).await.body, "here");
    let mut under_way = Client::connect(address).await;
    under_way.send(get("/held")).await;
    within(held.begun.recv()).await.unwrap();
    switch.turn_off();
    assert_eq!(idle.read_rest().await, "", "an idle connection is closed");
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    held.release.add_permits(1);
    let answer = under_way.read_answer().await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("done", Some("close")));
    assert_eq!(within(server).await.unwrap(), Drained { requests: 2, finished: 2, dropped: 0 });
}

#[tokio::test]
async fn for_a_grace_everything_is_still_answered() {
    let (_held, router) = held_router();
    let settings = ServerSettings { drain_grace: Duration::from_secs(3600), ..ServerSettings::default() };
    let (address, switch, server) = start_server(router, settings).await;
    switch.turn_off();
    let answer = Client::connect(address).await.ask(get("/")).await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("here", Some("close")));
    server.abort();
}

#[tokio::test]
async fn an_event_stream_is_ended_cleanly() {
    let (events, receiver) = mpsc::unbounded_channel();
    let receiver = std::sync::Mutex::new(Some(receiver));
    let mut replica = Replica::start(move |_| Reply::Events(receiver.lock().unwrap().take().unwrap())).await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    client.send(get("/calls/events")).await;
    client.read_head().await;
    events.send("data: 1\n\n".to_owned()).unwrap();
    assert_eq!(client.read_chunk().await.as_deref(), Some("data: 1\n\n"));
    running.switch.turn_off();
    assert_eq!(client.read_chunk().await, None);
    assert_eq!(within(running.server).await.unwrap(), Drained { requests: 1, finished: 1, dropped: 0 });
    replica.all_closed().await;
}

#[tokio::test]
async fn a_handler_is_told_to_end() {
    let (begin, mut begun) = mpsc::unbounded_channel();
    let answer = move |Extension(shutdown): Extension<Shutdown>| {
        let begin = begin.clone();
        async move {
            begin.send(()).unwrap();
            shutdown.begun().await;
            "ended"
        }
    };
    let router = Router::new().route("/", on_get(answer));
    let (address, switch, server) = start_server(router, ServerSettings::default()).await;
    let mut client = Client::connect(address).await;
    client.send(get("/")).await;
    within(begun.recv()).await.unwrap();
    switch.turn_off();
    assert_eq!(client.read_answer().await.body, "ended");
    assert_eq!(within(server).await.unwrap().dropped, 0);
}

#[tokio::test]
async fn what_does_not_end_is_dropped() {
    let (mut held, router) = held_router();
    let settings = ServerSettings { drain_max: Duration::from_millis(20), ..ServerSettings::default() };
    let (address, switch, server) = start_server(router, settings).await;
    let mut client = Client::connect(address).await;
    client.send(get("/held")).await;
    within(held.begun.recv()).await.unwrap();
    drop(switch);
    assert_eq!(within(server).await.unwrap(), Drained { requests: 1, finished: 0, dropped: 1 });
    assert_eq!(client.read_rest().await, "");
}

#[tokio::test]
async fn a_connection_that_never_asks_does_not_hold_the_drain() {
    let (_held, router) = held_router();
    let settings = ServerSettings { drain_max: Duration::from_secs(3600), ..ServerSettings::default() };
    let (address, switch, server) = start_server(router, settings).await;
    let mut quiet = Client::connect(address).await;
    // Accepted in order: when the second is answered, the first is in.
    assert_eq!(Client::connect(address).await.ask(get("/")).await.body, "here");
    switch.turn_off();
    assert_eq!(within(server).await.unwrap().dropped, 0);
    assert_eq!(quiet.read_rest().await, "");
}

#[tokio::test]
async fn a_request_that_is_on_its_way_when_the_drain_begins_is_answered() {
    for _ in 0..20 {
        let (_held, router) = held_router();
        let (address, switch, server) = start_server(router, ServerSettings::default()).await;
        let mut client = Client::connect(address).await;
        client.send(get("/")).await;
        switch.turn_off();
        assert_eq!(client.read_answer().await.body, "here");
        assert_eq!(within(server).await.unwrap().requests, 1);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let large = Router::new().route("/", on_get(|| async { vec![b'x'; 64 * 1024 * 1024] }));
    let settings = ServerSettings {
        write_timeout: Duration::from_millis(20),
        drain_max: Duration::from_secs(3600),
        ..ServerSettings::default()
    };
    let (address, switch, server) = start_server(large, settings).await;
    let mut client = Client::connect(address).await;
    client.send(get("/")).await;
    client.read_head().await;
    switch.turn_off();
    assert_eq!(within(server).await.unwrap().dropped, 0);
    assert!(client.read_rest().await.len() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_given_up() {
    let settings =
        ServerSettings { header_read_timeout: Duration::from_millis(20), ..ServerSettings::default() };
    let (address, _switch, _server) = start_server(Router::new(), settings).await;
    let mut client = Client::connect(address).await;
    client.send("GET / HTTP/1.1\r\nHost:").await;
    assert_eq!(client.read_rest().await, "");
}

#[tokio::test]
async fn no_more_connections_are_served_than_the_limit() {
    let (_held, router) = held_router();
    let settings = ServerSettings { connections_max: 1, ..ServerSettings::default() };
    let (address, _switch, _server) = start_server(router, settings).await;
    let mut first = Client::connect(address).await;
    assert_eq!(first.ask(get("/")).await.body, "here");
    let mut second = Client::connect(address).await;
    second.send(get("/")).await;
    assert_eq!(first.ask(get("/")).await.body, "here", "the first goes on while the second waits");
    drop(first);
    assert_eq!(second.read_answer().await.body, "here");
}
