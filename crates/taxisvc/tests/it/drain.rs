//! A process that is asked to stop: it answers what it has accepted, ends open streams, and is gone within its bound.

use crate::world::http::{Ask, Events};
use crate::world::{World, number, until};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn requests_under_way_are_answered_and_streams_end() {
    let mut world = World::start();
    let first = world.call(10.0);
    let mut stream = Events::open(world.address("gateway"), "/events?from=0");
    assert_eq!(stream.next().map(|event| event.call_id()), Some(first));
    let calls: Vec<u64> = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| number(&world.place_paid_by(10.0, "test:late=2000").with(201))))
            .collect();
        until("all requests to be under way", || (world.count("calls") == 9).then_some(()));
        let rest = scope.spawn(move || stream.count());
        world.server.as_ref().unwrap().terminate();
        assert!(rest.join().unwrap() > 0, "the stream went on until it ended");
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
    });
    assert_eq!(world.take_server().ended().code(), Some(0));
    world.audit();
    world.start_again();
    assert_eq!(world.count("calls"), 9);
    for call in calls {
        world.comes_to(call, ["driveStart", "paid", "start"]);
    }
}

#[test]
fn a_request_that_does_not_end_holds_nobody_up() {
    let mut world = World::with(&[
        ("ANSWERS_WAIT_MS", "500000"),
        ("GATEWAY_REQUEST_TIMEOUT_MS", "600000"),
        ("DEADLINES_PROVIDER_MS", "600000"),
        ("DEADLINES_CALL_UNPAID_MS", "900000"),
        ("DEADLINES_DRAIN_MS", "300"),
    ]);
    std::thread::scope(|scope| {
        let address = world.address("gateway");
        let body = r#"{"userId":"1","userName":"eojin","distance":1,"paymentMethod":"test:silent"}"#;
        let waiting = scope.spawn(move || Ask::post("/calls", body).of(address));
        until("the request to be under way", || (world.count("calls") == 1).then_some(()));
        let mut server = world.server.take().unwrap();
        server.terminate();
        assert_eq!(server.ended().code(), Some(0));
        let answered = waiting.join().unwrap();
        assert!(answered.is_err(), "nobody decided it: {answered:?}");
    });
    world.audit();
    world.start_again();
    assert_eq!(world.standing(1), ["payRequest", "asked", "-"], "what was accepted is still there");
}

#[test]
fn no_accepted_call_is_lost() {
    let mut world = World::start();
    let is_over = AtomicBool::new(false);
    let accepted: Vec<u64> = std::thread::scope(|scope| {
        let address = world.address("gateway");
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let is_over = &is_over;
                scope.spawn(move || {
                    let mut accepted = Vec::new();
                    let ask = Ask::post("/calls", r#"{"userId":"1","userName":"eojin","distance":1}"#);
                    while !is_over.load(Ordering::SeqCst) {
                        match ask.of(address) {
                            Ok(answer) if answer.status < 300 => accepted.push(number(&answer)),
                            Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                            // Nobody listens any more.
                            Err(_) => break,
                        }
                    }
                    accepted
                })
            })
            .collect();
        until("many calls", || (world.count("calls") >= 100).then_some(()));
        let mut server = world.server.take().unwrap();
        server.terminate();
        assert_eq!(server.ended().code(), Some(0));
        is_over.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(accepted.len() >= 92, "{}", accepted.len());
    world.start_again();
    for call in accepted {
        world.get(&format!("/calls/{call}")).with(200);
    }
}

#[test]
fn it_says_that_it_is_not_ready_while_it_drains() {
    let mut world = World::with(&[("DEADLINES_DRAIN_GRACE_MS", "5000")]);
    assert_eq!(world.get("/health/ready").status, 200);
    let mut server = world.take_server();
    let address = server.address("gateway");
    server.terminate();
    until("it to say so", || {
        let ready = Ask::get("/health/ready").of(address).ok()?;
        (ready.status == 503 && ready.json()["status"] == "DOWN").then_some(())
    });
    assert_eq!(Ask::get("/health/live").of(address).unwrap().status, 200, "it lives all the same");
    assert_eq!(server.ended().code(), Some(0));
}
