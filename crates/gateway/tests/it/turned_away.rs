//! Clients that ask too much.

use std::num::NonZeroU32;

use axum::Router;
use axum::routing::any;
use gateway::route::Upstream;
use gateway::settings::{RateLimit, Settings};
use tokio::sync::Semaphore;

use crate::support::{Client, Running, calls_by, get, quiet, within};

fn local() -> Upstream {
    Upstream::Local(Router::new().route("/calls", any(|| async { "here" })))
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_when_to_come_back() {
    let rate = RateLimit {
        // So slow that nothing is earned back while the test runs.
        per_second: NonZeroU32::MIN,
        burst: NonZeroU32::new(3).unwrap(),
        clients_max: 1000,
    };
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let settings = Settings { rate_limit: Some(rate), trusted_proxies, ..quiet() };
    let running = Running::start(settings, calls_by(local())).await;
    let ask = |client: &str| {
        format!("GET /calls HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9, {client}\r\n\r\n")
    };
    let mut refused = 0;
    for _ in 0..20 {
        let answer = running.ask(ask("203.0.113.1")).await;
        if answer.status == 429 {
            refused += 1;
            assert_eq!(answer.problem(), "/problems/rate-limited");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
    assert!(refused > 0);
    assert_eq!(running.gateway.stats().rate_limited(), refused);
    assert_eq!(running.ask(ask("203.0.113.2")).await.status, 200, "another client is not its fault");
}

#[tokio::test]
async fn a_stranger_cannot_choose_whom_it_is_counted_for() {
    let rate = RateLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN, clients_max: 1000 };
    let running = Running::start(Settings { rate_limit: Some(rate), ..quiet() }, calls_by(local())).await;
    let mut statuses = Vec::new();
    for client in 1..20 {
        let request = format!("GET /calls HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.{client}\r\n\r\n");
        statuses.push(running.ask(request).await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn more_requests_than_are_worked_on_at_once_are_refused() {
    static RELEASED: Semaphore = Semaphore::const_new(0);
    let local = Router::new().route(
        "/calls",
        any(|| async {
            let _permit = RELEASED.acquire().await;
            "done"
        }),
    );
    let settings = Settings { requests_in_flight_max: 1, ..quiet() };
    let running = Running::start(settings, calls_by(Upstream::Local(local))).await;
    let mut first = Client::connect(running.address).await;
    first.send(get("/calls")).await;
    within(async {
        while running.gateway.stats().in_flight() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = running.ask(get("/calls")).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "/problems/too-busy"));
    RELEASED.add_permits(1);
    assert_eq!(first.read_answer().await.body, "done");
    assert_eq!(running.ask(get("/calls")).await.body, "done");
}

#[tokio::test]
async fn who_is_turned_away_is_told_so_in_their_language() {
    let running = Running::start(quiet(), calls_by(local())).await;
    for (language, tag, title) in [
        ("", "en", "There is nothing here"),
        ("Accept-Language: ko-KR,ko;q=0.9,en;q=0.8\r\n", "ko", "찾을 수 없습니다"),
        ("Accept-Language: de\r\n", "en", "There is nothing here"),
    ] {
        let answer = running.ask(format!("GET /nothing HTTP/1.1\r\nHost: a\r\n{language}\r\n")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "/problems/not-found"));
        assert!(answer.body.contains(title), "{language}: {}", answer.body);
        assert_eq!(answer.header("content-language"), Some(tag));
        assert_eq!(answer.header("vary"), Some("accept-language"));
    }
}
