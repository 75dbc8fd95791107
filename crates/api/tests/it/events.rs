//! `GET /events`: what happened and happens, in order, from wherever a client wants.

use crate::world::{Answer, LOG, Setup, World, within};
use api::Settings;
use axum::body::{Body, BodyDataStream};
use engine::log::LogId;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use serde_json::Value;
use std::time::Duration;
use taxi::status::DriveStatus;

/// One event as a browser sees it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    id: String,
    name: String,
    data: Value,
}

/// An open stream.
struct Listener {
    body: BodyDataStream,
    text: String,
}

fn request(query: &str, last_event_id: Option<&str>) -> Request<Body> {
    let mut request = Request::get(format!("/events{query}")).header("host", "a");
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    request.body(Body::empty()).unwrap()
}

async fn listen(world: &World, query: &str, last_event_id: Option<&str>) -> Listener {
    let response = within(world.send(request(query, last_event_id))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Listener { body: response.into_body().into_data_stream(), text: String::new() }
}

impl Listener {
    /// The next block of lines; nothing when the stream is over.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = within(self.body.next()).await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn event(&mut self) -> Seen {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let field = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
            };
            if let Some(data) = field("data: ") {
                return Seen {
                    id: field("id: ").unwrap(),
                    name: field("event: ").unwrap(),
                    data: serde_json::from_str(&data).unwrap(),
                };
            }
        }
    }

    async fn events(&mut self, count: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        for _ in 0..count {
            seen.push(self.event().await);
        }
        seen
    }
}

/// A finished ride each.
async fn ride(world: &World, count: u64) {
    for _ in 0..count {
        let id = world.call("10").await;
        world.view_until(id, |view| view.drive_status == Some(DriveStatus::Start)).await;
        world.post("/drives/end", &format!(r#"{{"driveId":{id}}}"#)).await;
        world.call_until(id, |call| call.call_status == taxi::status::CallStatus::DriveComplete).await;
    }
}

const RIDE: [&str; 5] = ["CallRequested", "FarePaid", "CallPlaced", "DriveStarted", "DriveEnded"];

fn sorted(seen: &[Seen]) -> Vec<&str> {
    let mut names: Vec<&str> = seen.iter().map(|event| event.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// The names of one call's events in the order in which they came.
fn story(seen: &[Seen], call_id: u64) -> Vec<&str> {
    let of_call = seen.iter().filter(|event| event.data["callId"] == call_id);
    of_call.map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn everything_that_happened_is_told_and_nothing_private() {
    let world = World::with(Setup { shards: 3, ..Setup::default() });
    ride(&world, 4).await;
    let seen = listen(&world, "?from=0", None).await.events(20).await;
    for call_id in 1..=4 {
        let story = story(&seen, call_id);
        assert_eq!(story.len(), 5, "{story:?}");
        assert_eq!((story[0], story[4]), (RIDE[0], RIDE[4]));
        let place = |name| story.iter().position(|known| *known == name).unwrap();
        // Nothing is told before what led to it; the call may hear of its payment and of its drive in either order.
        assert!(place("FarePaid") < place("DriveStarted") && place("FarePaid") < place("CallPlaced"));
    }
    for event in &seen {
        assert_eq!(event.data["eventType"], event.name.as_str());
        assert_eq!(event.data["timestamp"], 1_795_472_466_964_u64);
    }
    assert_eq!(seen[0].data["distance"].to_string(), "10.0");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let world = World::with(Setup { shards: 2, ..Setup::default() });
    ride(&world, 3).await;
    let seen = listen(&world, "?from=0", None).await.events(15).await;
    for (place, event) in seen.iter().enumerate() {
        let rest = &seen[place + 1..];
        let by_header = listen(&world, "?from=0", Some(&event.id)).await.events(rest.len()).await;
        assert_eq!(by_header, rest);
        let query = format!("?from={}", event.id);
        let by_query = listen(&world, &query, None).await.events(rest.len()).await;
        assert_eq!(by_query, rest);
    }
}

#[tokio::test]
async fn only_what_is_asked_for_is_told() {
    let world = World::start();
    ride(&world, 2).await;
    let seen = listen(&world, "?from=0&type=FarePaid,DriveEnded", None).await.events(4).await;
    assert_eq!(sorted(&seen), ["DriveEnded", "DriveEnded", "FarePaid", "FarePaid"]);
}

#[tokio::test]
async fn only_the_calls_that_are_asked_for_are_told() {
    let world = World::with(Setup { shards: 2, ..Setup::default() });
    ride(&world, 4).await;
    for (query, calls) in
        [("callId=2", &[2][..]), ("callId=1,%203", &[1, 3]), ("callId=4,9&type=DriveEnded", &[4])]
    {
        // What is told of a later call would come before the last of these.
        let count = if query.contains("type") { calls.len() } else { calls.len() * RIDE.len() };
        let seen = listen(&world, &format!("?from=0&{query}"), None).await.events(count).await;
        for call in calls {
            assert_eq!(story(&seen, *call).len(), count / calls.len(), "{query}: {seen:?}");
        }
    }
    let many = |count: u64| (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    listen(&world, &format!("?callId={}", many(100)), None).await;
    let too_many = many(101);
    for wrong in ["", "0", "x", "-1", "1,", ",1", "1;2", "9223372036854775808", &too_many] {
        let (status, answer) = refusal(&world, &format!("?callId={wrong}"), None).await;
        assert_eq!((status, &answer.json()["field"]), (400, &"callId".into()), "{wrong}");
    }
}

#[tokio::test]
async fn what_happened_to_a_call_is_told_as_on_the_stream_and_by_whom() {
    let world = World::with(Setup { shards: 3, ..Setup::default() });
    ride(&world, 2).await;
    let answer = world.get("/events/calls/2").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.json();
    assert_eq!(told["callId"], 2);
    let told = told["events"].as_array().unwrap();
    assert_eq!(told.len(), RIDE.len());
    let streamed = listen(&world, "?from=0&callId=2", None).await.events(RIDE.len()).await;
    for event in told {
        let mut fields = event.as_object().unwrap().clone();
        let actor = fields.remove("actor").unwrap();
        let name = event["eventType"].as_str().unwrap();
        let by = match name {
            "CallRequested" => "rider",
            "DriveEnded" => "driver",
            _ => "provider",
        };
        assert_eq!(actor, by, "{name}");
        assert!(streamed.iter().any(|seen| seen.name == name && seen.data == Value::Object(fields.clone())));
    }
    let place = |name: &str| told.iter().position(|event| event["eventType"] == name).unwrap();
    assert!(place("CallRequested") < place("FarePaid") && place("FarePaid") < place("DriveStarted"));
    assert_eq!(place("DriveEnded"), 4);
    // To the letter as on the stream.
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""distance":10.0"#));
}

#[tokio::test]
async fn of_a_call_of_which_nobody_has_heard_nothing_is_told() {
    let world = World::start();
    ride(&world, 1).await;
    for unknown in ["2", "0", "01", "x", "-1", "9223372036854775807", "9223372036854775808"] {
        let answer = world.get(&format!("/events/calls/{unknown}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{unknown}");
        assert_eq!(answer.json()["type"], "/problems/not-found");
    }
    for path in ["/events/calls", "/events/calls/", "/events/calls/1/2", "/events/1"] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let request = Request::get("/events/calls/1").header("accept", "text/html");
    let refused = world.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn what_happens_now_is_told_now() {
    let world = World::start();
    ride(&world, 1).await;
    let mut listener = listen(&world, "", None).await;
    let hello = listener.block().await.unwrap();
    assert!(hello.starts_with("retry: "), "{hello}");
    ride(&world, 1).await;
    let seen = listener.events(5).await;
    assert_eq!(story(&seen, 2).len(), 5, "{seen:?}");
    // The greeting tells where the stream began.
    let id = hello.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let again = listen(&world, "", Some(id)).await.events(5).await;
    assert_eq!(sorted(&again), sorted(&seen));
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    let setup = Setup::default();
    let world = World::with(Setup {
        settings: Settings { keep_alive: Duration::from_millis(1), ..setup.settings },
        ..setup
    });
    let mut listener = listen(&world, "?from=0&type=CallCancelled", None).await;
    listener.block().await.unwrap();
    let sign = listener.block().await.unwrap();
    assert!(sign.starts_with(": ") && sign.contains("\nid: "), "{sign}");
}

/// More events than are passed over at once, none of which is wanted: a client that comes back need not begin anew.
#[tokio::test]
async fn a_stream_that_only_passes_over_shows_how_far_it_is() {
    const CALLS: u64 = 60;
    let setup = Setup::default();
    let world =
        World::with(Setup { settings: Settings { keep_alive: Duration::ZERO, ..setup.settings }, ..setup });
    for _ in 0..CALLS {
        world.call("10").await;
    }
    for id in 1..=CALLS {
        world.view_until(id, |view| view.drive_status == Some(DriveStatus::Start)).await;
        world.call_until(id, |call| call.call_status == taxi::status::CallStatus::DriveStart).await;
    }
    let mut listener = listen(&world, "?from=0&type=DriveEnded", None).await;
    listener.block().await.unwrap();
    let mut signs = Vec::new();
    while signs.len() < 2 || signs[signs.len() - 1] != signs[signs.len() - 2] {
        let sign = listener.block().await.unwrap();
        assert!(sign.starts_with(": "), "{sign}");
        signs.push(sign);
    }
    assert!(signs.len() > 2, "the first sign comes before the end: {signs:?}");
}

#[tokio::test]
async fn streams_end_when_the_process_stops() {
    let world = World::start();
    ride(&world, 1).await;
    let mut listener = listen(&world, "?from=0", None).await;
    listener.events(5).await;
    world.stop_streams();
    assert_eq!(listener.block().await, None);
    let mut late = listen(&world, "", None).await;
    late.block().await.unwrap();
    assert_eq!(late.block().await, None);
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let setup = Setup::default();
    let world = World::with(Setup { settings: Settings { streams_max: 1, ..setup.settings }, ..setup });
    let open = listen(&world, "", None).await;
    let refused = world.ask(request("", None)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(open);
    listen(&world, "", None).await;
}

async fn refusal(world: &World, query: &str, last_event_id: Option<&str>) -> (u16, Answer) {
    let answer = world.ask(request(query, last_event_id)).await;
    (answer.status.as_u16(), answer)
}

#[tokio::test]
async fn a_stream_never_goes_on_in_another_log() {
    let world = World::start();
    ride(&world, 1).await;
    let last = listen(&world, "?from=0", None).await.events(5).await[4].id.clone();
    let restored = World::with(Setup { log: LogId(LOG.0 + 1), ..Setup::default() });
    ride(&restored, 2).await;
    let cut = World::start();
    for other in [&restored, &cut] {
        let (status, answer) = refusal(other, "", Some(&last)).await;
        assert_eq!((status, &answer.json()["type"]), (409, &"/problems/another-log".into()));
    }
    for wrong in ["1", "x", "-1", "AQ", "AgAA", "AQH_____________________AAEB"] {
        for (query, header) in [(format!("?from={wrong}"), None), (String::new(), Some(wrong))] {
            let (status, answer) = refusal(&world, &query, header).await;
            assert_eq!((status, &answer.json()["field"]), (400, &"from".into()), "{wrong}");
        }
    }
    for wrong in ["", "FarePaid,", "Fare", "FareAsked", "farepaid"] {
        let (status, answer) = refusal(&world, &format!("?type={wrong}"), None).await;
        assert_eq!((status, &answer.json()["field"]), (400, &"type".into()), "{wrong}");
    }
}
