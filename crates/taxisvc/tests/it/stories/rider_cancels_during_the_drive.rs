//! A rider cancels while the taxi is on its way: the taxi turns around, and the fare goes back.

use crate::world::{Money, World};

#[test]
fn the_drive_is_cancelled_and_the_fare_goes_back() {
    let world = World::start();
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    assert_eq!(world.cancel(call).with(200).json()["callStatus"], "requestCancel");
    world.comes_to(call, ["requestCancel", "refunded", "cancel"]);
    let back = Money { taken: 100_000, held: 0, earned: 0, returned: 100_000, at_provider: 0 };
    assert_eq!(world.money(), back);

    let refused = world.end(call).with(409);
    assert_eq!(
        (refused.problem(), &refused.json()["driveStatus"]),
        ("not-allowed-now".into(), &"cancel".into())
    );
    world.cancel(call).with(200);
    world.comes_to(call, ["requestCancel", "refunded", "cancel"]);
    let told = world.told(call);
    let from_the_cancellation = told.iter().skip_while(|name| *name != "CancelRequested");
    let expected = ["CancelRequested", "DriveCancelled", "CallCancelled", "FareRefunded"];
    assert!(from_the_cancellation.eq(expected), "{told:?}");
}
