//! What every command has: help worth reading, completions, and an end without noise when nobody reads on.

use super::assert_says;
use crate::world::process::{run, taxisvc};
use std::process::Stdio;

fn said(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(folder.path(), &Vec::new(), arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.stdout
}

/// The names under "Commands:".
fn commands() -> Vec<String> {
    let help = said(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_that_an_operator_types_has_examples_and_its_exit_codes() {
    let served = ["up", "gateway", "call", "payment", "drive", "view"];
    let typed = commands().into_iter().filter(|command| !served.contains(&command.as_str()));
    for command in typed.chain([String::new()]) {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        assert_says(&said(&words), &["Examples:\n  taxisvc", "Exit code"]);
    }
}

#[test]
fn every_shell_is_told_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell} is not told of {command}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = taxisvc(folder.path(), &Vec::new(), &["completions", "zsh"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
