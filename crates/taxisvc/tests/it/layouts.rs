//! However the services lie in databases, and however many shards they have, a day of calls is the same.

use crate::world::http::Ask;
use crate::world::{World, number};

const CALLS: usize = 12;

fn a_day(settings: &[(&str, &str)]) {
    let mut world = World::with(settings);
    let completed: Vec<u64> = (0..CALLS).map(|_| world.call(10.0)).collect();
    let cancelled: Vec<u64> = (0..CALLS).map(|_| world.call(5.0)).collect();
    let too_far: Vec<u64> = (0..CALLS).map(|_| world.call(101.0)).collect();
    let refused: Vec<u64> =
        (0..CALLS).map(|_| number(&world.place_paid_by(10.0, "test:refused").with(201))).collect();
    for call in completed.iter().chain(&cancelled) {
        world.comes_to(*call, ["driveStart", "paid", "start"]);
    }
    completed.iter().for_each(|call| assert_eq!(world.end(*call).status, 200));
    cancelled.iter().for_each(|call| assert_eq!(world.cancel(*call).status, 200));
    let check = |world: &World| {
        for (calls, standing) in [
            (&completed, ["driveComplete", "paid", "end"]),
            (&cancelled, ["requestCancel", "refunded", "cancel"]),
            (&too_far, ["requestCancel", "refunded", "requestCancel"]),
            (&refused, ["payFail", "failed", "-"]),
        ] {
            calls.iter().for_each(|call| world.comes_to(*call, standing));
        }
        assert_eq!(world.money().earned, 100_000 * i64::try_from(CALLS).unwrap());
    };
    check(&world);
    let mut numbers = [completed.clone(), cancelled.clone(), too_far.clone(), refused.clone()].concat();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4 * CALLS, "a number is given once over all shards");

    // A page goes through all shards in the order of the numbers.
    let page = world.ask(&Ask::get("/callViews?size=100&sort=id,desc")).with(200).json();
    let views = page["_embedded"]["callViews"].as_array().unwrap();
    let listed: Vec<u64> = views.iter().map(|view| view["id"].as_u64().unwrap()).collect();
    numbers.reverse();
    assert_eq!(listed, numbers);

    world.kill();
    world.start_again();
    check(&world);
}

#[test]
fn all_in_one_database() {
    a_day(&[("STORE_LAYOUT", "together")]);
}

#[test]
fn a_database_each() {
    a_day(&[("STORE_LAYOUT", "apart")]);
}

#[test]
fn three_shards_in_one_database() {
    a_day(&[("STORE_SHARDS", "3")]);
}

#[test]
fn three_shards_in_a_database_each() {
    a_day(&[("STORE_LAYOUT", "apart"), ("STORE_SHARDS", "3")]);
}
