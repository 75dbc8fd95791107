//! `taxisvc rebuild view`: the view made anew, and the same as before.

use super::{assert_says, on, said};
use crate::world::World;
use crate::world::until;
use serde_json::{Value, json};

const WHOLE: &str = "the view is whole again; calls in it: 3\n";
/// By whoever makes it anew.
const LOGGED: &str = "INFO operator: the view is being made anew actor=\"operator\"";

fn views(world: &World) -> Value {
    let mut page = world.get("/callViews?sort=id,asc").with(200).json();
    page["_embedded"]["callViews"].take()
}

fn three_calls(world: &World) {
    for kilometers in [10.0, 150.0, 20.0] {
        world.call(kilometers);
    }
    world.comes_to(1, ["driveStart", "paid", "start"]);
    world.comes_to(2, ["requestCancel", "refunded", "requestCancel"]);
    world.comes_to(3, ["driveStart", "paid", "start"]);
}

#[test]
fn without_a_server_the_command_does_it_itself() {
    let mut world = World::start();
    three_calls(&world);
    let before = views(&world);
    world.kill();
    let rebuilt = on(&world, &["rebuild", "view"]);
    assert_eq!((rebuilt.code, rebuilt.stdout.as_str()), (Some(0), WHOLE));
    assert_says(&rebuilt.stderr, &[LOGGED]);
    let rebuilt = on(&world, &["rebuild", "view", "--json"]);
    let told: Value = serde_json::from_str(&rebuilt.stdout).unwrap();
    assert_eq!(told, json!({"isWhole": true, "calls": 3, "putAside": 0}));
    world.audit();
    world.start_again();
    // The addresses in it are those of another process.
    let fields = |views: &Value| {
        let mut views = views.clone();
        views.as_array_mut().unwrap().iter_mut().for_each(|view| view["_links"] = Value::Null);
        views
    };
    assert_eq!(fields(&views(&world)), fields(&before));
}

#[test]
fn beside_a_server_it_does_it_while_it_runs() {
    let world = World::start();
    three_calls(&world);
    let before = views(&world);
    assert_eq!(said(&world, &["rebuild", "view"]), WHOLE);
    until(LOGGED, || world.said().contains(LOGGED).then_some(()));
    assert_eq!(views(&world), before);
    let begun = said(&world, &["rebuild", "view", "--no-wait"]);
    assert_says(&begun, &["is being made anew", "/operator/views/rebuild"]);
    // Until it is whole, nobody is shown it.
    until("the view to be whole", || (world.get("/callViews").status == 200).then_some(()));
    assert_eq!(views(&world), before);
}

#[test]
fn only_what_is_derived_can_be_made_anew() {
    let world = World::start();
    let ended = on(&world, &["rebuild", "payment"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_says(&ended.stderr, &["payment", "view"]);
}
