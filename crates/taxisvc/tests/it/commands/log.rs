//! `taxisvc log`: how much the running server logs.

use super::{refused, said, told};
use crate::world::World;
use serde_json::json;

#[test]
fn the_level_is_told_and_changed_while_it_runs() {
    let world = World::start();
    assert_eq!(said(&world, &["log"]), "warn\n");
    assert_eq!(said(&world, &["log", "info,engine=debug"]), "info,engine=debug\n");
    assert_eq!(told(&world, &["log"]), json!({"level": "info,engine=debug"}));
    refused(&world, &["log", "loud=loud=loud"], &["http://", "error, warn, info, debug or trace"]);
    assert_eq!(said(&world, &["log", "warn"]), "warn\n");
}

#[test]
fn without_a_server_there_is_nobody_to_ask() {
    let mut world = World::start();
    world.kill();
    refused(&world, &["log"], &["no server runs on", "--data"]);
}

/// A token that was renewed is taken from the next start on.
#[test]
fn a_server_with_another_token_does_not_listen_to_it() {
    let mut world = World::start();
    let renewed = super::on(&world, &["token", "--renew"]);
    assert_eq!(renewed.code, Some(0), "{renewed:?}");
    refused(&world, &["log", "info"], &["does not take the token", "started again"]);
    world.kill();
    world.start_again();
    assert_eq!(said(&world, &["log"]), "warn\n");
}
