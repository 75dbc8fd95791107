//! What happens through the gateway when each service runs by itself: the same as in one process.

use crate::world::cluster::Cluster;
use crate::world::cluster::outside::{Message, Outside};
use crate::world::number;
use std::collections::BTreeMap;

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn every_story_ends_as_in_one_process() {
    let cluster = Cluster::start(2, Outside::shared());

    let completed = number(&cluster.place(10.0));
    cluster.comes_to(completed, ["driveStart", "paid", "start"]);
    cluster.end(completed).with(200);
    cluster.comes_to(completed, ["driveComplete", "paid", "end"]);

    let too_far = number(&cluster.place(101.0));
    cluster.comes_to(too_far, ["requestCancel", "refunded", "requestCancel"]);

    let cancelled = number(&cluster.place(10.0));
    cluster.comes_to(cancelled, ["driveStart", "paid", "start"]);
    let answer = cluster.cancel(cancelled);
    assert!([200, 202].contains(&answer.status), "{answer:?}");
    cluster.comes_to(cancelled, ["requestCancel", "refunded", "cancel"]);

    let refused = number(&cluster.place_paid_by(10.0, "test:refused"));
    cluster.comes_to(refused, ["payFail", "failed", "-"]);

    let told = told(&cluster.outside().messages());
    let check = |call: u64, expected: &[&str]| {
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(told[&call.to_string()], expected, "call {call}");
    };
    check(completed, &["CallRequested", "FarePaid", "CallPlaced", "DriveStarted", "DriveEnded"]);
    check(
        too_far,
        &["CallRequested", "FarePaid", "CallPlaced", "DriveNotAvailable", "CallCancelled", "FareRefunded"],
    );
    check(
        cancelled,
        &[
            "CallRequested",
            "FarePaid",
            "CallPlaced",
            "DriveStarted",
            "CancelRequested",
            "DriveCancelled",
            "CallCancelled",
            "FareRefunded",
        ],
    );
    check(refused, &["CallRequested", "PaymentFailed"]);
}

/// The names of the events on the topic by call, sorted; each message says the same in its key, its headers and its value.
fn told(messages: &[Message]) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in messages {
        let name = message.value["eventType"].as_str().expect("an event has a name").to_owned();
        assert_eq!(message.headers["ce_type"], format!("taxisvc.{name}.v1"), "{message:?}");
        assert_eq!(message.headers["type"], name, "{message:?}");
        assert_eq!(message.value["callId"].to_string(), message.key, "{message:?}");
        told.entry(message.key.clone()).or_default().push(name);
    }
    told.values_mut().for_each(|names| names.sort_unstable());
    told
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn any_replica_takes_any_command() {
    let mut cluster = Cluster::start(3, Outside::shared());
    for index in 0..3 {
        let call = number(&cluster.place(10.0));
        cluster.comes_to(call, ["driveStart", "paid", "start"]);
        for asked in 0..3 {
            let of_each = cluster.address("drive", asked);
            let body = format!(r#"{{"driveId":{call}}}"#);
            let ended = crate::world::http::Ask::post("/drives/end", &body).of(of_each).unwrap();
            assert_eq!(ended.status, 200, "drive {asked}, round {index}: {ended:?}");
        }
        cluster.comes_to(call, ["driveComplete", "paid", "end"]);
    }
}
