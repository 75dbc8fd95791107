//! A rider is answered in the contract's words while Kafka is down or a rebalance goes on, and it ends right afterwards.

use crate::world::cluster::Cluster;
use crate::world::cluster::outside::{Outside, Which};
use crate::world::{number, until};
use engine::clock::Stopwatch;
use std::time::Duration;

/// The contract's 600 ms, and what a busy machine adds to them. Whoever waited for Kafka would wait far longer.
const ANSWER_MAX: Duration = Duration::from_millis(3_000);

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn while_kafka_is_down() {
    let cluster = Cluster::start(1, Outside::own());
    let before = number(&cluster.place(10.0));
    cluster.comes_to(before, ["driveStart", "paid", "start"]);

    cluster.outside().kill(Which::Kafka);
    let mut calls = Vec::new();
    for _ in 0..5 {
        let stopwatch = Stopwatch::start();
        let answer = cluster.place(10.0).with(202);
        let took = stopwatch.elapsed();
        println!("answered 202 after {} ms while Kafka was down", took.as_millis());
        assert!(took < ANSWER_MAX, "{took:?}");
        assert_eq!(answer.json()["callStatus"], "payRequest", "{answer:?}");
        calls.push(number(&answer));
    }
    // What a service decides by itself needs nobody else.
    cluster.end(before).with(200);
    let cancelled = calls.pop().expect("there are five");
    cluster.cancel(cancelled).with(202);
    assert_eq!(cluster.standing(cancelled)[0], "requestCancel");

    cluster.outside().start(Which::Kafka);
    let stopwatch = Stopwatch::start();
    for call in calls {
        cluster.comes_to(call, ["driveStart", "paid", "start"]);
    }
    println!("under way {} ms after Kafka was back", stopwatch.elapsed().as_millis());
    cluster.comes_to(before, ["driveComplete", "paid", "end"]);
    let payments = cluster.get(&format!("/payments/{cancelled}")).json();
    println!("the cancelled one's payment: {}", payments["payStatus"]);
    cluster.comes_to_rest();
    let (services, view) = (cluster.standing(cancelled), cluster.view(cancelled));
    assert_eq!((services[0].as_str(), view[0].as_str()), ("requestCancel", "requestCancel"));
    assert!(["refunded", "voided"].contains(&services[1].as_str()), "{services:?}");
}

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn no_deadline_ends_a_ride_that_call_has_not_heard_of() {
    let mut cluster = Cluster::with(
        1,
        Outside::own(),
        &[("DEADLINES_CALL_UNPAID_MS", "5000"), ("DEADLINES_PROVIDER_MS", "4000")],
    );
    let call = number(&cluster.place_paid_by(10.0, "test:late=3000").with(202));
    cluster.stop("call", 0);
    let drive = format!("/drives/{call}");
    until("the ride to begin", || (cluster.get(&drive).status == 200).then_some(()));
    cluster.outside().kill(Which::Kafka);
    cluster.start_again("call", 0);
    let status = |cluster: &Cluster| cluster.get(&format!("/calls/{call}")).json()["callStatus"].clone();
    until("the deadline to pass", || (status(&cluster) == "requestCancel").then_some(()));

    cluster.outside().start(Which::Kafka);
    until("view to hear of it", || (cluster.view(call)[0] == "requestCancel").then_some(()));
    cluster.comes_to_rest();
    assert_eq!(cluster.standing(call), ["requestCancel", "paid", "start"]);
    cluster.end(call).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);
}

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn kafka_is_away_when_the_services_start() {
    let outside = Outside::own();
    outside.kill(Which::Kafka);
    let cluster = Cluster::partly((1, 1), outside, &[]);
    let answer = cluster.place(10.0).with(202);
    cluster.outside().start(Which::Kafka);
    cluster.comes_to(number(&answer), ["driveStart", "paid", "start"]);
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn while_a_rebalance_goes_on() {
    let mut cluster = Cluster::start(2, Outside::shared());
    let mut calls = Vec::new();
    for role in ["payment", "call", "drive", "view"] {
        cluster.kill(role, 0);
        for _ in 0..5 {
            let stopwatch = Stopwatch::start();
            let answer = cluster.place(10.0);
            let took = stopwatch.elapsed();
            println!("answered {} after {} ms, a {role} just killed", answer.status, took.as_millis());
            assert!([201, 202].contains(&answer.status), "{answer:?}");
            assert!(took < ANSWER_MAX, "{took:?}");
            calls.push(number(&answer));
        }
        cluster.start_again(role, 0);
        calls.push(number(&cluster.place(10.0)));
    }
    let stopwatch = Stopwatch::start();
    for call in calls {
        cluster.comes_to(call, ["driveStart", "paid", "start"]);
    }
    println!("all under way {} ms after the last one was back", stopwatch.elapsed().as_millis());
    cluster.wait_until_ready();
}
