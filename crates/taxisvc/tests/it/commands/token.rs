//! The operator's token: drawn once, shown to a terminal alone, kept for its owner, renewed; and where the running server
//! listens.

use super::{assert_says, on, refused, said};
use crate::world::World;
use crate::world::process::{run, settings};
use serde_json::{Value, json};
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};

#[test]
fn it_is_drawn_by_the_first_start_and_kept() {
    let mut world = World::start();
    let token = said(&world, &["token"]);
    assert_eq!(token.trim().len(), 32, "{token}");
    world.kill();
    world.start_again();
    assert_eq!(said(&world, &["token"]), token);
    let renewed = on(&world, &["token", "--renew"]);
    assert_eq!(renewed.code, Some(0), "{renewed:?}");
    assert_says(&renewed.stderr, &["http://", "started again"]);
    assert_ne!(renewed.stdout, token);
    assert_eq!(said(&world, &["token"]), renewed.stdout);
    world.kill();
    let again = on(&world, &["token", "--renew"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "nobody has to be started again");
}

/// What a service prints lies in a journal that others read; also when the first start comes to nothing.
#[test]
fn one_that_does_not_go_to_a_terminal_is_not_printed() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let ended = run(folder.path(), &settings(&[("PORTS_GATEWAY", &port)]), &["up", "--data", "data"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended
    };
    let first = start();
    let token = std::fs::read_to_string(folder.path().join("data/operator-token")).unwrap();
    assert_says(&first.stdout, &["data/operator-token", "taxisvc token --data data"]);
    assert!(!format!("{first:?}").contains(token.trim()), "{first:?}");
    assert_eq!(start().stdout, "");
    let shown = run(folder.path(), &settings(&[]), &["token", "--data", "data"]);
    assert_eq!(shown.stdout, token);
}

/// Root mends things in the directory of the service's user, who has to read the token at the next start.
#[test]
fn one_that_is_renewed_by_root_belongs_to_whoever_has_the_directory() {
    const SOMEBODY: u32 = 60_123;
    let mut world = World::start();
    world.kill();
    let data = world.data();
    let owner = || std::fs::metadata(data.join("operator-token")).unwrap().uid();
    // Whoever runs the tests without being root has nothing to give away.
    let given = chown(data.join("version"), Some(SOMEBODY), None).is_ok();
    let expected = if given { SOMEBODY } else { owner() };
    let before = said(&world, &["token"]);
    assert_ne!(said(&world, &["token", "--renew"]), before);
    assert_eq!(owner(), expected);
}

/// A server that was killed leaves the file behind, and somebody else may listen there by now.
#[test]
fn a_killed_servers_address_is_not_believed_though_somebody_holds_the_directory() {
    let mut world = World::start();
    world.kill();
    let data = world.data();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let left: Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("listening")).unwrap()).unwrap();
    let left = json!({
        "pid": left["pid"],
        "gateway": format!("http://{}", stranger.local_addr().unwrap()),
        "startedAt": left["startedAt"],
    });
    std::fs::write(data.join("listening"), left.to_string()).unwrap();
    let lock = File::options().write(true).open(data.join("lock")).unwrap();
    lock.lock().unwrap();
    refused(&world, &["log"], &["in use by a taxisvc that does not listen"]);
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.accept().is_err(), "the token is nobody else's");
    drop(lock);
    world.start_again();
    let now = said(&world, &["log"]);
    assert!(!now.is_empty());
}

#[test]
fn one_that_is_set_is_not_renewed_and_one_that_is_not_there_is_not_made_up() {
    let world = World::with(&[("OPERATOR_TOKEN", "0123456789abcdef")]);
    assert_eq!(said(&world, &["token"]), "0123456789abcdef\n");
    refused(&world, &["token", "--renew"], &["operator.token is set"]);
    assert!(!world.data().join("operator-token").exists());
    let nowhere = world.folder().join("nowhere");
    let ended = run(world.folder(), &Vec::new(), &["token", "--renew", "--data", nowhere.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!nowhere.exists());
}

#[test]
fn where_it_listens_is_said_while_it_does() {
    let mut world = World::start();
    let file = world.data().join("listening");
    let said: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(said["gateway"], format!("http://{}", world.address("gateway")));
    assert!(said["startedAt"].as_i64().unwrap() > 0 && said["pid"].as_u64().unwrap() > 0, "{said}");
    let mut server = world.take_server();
    server.terminate();
    assert!(server.ended().success());
    assert!(!file.exists());
}
