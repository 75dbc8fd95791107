//! What operators and readers see of services that run by themselves: through the gateway of all together, on its own port of
//! each.

use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};
use crate::world::http::{Answer, Ask, Events};
use crate::world::{number, until};
use serde_json::Value;
use std::net::SocketAddr;

const TOKEN: &str = "Bearer cluster-operator-token-0123456789";
const CALL: &str = r#"{"userId":"1","userName":"eojin","distance":10}"#;
const PARTITIONS: f64 = 12.0;

fn name_and_actor(event: &Value) -> (&str, &str) {
    (event["eventType"].as_str().unwrap(), event["actor"].as_str().unwrap())
}

#[track_caller]
fn as_operator(ask: Ask, address: SocketAddr) -> Answer {
    ask.header("authorization", TOKEN).of(address).unwrap()
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn an_operator_sees_all_services_and_acts_on_each() {
    let mut cluster = Cluster::start(2, Outside::shared());
    let gateway = cluster.gateway;
    let mut stream = Events::open(gateway, "/events?from=0");
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);

    let told = as_operator(Ask::get(&format!("/operator/calls/{call}")), gateway).with(200).json();
    assert_eq!(told["statuses"]["drive"], "start", "{told}");
    let letters = as_operator(Ask::get("/operator/dead-letters"), gateway).with(200).json();
    assert_eq!(letters["total"], 0);
    until("an audit in which nothing is on its way", || {
        let audit = as_operator(Ask::get("/operator/audit"), gateway).with(200).json();
        assert_eq!(audit["isClean"], true, "{audit}");
        (audit["money"]["inFlight"] == 0).then_some(())
    });
    for path in ["/operator/log", "/operator/config", "/operator/doctor", "/operator/views/rebuild"] {
        as_operator(Ask::get(path), gateway).with(200);
    }
    let unknown = as_operator(Ask::post("/operator/dead-letters/payment/1/retry", ""), gateway);
    assert_eq!(unknown.with(404).problem(), "not-found");

    let ended = Ask::post("/operator/drives/end", &format!(r#"{{"driveId":{call}}}"#));
    assert_eq!(ended.of(gateway).unwrap().with(401).problem(), "unauthorized");
    as_operator(ended, gateway).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);
    let off = number(&cluster.place(10.0));
    let cancelled = Ask::post("/operator/calls/cancel", &format!(r#"{{"callId":{off}}}"#));
    let answer = as_operator(cancelled, gateway);
    assert!([200, 202].contains(&answer.status), "{answer:?}");
    cluster.comes_to(off, ["requestCancel", "refunded", "cancel"]);
    let told = as_operator(Ask::get(&format!("/operator/calls/{off}")), gateway).with(200);
    assert!(told.body.contains("operator"), "who did it is on record: {}", told.body);
    assert!(stream.any(|event| event.name == "FareRefunded"), "what happens is told as it happens");
    let told = Ask::get(&format!("/events/calls/{off}")).of(gateway).unwrap().with(200).json();
    let told: Vec<(&str, &str)> = told["events"].as_array().unwrap().iter().map(name_and_actor).collect();
    assert_eq!(told.first(), Some(&("CallRequested", "rider")), "{told:?}");
    assert!(told.contains(&("CancelRequested", "operator")), "{told:?}");
    // Where the call is off before it is paid, what surfaces is given back without a word of it having been paid.
    let place = |wanted: &str| told.iter().position(|(name, _)| *name == wanted);
    assert!(place("CancelRequested") < place("CallCancelled"), "{told:?}");
    assert!(place("CallCancelled").is_some() && place("CallCancelled") < place("FareRefunded"), "{told:?}");
    assert_eq!(Ask::get("/events/calls/999999").of(gateway).unwrap().with(404).problem(), "not-found");

    for role in ROLES {
        let address = cluster.address(role, 1);
        assert_eq!(Ask::get("/operator/log").of(address).unwrap().with(401).problem(), "unauthorized");
        as_operator(Ask::get("/operator/dead-letters"), address).with(200);
        as_operator(Ask::get("/operator/audit"), address).with(404);
        as_operator(Ask::get(&format!("/operator/calls/{call}")), address).with(404);
    }
}

/// Each replica of call hears some of the partitions; a rider waits on whichever took the call.
#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_rider_is_answered_by_the_replica_that_was_asked_and_reads_what_was_told() {
    let mut cluster = Cluster::with(2, Outside::shared(), &[("ANSWERS_WAIT_MS", "8000")]);
    let (asked, gateway) = (cluster.address("call", 0), cluster.gateway);
    for _ in 0..20 {
        let answer = Ask::post("/calls", CALL).of(asked).unwrap().with(201);
        let (call, position) = (number(&answer), answer.header("taxisvc-position").unwrap().to_owned());
        assert!(position.ends_with(&format!(".{call}")), "it says what it is about: {position}");
        for replica in 0..2 {
            let view = cluster.address("view", replica);
            let read = Ask::get(&format!("/callViews/{call}?at-least={position}")).of(view).unwrap();
            let status = read.with(200).json()["callStatus"].as_str().unwrap().to_owned();
            assert!(["driveRequest", "driveStart"].contains(&status.as_str()), "call {call}: {status}");
        }
        let drive = Ask::get(&format!("/drives/{call}?at-least={position}")).of(gateway).unwrap();
        // What call said last is not what drive hears of first, so it may not be there yet; the position is taken.
        assert!([200, 404].contains(&drive.status), "{drive:?}");
        let own = Ask::get(&format!("/calls/{call}?at-least={position}")).of(gateway).unwrap().with(200);
        assert_ne!(own.json()["callStatus"], "payRequest");
    }
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_position_that_nobody_was_given_is_refused() {
    let cluster = Cluster::start(1, Outside::shared());
    let answer = cluster.place(10.0);
    let call = number(&answer);
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    let position = answer.header("taxisvc-position").unwrap().to_owned();
    let log = position.split('.').nth(3).unwrap();
    let check = |path: &str, position: &str, status: u16, problem: &str| {
        let read = cluster.get(&format!("{path}/{call}?at-least={position}"));
        assert_eq!(read.with(status).problem(), problem, "{path} {position}");
    };
    let another = format!("call.0.1.00000000deadbeef.{call}");
    check("/callViews", &another, 409, "another-log");
    check("/calls", &another, 409, "another-log");
    check("/calls", &format!("call.0.9999.{log}.{call}"), 409, "another-log");
    check("/callViews", &format!("call.0.9999.{log}.{call}"), 503, "not-read-yet");
    check("/callViews", &format!("call.0.1.{log}"), 400, "malformed");
    check("/callViews", &format!("view.0.1.{log}.{call}"), 400, "malformed");
}

/// The sum of a figure over the replicas of a service.
fn sum(cluster: &mut Cluster, role: &str, name: &str) -> f64 {
    (0..2).map(|replica| cluster.figure(role, replica, name)).sum()
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn the_figures_of_all_replicas_make_up_a_whole() {
    let mut cluster = Cluster::start(2, Outside::shared());
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    for role in ROLES {
        let tellers = if role == "view" { 0.0 } else { 1.0 };
        let wanted = [
            ("taxisvc_kafka_partitions_read", PARTITIONS),
            ("taxisvc_relay_holds", tellers),
            ("taxisvc_kafka_connected", 2.0),
            ("taxisvc_kafka_partition_lag", 0.0),
            ("taxisvc_kafka_events_refused_total", 0.0),
            ("taxisvc_kafka_messages_lost_total", 0.0),
        ];
        for (name, value) in wanted {
            let mut seen = f64::NAN;
            until(&format!("{name} of {role} to be {value}"), || {
                seen = sum(&mut cluster, role, name);
                (seen == value).then_some(())
            });
        }
        assert_eq!(
            sum(&mut cluster, role, "taxisvc_kafka_events_acknowledged_total") > 0.0,
            role != "view",
            "{role}"
        );
    }
    for role in ROLES {
        cluster.stop(role, 0);
        until("the other one to read all partitions", || {
            (cluster.figure(role, 1, "taxisvc_kafka_partitions_read") == PARTITIONS).then_some(())
        });
    }
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
}
