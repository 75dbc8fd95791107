//! A service by itself before there is anything behind it: its port is open, it says what it waits for, and it stops when
//! asked. What it does over PostgreSQL and Kafka is told under `cluster`.

use crate::world::http::Ask;
use crate::world::process::{Ended, Server, run, settings, taxisvc};
use crate::world::until;
use std::net::TcpListener;

const SERVICES: [(&str, &str); 4] =
    [("call", "/calls"), ("payment", "/payments"), ("drive", "/drives"), ("view", "/callViews")];

/// Where nobody listens.
fn nowhere() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    free.to_string()
}

#[test]
fn it_says_what_it_waits_for_and_stops_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let away = nowhere();
    for (service, path) in SERVICES {
        let name = service.to_uppercase();
        let database = format!("postgres://taxisvc:hush@{away}/{service}");
        let pairs = settings(&[
            (&format!("PORTS_{name}"), "0"),
            (&format!("POSTGRES_{name}"), &database),
            ("KAFKA_BROKERS", &away),
            ("LOG", "info"),
        ]);
        let mut server = Server::start(taxisvc(folder.path(), &pairs, &[service, "--data", "data"]));
        let address = server.address(service);
        let waits = until("it to say what it waits for", || {
            let ready = Ask::get("/health/ready").of(address).ok()?.with(503);
            let reason = ready.json()["reason"].as_str()?.to_owned();
            reason.contains("waits for its database").then_some(reason)
        });
        assert!(waits.contains(&format!("taxisvc:***@{away}/{service}")), "{waits}");
        assert_eq!(Ask::get("/health/live").of(address).unwrap().status, 200);
        let metrics = Ask::get("/metrics").of(address).unwrap().with(200);
        assert!(metrics.body.contains("taxisvc_build_info"));
        for path in [path, "/operator/log"] {
            let starting = Ask::get(path).of(address).unwrap().with(503);
            assert_eq!(starting.problem(), "unavailable");
            assert!(starting.header("retry-after").is_some(), "{starting:?}");
        }
        assert_eq!(Ask::get("/problems/unavailable").of(address).unwrap().status, 200);
        server.terminate();
        assert_eq!(server.ended().code(), Some(0), "{}", server.said());
        assert!(!server.said().contains("hush"), "a password is in the log: {}", server.said());
    }
    let made: Vec<_> = std::fs::read_dir(folder.path().join("data")).unwrap().collect();
    assert_eq!(made.len(), 1, "the four share one token and keep nothing else: {made:?}");
    // The directory is none of a server's yet, and may become one.
    let pairs = settings(&[("LOG", "warn")]);
    let ended = run(folder.path(), &pairs, &["token", "--data", "data"]);
    assert_eq!((ended.code, ended.stdout.trim().len()), (Some(0), 32), "{ended:?}");
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let Ended { code, stderr, .. } = run(folder.path(), &settings(&[("PORTS_DRIVE", &port)]), &["drive"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("ports.drive sets another port"), "{stderr}");
}

#[test]
fn what_cannot_be_followed_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let check = |command: &str, pairs: &[(&str, &str)], words: &[&str]| {
        let ended = run(folder.path(), &settings(pairs), &[command, "--data", "data"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?}: {ended:?}");
        }
    };
    check("up", &[("STORE_KIND", "postgres")], &["store.kind", "taxisvc drive", "taxisvc gateway", "sqlite"]);
    check("call", &[("POSTGRES_CALL", "host=db")], &["postgres.call", "postgres://"]);
    check("view", &[("KAFKA_SECURITY", "sasl-ssl")], &["kafka.sasl_username"]);
    if !cfg!(feature = "kafka-tls") {
        check("view", &[("KAFKA_SECURITY", "ssl")], &["TLS"]);
    }
    assert!(!folder.path().join("data").exists(), "nothing was made");
}

/// It tells of itself and of what it fronts, whatever is away.
#[test]
fn a_gateway_in_front_of_services_that_are_away_says_so() {
    const TOKEN: &str = "correct-horse-battery";
    let folder = tempfile::tempdir().unwrap();
    let away = nowhere();
    let database = |service: &str| format!("postgres://taxisvc:hush@{away}/{service}");
    let databases = ["call", "payment", "drive", "view"].map(database);
    let [call, payment, drive, view] = &databases;
    let pairs = settings(&[
        ("STORE_KIND", "postgres"),
        ("PORTS_GATEWAY", "0"),
        ("OPERATOR_TOKEN", TOKEN),
        ("POSTGRES_CALL", call),
        ("POSTGRES_PAYMENT", payment),
        ("POSTGRES_DRIVE", drive),
        ("POSTGRES_VIEW", view),
        ("UPSTREAMS_CALL", &away),
        ("UPSTREAMS_PAYMENT", &away),
        ("UPSTREAMS_DRIVE", &away),
        ("UPSTREAMS_VIEW", &away),
        ("LOG", "warn"),
    ]);
    let mut gateway = Server::start(taxisvc(folder.path(), &pairs, &["gateway"]));
    let address = gateway.address("gateway");
    let ready = until("it to look for the databases", || {
        let ready = Ask::get("/health/ready").of(address).ok()?.with(503);
        ready.json()["warnings"][0].as_str().map(str::to_owned)
    });
    assert!(ready.contains("/events") && ready.contains("taxisvc:***@"), "{ready}");
    assert_eq!(Ask::get("/events").of(address).unwrap().with(503).problem(), "unavailable");
    assert_eq!(Ask::get("/").of(address).unwrap().status, 200, "the gateway has the page itself");
    let ask = |path: &str| Ask::get(path).header("authorization", &format!("Bearer {TOKEN}")).of(address);
    for path in ["/operator/calls/1", "/operator/audit", "/operator/dead-letters", "/operator/events"] {
        assert_eq!(Ask::get(path).of(address).unwrap().with(401).problem(), "unauthorized", "{path}");
        assert_eq!(ask(path).unwrap().with(503).problem(), "unavailable", "{path}");
    }
    for path in ["/operator/log", "/operator/config", "/operator/doctor"] {
        assert_eq!(ask(path).unwrap().status, 200, "{path}");
    }
    for path in ["/operator/dead-letters/payment/1", "/operator/views/rebuild", "/calls"] {
        assert_eq!(ask(path).unwrap().with(503).problem(), "upstream-unavailable", "{path}");
    }
    gateway.terminate();
    assert_eq!(gateway.ended().code(), Some(0), "{}", gateway.said());
    assert!(!gateway.said().contains("hush"), "a password is in the log: {}", gateway.said());
}
