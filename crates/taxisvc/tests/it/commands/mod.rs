//! The command line as an operator uses it: with a server beside it and without one, for people and for programs.

mod config;
pub(crate) mod dead_letters;
mod doctor;
pub(crate) mod document;
mod events;
mod explain;
mod log;
mod rebuild;
mod token;
mod words;

use crate::world::World;
use crate::world::process::Ended;
use serde_json::Value;

/// Runs a command on the data of a world.
pub(crate) fn on(world: &World, arguments: &[&str]) -> Ended {
    let data = world.data();
    world.run(&[arguments, &["--data", data.to_str().unwrap()]].concat())
}

/// What a command that succeeds prints.
#[track_caller]
pub(crate) fn said(world: &World, arguments: &[&str]) -> String {
    let ended = on(world, arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    assert_eq!(ended.stderr, "", "{arguments:?}");
    ended.stdout
}

/// What it prints for programs.
#[track_caller]
pub(crate) fn told(world: &World, arguments: &[&str]) -> Value {
    let text = said(world, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A command that fails, and says why with these words.
#[track_caller]
pub(crate) fn refused(world: &World, arguments: &[&str], words: &[&str]) {
    let ended = on(world, arguments);
    assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
    assert_says(&ended.stderr, words);
}

#[track_caller]
pub(crate) fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}
