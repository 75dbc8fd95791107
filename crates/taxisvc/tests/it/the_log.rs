//! The log: one line a request and one an event, tied together by their ids, with nobody's name in them.

use crate::world::http::{Ask, Events};
use crate::world::{World, number, until};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-that-nobody-may-read";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What must not be in any line: a rider, how it pays, its key, its browser, and who may operate.
const SECRETS: [&str; 7] =
    ["zyx-4711", "Ünique", "nobody-pays-so", "key-of-a-person", "OddBrowser", TOKEN, "127.0.0.1"];

fn world(level: &str) -> World {
    World::with(&[("LOG", level), ("LOG_FORMAT", "json"), ("OPERATOR_TOKEN", TOKEN)])
}

/// Every line so far, each of which is an object with the fields that all have.
#[track_caller]
fn lines(world: &World) -> Vec<Value> {
    let said = world.server.as_ref().unwrap().said();
    let read = |line: &str| {
        let read: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let is_utc = read["timestamp"].as_str().is_some_and(|at| at.ends_with('Z'));
        let has =
            |field: &str| read[field].is_string() && line.matches(&format!("\"{field}\":")).count() == 1;
        assert!(is_utc && has("level") && has("target") && has("message"), "{line}");
        read
    };
    said.lines().map(read).collect()
}

fn of_request<'l>(lines: &'l [Value], request_id: &str) -> Option<&'l Value> {
    lines.iter().find(|line| line["target"] == "request" && line["request_id"] == request_id)
}

/// Waits for the line of a request.
#[track_caller]
fn line(world: &World, request_id: &str) -> Value {
    until("the line of a request", || of_request(&lines(world), request_id).cloned())
}

fn odd_call(request_id: &str) -> Ask {
    let rider = json!({
        "userId": "zyx-4711", "userName": "Ünique", "distance": 3, "paymentMethod": "nobody-pays-so"
    });
    Ask::post("/calls", &rider.to_string())
        .header("x-request-id", request_id)
        .header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .header("user-agent", "Mozilla/5.0 OddBrowser")
        .header("idempotency-key", &format!("key-of-a-person-{request_id}"))
}

fn set_level(world: &World, level: &str) -> u16 {
    let ask = Ask::new("PUT", "/operator/log").header("authorization", &format!("Bearer {TOKEN}"));
    let ask = ask.header("content-type", "application/json").header("x-request-id", "set-it");
    world.ask(&ask.body(json!({ "level": level }).to_string().as_bytes())).status
}

fn level(world: &World) -> Value {
    let ask = Ask::get("/operator/log").header("authorization", &format!("Bearer {TOKEN}"));
    world.ask(&ask).with(200).json()["level"].clone()
}

#[test]
fn at_no_level_is_anybody_in_it() {
    let world = world("trace");
    let call = number(&world.ask(&odd_call("first")).with(201));
    world.end(call).with(200);
    world.cancel(call).with(409);
    let wrong =
        ["{\"userName\":\"Ünique\"", "{\"userId\":\"zyx-4711\",\"userName\":7,\"distance\":\"Ünique\"}"];
    for body in wrong {
        let status = world.ask(&Ask::post("/calls", body)).status;
        assert!((400..500).contains(&status), "{status}");
    }
    let paths =
        ["/calls?userName=%C3%9Cnique&userId=zyx-4711", "/zyx-4711/nobody-pays-so", "/calls/zyx-4711"];
    for path in paths {
        world.get(path);
    }
    world.get("/callViews").with(200);
    world.get(&format!("/callViews/search/findByCallId?callId={call}")).with(200);
    for token in [TOKEN, "zyx-4711-nobody-pays-so"] {
        world.ask(&Ask::get("/operator/config").header("authorization", &format!("Bearer {token}")));
    }
    let known = Events::open(world.address("gateway"), "/events?from=0").next().unwrap();
    assert_eq!(known.call_id(), call);
    world.ask(&Ask::get("/calls").header("x-request-id", "last"));
    line(&world, "last");
    for line in lines(&world) {
        let text = line.to_string();
        let found = SECRETS.iter().find(|secret| text.contains(**secret));
        assert_eq!(found, None, "{text}");
    }
}

#[test]
fn a_request_and_what_came_of_it_have_ids_in_common() {
    let world = world("debug");
    let call = number(&world.ask(&odd_call("odd-request-1")).with(201));
    let request = line(&world, "odd-request-1");
    let expected = json!({
        "level": "INFO", "target": "request", "message": "answered", "method": "POST", "route": "/calls",
        "status": 201, "request_id": "odd-request-1", "trace_id": TRACE, "call_id": call, "client": "browser",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&request[field], value, "{field}: {request}");
    }
    assert!(request["duration_ms"].is_number(), "{request}");
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.ask(&Ask::get(&format!("/calls/{call}")).header("x-request-id", "read")).with(200);
    let read = line(&world, "read");
    let events: Vec<Value> = lines(&world).into_iter().filter(|line| line["target"] == "event").collect();
    let types: Vec<&str> = events.iter().filter_map(|event| event["event_type"].as_str()).collect();
    for event_type in ["CallRequested", "FarePaid", "CallPlaced", "DriveStarted"] {
        assert!(types.contains(&event_type), "{event_type} is not in {types:?}");
    }
    assert!(events.iter().all(|event| event["entity_id"] == call), "{events:?}");
    // What the provider answers is nobody's request any more.
    let is_traced = |event: &Value| event["trace_id"] == TRACE || event["actor"] == "provider";
    assert!(events.iter().all(is_traced), "{events:?}");
    assert_eq!(events[0]["cause"], "request odd-request-1");
    let told = ["level", "method", "route", "status", "call_id"].map(|field| read[field].clone());
    assert_eq!(json!(told), json!(["DEBUG", "GET", "/calls/{id}", 200, call]));
}

/// By default a call is told once, and no more; the level changes while it runs, both ways.
#[test]
fn what_is_logged_changes_while_it_runs() {
    let world = world("info");
    assert_eq!(level(&world), "info");
    world.ask(&odd_call("at-info")).with(201);
    world.get("/calls").with(200);
    assert_eq!(set_level(&world, "debug"), 200);
    world.ask(&odd_call("at-debug")).with(201);
    assert_eq!(set_level(&world, "loud"), 422);
    assert_eq!(level(&world), "debug");
    assert_eq!(set_level(&world, "error"), 200);
    world.ask(&odd_call("at-error")).with(201);
    assert_eq!(set_level(&world, "info"), 200);
    world.ask(&odd_call("at-info-again")).with(201);
    line(&world, "at-info-again");
    let lines = lines(&world);
    let place = |request_id| {
        lines.iter().position(|line| of_request(std::slice::from_ref(line), request_id).is_some())
    };
    let (info, debug) = (place("at-info").unwrap(), place("at-debug").unwrap());
    assert_eq!(place("at-error"), None);
    let told = |part: &[Value]| part.iter().filter(|line| line["target"] == "event").count();
    assert_eq!(told(&lines[..=info]), 0);
    assert!(told(&lines[info..]) > 0 && debug > info);
    assert!(lines[..=info].iter().all(|line| line["level"] != "DEBUG"));
    let set: Vec<&Value> = lines.iter().filter(|line| line["target"] == "operator").collect();
    let directives: Vec<&str> = set.iter().filter_map(|line| line["directives"].as_str()).collect();
    assert_eq!(directives, ["debug", "error", "info"]);
    assert!(set.iter().all(|line| line["actor"] == "operator" && line["request_id"] == "set-it"));
}
