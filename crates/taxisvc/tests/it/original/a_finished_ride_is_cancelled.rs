//! The original: a finished ride can be cancelled; the call turns `requestCancel`, the drive stays `end`, the money
//! stays. Here: the three always agree, and a finished ride stays finished.

use crate::world::World;

#[test]
fn a_finished_ride_stays_finished_however_often_it_is_cancelled() {
    let world = World::start();
    let call = world.call(10.0);
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.end(call).with(200);
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    let before = world.get(&format!("/calls/{call}")).body;
    for _ in 0..3 {
        assert_eq!(world.cancel(call).with(409).problem(), "not-allowed-now");
    }
    assert_eq!(world.get(&format!("/calls/{call}")).body, before);
    world.comes_to(call, ["driveComplete", "paid", "end"]);
    assert_eq!(world.money().earned, 100_000);
}
