//! Requests that two readers could read differently, and requests that are too large.

use axum::Router;
use axum::routing::any;
use gateway::route::Upstream;
use gateway::server::ServerSettings;
use gateway::settings::Settings;

use crate::support::{
    Client, Replica, Running, calls_by, calls_by_replicas, ok, quiet, start_server, with_body,
};

#[tokio::test]
async fn a_request_inside_another_is_never_served() {
    let replica = Replica::start(|_| ok("")).await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let inner = "GET /calls/smuggled HTTP/1.1\r\nHost: taxi.test\r\n\r\n";
    let length = inner.len() + 5;
    for framing in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        format!("Transfer-Encoding: chunked\r\ncOnTeNt-LeNgTh: {length}\r\n"),
        "Content-Length: 5\r\nContent-Length: 6\r\n".to_owned(),
        "Content-Length: 5, 6\r\n".to_owned(),
        "Content-Length: +5\r\n".to_owned(),
        "Content-Length: -1\r\n".to_owned(),
        "Content-Length : 5\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        "Content-Length: 5\r\n folded: 1\r\n".to_owned(),
        "X: a\0b\r\n".to_owned(),
    ] {
        let mut client = Client::connect(running.address).await;
        let request = format!("POST /calls HTTP/1.1\r\nHost: taxi.test\r\n{framing}\r\n0\r\n\r\n{inner}");
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 400, "{framing:?}");
        assert_eq!(client.read_rest().await, "", "the connection is closed after {framing:?}");
    }
    assert_eq!(replica.seen().len(), 0);
}

#[tokio::test]
async fn nothing_is_read_after_a_chunked_request() {
    let replica = Replica::start(|_| ok("")).await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    let chunked = "POST /calls HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = client.ask(format!("{chunked}{chunked}")).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(client.read_rest().await, "");
    let seen = replica.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].body.as_str(), seen[0].headers["content-length"].as_str()), ("{}", "2"));
}

#[tokio::test]
async fn a_request_without_one_host_is_malformed() {
    let running = Running::start(quiet(), Vec::new()).await;
    for lines in ["", "Host: a\r\nHost: b\r\n", "Host: a/b\r\n", "Host: u@a\r\n"] {
        let answer = running.ask(format!("GET / HTTP/1.1\r\n{lines}\r\n")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (400, "/problems/malformed"), "{lines:?}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let settings = ServerSettings { header_bytes_max: 8192, ..ServerSettings::default() };
    let (address, _switch, _server) = start_server(Router::new(), settings).await;
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(150)), 431),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), 400),
    ] {
        let mut client = Client::connect(address).await;
        let answer = client.ask(&request).await;
        let told = (answer.status, answer.problem());
        assert_eq!(told, (status, "/problems/malformed".to_owned()), "{request:.40}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_anyone_sees_it() {
    let replica = Replica::start(|_| ok("")).await;
    let local = Upstream::Local(Router::new().route("/calls", any(|body: String| async { body })));
    for routes in [calls_by_replicas(&[&replica]), calls_by(local)] {
        let running = Running::start(Settings { body_bytes_max: 10, ..quiet() }, routes).await;
        assert_eq!(running.ask(with_body("POST", "", "0123456789")).await.status, 200);
        let chunked = "POST /calls HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                       6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n";
        for request in [with_body("POST", "", "01234567890"), chunked.to_owned()] {
            let answer = running.ask(request).await;
            assert_eq!((answer.status, answer.problem().as_str()), (413, "/problems/payload-too-large"));
        }
        let mut waits = Client::connect(running.address).await;
        let head = "POST /calls HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(waits.ask(head).await.status, 413, "refused without asking for the body");
    }
    assert_eq!(replica.seen().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_never_comes_is_not_passed_on() {
    let replica = Replica::start(|_| ok("")).await;
    let settings = Settings { request_timeout: std::time::Duration::from_millis(50), ..quiet() };
    let running = Running::start(settings, calls_by_replicas(&[&replica])).await;
    let head = "POST /calls HTTP/1.1\r\nHost: a\r\n";
    let late = running.ask(format!("{head}Content-Length: 10\r\n\r\n01234")).await;
    assert_eq!((late.status, late.problem().as_str()), (408, "/problems/request-timeout"));
    let broken = running.ask(format!("{head}Transfer-Encoding: chunked\r\n\r\nnot a size\r\n")).await;
    assert_eq!((broken.status, broken.problem().as_str()), (400, "/problems/malformed"));
    assert!(replica.seen().is_empty());
}
