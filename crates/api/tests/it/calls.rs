//! Riders call, look and cancel; drivers end rides.

use crate::world::{Setup, World};
use api::Settings;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::time::Duration;
use taxi::status::{CallStatus, DriveStatus, PayStatus};
use tower::ServiceExt;
use wiring::Layout;

/// For a world in which nobody waits for long.
fn impatient_setup() -> Setup {
    let setup = Setup::default();
    Setup { settings: Settings { answer_wait: Duration::from_millis(1), ..setup.settings }, ..setup }
}

#[tokio::test]
async fn a_ride_is_placed_and_ended() {
    let world = World::start();
    let placed = world.place(r#"{"userId":"1","userName":"eojin","distance":10}"#, &[]).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    assert_eq!(placed.header("content-type"), Some("application/hal+json"));
    assert_eq!(placed.header("location"), Some("http://taxi.test:8088/calls/1"));
    assert!(placed.header("taxisvc-position").unwrap().starts_with("call.0."));
    assert!(placed.header("x-request-id").is_some());
    let call = placed.json();
    assert_eq!((call["callId"].as_u64(), call["fare"].as_u64()), (Some(1), Some(100_000)));
    let settled = call["callStatus"].as_str().unwrap();
    assert!(["driveRequest", "driveStart"].contains(&settled), "{settled}");

    world.view_until(1, |view| view.drive_status == Some(DriveStatus::Start)).await;
    for _ in 0..2 {
        let ended = world.post("/drives/end", r#"{"driveId":"1"}"#).await;
        assert_eq!((ended.status, &ended.json()["driveStatus"]), (StatusCode::OK, &"end".into()));
    }
    world.view_until(1, |view| view.call_status == Some(CallStatus::DriveComplete)).await;
    let view = world.get("/callViews/1").await.json();
    assert_eq!(view["driveStatus"], "end");
    assert_eq!(view["payStatus"], "paid");
    assert_eq!(view["userName"], "eojin");
    assert_eq!(view["taxiNum"], "1111");
    let found = world.get("/callViews/search/findByCallId?callId=1").await.json();
    assert_eq!(found["_embedded"]["callViews"][0], view);
    let none = world.get("/callViews/search/findByCallId?callId=2").await.json();
    assert_eq!(none["_embedded"]["callViews"], serde_json::json!([]));
}

#[tokio::test]
async fn numbers_come_as_numbers_or_as_text() {
    let world = World::start();
    let check = async |body: &str, user_id: &str, distance: &str| {
        let placed = world.place(body, &[]).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{body}");
        let call = placed.json();
        assert_eq!(call["userId"], user_id, "{body}");
        assert_eq!(call["distance"].to_string(), distance, "{body}");
    };
    check(r#"{"userId":7,"userName":"a","distance":"1.2345"}"#, "7", "1.235").await;
    check(r#"{"userName":"어진","distance":1e1,"userId":"x","extra":[{}]}"#, "x", "10.0").await;
    check(r#"{"userId":1.0,"userName":1,"distance":0.0005,"payId":null}"#, "1.0", "0.001").await;
}

#[tokio::test]
async fn who_would_rather_not_wait_is_told_at_once() {
    let world = World::start();
    let body = r#"{"userId":"1","userName":"eojin","distance":10,"paymentMethod":"test:late=1"}"#;
    let placed = world.place(body, &[("prefer", "wait=9, respond-async")]).await;
    assert_eq!(placed.status, StatusCode::ACCEPTED);
    assert_eq!(placed.header("preference-applied"), Some("respond-async"));
    assert_eq!(placed.header("location"), Some("http://taxi.test:8088/calls/1"));
    assert_eq!(placed.json()["callStatus"], "payRequest");
}

#[tokio::test]
async fn a_late_payment_is_not_waited_for_longer_than_allowed() {
    let world = World::with(impatient_setup());
    let placed = world.call_paid_by("test:late=1").await;
    assert_eq!(placed.status, StatusCode::ACCEPTED);
    assert_eq!(placed.json()["callStatus"], "payRequest");
    assert_eq!(placed.header("preference-applied"), None);
}

#[tokio::test]
async fn a_refused_payment_is_an_answer() {
    let world = World::start();
    let placed = world.call_paid_by("test:refused").await;
    assert_eq!(placed.status, StatusCode::CREATED);
    assert_eq!(placed.json()["callStatus"], "payFail");
    let payment = world.get("/payments/1").await.json();
    assert_eq!(payment["payStatus"], "failed");
    assert_eq!(payment["payReason"], "refused");
    let cancelled = world.post("/calls/cancel", r#"{"callId":1}"#).await;
    assert_eq!(cancelled.status, StatusCode::CONFLICT);
    assert_eq!(cancelled.json()["type"], "/problems/not-allowed-now");
    assert_eq!(cancelled.json()["callStatus"], "payFail");
    let ended = world.post("/drives/end", r#"{"driveId":1}"#).await;
    assert_eq!((ended.status, &ended.json()["field"]), (StatusCode::NOT_FOUND, &"driveId".into()));
}

#[tokio::test]
async fn a_call_is_cancelled_and_cancelled_again() {
    let world = World::start();
    world.call("10").await;
    world.view_until(1, |view| view.drive_status == Some(DriveStatus::Start)).await;
    for _ in 0..2 {
        let cancelled = world.post("/calls/cancel", r#"{"callId":1}"#).await;
        assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
        assert_eq!(cancelled.json()["callStatus"], "requestCancel");
    }
    let ended = world.post("/drives/end", r#"{"driveId":1}"#).await;
    assert_eq!(ended.status, StatusCode::CONFLICT);
    assert_eq!(ended.json()["driveStatus"], "cancel");
    world.view_until(1, |view| view.pay_status == Some(PayStatus::Refunded)).await;
}

#[tokio::test]
async fn an_ended_ride_cannot_be_cancelled() {
    let world = World::start();
    world.call("10").await;
    world.view_until(1, |view| view.drive_status == Some(DriveStatus::Start)).await;
    world.post("/drives/end", r#"{"driveId":1}"#).await;
    // Whether the call has heard of it yet or not, the ride stands.
    let cancelled = world.post("/calls/cancel", r#"{"callId":1}"#).await;
    assert_eq!(cancelled.status, StatusCode::CONFLICT, "{cancelled:?}");
    assert_eq!(cancelled.json()["callStatus"], "driveComplete");
}

/// A world in which every service has a database of its own.
fn apart(setup: Setup) -> World {
    World::with(Setup { layout: Layout::Apart, ..setup })
}

#[tokio::test]
async fn a_cancellation_that_crosses_the_end_of_the_ride_is_refused() {
    let world = apart(Setup::default());
    world.call("10").await;
    world.call_until(1, |call| call.call_status == CallStatus::DriveStart).await;
    world.gate("drive").close();
    let end = world.post("/drives/end", r#"{"driveId":1}"#);
    let cancel = world.post_with("/calls/cancel", r#"{"callId":1}"#, &[("idempotency-key", "k")]);
    let cross = async {
        world.call_until(1, |call| call.call_status == CallStatus::RequestCancel).await;
        world.gate("drive").open();
    };
    let (end, cancel, ()) = tokio::join!(end, cancel, cross);
    assert_eq!(end.status, StatusCode::OK);
    assert_eq!(cancel.status, StatusCode::CONFLICT, "{cancel:?}");
    assert_eq!(cancel.json()["callStatus"], "driveComplete");
    let again = world.post_with("/calls/cancel", r#"{"callId":1}"#, &[("idempotency-key", "k")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_cancellation_that_drive_does_not_answer_is_accepted() {
    let world = apart(impatient_setup());
    let body = r#"{"userId":"1","userName":"eojin","distance":10}"#;
    world.place(body, &[("prefer", "respond-async")]).await;
    world.call_until(1, |call| call.call_status == CallStatus::DriveStart).await;
    world.gate("drive").close();
    for _ in 0..2 {
        let cancelled = world.post("/calls/cancel", r#"{"callId":1}"#).await;
        assert_eq!(cancelled.status, StatusCode::ACCEPTED, "{cancelled:?}");
        assert_eq!(cancelled.json()["callStatus"], "requestCancel");
    }
    world.gate("drive").open();
    world.call_until(1, |call| call.cancelled).await;
    let cancelled = world.post("/calls/cancel", r#"{"callId":1}"#).await;
    assert_eq!(cancelled.status, StatusCode::OK);
}

#[tokio::test]
async fn links_are_good_from_where_the_client_stands() {
    let world = World::start();
    world.call("10").await;
    let ask = async |router: Router| {
        let request = Request::get("/calls/1")
            .header("host", "10.0.0.7:8082")
            .header("x-forwarded-host", "taxi.example.org")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-port", "443");
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let call: serde_json::Value = serde_json::from_slice(&body).unwrap();
        call["_links"]["self"]["href"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask(api::call_router(&world.api)).await, "http://10.0.0.7:8082/calls/1");
    let behind = api::call_router(&world.api.behind_gateway());
    assert_eq!(ask(behind).await, "https://taxi.example.org/calls/1");
}

#[tokio::test]
async fn a_call_beyond_every_taxi_is_cancelled_and_paid_back() {
    let world = World::start();
    world.call("150").await;
    world.view_until(1, |view| view.pay_status == Some(PayStatus::Refunded)).await;
    let drive = world.get("/drives/1").await.json();
    assert_eq!(drive["driveStatus"], "requestCancel");
    let ended = world.post("/drives/end", r#"{"driveId":1}"#).await;
    assert_eq!(ended.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_fare_is_quoted() {
    let world = World::start();
    let check = async |distance: &str, expected: &str| {
        let quoted = world.get(&format!("/fares?distance={distance}")).await;
        assert_eq!(quoted.status, StatusCode::OK);
        assert_eq!(String::from_utf8_lossy(&quoted.body), expected);
    };
    check("10", r#"{"distance":10.0,"fare":100000,"currency":"KRW","tooFar":false}"#).await;
    check("100.001", r#"{"distance":100.001,"fare":1000010,"currency":"KRW","tooFar":true}"#).await;
}
