//! What happens when no driver is available: no taxi goes that far, so the call is off and the fare goes back.

use crate::world::{Money, World, number};

#[test]
fn a_call_that_is_too_far_is_cancelled_and_its_fare_given_back() {
    let world = World::start();
    let quote = world.get("/fares?distance=100.001").with(200).json();
    assert_eq!((&quote["fare"], &quote["tooFar"]), (&1_000_010.into(), &true.into()));

    let call = number(&world.place(100.001).with(201));
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    let back = Money { taken: 1_000_010, held: 0, earned: 0, returned: 1_000_010, at_provider: 0 };
    assert_eq!(world.money(), back);
    // The drive says no, so the call is off, so the fare goes back; the call says beside it that it was placed.
    let told: Vec<String> = world.told(call).into_iter().filter(|name| name != "CallPlaced").collect();
    assert_eq!(told, ["CallRequested", "FarePaid", "DriveNotAvailable", "CallCancelled", "FareRefunded"]);
}

#[test]
fn a_taxi_still_goes_a_hundred_kilometers() {
    let world = World::start();
    let call = world.call(100.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
}

#[test]
fn a_ride_that_never_was_cannot_end_and_is_cancelled_already() {
    let world = World::start();
    let call = number(&world.place(500.0).with(201));
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    let refused = world.end(call).with(409);
    assert_eq!(
        (refused.problem(), &refused.json()["driveStatus"]),
        ("not-allowed-now".into(), &"requestCancel".into())
    );
    world.cancel(call).with(200);
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
}
