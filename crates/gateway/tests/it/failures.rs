//! Replicas that are gone, break off, or are silent: who is asked again, and what the client is told.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use gateway::route::Upstream;
use gateway::settings::{Connections, Ejection, HealthChecks, Retries, Settings};

use crate::support::{
    Client, Replica, Reply, Running, Seen, authority, calls_by, calls_by_replicas, get, nobody, ok, quiet,
    with_body, within,
};

fn breaks_off() -> Reply {
    Reply::BytesThenClose(String::new())
}

#[tokio::test]
async fn a_request_that_never_left_goes_to_another_replica_whatever_it_asks() {
    let replica = Replica::start(|_| ok("here")).await;
    let upstream = Upstream::Http(vec![nobody().await, authority(replica.address), nobody().await]);
    let running = Running::start(quiet(), calls_by(upstream)).await;
    for _ in 0..10 {
        assert_eq!(running.ask(with_body("POST", "", "{}")).await.body, "here");
    }
    assert_eq!(replica.seen().len(), 10);
    assert_eq!(running.gateway.stats().retries(), 0, "nothing was sent twice");
}

/// What a service answers whose database is yet to come.
fn starts(_: &Seen) -> Reply {
    let head = "HTTP/1.1 503 Service Unavailable\r\ntaxisvc-starting: true\r\ncontent-length: 0\r\n\r\n";
    Reply::BytesThenClose(head.to_owned())
}

#[tokio::test]
async fn what_a_replica_that_starts_has_not_done_another_does() {
    let (starting, well) = (Replica::start(starts).await, Replica::start(|_| ok("well")).await);
    let running = Running::start(quiet(), calls_by_replicas(&[&starting, &well])).await;
    for _ in 0..20 {
        assert_eq!(running.ask(with_body("POST", "", "{}")).await.body, "well");
    }
    assert!(!starting.seen().is_empty(), "it was asked, too");
    let running = Running::start(quiet(), calls_by_replicas(&[&starting])).await;
    assert_eq!(running.ask(with_body("POST", "", "{}")).await.status, 503, "nobody else is left");
}

#[tokio::test]
async fn when_nobody_can_be_reached_nothing_was_done() {
    for authorities in [vec![], vec![nobody().await], vec![nobody().await, nobody().await]] {
        let running = Running::start(quiet(), calls_by(Upstream::Http(authorities))).await;
        for request in [get("/calls"), with_body("POST", "", "{}")] {
            let answer = running.ask(request).await;
            assert_eq!((answer.status, answer.problem().as_str()), (503, "/problems/upstream-unavailable"));
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
}

#[tokio::test]
async fn only_what_may_be_repeated_is_sent_again() {
    for (method, extra, sent, expected) in [
        ("GET", "", 3, (502, "/problems/upstream-broken")),
        ("OPTIONS", "", 3, (502, "/problems/upstream-broken")),
        ("PUT", "", 3, (504, "/problems/outcome-unknown")),
        ("DELETE", "", 3, (504, "/problems/outcome-unknown")),
        ("POST", "Idempotency-Key: \"k\"\r\n", 3, (504, "/problems/outcome-unknown")),
        ("POST", "", 1, (504, "/problems/outcome-unknown")),
        ("PATCH", "", 1, (504, "/problems/outcome-unknown")),
    ] {
        let first = Replica::start(|_| breaks_off()).await;
        let second = Replica::start(|_| breaks_off()).await;
        let running = Running::start(quiet(), calls_by_replicas(&[&first, &second])).await;
        let answer = running.ask(with_body(method, extra, "{\"distance\":10}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), expected, "{method} {extra}");
        let seen = [first.seen(), second.seen()].concat();
        assert_eq!(seen.len(), sent, "{method} {extra}");
        assert!(seen.iter().all(|seen| seen.body == "{\"distance\":10}"), "{seen:?}");
        assert_eq!(running.gateway.stats().retries(), sent as u64 - 1);
    }
}

#[tokio::test]
async fn a_repeat_is_answered_by_the_replica_that_is_well() {
    let dying = Replica::start(|_| breaks_off()).await;
    let well = Replica::start(|_| ok("well")).await;
    let running = Running::start(quiet(), calls_by_replicas(&[&dying, &well])).await;
    for _ in 0..20 {
        let answer = running.ask(with_body("POST", "Idempotency-Key: \"k\"\r\n", "{}")).await;
        assert_eq!(answer.body, "well");
    }
    assert_eq!(well.seen().len(), 20);
}

#[tokio::test]
async fn what_was_sent_once_is_unknown_even_when_nobody_can_be_reached_after() {
    let dying = Replica::start(|_| breaks_off()).await;
    let upstream = Upstream::Http(vec![authority(dying.address), nobody().await]);
    let running = Running::start(quiet(), calls_by(upstream)).await;
    for _ in 0..20 {
        let answer = running.ask(with_body("POST", "Idempotency-Key: \"k\"\r\n", "{}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (504, "/problems/outcome-unknown"));
    }
}

#[tokio::test]
async fn retries_end_with_their_budget() {
    let dying = Replica::start(|_| breaks_off()).await;
    let retries = Retries { per_request_max: 2, per_hundred_requests: 0, saved_max: 3 };
    let running = Running::start(Settings { retries, ..quiet() }, calls_by_replicas(&[&dying])).await;
    for _ in 0..10 {
        assert_eq!(running.ask(get("/calls")).await.status, 502);
    }
    assert_eq!(dying.seen().len(), 10 + 3);
}

#[tokio::test]
async fn a_replica_that_breaks_off_in_its_answer_is_not_covered_up() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234";
    let replica = Replica::start(move |_| Reply::BytesThenClose(head.to_owned())).await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    client.send(get("/calls")).await;
    assert_eq!(client.read_head().await.header("content-length"), Some("10"));
    assert_eq!(client.read_rest().await, "01234", "the connection ends short of the length");
    assert_eq!(replica.seen().len(), 1);
}

#[tokio::test]
async fn silence_is_a_timeout_and_for_a_change_an_unknown_outcome() {
    let silent = Replica::start(|_| Reply::Silence).await;
    let local = Router::new().route("/calls", any(|| async { std::future::pending::<String>().await }));
    for routes in [calls_by_replicas(&[&silent]), calls_by(Upstream::Local(local))] {
        let settings = Settings { request_timeout: Duration::from_millis(30), ..quiet() };
        let running = Running::start(settings, routes).await;
        for (request, expected) in [
            (get("/calls"), "/problems/upstream-timeout"),
            (with_body("POST", "", "{}"), "/problems/outcome-unknown"),
            (with_body("POST", "Idempotency-Key: \"k\"\r\n", "{}"), "/problems/outcome-unknown"),
        ] {
            let answer = running.ask(request).await;
            assert_eq!((answer.status, answer.problem().as_str()), (504, expected));
        }
    }
    assert_eq!(silent.seen().len(), 3, "a request that took its time is not sent again");
}

#[tokio::test]
async fn a_replica_that_pauses_in_its_answer_is_given_up() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234";
    let mut replica = Replica::start(move |_| Reply::Bytes(head.to_owned())).await;
    let settings = Settings { request_timeout: Duration::from_millis(30), ..quiet() };
    let running = Running::start(settings, calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    client.send(get("/calls")).await;
    client.read_head().await;
    assert_eq!(client.read_rest().await, "01234");
    replica.all_closed().await;
}

#[tokio::test]
async fn a_replica_that_fails_is_left_out_and_comes_back() {
    let is_well = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_well);
    let sick =
        Replica::start(move |_| if switch.load(Ordering::Relaxed) { ok("back") } else { breaks_off() }).await;
    let well = Replica::start(|_| ok("well")).await;
    let ejection = Ejection {
        failures: NonZeroU32::new(2).unwrap(),
        time_min: Duration::from_secs(3600),
        time_max: Duration::from_secs(3600),
    };
    let settings = Settings { ejection, ..quiet() };
    let running = Running::start(settings.clone(), calls_by_replicas(&[&sick, &well])).await;
    for _ in 0..100 {
        assert_eq!(running.ask(get("/calls")).await.body, "well");
    }
    assert_eq!(sick.seen().len(), 2, "left out after two failures in a row");
    assert_eq!(running.gateway.stats().ejections(), 1);

    let ejection = Ejection { time_min: Duration::from_millis(1), ..settings.ejection };
    let running = Running::start(Settings { ejection, ..quiet() }, calls_by_replicas(&[&sick, &well])).await;
    while running.gateway.stats().ejections() == 0 {
        assert_eq!(running.ask(get("/calls")).await.body, "well");
    }
    is_well.store(true, Ordering::Relaxed);
    within(async { while running.ask(get("/calls")).await.body != "back" {} }).await;
}

#[tokio::test]
async fn when_all_are_left_out_they_are_asked_all_the_same() {
    let is_well = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_well);
    let only =
        Replica::start(move |_| if switch.load(Ordering::Relaxed) { ok("back") } else { breaks_off() }).await;
    let ejection = Ejection {
        failures: NonZeroU32::MIN,
        time_min: Duration::from_secs(3600),
        time_max: Duration::from_secs(3600),
    };
    let running = Running::start(Settings { ejection, ..quiet() }, calls_by_replicas(&[&only])).await;
    assert_eq!(running.ask(with_body("POST", "", "")).await.status, 504);
    assert!(!running.gateway.readiness().is_ready());
    is_well.store(true, Ordering::Relaxed);
    assert_eq!(running.ask(get("/calls")).await.body, "back");
    assert!(running.gateway.readiness().is_ready());
}

#[tokio::test]
async fn a_replica_that_says_it_is_not_ready_is_not_asked() {
    let is_ready = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_ready);
    let leaving = Replica::start(move |seen| {
        if seen.line.starts_with("GET /health/ready ") && !switch.load(Ordering::Relaxed) {
            Reply::Bytes("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned())
        } else {
            ok("leaving")
        }
    })
    .await;
    let staying = Replica::start(|_| ok("staying")).await;
    let health = HealthChecks {
        path: "/health/ready",
        interval: Duration::from_secs(3600),
        timeout: Duration::from_secs(10),
    };
    let settings = Settings { health: Some(health), ..quiet() };
    let both = Running::start(settings.clone(), calls_by_replicas(&[&leaving, &staying])).await;
    both.gateway.check_health().await;
    for _ in 0..20 {
        assert_eq!(both.ask(get("/calls")).await.body, "staying");
    }
    assert!(both.gateway.readiness().is_ready(), "one is enough");

    let alone = Running::start(settings, calls_by_replicas(&[&leaving])).await;
    alone.gateway.check_health().await;
    assert_eq!(alone.gateway.readiness().unanswered, ["call"]);
    is_ready.store(true, Ordering::Relaxed);
    alone.gateway.check_health().await;
    assert!(alone.gateway.readiness().is_ready());
}

#[tokio::test]
async fn a_replica_is_not_given_more_than_it_takes() {
    let silent = Replica::start(|_| Reply::Silence).await;
    let connections = Connections { in_flight_max: 1, ..quiet().connections };
    let running = Running::start(Settings { connections, ..quiet() }, calls_by_replicas(&[&silent])).await;
    let mut first = Client::connect(running.address).await;
    first.send(get("/calls")).await;
    within(async {
        while silent.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = running.ask(with_body("POST", "", "{}")).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "/problems/too-busy"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(silent.seen().len(), 1);
}
