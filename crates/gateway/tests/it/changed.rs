//! What is said anew while the gateway runs: other replicas, another limit.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use gateway::route::Upstream;
use gateway::settings::{HealthChecks, RateLimit, Settings};
use tokio::sync::Notify;

use crate::support::{Replica, Running, authority, calls_by, calls_by_replicas, get, ok, quiet, within};

#[tokio::test]
async fn a_request_goes_to_whoever_is_named_when_it_comes() {
    let (old, new) = (Replica::start(|_| ok("old")).await, Replica::start(|_| ok("new")).await);
    let running = Running::start(quiet(), calls_by_replicas(&[&old])).await;
    assert_eq!(running.ask(get("/calls")).await.body, "old");
    assert!(running.gateway.set_upstreams("call", vec![authority(new.address)]));
    assert_eq!(running.ask(get("/calls")).await.body, "new");
    assert!(!running.gateway.set_upstreams("nobody", vec![authority(new.address)]), "there is no such route");
    assert!(running.gateway.set_upstreams("call", Vec::new()));
    assert_eq!(running.ask(get("/calls")).await.status, 503, "nobody is named");
}

/// It has what it asked for from the one who was named when it came.
#[tokio::test]
async fn a_request_under_way_stays_where_it_is() {
    let (asked, went) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = axum::Router::new().fallback({
        let (asked, went) = (asked.clone(), went.clone());
        async move || {
            asked.notify_one();
            went.notified().await;
            "slow"
        }
    });
    let (address, switch, _server) = crate::support::start_server(slow, Default::default()).await;
    let running = Running::start(quiet(), calls_by(Upstream::Http(vec![authority(address)]))).await;
    let other = Replica::start(|_| ok("other")).await;
    let change = async {
        asked.notified().await;
        running.gateway.set_upstreams("call", vec![authority(other.address)]);
        assert_eq!(running.ask(get("/calls")).await.body, "other");
        went.notify_one();
    };
    let (answer, ()) = within(async { tokio::join!(running.ask(get("/calls")), change) }).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "slow"));
    drop(switch);
}

/// The name stays in the header `Host`: whoever routes by it between us and the replica has to know it.
#[tokio::test]
async fn a_replica_behind_a_name_is_asked_by_its_address_and_told_the_name() {
    let replica = Replica::start(|_| ok("here")).await;
    let name = format!("localhost:{}", replica.address.port());
    let checks = HealthChecks {
        path: "/health/ready",
        interval: Duration::from_millis(10),
        timeout: Duration::from_secs(1),
    };
    let settings = Settings { health: Some(checks), ..Settings::default() };
    let running = Running::start(settings, calls_by(Upstream::Http(vec![name.parse().unwrap()]))).await;
    running.gateway.check_health().await;
    assert!(running.gateway.readiness().is_ready());
    assert_eq!(running.ask(get("/calls")).await.body, "here");
    assert!(replica.seen().iter().all(|seen| seen.headers["host"] == name), "{:?}", replica.seen());
}

#[tokio::test]
async fn a_limit_begins_and_ends_while_it_runs() {
    let replica = Replica::start(|_| ok("here")).await;
    let running = Running::start(quiet(), calls_by_replicas(&[&replica])).await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(running.ask(get("/calls")).await.status);
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 200, 200]);
    let limit = RateLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN, clients_max: 10 };
    running.gateway.set_settings(Settings { rate_limit: Some(limit), ..quiet() });
    let mut refused = false;
    for _ in 0..1_000 {
        refused |= running.ask(get("/calls")).await.status == 429;
    }
    assert!(refused, "a thousand in a row are more than one a second");
    running.gateway.set_settings(quiet());
    assert_eq!(statuses().await, [200, 200, 200]);
}
