//! A rider calls and pays, a taxi drives, the ride ends, and the fare is ours.

use crate::world::{Money, World};

#[test]
fn a_ride_is_completed_and_its_fare_earned() {
    let world = World::start();
    let placed = world.place(10.0).with(201);
    let call = placed.json();
    assert_eq!(call["callId"], 1);
    assert_eq!(call["fare"], 100_000);
    let link = call["_links"]["self"]["href"].as_str().unwrap().to_owned();
    assert_eq!(placed.header("location"), Some(link.as_str()));
    assert!(link.ends_with("/calls/1"), "{link}");
    world.comes_to(1, ["driveStart", "paid", "start"]);

    let ended = world.end(1).with(200).json();
    assert_eq!((&ended["taxiNum"], &ended["driverName"]), (&"1111".into(), &"driver1111".into()));
    world.comes_to(1, ["driveComplete", "paid", "end"]);
    let earned = Money { taken: 100_000, held: 0, earned: 100_000, returned: 0, at_provider: 100_000 };
    assert_eq!(world.money(), earned);
    assert_eq!(world.told(1), ["CallRequested", "FarePaid", "CallPlaced", "DriveStarted", "DriveEnded"]);
}

#[test]
fn a_ride_that_has_ended_ends_again_without_anything_happening() {
    let world = World::start();
    let call = world.call(3.5);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    for _ in 0..3 {
        assert_eq!(world.end(call).with(200).json()["driveStatus"], "end");
    }
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    let told = world.told(call);
    assert_eq!(told.iter().filter(|name| *name == "DriveEnded").count(), 1, "{told:?}");
}
