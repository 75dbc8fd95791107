//! Spans: one trace from a rider's request to the last that follows from it, told to a collector by OTLP.

use crate::world::collector::{Collector, WAY_TO_THE_REFUND};
use crate::world::http::Ask;
use crate::world::{World, number, until};
use serde_json::Value;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";
const TOO_FAR: &str = r#"{"userId":"1","userName":"eojin","distance":100.001}"#;
const NEAR: &str = r#"{"userId":"1","userName":"eojin","distance":3}"#;

fn world(collector: &Collector, more: &[(&str, &str)]) -> World {
    let endpoint = collector.endpoint();
    World::with(&[&[("TRACES_ENDPOINT", endpoint.as_str())], more].concat())
}

fn traced(ask: Ask, flags: &str) -> Ask {
    ask.header("traceparent", &format!("00-{TRACE}-{CLIENT}-{flags}"))
}

/// What the log has of the trace that each event of a call belongs to.
fn traceparents(world: &World, call: u64) -> Vec<(String, Option<String>)> {
    let (data, call) = (world.data(), call.to_string());
    let which = ["--from-beginning", "--private", "--json", "--call", &call];
    let told = world.run(&[["events", "--data", data.to_str().unwrap()].as_slice(), &which].concat());
    let read = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| event[field].as_str().map(str::to_owned);
        (text("type").unwrap(), text("trace"))
    };
    let events: Vec<_> = told.stdout.lines().map(read).collect();
    assert!(events.len() > 3, "{}{}", told.stdout, told.stderr);
    events
}

#[test]
fn a_call_that_is_undone_is_one_trace_from_the_click_to_the_refund() {
    let collector = Collector::start();
    let world = world(&collector, &[]);
    let call = number(&world.ask(&traced(Ask::post("/calls", TOO_FAR), "01")).with(201));
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    let trace =
        collector.until_told(TRACE, &["payment FareRefunded", "view FareRefunded", "view CallCancelled"]);
    trace.is_connected_below(CLIENT);
    let services = ["call", "drive", "gateway", "payment", "provider", "view"];
    assert_eq!(trace.services().into_iter().collect::<Vec<_>>(), services, "{trace}");
    assert_eq!(trace.way_to("payment FareRefunded"), WAY_TO_THE_REFUND, "{trace}");
    for (event, traceparent) in traceparents(&world, call) {
        let traceparent = traceparent.unwrap_or_else(|| panic!("{event} has no trace"));
        let span = traceparent.split('-').nth(2).unwrap();
        assert!(trace.contains(span), "{event} leads to {span}, which nobody told:\n{trace}");
    }
    let asked = trace.named("POST /calls");
    assert_eq!(asked.attributes["http.response.status_code"], "201");
    assert_eq!(asked.attributes["taxisvc.call_id"], call.to_string());
    assert_eq!(trace.named("payment FareRefunded").attributes["taxisvc.entity"], format!("payment/{call}"));
    let told = world.get("/metrics").body;
    assert!(told.contains("\ntaxisvc_spans_lost_total 0\n"), "{told}");
}

#[test]
fn a_request_without_a_trace_begins_one_and_one_in_b3_is_understood() {
    let collector = Collector::start();
    let world = world(&collector, &[("TRACES_HEADERS", "authorization=Basic c2VjcmV0, x-scope=1")]);
    let odd = TOO_FAR.replace("eojin", "Ünique").replace("\"1\"", "\"zyx-4711\"");
    let call = number(&world.ask(&Ask::post("/calls", &odd)).with(201));
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    let begun = until("a trace of its own", || {
        let spans = collector.spans();
        let found = spans.iter().find(|span| span.name == "POST call")?.clone();
        Some(found)
    });
    assert_eq!(begun.parent, "");
    collector.until_told(&begun.trace, &["payment FareRefunded"]).is_connected_below("");

    let told = format!("{:?}", collector.spans());
    assert!(!told.contains("Ünique") && !told.contains("zyx-4711"), "nobody is in it: {told}");

    let b3 = Ask::post("/calls", NEAR).header("b3", &format!("{TRACE}-{CLIENT}-1"));
    world.ask(&b3).with(201);
    collector.until_told(TRACE, &["drive DriveStarted", "call CallPlaced"]).is_connected_below(CLIENT);
    assert_eq!(collector.header("authorization").into_iter().collect::<Vec<_>>(), ["Basic c2VjcmV0"]);
}

#[test]
fn what_is_not_sampled_is_carried_on_and_not_told() {
    let collector = Collector::start();
    let world = world(&collector, &[("TRACES_SAMPLE_RATIO", "0")]);
    let call = number(&world.ask(&traced(Ask::post("/calls", NEAR), "00")).with(201));
    world.ask(&Ask::post("/calls", NEAR)).with(201);
    let sampled = number(&world.ask(&traced(Ask::post("/calls", NEAR), "01")).with(201));
    world.comes_to(sampled, ["driveStart", "paid", "start"]);
    collector.until_told(TRACE, &["drive DriveStarted"]);
    let of_call = |call: u64| {
        let spans = collector.spans();
        spans
            .into_iter()
            .filter(|span| span.attributes.get("taxisvc.entity") == Some(&format!("call/{call}")))
            .count()
    };
    assert_eq!((of_call(call), of_call(sampled) > 0), (0, true));
    assert!(collector.spans().iter().all(|span| span.trace == TRACE), "only that was asked for");
    let kept = traceparents(&world, call);
    let expected = Some(format!("00-{TRACE}-{CLIENT}-00"));
    assert!(kept.iter().all(|(_, trace)| *trace == expected), "{kept:?}");
}

/// The wait lies in the log: who takes the call up again after a crash knows what it belongs to.
#[test]
fn a_deadline_goes_on_in_the_trace_of_what_it_waited_for() {
    let collector = Collector::start();
    let silent = [
        ("ANSWERS_WAIT_MS", "50"),
        ("DEADLINES_PROVIDER_MS", "3000"),
        ("PROVIDER_SILENT_ATTEMPTS", "1000000"),
        ("PROVIDER_OBEY_TEST_METHODS", "true"),
    ];
    let mut world = world(&collector, &silent);
    let silent = r#"{"userId":"1","userName":"eojin","distance":3,"paymentMethod":"test:silent"}"#;
    let call = number(&world.ask(&traced(Ask::post("/calls", silent), "01")).with(202));
    collector.until_told(TRACE, &["payment FareAsked"]);
    world.kill();
    world.start_again();
    world.comes_to(call, ["payFail", "failed", "-"]);
    let trace = collector.until_told(TRACE, &["payment PaymentFailed", "call CallUnpaid"]);
    let way = trace.way_to("payment PaymentFailed");
    assert_eq!(way[way.len() - 2..], ["payment FareAsked", "payment PaymentFailed"], "{trace}");
    assert_eq!(trace.named("payment PaymentFailed").attributes["taxisvc.cause"], "timer provider");
}

#[test]
fn another_request_about_a_call_is_linked_to_it() {
    let collector = Collector::start();
    let world = world(&collector, &[]);
    let call = number(&world.ask(&traced(Ask::post("/calls", NEAR), "01")).with(201));
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.end(call).with(200);
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    let ended = until("the end of the ride", || {
        collector.spans().into_iter().find(|span| span.name == "drive DriveEnded")
    });
    assert_ne!(ended.trace, TRACE);
    assert_eq!(ended.links, [TRACE]);
    collector.until_told(&ended.trace, &["call CallCompleted", "view DriveEnded"]).is_connected_below("");
}

#[test]
fn nobody_waits_for_a_collector_that_is_away() {
    let gone = Collector::start();
    let (address, endpoint) = (gone.address, gone.endpoint());
    drop(gone);
    let world = World::with(&[("TRACES_ENDPOINT", &endpoint), ("LOG", "info")]);
    let call = number(&world.ask(&traced(Ask::post("/calls", TOO_FAR), "01")).with(201));
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    let lost = || {
        let told = world.get("/metrics").body;
        let line = told.lines().find_map(|line| line.strip_prefix("taxisvc_spans_lost_total ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    until("spans that are lost", || (lost() > 10).then_some(()));
    let said = |words: &str| until(words, || world.said().contains(words).then_some(()));
    said("spans cannot be sent");
    for words in ["Connection refused", &address.to_string()] {
        assert!(world.said().contains(words), "{words}: {}", world.said());
    }
    let collector = Collector::start_at(address);
    until("spans that are sent again", || {
        world.ask(&traced(Ask::post("/calls", NEAR), "01")).with(201);
        collector.of_trace(TRACE).has("drive DriveStarted").then_some(())
    });
    said("spans are sent again");
    for words in ["spans cannot be sent", "spans are sent again"] {
        assert_eq!(world.said().matches(words).count(), 1, "{}", world.said());
    }
}
