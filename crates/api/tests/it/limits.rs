//! What one rider and one client may have.

use crate::world::{Answer, Setup, World, post, within};
use api::{RiderRate, Settings, Trust};
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use std::net::SocketAddr;
use std::num::NonZeroU32;

fn world(change: impl FnOnce(Settings) -> Settings) -> World {
    let setup = Setup::default();
    World::with(Setup { settings: change(setup.settings.clone()), ..setup })
}

fn call(user: &str) -> String {
    format!(r#"{{"userId":"{user}","userName":"eojin","distance":10}}"#)
}

async fn place(world: &World, user: &str, key: Option<&str>) -> Answer {
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    world.ask(post("/calls", &call(user), &headers)).await
}

#[tokio::test]
async fn a_rider_calls_as_often_as_allowed_and_repeats_as_often_as_needed() {
    // So slow that nothing is earned back while the test runs.
    let rate = RiderRate { calls_per_minute: NonZeroU32::MIN, burst: NonZeroU32::new(3).unwrap() };
    let world = world(|settings| Settings { rider_rate: Some(rate), ..settings });
    // A call that comes before there are numbers for calls is turned away, and counted.
    within(async {
        while world.handles.call.draw_number().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let first = place(&world, "1", Some("k")).await;
    assert_eq!(first.status, 201);
    for _ in 0..5 {
        let again = place(&world, "1", Some("k")).await;
        assert_eq!((again.status, again.body.clone()), (first.status, first.body.clone()));
    }
    for _ in 0..2 {
        assert_eq!(place(&world, "1", None).await.status, 201);
    }
    for key in [None, Some("new")] {
        let refused = place(&world, "1", key).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["type"]),
            (429, &"/problems/rate-limited".into())
        );
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(place(&world, "1", Some("k")).await.status, 201, "a repeat is not refused");
    assert_eq!(place(&world, "2", None).await.status, 201, "another rider is not its fault");
    assert_eq!(
        world.get("/calls").await.json()["page"]["totalElements"],
        4,
        "what was refused is not stored"
    );
}

fn stream(peer: &str, told: Option<&str>) -> Request<Body> {
    let mut request = Request::get("/events").header("host", "a");
    if let Some(told) = told {
        request = request.header("taxisvc-internal-client", told);
    }
    let peer: SocketAddr = format!("{peer}:50000").parse().unwrap();
    request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn one_client_has_only_so_many_streams() {
    let world = world(|settings| Settings { streams_max: 3, streams_per_client_max: 2, ..settings });
    let open = async |peer| within(world.send(stream(peer, None))).await;
    let _first = open("10.0.0.1").await;
    let second = open("10.0.0.1").await;
    assert_eq!(second.status(), 200);
    let refused = world.ask(stream("10.0.0.1", None)).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["type"]), (429, &"/problems/rate-limited".into()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let lying = world.ask(stream("10.0.0.1", Some("10.0.0.9"))).await;
    assert_eq!(lying.status, 429, "nobody but a gateway says for whom it asks");
    let _third = open("10.0.0.2").await;
    let full = world.ask(stream("10.0.0.3", None)).await;
    assert_eq!((full.status.as_u16(), &full.json()["type"]), (503, &"/problems/too-busy".into()));
    drop(second);
    assert_eq!(open("10.0.0.1").await.status(), 200);
}

#[tokio::test]
async fn a_gateway_that_is_trusted_says_for_whom_it_asks() {
    let trust = Trust::Peers(std::sync::Arc::new(|peer| peer.to_string() == "10.0.0.1"));
    let world = world(|settings| Settings { streams_per_client_max: 1, trust_forwarded: trust, ..settings });
    let _first = within(world.send(stream("10.0.0.1", Some("203.0.113.1")))).await;
    assert_eq!(world.ask(stream("10.0.0.1", Some("203.0.113.1"))).await.status, 429);
    let other = within(world.send(stream("10.0.0.1", Some("203.0.113.2")))).await;
    assert_eq!(other.status(), 200);
}
