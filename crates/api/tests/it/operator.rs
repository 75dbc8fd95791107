//! Operators: let in by the token alone, acting on someone's behalf, and looking into the process.

use crate::world::{Answer, Setup, TOKEN, World, within};
use axum::body::Body;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use http::Request;
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use taxi::decision::{Decision, NoEffect};
use taxi::drive::{self, Drive};
use taxi::rules::Context;
use taxi::status::DriveStatus;
use wiring::Layout;
use wiring::business::Business;

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
        ("GET", "/operator/audit"),
        ("GET", "/operator/doctor"),
        ("GET", "/operator/config"),
        ("GET", "/operator/log"),
        ("PUT", "/operator/log"),
        ("GET", "/operator/calls/1"),
        ("GET", "/operator/events"),
        ("GET", "/operator/dead-letters"),
        ("GET", "/operator/dead-letters/call/1"),
        ("POST", "/operator/dead-letters/call/1/retry"),
        ("POST", "/operator/dead-letters/call/1/skip"),
        ("GET", "/operator/views/rebuild"),
        ("POST", "/operator/views/rebuild"),
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
    for uri in [
        "/operator",
        "/operator/nothing/here",
        "/operator/calls/99",
        "/operator/calls/x",
        "/operator/calls/cancel/1",
    ] {
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

#[tokio::test]
async fn a_calls_story_is_told_as_data_and_as_text() {
    let world = World::start();
    let call = world.call("150").await;
    world.view_until(call, |view| view.pay_status == Some(taxi::status::PayStatus::Refunded)).await;
    let uri = format!("/operator/calls/{call}");
    let answer = get(&world, &uri).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    let story = answer.json();
    assert_eq!((&story["callId"], &story["statuses"]["payment"]), (&json!(call), &json!("refunded")));
    let text = |language: &'static str, query: &'static str| {
        let (world, uri) = (&world, format!("{uri}{query}"));
        async move {
            let request = Request::get(uri).header("host", "a").header("accept", "text/plain");
            let request = request.header("authorization", format!("Bearer {TOKEN}"));
            let answer =
                world.ask(request.header("accept-language", language).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            let language = answer.header("content-language").unwrap().to_owned();
            (language, String::from_utf8(answer.body.to_vec()).unwrap())
        }
    };
    let (english, korean) = (&story["story"]["en"], &story["story"]["ko"]);
    for (accepted, query, tag, told) in [
        ("en", "", "en", english),
        ("ko", "", "ko", korean),
        ("ko", "?lang=en", "en", english),
        ("en", "?lang=ko", "ko", korean),
    ] {
        let (language, text) = text(accepted, query).await;
        assert_eq!(language, tag);
        assert!(text.contains(told.as_str().unwrap()), "{text}");
    }
    let refused = get(&world, &format!("{uri}?lang=fr")).await;
    assert_eq!((problem(&refused), &refused.json()["field"]), ((400, "malformed".into()), &json!("lang")));
}

#[tokio::test]
async fn every_event_is_told_to_operators_with_who_and_why() {
    let world = World::start();
    let call = world.call("10").await;
    world.view_until(call, |view| view.drive_status == Some(DriveStatus::Start)).await;
    let logged: usize = world.api.bus.tails().iter().map(|tail| tail.read(0, 1_000).unwrap().len()).sum();
    let request = Request::get("/operator/events?from=0").header("host", "a");
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    let response = within(world.send(request.body(Body::empty()).unwrap())).await;
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    let count = |text: &str| text.lines().filter(|line| line.starts_with("data: ")).count();
    while count(&text) < logged {
        let chunk = within(body.next()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert!(events.iter().any(|event| event["published"] == false), "{events:#?}");
    let paid = events.iter().find(|event| event["type"] == "FarePaid").unwrap();
    assert_eq!(
        (&paid["service"], &paid["actor"], &paid["callId"]),
        (&json!("payment"), &json!("provider"), &json!(call))
    );
    assert!(paid["cause"].as_str().unwrap().starts_with("effect take"), "{paid}");
    let known = shown(&world, "GET", "/operator/events?type=Nothing", Some(&format!("Bearer {TOKEN}"))).await;
    assert_eq!(problem(&known), (400, "malformed".to_owned()));
}

static IS_MENDED: AtomicBool = AtomicBool::new(false);

/// Panics at every start of a ride until it is mended.
fn lost_in_the_map(
    state: Option<&Drive>,
    command: &drive::Command,
    ctx: &Context<'_>,
) -> Result<Decision<NoEffect>, drive::Refusal> {
    let is_start = matches!(command, drive::Command::Start { .. });
    assert!(!is_start || IS_MENDED.load(Ordering::SeqCst), "no such street");
    drive::decide(state, command, ctx)
}

async fn letters(world: &World) -> Vec<Value> {
    let answer = get(world, "/operator/dead-letters").await;
    answer.json()["deadLetters"].as_array().unwrap().clone()
}

#[tokio::test]
async fn dead_letters_are_shown_taken_up_again_and_passed_over() {
    let business = Business { drive: lost_in_the_map, ..Business::default() };
    let world = World::with(Setup { business, ..Setup::default() });
    assert_eq!(letters(&world).await, [Value::Null; 0]);
    for _ in 0..2 {
        world.call("10").await;
    }
    let found = within(async {
        loop {
            let found = letters(&world).await;
            if found.len() == 2 {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    for (limit, listed) in [(0, 0), (1, 1), (2, 2), (u64::MAX, 2)] {
        let list = get(&world, &format!("/operator/dead-letters?limit={limit}")).await.json();
        assert_eq!((&list["total"], &list["deadLetters"]), (&json!(2), &json!(found[..listed])), "{limit}");
    }
    let refused = get(&world, "/operator/dead-letters?limit=all").await;
    assert_eq!((problem(&refused).0, &refused.json()["field"]), (400, &json!("limit")));
    let path = |letter: &Value| format!("/operator/dead-letters/drive/{}", letter["number"]);
    let (first, second) = (path(&found[0]), path(&found[1]));
    let shown = get(&world, &first).await.json();
    assert!(shown["reason"].as_str().unwrap().contains("no such street"), "{shown}");
    assert_eq!(shown["content"]["type"], "FarePaid", "{shown}");

    let fails = send(&world, ("POST", &format!("{first}/retry")), "", None).await;
    assert_eq!((fails.status.as_u16(), &fails.json()["outcome"]), (200, &json!("stillWaits")));
    IS_MENDED.store(true, Ordering::SeqCst);
    let done = send(&world, ("POST", &format!("{first}/retry")), "", None).await;
    assert_eq!((done.status.as_u16(), &done.json()["outcome"]), (200, &json!("carriedOut")));
    let gone = send(&world, ("POST", &format!("{first}/retry")), "", None).await;
    assert_eq!(problem(&gone), (404, "not-found".to_owned()));

    let skip = format!("{second}/skip");
    for (wrong, expected) in
        [("{}", "malformed"), (r#"{"reason":" "}"#, "impossible"), (r#"{"reason":"a\nb"}"#, "impossible")]
    {
        let refused = send(&world, ("POST", &skip), wrong, None).await;
        assert_eq!(
            (problem(&refused).1.as_str(), &refused.json()["field"]),
            (expected, &json!("reason")),
            "{wrong}"
        );
    }
    for outcome in ["skipped", "alreadySkipped"] {
        let skipped = send(&world, ("POST", &skip), r#"{"reason":"the street is gone"}"#, None).await;
        assert_eq!((skipped.status.as_u16(), &skipped.json()["outcome"]), (200, &json!(outcome)));
    }
    let kept = get(&world, &second).await.json();
    assert_eq!(
        (&kept["skipped"]["by"], &kept["skipped"]["reason"]),
        (&json!("operator"), &json!("the street is gone"))
    );
    let refused = send(&world, ("POST", &format!("{second}/retry")), "", None).await;
    assert_eq!(problem(&refused), (409, "not-allowed-now".to_owned()));
    for unknown in [
        "/operator/dead-letters/drive/999",
        "/operator/dead-letters/nobody/1",
        "/operator/dead-letters/drive/x",
    ] {
        assert_eq!(problem(&get(&world, unknown).await), (404, "not-found".to_owned()), "{unknown}");
    }
}

#[tokio::test]
async fn while_the_view_is_made_anew_it_is_not_told_and_everything_else_is() {
    let world = World::with(Setup { layout: Layout::Apart, ..Setup::default() });
    let call = world.call("10").await;
    world.view_until(call, |view| view.drive_status == Some(DriveStatus::Start)).await;
    let uris = [
        "/callViews".to_owned(),
        format!("/callViews/{call}"),
        format!("/callViews/search/findByCallId?callId={call}"),
    ];
    let mut before = Vec::new();
    for uri in &uris {
        before.push(world.get(uri).await.body);
    }
    let is_whole = async || get(&world, "/operator/views/rebuild").await.json()["isWhole"] == json!(true);
    assert!(is_whole().await);
    world.gate("view").close();
    let (begun, ()) = tokio::join!(send(&world, ("POST", "/operator/views/rebuild"), "", None), async {
        within(async {
            while is_whole().await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        for uri in &uris {
            let refused = world.get(uri).await;
            assert_eq!(problem(&refused), (503, "unavailable".to_owned()), "{uri}");
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert!(refused.json()["detail"].as_str().unwrap().contains("made anew"), "{refused:?}");
        }
        for uri in ["/calls", "/payments", "/drives"] {
            assert_eq!(world.get(uri).await.status, 200, "{uri}");
        }
        world.gate("view").open();
    });
    assert_eq!((begun.status.as_u16(), &begun.json()["outcome"]), (202, &json!("begun")));
    assert_eq!(begun.header("location"), Some("/operator/views/rebuild"));
    within(async {
        while !is_whole().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for (uri, before) in uris.iter().zip(before) {
        assert_eq!(world.get(uri).await.body, before, "{uri}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_ask_for_keeps_nobody_else_waiting() {
    let begun = Arc::new(AtomicUsize::new(0));
    // Nothing is ever sent: they go on once the other end is dropped.
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let doctor = {
        let (begun, held) = (begun.clone(), Mutex::new(held));
        move || {
            begun.fetch_add(1, Ordering::SeqCst);
            assert!(held.lock().unwrap().recv().is_err());
            json!({"isWell": true, "findings": []})
        }
    };
    let world = World::with(Setup { doctor: Arc::new(doctor), ..Setup::default() });
    let call = world.call("10").await;
    let mut looks = pin!(join_all((0..16).map(|_| get(&world, "/operator/doctor"))));
    while begun.load(Ordering::SeqCst) < 2 {
        assert!(looks.as_mut().now_or_never().is_none(), "they are held");
        tokio::task::yield_now().await;
    }
    let read = within(world.get(&format!("/calls/{call}"))).await;
    assert_eq!(read.status.as_u16(), 200);
    drop(hold);
    assert!(within(looks).await.iter().all(|look| look.status.as_u16() == 200));
}
