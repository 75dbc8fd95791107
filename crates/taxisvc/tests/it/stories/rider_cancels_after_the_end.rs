//! A rider cancels a ride that is over: that is refused, and the fare stays.

use crate::world::{Money, World};

#[test]
fn a_completed_ride_cannot_be_cancelled() {
    let world = World::start();
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.end(call).with(200);
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    let refused = world.cancel(call).with(409);
    let problem = refused.json();
    assert_eq!(
        (refused.problem(), &problem["callStatus"]),
        ("not-allowed-now".into(), &"driveComplete".into())
    );
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    let stays = Money { taken: 100_000, held: 0, earned: 100_000, returned: 0, at_provider: 100_000 };
    assert_eq!(world.money(), stays);
    assert!(!world.told(call).contains(&"CancelRequested".to_owned()));
}
