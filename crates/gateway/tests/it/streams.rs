//! Event streams: they pass as they come, for as long as both ends want.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get as on_get;
use gateway::route::Upstream;
use gateway::settings::Settings;
use tokio::sync::mpsc;

use crate::support::{Client, Replica, Reply, Running, calls_by, calls_by_replicas, get, quiet};

async fn streaming_replica() -> (mpsc::UnboundedSender<String>, Replica) {
    let (events, receiver) = mpsc::unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    let replica = Replica::start(move |_| Reply::Events(receiver.lock().unwrap().take().unwrap())).await;
    (events, replica)
}

#[tokio::test]
async fn an_event_arrives_before_the_next_is_made() {
    let (events, mut replica) = streaming_replica().await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    client.send(get("/calls/events")).await;
    assert_eq!(client.read_head().await.header("content-type"), Some("text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        events.send(event.to_owned()).unwrap();
        assert_eq!(client.read_chunk().await.as_deref(), Some(event));
    }
    drop(events);
    assert_eq!(client.read_chunk().await, None, "it ends as the replica ends it");
    drop(client);
    drop(running);
    replica.all_closed().await;
}

#[tokio::test]
async fn a_stream_that_its_client_leaves_is_left_by_us() {
    let (events, mut replica) = streaming_replica().await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    client.send(get("/calls/events")).await;
    client.read_head().await;
    drop(client);
    replica.all_closed().await;
    drop(events);
}

#[tokio::test]
async fn a_stream_of_this_process_passes_too_and_has_no_timeout() {
    let (events, receiver) = mpsc::unbounded_channel::<&'static str>();
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let answer = move || {
        let mut receiver = receiver.lock().unwrap().take().unwrap();
        let stream = futures_util::stream::poll_fn(move |context| {
            receiver.poll_recv(context).map(|event| event.map(Ok::<_, Infallible>))
        });
        let response = Response::builder()
            .header("content-type", "text/event-stream; charset=utf-8")
            .body(Body::from_stream(stream));
        std::future::ready(response.unwrap())
    };
    let local = Router::new().route("/calls/events", on_get(answer));
    let settings = Settings { request_timeout: Duration::from_millis(20), ..quiet() };
    let running = Running::start(settings, calls_by(Upstream::Local(local))).await;
    let mut client = Client::connect(running.address).await;
    client.send(get("/calls/events")).await;
    client.read_head().await;
    // Another request runs into the timeout that would have ended the stream, so that it is over for certain.
    let mut slow = Client::connect(running.address).await;
    slow.send("POST /calls/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(slow.read_answer().await.status, 408);
    events.send("data: late\n\n").unwrap();
    assert_eq!(client.read_chunk().await.as_deref(), Some("data: late\n\n"));
}
