//! The original: the view never follows a call past `driveRequest`, and falls further behind the more it has seen. Here:
//! it follows to the end, and whoever asks for as much as they have written gets it.

use crate::world::World;

#[test]
fn the_view_shows_each_step_to_whoever_asks_for_their_own_write() {
    let world = World::start();
    for _ in 0..20 {
        let placed = world.place(10.0).with(201);
        let call = crate::world::number(&placed);
        let at = placed.header("taxisvc-position").unwrap().to_owned();
        let seen = world.get(&format!("/callViews/{call}?at-least={at}")).with(200).json();
        // What the answer told, or something later.
        assert!(["driveRequest", "driveStart"].contains(&seen["callStatus"].as_str().unwrap()), "{seen}");
        world.comes_to(call, ["driveStart", "paid", "start"]);

        let ended = world.end(call).with(200);
        let at = ended.header("taxisvc-position").unwrap().to_owned();
        let seen = world.get(&format!("/callViews/{call}?at-least={at}")).with(200).json();
        assert_eq!(seen["callStatus"], "driveComplete", "{seen}");
        assert_eq!((&seen["driveStatus"], &seen["taxiNum"]), (&"end".into(), &ended.json()["taxiNum"]));
    }
    let view = world.get("/callViews/search/findByCallId?callId=1").with(200).json();
    assert_eq!(view["_embedded"]["callViews"][0]["callStatus"], "driveComplete");
}
