//! Every answer of the binary is one that the documents tell of, in every part: status, headers, type and body.

use super::document::Document;
use crate::world::http::{Answer, Ask, Events};
use crate::world::{World, number};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;

const TOKEN: &str = "a-token-for-the-contract";
const BEARER: &str = "Bearer a-token-for-the-contract";
/// What has tests of its own: streams do not end, and a healthy system puts no message aside.
const ELSEWHERE: [&str; 5] = [
    "GET /events",
    "GET /operator/events",
    "GET /operator/dead-letters/{service}/{number}",
    "POST /operator/dead-letters/{service}/{number}/retry",
    "POST /operator/dead-letters/{service}/{number}/skip",
];
/// Asked with a token.
const OPERATOR: &str = "/operator";

struct Contract {
    world: World,
    document: Document,
}

impl Contract {
    fn start() -> Self {
        let world = World::with(&[("OPERATOR_TOKEN", TOKEN)]);
        let document = Document::read(&world.get("/openapi.json").with(200).body);
        Self { world, document }
    }

    /// Asks, and holds the answer against the document.
    #[track_caller]
    fn ask_of(&self, address: SocketAddr, (method, path): (&str, &str), ask: &Ask) -> Answer {
        let ask = if path.starts_with(OPERATOR) {
            ask.clone().header("authorization", BEARER)
        } else {
            ask.clone()
        };
        let answer = ask.of(address).unwrap_or_else(|error| panic!("{error}: {ask:?}"));
        self.document.hold((method, path), &answer);
        answer
    }

    #[track_caller]
    fn get(&self, path: &str) -> Answer {
        self.ask_of(self.world.address("gateway"), ("GET", path), &Ask::get(path))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Answer {
        let port = if path == "/callpay" { "payment" } else { "gateway" };
        self.ask_of(self.world.address(port), ("POST", path), &Ask::post(path, &body.to_string()))
    }

    /// A page of each sort, and every link that it carries.
    fn look_through(&self, collection: &str, status: &str, sorts: [&str; 2]) {
        for sort in sorts {
            for query in [
                "size=1".to_owned(),
                format!("size=1&sort={sort},desc"),
                format!("size=2&sort={sort}&page=1"),
            ] {
                let page = self.get(&format!("/{collection}?{query}")).with(200).json();
                for link in page["_links"].as_object().expect("a page has links").values() {
                    let href = link["href"].as_str().expect("a link leads somewhere");
                    let path = href.splitn(4, '/').nth(3).expect("a link is an address");
                    self.get(&format!("/{path}")).with(200);
                }
            }
        }
        self.get(&format!("/{collection}?{status}")).with(200);
        self.get(&format!("/{collection}/1")).with(200);
        self.get(&format!("/{collection}/999")).with(404);
        self.get(&format!("/{collection}?size=0")).with(400);
    }
}

fn rider(distance: f64) -> Value {
    json!({"userId": "1", "userName": "eojin", "distance": distance})
}

/// What riders and drivers do, and how each of it can end.
fn ride(contract: &Contract) {
    let call = number(&contract.post("/calls", &rider(10.0)).with(201));
    contract.world.comes_to(call, ["driveStart", "paid", "start"]);
    contract.post("/drives/end", &json!({"driveId": call})).with(200);
    contract.post("/drives/end", &json!({"driveId": call.to_string()})).with(200);
    contract.world.comes_to(call, ["driveComplete", "paid", "end"]);
    contract.post("/calls/cancel", &json!({"callId": call})).with(409);
    contract.post("/callpay", &json!({"callId": call, "fare": 100_000})).with(200);
    contract.post("/callpay", &json!({"callId": call, "fare": 1})).with(409);

    let call = number(&contract.post("/calls", &rider(3.2)).with(201));
    contract.world.comes_to(call, ["driveStart", "paid", "start"]);
    contract.post("/calls/cancel", &json!({"callId": call})).with(200);
    contract.world.comes_to(call, ["requestCancel", "refunded", "cancel"]);
    contract.post("/drives/end", &json!({"driveId": call})).with(409);

    let far = number(&contract.post("/calls", &rider(150.0)).with(201));
    contract.world.comes_to(far, ["requestCancel", "refunded", "requestCancel"]);
    let refused = json!({"userId": 1, "userName": 2, "distance": "5", "paymentMethod": "test:refused"});
    let refused = number(&contract.post("/calls", &refused).with(201));
    contract.world.comes_to(refused, ["payFail", "failed", "-"]);
    contract.post("/callpay", &json!({"callId": refused, "fare": 50_000})).with(402);

    let early = Ask::post("/calls", &rider(1.0).to_string()).header("prefer", "respond-async");
    contract.ask_of(contract.world.address("gateway"), ("POST", "/calls"), &early).with(202);
}

/// What stays undecided, since there is no wait: a 202, also for who calls off.
fn without_waiting(document: &Document) {
    let world = World::with(&[("ANSWERS_WAIT_MS", "1"), ("OPERATOR_TOKEN", TOKEN)]);
    let late = json!({"userId": 1, "userName": "eojin", "distance": 5, "paymentMethod": "test:late=3000"});
    for path in ["/calls/cancel", "/operator/calls/cancel"] {
        // Drive is quicker than a wait of a millisecond at times, but not always.
        crate::world::until("a call that is not off at once", || {
            let placed = world.post("/calls", &late).with(202);
            document.hold(("POST", "/calls"), &placed);
            let body = json!({"callId": number(&placed)}).to_string();
            let answer = world.ask(&Ask::post(path, &body).header("authorization", BEARER));
            document.hold(("POST", path), &answer);
            (answer.status == 202).then_some(())
        });
    }
}

fn operate(contract: &Contract) {
    let call = number(&contract.post("/calls", &rider(2.0)).with(201));
    contract.world.comes_to(call, ["driveStart", "paid", "start"]);
    contract.post("/operator/calls/cancel", &json!({"callId": call})).with(200);
    let call = number(&contract.post("/calls", &rider(2.0)).with(201));
    contract.world.comes_to(call, ["driveStart", "paid", "start"]);
    contract.post("/operator/drives/end", &json!({"driveId": call})).with(200);
    let early = json!({"userId": 1, "userName": "eojin", "distance": 5, "paymentMethod": "test:late=60000"});
    let early = Ask::post("/calls", &early.to_string()).header("prefer", "respond-async");
    let waiting = contract.ask_of(contract.world.address("gateway"), ("POST", "/calls"), &early);
    for call in (1..=number(&waiting)).map(|call| format!("/operator/calls/{call}")) {
        contract.get(&call).with(200);
    }
    contract.get("/operator/calls/999").with(404);
    let story = Ask::get("/operator/calls/1?lang=ko").header("accept", "text/plain");
    let gateway = contract.world.address("gateway");
    contract.ask_of(gateway, ("GET", "/operator/calls/1"), &story).with(200);
    contract.get("/operator/dead-letters").with(200);
    contract.get("/operator/dead-letters/view/1").with(404);
    contract.post("/operator/dead-letters/view/1/retry", &json!({})).with(404);
    contract.post("/operator/dead-letters/view/1/skip", &json!({"reason": "none"})).with(404);
    contract.post("/operator/dead-letters/view/1/skip", &json!({"reason": ""})).with(422);
    contract.post("/operator/views/rebuild", &json!({})).with(202);
    contract.get("/operator/views/rebuild").with(200);
    contract.get("/operator/events?from=x").with(400);
    contract.get("/operator/log").with(200);
    let level = Ask::new("PUT", "/operator/log").header("content-type", "application/json");
    let put =
        |body: &str| contract.ask_of(gateway, ("PUT", "/operator/log"), &level.clone().body(body.as_bytes()));
    put(r#"{"level":"warn"}"#).with(200);
    put(r#"{"level":"loud"}"#).with(422);
    put(r#"{"level":1}"#).with(400);
    contract.get("/operator/config").with(200);
    let audit = contract.get("/operator/audit").with(200).json();
    assert_eq!((&audit["isClean"], &audit["findings"]), (&serde_json::json!(true), &serde_json::json!([])));
    assert!(audit["checks"].as_array().unwrap().len() > 50, "{audit}");
    let doctor = contract.get("/operator/doctor").with(200).json();
    assert!(doctor["findings"].as_array().unwrap().len() > 10, "{doctor}");
    for path in ["/operator/config", "/operator/nothing"] {
        let stranger = contract.world.get(path).with(401);
        contract.document.hold(("GET", "/operator/config"), &stranger);
    }
}

/// What is no ride: documents, pages, health; and wrong requests to every one of them.
fn look_around(contract: &Contract) {
    contract.look_through("calls", "callStatus=payFail", ["callId", "callStatus"]);
    contract.look_through("payments", "payStatus=refunded", ["payId", "payStatus"]);
    contract.look_through("drives", "driveStatus=end", ["driveId", "driveStatus"]);
    contract.look_through("callViews", "callStatus=driveComplete", ["id", "callStatus"]);
    for path in [
        "/",
        "/driver",
        "/console",
        "/favicon.svg",
        "/manifest.webmanifest",
        "/docs",
        "/docs/reference",
        "/docs/documents.css",
        "/docs/reference.js",
        "/docs/swagger-ui.css",
        "/docs/swagger-ui-bundle.js",
        "/problems",
        "/problems/",
        "/problems/not-found?lang=ko",
        "/openapi.json",
        "/asyncapi.json",
        "/events/calls/1",
        "/fares?distance=10",
        "/fares?distance=150.0004",
        "/callViews/search/findByCallId?callId=1",
        "/callViews/search/findByCallId?callId=999",
        "/health/live",
        "/health/ready",
        "/actuator/health",
        "/metrics",
    ] {
        contract.get(path).with(200);
    }
    contract.get("/fares?distance=0").with(422);
    contract.get("/fares").with(400);
    let page = contract.get("/").with(200).body;
    let script = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next());
    contract.get(script.expect("the page has a script")).with(200);
    contract.get("/assets/none.js").with(404);
    contract.get("/docs/none").with(404);
    contract.get("/events/calls/999").with(404);
    contract.get("/nothing").with(404);
    let gateway = contract.world.address("gateway");
    let of = |method: &str, path: &str, ask: &Ask| contract.ask_of(gateway, (method, path), ask);
    let korean = Ask::post("/calls", &rider(0.0).to_string()).header("accept-language", "ko");
    assert_eq!(of("POST", "/calls", &korean).with(422).header("content-language"), Some("ko"));
    let plain = Ask::get("/calls").header("accept", "application/json");
    assert_eq!(of("GET", "/calls", &plain).with(200).header("content-type"), Some("application/json"));
    of("GET", "/calls", &Ask::get("/calls").header("accept", "text/html")).with(406);
    of("GET", "/events", &Ask::get("/events").header("accept", "text/html")).with(406);
    of("GET", "/events", &Ask::get("/events?type=Nothing")).with(400);
    let elsewhere = Ask::get("/calls").header("taxisvc-at-least", "payment.0.1.0000000000000001");
    of("GET", "/calls", &elsewhere).with(409);
    of("DELETE", "/calls", &Ask::new("DELETE", "/calls")).with(405);
    of("POST", "/calls", &Ask::new("POST", "/calls").body(b"{}")).with(415);
    of("POST", "/calls", &Ask::post("/calls", &" ".repeat(70_000))).with(413);
    for body in [rider(4.0), rider(5.0)] {
        of("POST", "/calls", &Ask::post("/calls", &body.to_string()).header("idempotency-key", "one"));
    }
}

#[test]
fn every_answer_is_one_that_the_document_tells_of() {
    let contract = Contract::start();
    ride(&contract);
    operate(&contract);
    look_around(&contract);
    without_waiting(&contract.document);
    let seen = contract.document.seen.borrow();
    let is_elsewhere = |operation: &str| ELSEWHERE.contains(&operation);
    let successes = contract.document.successes().into_iter();
    let never: Vec<_> = successes.filter(|told| !is_elsewhere(&told.0) && !seen.contains(told)).collect();
    assert!(never.is_empty(), "these were never seen: {never:?}");
    let problems = contract.document.problems.borrow();
    for problem in [
        "another-log",
        "idempotency-key-reused",
        "impossible",
        "malformed",
        "method-not-allowed",
        "not-acceptable",
        "not-allowed-now",
        "not-found",
        "other-fare",
        "payload-too-large",
        "payment-refused",
        "unauthorized",
        "unsupported-media-type",
    ] {
        assert!(problems.contains(&format!("/problems/{problem}")), "{problem} was never seen: {problems:?}");
    }
}

/// A document that tells of less than there is would be found out.
#[test]
#[should_panic(expected = "Additional properties are not allowed")]
fn a_field_that_is_not_told_of_is_found() {
    let document = Document::read(&api::OPENAPI.replace("\"driverName\"", "\"driver\""));
    let world = World::start();
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    document.hold(("GET", "/callViews/1"), &world.get("/callViews/1"));
}

#[test]
fn every_event_is_one_that_its_document_tells_of() {
    let contract = Contract::start();
    ride(&contract);
    let document = Document::read(&contract.get("/asyncapi.json").body);
    let mut seen = BTreeSet::new();
    for event in Events::open(contract.world.address("gateway"), "/events?from=0") {
        let data: Value = serde_json::from_str(&event.data).expect("the data of an event is JSON");
        let schema = json!({"$ref": format!("#/components/schemas/{}", event.name)});
        document.assert_valid(&schema, &data, &event.data);
        assert_eq!(data["eventType"], event.name.as_str());
        seen.insert(event.name);
        // One of each was said by now, or is about to be.
        if seen.len() == document.count("/components/messages") {
            return;
        }
    }
    panic!("the stream ended; only these were told: {seen:?}");
}
