//! Operators: let in by the token alone, acting on someone's behalf, and looking into the process.

use crate::world::{Answer, TOKEN, World};
use axum::body::Body;
use http::Request;
use serde_json::json;

async fn shown(world: &World, method: &str, uri: &str, credentials: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(uri).header("host", "taxi.test:8088");
    if let Some(credentials) = credentials {
        request = request.header("authorization", credentials);
    }
    world.ask(request.body(Body::empty()).unwrap()).await
}

async fn get(world: &World, uri: &str) -> Answer {
    shown(world, "GET", uri, Some(&format!("Bearer {TOKEN}"))).await
}

async fn send(world: &World, (method, uri): (&str, &str), body: &str, key: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(uri).header("host", "taxi.test:8088");
    request = request.header("content-type", "application/json");
    request = request.header("authorization", format!("Bearer {TOKEN}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    world.ask(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn problem(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["type"].as_str().unwrap().replace("/problems/", ""))
}

#[tokio::test]
async fn nobody_is_let_in_without_the_token() {
    let world = World::start();
    let wrong = ["Bearer wrong".to_owned(), format!("Basic {TOKEN}"), TOKEN.to_owned(), String::new()];
    for (method, uri) in [
        ("GET", "/operator/config"),
        ("GET", "/operator/log"),
        ("PUT", "/operator/log"),
        ("POST", "/operator/calls/cancel"),
        ("GET", "/operator"),
        ("GET", "/operator/nothing/here"),
        ("DELETE", "/operator/config"),
    ] {
        for credentials in wrong.iter().map(|text| Some(text.as_str())).chain([None]) {
            let answer = shown(&world, method, uri, credentials).await;
            assert_eq!(problem(&answer), (401, "unauthorized".to_owned()), "{method} {uri}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {uri}");
            assert!(!String::from_utf8_lossy(&answer.body).contains(TOKEN));
        }
    }
}

#[tokio::test]
async fn with_the_token_what_is_not_there_is_told() {
    let world = World::start();
    for uri in ["/operator", "/operator/nothing/here", "/operator/calls/cancel/1"] {
        assert_eq!(problem(&get(&world, uri).await), (404, "not-found".to_owned()), "{uri}");
    }
    let answer = get(&world, "/operator/calls/cancel").await;
    assert_eq!(problem(&answer), (405, "method-not-allowed".to_owned()));
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn an_operator_acts_as_one() {
    let world = World::start();
    let (cancelled, ended) = (world.call("10").await, world.call("10").await);
    world.call_until(ended, |call| call.call_status == taxi::status::CallStatus::DriveStart).await;
    let body = format!("{{\"callId\":{cancelled}}}");
    let first = send(&world, ("POST", "/operator/calls/cancel"), &body, Some("k")).await;
    assert_eq!((first.status.as_u16(), &first.json()["callStatus"]), (200, &"requestCancel".into()));
    assert!(first.header("taxisvc-position").is_some());
    let again = send(&world, ("POST", "/operator/calls/cancel"), &body, Some("k")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (first.status, Some("true")));
    let body = format!("{{\"driveId\":{ended}}}");
    let answer = send(&world, ("POST", "/operator/drives/end"), &body, None).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["driveStatus"]), (200, &"end".into()));
    for (event_type, service) in [("CancelRequested", "call"), ("DriveEnded", "drive")] {
        let tail = world.api.bus.tails().iter().find(|tail| tail.source().service == service).unwrap();
        let events = tail.read(0, 100).unwrap();
        let event = events.iter().find(|event| event.event_type == event_type).unwrap();
        assert_eq!(event.actor, "operator", "{event_type}");
    }
    for uri in ["/operator/calls/cancel", "/operator/drives/end"] {
        let field = if uri.contains("calls") { "callId" } else { "driveId" };
        let answer = send(&world, ("POST", uri), &format!("{{\"{field}\":99}}"), None).await;
        assert_eq!(problem(&answer), (404, "not-found".to_owned()));
    }
}

#[tokio::test]
async fn the_log_level_is_told_and_set() {
    let world = World::start();
    assert_eq!(get(&world, "/operator/log").await.json(), json!({"level": "info"}));
    let set = send(&world, ("PUT", "/operator/log"), r#"{"level":"debug"}"#, None).await;
    assert_eq!((set.status.as_u16(), set.json()), (200, json!({"level": "debug"})));
    assert_eq!(get(&world, "/operator/log").await.json(), json!({"level": "debug"}));
    let refused = send(&world, ("PUT", "/operator/log"), r#"{"level":"loud"}"#, None).await;
    assert_eq!(problem(&refused), (422, "impossible".to_owned()));
    assert_eq!(refused.json()["field"], "level");
    let refused = send(&world, ("PUT", "/operator/log"), "{}", None).await;
    assert_eq!(problem(&refused), (400, "malformed".to_owned()));
    assert_eq!(get(&world, "/operator/log").await.json(), json!({"level": "debug"}));
}

#[tokio::test]
async fn the_configuration_is_told() {
    let world = World::start();
    let answer = get(&world, "/operator/config").await;
    assert_eq!(answer.json(), json!({"tariff": {"won_per_km": 10_000}}));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
