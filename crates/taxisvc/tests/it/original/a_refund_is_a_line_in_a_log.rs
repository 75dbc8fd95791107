//! The original: a refund is a line in a log. Here: the provider gives the fare back, its book agrees with ours, the
//! payment says so, and an event tells it.

use crate::world::{Money, World};

#[test]
fn a_refund_moves_the_money() {
    let world = World::start();
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    let held = Money { taken: 100_000, held: 100_000, earned: 0, returned: 0, at_provider: 100_000 };
    assert_eq!(world.money(), held);
    world.cancel(call).with(200);
    world.comes_to(call, ["requestCancel", "refunded", "cancel"]);
    let back = Money { taken: 100_000, held: 0, earned: 0, returned: 100_000, at_provider: 0 };
    assert_eq!(world.money(), back);
    let view = world.get(&format!("/callViews/{call}")).with(200).json();
    assert!(view["refundedAt"].is_string(), "{view}");
    assert_eq!(world.told(call).last().map(String::as_str), Some("FareRefunded"));
}
