//! PostgreSQL goes down under load: a 503 is said only where nothing was stored, and nobody is told a fare failed that is
//! then charged.

use crate::world::cluster::Cluster;
use crate::world::cluster::outside::{Outside, Which};
use crate::world::http::Ask;
use crate::world::{number, pause};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const RIDERS: usize = 6;
/// Calls that each rider has placed before the database goes.
const CALLS_BEFORE: usize = 10;

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn what_is_answered_is_true_afterwards() {
    // An outage longer than a deadline is told apart from one that is not; here it is not.
    let patient = [("DEADLINES_PROVIDER_MS", "600000"), ("DEADLINES_CALL_UNPAID_MS", "3600000")];
    let cluster = Cluster::with(2, Outside::own(), &patient);
    let is_over = Arc::new(AtomicBool::new(false));
    let riders: Vec<_> = (0..RIDERS)
        .map(|rider| {
            let (gateway, is_over) = (cluster.gateway, is_over.clone());
            std::thread::spawn(move || place_until(gateway, rider, &is_over))
        })
        .collect();
    crate::world::until("calls to be placed", || {
        (cluster.count("calls") >= (RIDERS * CALLS_BEFORE) as u64).then_some(())
    });
    cluster.outside().kill(Which::Postgres);
    for _ in 0..3 {
        let answer = cluster.place(10.0);
        println!("while PostgreSQL is down: {} {}", answer.status, answer.problem());
        assert!([503, 504].contains(&answer.status), "{answer:?}");
        if answer.status == 503 {
            assert_eq!(answer.problem(), "unavailable", "{answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
        }
    }
    cluster.outside().start(Which::Postgres);
    crate::world::until("a call to be taken again", || (cluster.place(10.0).status < 300).then_some(()));
    is_over.store(true, Ordering::Relaxed);
    let answers: Vec<(String, u16, Value)> =
        riders.into_iter().flat_map(|rider| rider.join().expect("nobody gives up")).collect();
    holds(&cluster, &answers);
}

/// Every call under a name of its own and asked once, so that what was stored shows what was answered.
fn place_until(gateway: SocketAddr, rider: usize, is_over: &AtomicBool) -> Vec<(String, u16, Value)> {
    let mut answers = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let name = format!("rider-{rider}-call-{}", answers.len());
        let body = json!({"userId": rider.to_string(), "userName": name, "distance": 5});
        let ask = Ask::post("/calls", &body.to_string()).header("idempotency-key", &format!("\"{name}\""));
        match ask.of(gateway) {
            Ok(answer) => answers.push((name, answer.status, answer.json())),
            // A gateway that hangs up has told nothing.
            Err(_) => answers.push((name, 0, Value::Null)),
        }
        pause();
    }
    answers
}

fn holds(cluster: &Cluster, answers: &[(String, u16, Value)]) {
    let mut stored: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut next = Some("/calls?size=100".to_owned());
    while let Some(path) = next {
        let page = cluster.get(&path).with(200).json();
        for call in page["_embedded"]["calls"].as_array().expect("a page has calls") {
            let name = call["userName"].as_str().expect("a call has a rider").to_owned();
            stored.entry(name).or_default().push(call["callId"].as_u64().expect("a call has a number"));
        }
        let link = page["_links"]["next"]["href"].as_str();
        next = link.and_then(|link| Some(format!("/{}", link.splitn(4, '/').nth(3)?)));
    }
    let mut counted: BTreeMap<u16, usize> = BTreeMap::new();
    for (name, status, body) in answers {
        *counted.entry(*status).or_default() += 1;
        let calls = stored.get(name).map_or(&[][..], Vec::as_slice);
        match status {
            201 | 202 => assert_eq!(calls, [body["callId"].as_u64().unwrap()], "{name}: {body}"),
            503 => assert!(calls.is_empty(), "{name} was told that nothing is stored: {calls:?} {body}"),
            // Nobody knows, and so it was said.
            0 | 504 => assert!(calls.len() <= 1, "{name} is there twice: {calls:?}"),
            status => panic!("{name} was answered {status}: {body}"),
        }
        assert_ne!(body["callStatus"], "payFail", "{name}: {body}");
    }
    println!("answers by status: {counted:?}; {} calls stored", stored.len());
    cluster.comes_to_rest();
    for call in stored.into_values().flatten() {
        cluster.comes_to(call, ["driveStart", "paid", "start"]);
    }
    let after = number(&cluster.place(10.0));
    cluster.comes_to(after, ["driveStart", "paid", "start"]);
}
