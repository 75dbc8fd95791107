//! Every message arrives twice, requests, events and the provider's answers alike; everything happens once.

use crate::world::by_hand::{ByHand, Setup};
use crate::world::http::Ask;
use crate::world::{World, number};
use engine::bus::{Delivery, Tail};
use engine::log::{Recorded, ShardName};
use engine::store::Stored;
use std::sync::Arc;

/// Each event, and then each event again.
struct Twice;

impl Delivery for Twice {
    fn deliver(&self, _: ShardName, tail: &Tail, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        let events = tail.read(after, limit)?;
        Ok(events.iter().chain(&events).cloned().collect())
    }
}

/// A day with a call of every outcome, each request said twice.
fn a_day(deduplicate: bool) -> ByHand {
    let mut setup = Setup { deduplicate, ..Setup::default() };
    setup.provider.double_per_mille = 1_000;
    let mut system = ByHand::on(setup, Box::new(|| Box::new(Twice)));
    for (id, kilometers, method) in
        [(1, "10", None), (2, "120", None), (3, "10", None), (4, "10", Some("test:refused"))]
    {
        for _ in 0..2 {
            system.place(id, kilometers, method);
        }
    }
    system.settle();
    for _ in 0..2 {
        system.end(1).unwrap();
        system.cancel(3).unwrap();
        system.settle();
    }
    system.finish();
    system
}

/// Two defences, each with the other off: the inbox drops what it has seen, and the business does nothing twice.
#[test]
fn each_defence_alone_is_enough() {
    for deduplicate in [true, false] {
        let system = a_day(deduplicate);
        system.assert_standing(1, ["driveComplete", "paid", "end"]);
        system.assert_standing(2, ["requestCancel", "refunded", "requestCancel"]);
        system.assert_standing(3, ["requestCancel", "refunded", "cancel"]);
        system.assert_standing(4, ["payFail", "failed", "-"]);
        let money = system.audit();
        assert_eq!((money.earned, money.at_provider), (100_000, 100_000));
        for id in 1..=4 {
            let mut told = system.told(id);
            told.sort();
            let said = told.len();
            told.dedup();
            assert_eq!(told.len(), said, "call {id} was told of something twice: {told:?}");
        }
    }
}

#[test]
fn requests_and_answers_that_arrive_twice_over_http_count_once() {
    let world = World::start();
    let body = r#"{"userId":"1","userName":"eojin","distance":10,"paymentMethod":"test:doubled"}"#;
    let ask = Ask::post("/calls", body).header("idempotency-key", "\"once\"");
    let (first, again) = (world.ask(&ask).with(201), world.ask(&ask).with(201));
    assert_eq!(number(&first), number(&again));
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        (None, Some("true"))
    );
    let call = number(&first);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    let cancel =
        Ask::post("/calls/cancel", &format!("{{\"callId\":{call}}}")).header("idempotency-key", "off");
    world.ask(&cancel).with(200);
    world.ask(&cancel).with(200);
    world.comes_to(call, ["requestCancel", "refunded", "cancel"]);
    assert_eq!(world.count("calls"), 1);
    let money = world.money();
    assert_eq!((money.taken, money.returned), (100_000, 100_000));
    let mut told = world.told(call);
    told.sort();
    let said = told.len();
    told.dedup();
    assert_eq!(told.len(), said, "{told:?}");
}

#[test]
fn clients_that_ask_at_once_under_one_key_get_one_call() {
    let world = World::start();
    let body = r#"{"userId":"1","userName":"eojin","distance":10}"#;
    let ask = Ask::post("/calls", body).header("idempotency-key", "same");
    let numbers: Vec<u64> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| number(&world.ask(&ask).with(201)))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    assert_eq!(world.count("calls"), 1);
    world.comes_to(numbers[0], ["driveStart", "paid", "start"]);
}
