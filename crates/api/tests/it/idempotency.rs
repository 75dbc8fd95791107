//! The same request said twice under one key.

use crate::world::{Setup, World, post};
use api::Settings;
use engine::handle::WATCHES_MAX;
use engine::log::EntityKey;
use engine::memory::Fault;
use http::StatusCode;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use taxi::status::DriveStatus;

const CALL: &str = r#"{"userId":"1","userName":"eojin","distance":10}"#;
const LATE: &str = r#"{"userId":"1","userName":"eojin","distance":10,"paymentMethod":"test:late=1"}"#;
const KEY: (&str, &str) = ("idempotency-key", "k-1");
const QUOTED: (&str, &str) = ("idempotency-key", "\"k-1\"");

async fn calls(world: &World) -> u64 {
    world.get("/calls").await.json()["page"]["totalElements"].as_u64().unwrap()
}

#[tokio::test]
async fn a_repeat_gets_the_first_ones_answer() {
    let world = World::start();
    let first = world.place(CALL, &[KEY]).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.header("idempotent-replayed"), None);
    // However far the call has come since.
    world.view_until(1, |view| view.drive_status == Some(DriveStatus::Start)).await;
    world.post("/drives/end", r#"{"driveId":1}"#).await;
    for key in [KEY, QUOTED] {
        let again = world.place(CALL, &[key]).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    assert_eq!(calls(&world).await, 1);
}

#[tokio::test]
async fn a_key_is_for_one_body_and_one_route() {
    let world = World::start();
    world.place(CALL, &[KEY]).await;
    let other = world.place(LATE, &[KEY]).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.json()["type"], "/problems/idempotency-key-reused");
    assert_eq!(calls(&world).await, 1);
    let elsewhere = world.post_with("/calls/cancel", r#"{"callId":1}"#, &[KEY]).await;
    assert_eq!(elsewhere.status, StatusCode::OK, "{elsewhere:?}");
}

#[tokio::test]
async fn a_refusal_is_repeated_too() {
    let world = World::start();
    assert_eq!(world.call_paid_by("test:refused").await.json()["callStatus"], "payFail");
    for replayed in [None, Some("true")] {
        let answer = world.post_with("/calls/cancel", r#"{"callId":1}"#, &[KEY]).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.header("idempotent-replayed"), replayed);
    }
}

#[tokio::test]
async fn what_was_not_there_may_be_there_when_it_is_asked_again() {
    let world = World::start();
    let cancel = async || world.post_with("/calls/cancel", r#"{"callId":1}"#, &[KEY]).await;
    assert_eq!(cancel().await.status, StatusCode::NOT_FOUND);
    world.call("10").await;
    let answer = cancel().await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (StatusCode::OK, None), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_one() {
    let world = World::with(Setup { shards: 4, ..Setup::default() });
    // Once there are numbers, all come at the same time.
    world.call("1").await;
    let world = Arc::new(world);
    let asking = (0..64).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.ask(post("/calls", CALL, &[KEY])).await })
    });
    let mut bodies = HashSet::new();
    let mut replayed = 0;
    for answer in asking.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        replayed += usize::from(answer.header("idempotent-replayed").is_some());
        bodies.insert(answer.body);
    }
    assert_eq!((bodies.len(), replayed), (1, 63));
    assert_eq!(calls(&world).await, 2);
}

#[tokio::test]
async fn a_repeat_waits_for_the_first_ones_answer() {
    let world = Arc::new(World::start());
    let first = world.place(LATE, &[KEY, ("prefer", "respond-async")]).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    world.held().await;
    let waiting = world.clone();
    let again = tokio::spawn(async move { waiting.place(LATE, &[KEY]).await });
    // Whether the repeat waits already or looks only afterwards, it sees the call settled.
    tokio::task::yield_now().await;
    world.let_go();
    let again = again.await.unwrap();
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.json()["callId"], first.json()["callId"]);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_process_that_dies_within_a_commit_tells_that_the_outcome_is_unknown() {
    let mut world = World::with(Setup { faults: vec![Some(Fault::CrashAfter)], ..Setup::default() });
    world.dies = true;
    let answer = loop {
        let answer = world.post_with("/calls", CALL, &[KEY]).await;
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json()["type"], "/problems/outcome-unknown");
    assert_eq!(calls(&world).await, 1);
}

#[tokio::test]
async fn what_the_store_answers_too_late_is_found_out() {
    let world = World::with(Setup {
        faults: vec![
            Some(Fault::UnknownLost),
            Some(Fault::Conflict),
            Some(Fault::UnknownLate),
            Some(Fault::UnknownStored),
        ],
        ..Setup::default()
    });
    let placed = world.place(CALL, &[KEY]).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let again = world.place(CALL, &[KEY]).await;
    assert_eq!(again.body, placed.body);
    assert_eq!(calls(&world).await, 1);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_waited_for() {
    let setup = Setup::default();
    let world = World::with(Setup {
        settings: Settings { reply_wait_max: Duration::from_millis(1), ..setup.settings },
        ..setup
    });
    world.gate("call").close();
    let answer = world.place(CALL, &[KEY]).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{answer:?}");
    assert_eq!(answer.json()["type"], "/problems/outcome-unknown");
    world.gate("call").open();
    world.call_until(1, |call| call.settled.is_some()).await;
    let again = loop {
        let again = world.place(CALL, &[KEY]).await;
        if again.status != StatusCode::GATEWAY_TIMEOUT {
            break again;
        }
    };
    assert_eq!((again.status, &again.json()["callId"]), (StatusCode::CREATED, &1.into()), "{again:?}");
    assert_eq!(calls(&world).await, 1);
}

/// However busy it is: what is stored is never said not to be.
#[tokio::test]
async fn a_repeat_that_cannot_wait_is_told_that_the_call_is_stored() {
    let setup = Setup::default();
    let world = World::with(Setup {
        settings: Settings { answer_wait: Duration::from_millis(1), ..setup.settings },
        ..setup
    });
    let first = world.place(LATE, &[KEY, ("prefer", "respond-async")]).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    // One place is left, which the repeat takes before it knows that it is one.
    let elsewhere = (1_000..).map(|id| EntityKey { kind: "call", id });
    let open: Vec<_> = elsewhere
        .take(WATCHES_MAX - 1)
        .map(|key| world.handles.call.watch(key, |_| false).expect("there is room"))
        .collect();
    let again = world.post_with("/calls", LATE, &[KEY]).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{again:?}");
    assert_eq!(again.json()["callId"], first.json()["callId"]);
    drop(open);
}

#[tokio::test]
async fn what_the_store_did_not_take_may_be_asked_again() {
    let faults = vec![Some(Fault::Unavailable); 12];
    let world = World::with(Setup { faults, ..Setup::default() });
    let refused = loop {
        let answer = world.post_with("/calls", CALL, &[KEY]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        if answer.json()["detail"] == "nothing was stored; try again" {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.json()["type"], "/problems/unavailable");
    let placed = world.place(CALL, &[KEY]).await;
    assert_eq!((placed.status, placed.header("idempotent-replayed")), (StatusCode::CREATED, None));
    assert_eq!(calls(&world).await, 1);
}
