//! `POST /callpay`: a call service asks payment directly.

use crate::world::{Setup, World};
use api::Settings;
use http::StatusCode;
use std::time::Duration;
use taxi::rules::CallpayBeside;

/// A world in which a direct payment is not waited for.
fn impatient(beside: CallpayBeside) -> World {
    let setup = Setup::default();
    World::with(Setup {
        settings: Settings { callpay_wait: Duration::from_millis(1), ..setup.settings },
        beside,
        ..setup
    })
}

async fn check(world: &World, body: &str, status: u16, kind: &str) {
    let answer = world.post("/callpay", body).await;
    assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
    let kind = format!("/problems/{kind}");
    assert_eq!(answer.json()["type"], kind, "{body}");
}

#[tokio::test]
async fn beside_our_call_service_it_pays_what_was_heard_of() {
    let world = World::start();
    check(&world, r#"{"callId":1,"fare":100000.0,"payId":null}"#, 404, "not-found").await;
    world.call("10").await;
    for _ in 0..2 {
        let paid = world.post("/callpay", r#"{"callId":1,"fare":100000.0,"payId":null}"#).await;
        assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
        assert_eq!(paid.json()["payStatus"], "paid");
    }
    check(&world, r#"{"callId":1,"fare":1}"#, 409, "other-fare").await;
    assert_eq!(world.call_paid_by("test:refused").await.json()["callId"], 2);
    check(&world, r#"{"callId":2,"fare":100000}"#, 402, "payment-refused").await;
}

#[tokio::test]
async fn beside_the_originals_it_pays_once_what_it_never_heard_of() {
    let world = World::with(Setup { beside: CallpayBeside::Original, ..Setup::default() });
    for _ in 0..2 {
        let paid = world.post("/callpay", r#"{"callId":77,"fare":1e5}"#).await;
        assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
        let payment = paid.json();
        assert_eq!((&payment["payId"], &payment["fare"]), (&77.into(), &100_000.into()));
    }
    assert_eq!(world.get("/payments").await.json()["page"]["totalElements"], 1);
    check(&world, r#"{"callId":77,"fare":2}"#, 409, "other-fare").await;
}

/// 1.13 km, as the original's call service reckons.
#[tokio::test]
async fn a_fare_of_floating_point_is_the_fare() {
    let world = World::with(Setup { beside: CallpayBeside::Original, ..Setup::default() });
    for fare in ["11299.999999999998", "11300.0", "1.13E4"] {
        let paid = world.post("/callpay", &format!(r#"{{"callId":78,"fare":{fare}}}"#)).await;
        assert_eq!((paid.status, &paid.json()["fare"]), (StatusCode::OK, &11_300.into()), "{fare}");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_given_up_for_good() {
    let world = impatient(CallpayBeside::Ours);
    let late = r#"{"userId":"1","userName":"eojin","distance":10,"paymentMethod":"test:late=1"}"#;
    let placed = world.place(late, &[("prefer", "respond-async")]).await;
    assert_eq!(placed.status, StatusCode::ACCEPTED);
    world.held().await;
    check(&world, r#"{"callId":1,"fare":100000}"#, 504, "payment-given-up").await;
    check(&world, r#"{"callId":1,"fare":100000}"#, 504, "payment-given-up").await;
    assert_eq!(world.get("/payments/1").await.json()["payReason"], "given up");
}

#[tokio::test]
async fn a_call_that_is_off_is_not_paid() {
    let world = World::start();
    world.call("150").await;
    let refunded = |view: &taxi::view::CallView| view.refunded_at.is_some();
    world.view_until(1, refunded).await;
    check(&world, r#"{"callId":1,"fare":1500000}"#, 409, "not-allowed-now").await;
    let answer = world.post("/callpay", r#"{"callId":1,"fare":1500000}"#).await;
    assert_eq!(answer.json()["payStatus"], "refunded");
}
