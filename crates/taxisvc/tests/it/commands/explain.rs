//! `taxisvc explain`: a call's story, in the language of whoever reads it.

use super::{assert_says, on, refused, said, told};
use crate::world::World;
use crate::world::process::taxisvc;

#[test]
fn a_story_is_told_beside_a_server_and_without_one() {
    let mut world = World::start();
    let call = world.call(150.0);
    world.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    for _ in 0..2 {
        let text = said(&world, &["explain", "1"]);
        assert_says(&text, &["150 km", "1,500,000 won", "went back to you", "DriveNotAvailable"]);
        let korean = said(&world, &["explain", "1", "--lang", "ko"]);
        assert_says(&korean, &["1,500,000원"]);
        let story = told(&world, &["explain", "1"]);
        assert_eq!((&story["callId"], &story["statuses"]["payment"]), (&1.into(), &"refunded".into()));
        assert!(story["story"]["en"].is_string() && story["story"]["ko"].is_string(), "{story}");
        if world.server.is_some() {
            world.kill();
        }
    }
}

#[test]
fn the_language_is_that_of_who_asks() {
    let mut world = World::start();
    world.call(10.0);
    world.kill();
    let data = world.data();
    let arguments = ["explain", "1", "--data", data.to_str().unwrap()];
    let mut command = taxisvc(world.folder(), world.settings(), &arguments);
    let output = command.env("LC_ALL", "ko_KR.UTF-8").output().unwrap();
    assert_says(&String::from_utf8(output.stdout).unwrap(), &["100,000원"]);
}

#[test]
fn a_call_that_nobody_knows_is_said() {
    let world = World::start();
    refused(&world, &["explain", "99"], &["no service has heard of call 99"]);
    for wrong in ["0", "-1", "first", "9223372036854775808"] {
        let ended = on(&world, &["explain", "--", wrong]);
        assert_eq!(ended.code, Some(2), "{wrong}: {ended:?}");
    }
}
