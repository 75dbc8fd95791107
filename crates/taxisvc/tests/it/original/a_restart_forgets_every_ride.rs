//! The original: a restart forgets every ride and takes over its number again. Here: every ride is as it was, a killed
//! process included, and a number is given once.

use crate::world::http::Ask;
use crate::world::{World, number};

#[test]
fn every_ride_is_as_it_was_after_the_process_was_killed() {
    let mut world = World::start();
    let (ended, under_way, too_far) = (world.call(10.0), world.call(20.0), world.call(200.0));
    world.comes_to(ended, ["driveStart", "paid", "start"]);
    world.end(ended).with(200);
    world.comes_to(ended, ["driveComplete", "paid", "end"]);
    world.comes_to(under_way, ["driveStart", "paid", "start"]);
    world.comes_to(too_far, ["requestCancel", "refunded", "requestCancel"]);
    let read = |world: &World| {
        let host = |path: &str| world.ask(&Ask::get(path).header("host", "taxi.test")).with(200).body;
        ["/calls", "/payments", "/drives", "/callViews", "/callViews/1"].map(host)
    };
    let before = read(&world);

    world.kill();
    world.start_again();
    assert_eq!(read(&world), before);
    let next = world.call(5.0);
    assert!(next > too_far, "the number {next} was given before");
    world.end(under_way).with(200);
    world.comes_to(under_way, ["driveComplete", "paid", "end"]);
}

#[test]
fn whoever_got_no_answer_asks_again_with_the_same_key() {
    let mut world = World::start();
    let body = r#"{"userId":"1","userName":"eojin","distance":10}"#;
    let ask = Ask::post("/calls", body).header("idempotency-key", "before-and-after");
    let call = number(&world.ask(&ask).with(201));
    world.kill();
    world.start_again();
    let again = world.ask(&ask).with(201);
    assert_eq!((number(&again), again.header("idempotent-replayed")), (call, Some("true")));
    assert_eq!(world.count("calls"), 1);
}
