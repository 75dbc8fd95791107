//! `/metrics` of a running process: what was asked is counted under its route, and Prometheus's own tool finds no fault.

use crate::world::http::Ask;
use crate::world::{World, until};
use std::io::Write;
use std::process::{Command, Stdio};

fn figures(world: &World, port: &str) -> String {
    let answer = Ask::get("/metrics").of(world.address(port)).unwrap().with(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.body
}

#[track_caller]
fn check(text: &str, samples: &[&str]) {
    for sample in samples {
        assert!(text.lines().any(|line| line == *sample), "{sample} is not in {text}");
    }
}

/// Something of everything: a ride that ends, one that is under way, one that is too far, and requests that are wrong.
fn busy_world() -> World {
    let world = World::start();
    let [ended, under_way, too_far] = [10.0, 5.0, 150.0].map(|kilometers| world.call(kilometers));
    world.comes_to(too_far, ["requestCancel", "refunded", "requestCancel"]);
    world.comes_to(under_way, ["driveStart", "paid", "start"]);
    world.end(ended).with(200);
    world.comes_to(ended, ["driveComplete", "paid", "end"]);
    world.cancel(ended).with(409);
    world.get("/nowhere").with(404);
    Ask::get("/callViews/1").of(world.address("view")).unwrap().with(200);
    world
}

#[test]
fn what_is_asked_is_counted_by_its_route_whichever_way_it_came() {
    let world = busy_world();
    Ask::get("/fares?distance=10").of(world.address("payment")).unwrap().with(200);
    world.get("/fares?distance=10").with(200);
    for port in ["gateway", "drive"] {
        check(
            &figures(&world, port),
            &[
                "taxisvc_http_requests_total{route=\"/calls\",method=\"POST\",class=\"2xx\"} 3",
                "taxisvc_http_requests_total{route=\"/calls/cancel\",method=\"POST\",class=\"4xx\"} 1",
                "taxisvc_http_requests_total{route=\"none\",method=\"GET\",class=\"4xx\"} 1",
                "taxisvc_http_requests_total{route=\"/fares\",method=\"GET\",class=\"2xx\"} 2",
                "taxisvc_http_request_duration_seconds_count{route=\"/fares\",method=\"GET\"} 2",
                "taxisvc_http_requests_in_flight 0",
                "taxisvc_dead_letters_waiting{service=\"call\"} 0",
                "taxisvc_timers_overdue{service=\"drive\"} 0",
                "taxisvc_disk_full 0.0",
            ],
        );
    }
    assert!(
        figures(&world, "gateway").contains("taxisvc_gateway_answer_duration_seconds_count{route=\"call\"}")
    );
    // What has to be read from the store was read up to a second ago.
    until("the figures of the store", || {
        let text = figures(&world, "call");
        let has = |sample: &str| text.lines().any(|line| line == sample);
        let is_there = has("taxisvc_calls{status=\"driveStart\"} 1")
            && has("taxisvc_calls{status=\"driveComplete\"} 1")
            && has("taxisvc_calls{status=\"requestCancel\"} 1")
            && has("taxisvc_call_cancelling_age_seconds{asked_by=\"person\"} 0.0")
            && has("taxisvc_deadlines_passed_total{database=\"taxisvc\",timer=\"unpaid\"} 0")
            && has("taxisvc_drives{status=\"start\"} 1")
            && has("taxisvc_payments{status=\"refunded\"} 1")
            && has("taxisvc_events_total{database=\"taxisvc\",type=\"CallRequested\"} 3")
            && has("taxisvc_events_total{database=\"taxisvc\",type=\"FareRefunded\"} 1")
            && has("taxisvc_events_total{database=\"taxisvc\",type=\"PaymentFailed\"} 0")
            && has("taxisvc_time_to_drive_seconds_count{database=\"taxisvc\"} 2")
            && has("taxisvc_ledger_won{account=\"taken\"} 1650000")
            && has("taxisvc_ledger_won{account=\"returned\"} 1500000")
            && has("taxisvc_ledger_won{account=\"provider\"} 150000")
            && has("taxisvc_ledger_payments_wrong 0")
            && has("taxisvc_events_unread{service=\"view\"} 0.0");
        is_there.then_some(())
    });
}

/// Debian has it in the package `prometheus`. Where it is not, the reading of our own stands alone.
#[test]
#[ignore = "wants promtool"]
fn promtool_finds_no_fault() {
    let world = busy_world();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = match command.spawn() {
        Ok(promtool) => promtool,
        Err(error) => return println!("promtool is not here, and was not asked: {error}"),
    };
    let text = figures(&world, "gateway");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{said}\n{text}");
}
