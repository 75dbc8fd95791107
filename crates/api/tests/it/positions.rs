//! A position is carried from a write to a read.

use crate::world::{Setup, World};
use api::Settings;
use axum::body::Body;
use http::{Request, StatusCode};
use std::time::Duration;
use wiring::Layout;

#[tokio::test]
async fn a_view_shows_at_least_what_was_written() {
    let world = World::start();
    let placed = world.place(r#"{"userId":"1","userName":"a","distance":10}"#, &[]).await;
    let position = placed.header("taxisvc-position").unwrap();
    // Not only the call's request lies before it, but what the rider was told of its payment.
    let number: u64 = position.split('.').nth(2).unwrap().parse().unwrap();
    assert!(number > 1, "{position}");
    let view = world.get(&format!("/callViews/1?at-least={position}")).await;
    assert_eq!(view.status, StatusCode::OK);
    assert_ne!(view.json()["callStatus"], "payRequest");
    let list = world.get(&format!("/callViews?at-least={position}")).await;
    assert_eq!(list.json()["page"]["totalElements"], 1);

    world.view_until(1, |view| view.started_at.is_some()).await;
    let ended = world.post("/drives/end", r#"{"driveId":1}"#).await;
    let position = ended.header("taxisvc-position").unwrap();
    assert!(position.starts_with("drive.0."), "{position}");
    let request = Request::get("/callViews/search/findByCallId?callId=1")
        .header("host", "a")
        .header("taxisvc-at-least", position);
    let found = world.ask(request.body(Body::empty()).unwrap()).await.json();
    assert_eq!(found["_embedded"]["callViews"][0]["driveStatus"], "end");
}

#[tokio::test]
async fn what_is_not_read_yet_is_not_waited_for_longer_than_allowed() {
    let setup = Setup::default();
    let world = World::with(Setup {
        settings: Settings { answer_wait: Duration::from_millis(1), ..setup.settings },
        layout: Layout::Apart,
        ..setup
    });
    world.gate("payment").close();
    world.gate("view").close();
    let placed = world.place(r#"{"userId":"1","userName":"a","distance":10}"#, &[]).await;
    let position = placed.header("taxisvc-position").unwrap();
    for uri in ["/callViews", "/callViews/1", "/payments", "/payments/1"] {
        let answer = world.get(&format!("{uri}?at-least={position}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{uri}");
        assert_eq!(answer.json()["type"], "/problems/not-read-yet");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let own = world.get(&format!("/calls?at-least={position}")).await;
    assert_eq!(own.status, StatusCode::OK);
}

/// Whoever waited for it would wait in vain, or for something else.
#[tokio::test]
async fn a_position_that_was_never_given_is_refused_at_once() {
    let world = World::start();
    let placed = world.place(r#"{"userId":"1","userName":"a","distance":10}"#, &[]).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    for wrong in ["call.0.1.00000000deadbeee", "call.0.1000000.00000000deadbeef"] {
        for uri in ["/calls", "/calls/1", "/callViews", "/drives", "/payments/1"] {
            let answer = world.get(&format!("{uri}?at-least={wrong}")).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{uri} {wrong}");
            assert_eq!(answer.json()["type"], "/problems/another-log");
            assert_eq!(answer.json()["field"], "at-least");
        }
    }
}
