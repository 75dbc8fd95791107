//! What passes through the gateway, and what does not.

use axum::Router;
use axum::extract::Request;
use axum::routing::{any, get as on_get};
use gateway::route::{Route, Upstream};
use gateway::settings::{Cors, Settings};

use crate::support::{
    Client, Replica, Reply, Running, authority, calls_by, calls_by_replicas, get, ok, quiet, with_body,
};

/// Answers with what it was asked.
async fn echo(request: Request) -> String {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut lines: Vec<String> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    format!("{} {}\n{}\n\n{}", head.method, head.uri, lines.join("\n"), String::from_utf8_lossy(&body))
}

fn local() -> Upstream {
    Upstream::Local(Router::new().route("/calls", any(echo)).route("/calls/{id}", on_get(echo)))
}

#[tokio::test]
async fn a_path_goes_to_its_service_or_its_replica_or_the_page() {
    let replica = Replica::start(|_| ok("payment")).await;
    let mut routes = calls_by(local());
    routes.push(Route {
        name: "payment",
        prefixes: &["/payments", "/fares"],
        upstream: Upstream::Http(vec![authority(replica.address)]),
    });
    let page = Router::new().route("/", on_get(|| async { "page" }));
    routes.push(Route::everything_else("page", Upstream::Local(page)));
    let running = Running::start(quiet(), routes).await;
    let mut client = Client::connect(running.address).await;
    assert!(client.ask(get("/calls/1?x=%2F")).await.body.starts_with("GET /calls/1?x=%2F\n"));
    assert_eq!(client.ask(get("/fares?distance=10")).await.body, "payment");
    assert_eq!(client.ask(get("/payments/7")).await.body, "payment");
    assert_eq!(client.ask(get("/")).await.body, "page");
    assert_eq!(client.ask(get("/callsX")).await.status, 404);
    assert_eq!(client.ask(get("/callpay")).await.status, 404);
    let lines: Vec<String> = replica.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /fares?distance=10 HTTP/1.1", "GET /payments/7 HTTP/1.1"]);

    let stats = running.gateway.stats();
    let counted: Vec<_> =
        stats.routes().iter().map(|route| (route.name, route.answers(2), route.answers(4))).collect();
    assert_eq!(counted, [("call", 1, 0), ("payment", 2, 0), ("page", 1, 2), ("none", 0, 0)]);
    assert_eq!(stats.in_flight(), 0);
}

#[tokio::test]
async fn a_path_without_a_route_is_a_problem() {
    let running = Running::start(quiet(), calls_by(local())).await;
    let answer = running.ask(get("/other")).await;
    assert_eq!((answer.status, answer.problem().as_str()), (404, "/problems/not-found"));
    let answer = running.ask("TRACE /calls HTTP/1.1\r\nHost: taxi.test\r\n\r\n").await;
    assert_eq!((answer.status, answer.problem().as_str()), (405, "/problems/method-not-allowed"));
    assert!(answer.header("allow").is_some());
}

#[tokio::test]
async fn a_replica_is_told_nothing_that_belongs_to_a_connection_or_to_us() {
    let replica = Replica::start(|_| {
        Reply::Bytes(
            "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n\
             Proxy-Authenticate: Basic\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\nLocation: /calls/1\r\n\r\nhi"
                .to_owned(),
        )
    })
    .await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let lines = "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\nUpgrade: websocket\r\n\
                 Proxy-Authorization: Basic eA==\r\nForwarded: for=9.9.9.9\r\nX-Forwarded-For: 9.9.9.9\r\n\
                 X-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\n\
                 taxisvc-actor: operator\r\nTaxisvc-Internal-Key: 1\r\n\
                 Taxisvc-Internal-Client: 9.9.9.9\r\nIdempotency-Key: \"k\"\r\n\
                 X-Request-Id: my-id\r\nContent-Type: application/json\r\n";
    let answer = running.ask(with_body("POST", lines, "{\"distance\":10}")).await;

    let seen = &replica.seen()[0];
    assert_eq!(seen.body, "{\"distance\":10}");
    let mut names: Vec<&str> = seen.headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "content-length",
            "content-type",
            "host",
            "idempotency-key",
            "taxisvc-internal-client",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-request-id",
        ]
    );
    assert_eq!(seen.headers["host"], replica.address.to_string());
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(
        seen.headers["taxisvc-internal-client"], "127.0.0.1",
        "what a client says of itself does not count"
    );
    assert_eq!(seen.headers["x-forwarded-host"], "taxi.test");
    assert_eq!(seen.headers["x-forwarded-port"], "80");
    assert_eq!(seen.headers["x-forwarded-proto"], "http");
    assert_eq!(seen.headers["x-request-id"], "my-id");

    assert_eq!(answer.status, 201);
    let mut names: Vec<&str> = answer.headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "access-control-allow-origin",
            "access-control-expose-headers",
            "content-length",
            "date",
            "location",
            "x-request-id",
        ]
    );
    assert_eq!(answer.header("x-request-id"), Some("my-id"));
}

#[tokio::test]
async fn a_service_of_this_process_is_told_the_same() {
    let running = Running::start(quiet(), calls_by(local())).await;
    let lines =
        "Connection: X-Secret\r\nX-Secret: 1\r\nX-Forwarded-Host: evil.test\r\ntaxisvc-actor: operator\r\n";
    let answer = running.ask(with_body("POST", lines, "{}")).await;
    assert!(answer.body.contains("x-forwarded-host: taxi.test"), "{}", answer.body);
    assert!(answer.body.ends_with("\n\n{}"), "{}", answer.body);
    for gone in ["x-secret", "evil", "taxisvc-actor"] {
        assert!(!answer.body.contains(gone), "{}", answer.body);
    }
    let id = answer.header("x-request-id").unwrap();
    assert!(answer.body.contains(&format!("x-request-id: {id}")), "{}", answer.body);
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let settings = Settings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..quiet() };
    let running = Running::start(settings, calls_by(local())).await;
    let lines =
        "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: taxi.example.org\r\nX-Forwarded-Proto: https\r\n";
    let answer = running.ask(with_body("POST", lines, "")).await;
    for told in [
        "x-forwarded-for: 203.0.113.7, 127.0.0.1",
        "x-forwarded-host: taxi.example.org",
        "x-forwarded-port: 443",
        "x-forwarded-proto: https",
    ] {
        assert!(answer.body.contains(told), "{told} is not in {}", answer.body);
    }
}

#[tokio::test]
async fn connections_to_a_replica_are_used_again() {
    let replica = Replica::start(|seen| {
        if seen.line.starts_with("HEAD") {
            Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned())
        } else {
            Reply::Bytes(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
            )
        }
    })
    .await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let mut client = Client::connect(running.address).await;
    for _ in 0..3 {
        assert_eq!(client.ask(get("/calls")).await.body, "hello");
        client.send("HEAD /calls HTTP/1.1\r\nHost: taxi.test\r\n\r\n").await;
        assert_eq!(client.read_head().await.header("content-length"), Some("5"));
    }
    assert_eq!(replica.seen().len(), 6);
    assert_eq!(replica.connections_opened(), 1);
}

fn asked_by_page(method: &str, origin: &str, extra: &str) -> String {
    format!("{method} /calls HTTP/1.1\r\nHost: taxi.test\r\nOrigin: {origin}\r\n{extra}\r\n")
}

const PREFLIGHT: &str =
    "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,idempotency-key\r\n";

#[tokio::test]
async fn any_page_may_read_and_is_never_given_a_wildcard_with_credentials() {
    let replica = Replica::start(|_| {
        Reply::Bytes(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: http://own.test\r\n\
             Access-Control-Allow-Credentials: true\r\n\r\n"
                .to_owned(),
        )
    })
    .await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let preflight = running.ask(asked_by_page("OPTIONS", "https://page.test", PREFLIGHT)).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("content-type,idempotency-key"));
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(replica.seen().is_empty(), "a preflight is answered here");
    let answer = running.ask(asked_by_page("GET", "https://page.test", "")).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let problem = running.ask("GET /none HTTP/1.1\r\nHost: a\r\nOrigin: https://page.test\r\n\r\n").await;
    assert_eq!(problem.header("access-control-allow-origin"), Some("*"), "problems can be read too");
}

#[tokio::test]
async fn only_listed_pages_may_read_and_they_by_name() {
    let cors = Cors::Origins { allowed: vec!["https://page.test".to_owned()], credentials: true };
    let running = Running::start(Settings { cors, ..quiet() }, calls_by(local())).await;
    for (method, extra) in [("OPTIONS", PREFLIGHT), ("GET", "")] {
        let known = running.ask(asked_by_page(method, "https://page.test", extra)).await;
        assert_eq!(known.header("access-control-allow-origin"), Some("https://page.test"));
        assert_eq!(known.header("access-control-allow-credentials"), Some("true"));
        if method == "GET" {
            let exposed = known.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
            let exposed: Vec<&str> = exposed.split(", ").collect();
            for name in ["location", "retry-after", "x-request-id", "taxisvc-position", "idempotent-replayed"]
            {
                assert!(exposed.contains(&name), "{name} is not in {exposed:?}");
            }
            assert!(exposed.contains(&"preference-applied") && !exposed.contains(&"*"), "{exposed:?}");
        }
        let unknown = running.ask(asked_by_page(method, "https://page.test.evil", extra)).await;
        assert_eq!(unknown.header("access-control-allow-origin"), None);
        assert_eq!(unknown.header("access-control-allow-credentials"), None);
        assert_eq!(unknown.header("access-control-allow-methods"), None);
        assert!(unknown.header("vary").is_some());
    }
}
