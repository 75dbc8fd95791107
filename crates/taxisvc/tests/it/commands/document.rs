//! docs/commands.md: each command in it is run, and says what stands there, but for times and numbers that are drawn.

use super::dead_letters::poison;
use crate::world::http::Ask;
use crate::world::process::{Server, Settings, run, settings, taxisvc};
use crate::world::until;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Lines that are left out.
const LEFT_OUT: &str = "…";

/// A stopped server, as the document supposes: a ride that is over, one that was too far, one under way, and poison.
fn prepare(folder: &Path) {
    std::fs::DirBuilder::new().mode(0o700).create(folder.join("taxisvc-data")).unwrap();
    let ports: Settings = ["GATEWAY", "CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"]
        .iter()
        .map(|port| (format!("PORTS_{port}"), "0".to_owned()))
        .collect();
    let mut server = Server::start(taxisvc(folder, &ports, &["up"]));
    let gateway = server.address("gateway");
    let stands = |call: u64, status: &str| {
        until(status, || {
            let view = Ask::get(&format!("/callViews/{call}")).of(gateway).unwrap();
            (view.status == 200 && view.body.contains(status)).then_some(())
        });
    };
    for (call, kilometers, status) in [(1, 10, "\"start\""), (2, 150, "\"refunded\""), (3, 20, "\"start\"")] {
        let body = format!(r#"{{"userId":"1","userName":"eojin","distance":{kilometers}}}"#);
        Ask::post("/calls", &body).of(gateway).unwrap().with(201);
        stands(call, status);
        if call == 1 {
            Ask::post("/drives/end", r#"{"driveId":1}"#).of(gateway).unwrap().with(200);
            stands(call, "\"driveComplete\"");
        }
    }
    server.terminate();
    assert!(server.ended().success());
    poison(&folder.join("taxisvc-data"), || {
        let ended = run(folder, &settings(&[]), &["rebuild", "view"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    });
}

/// The commands with what they say.
fn examples(document: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let blocks = document.split("\n```\n");
    let commands = blocks.filter_map(|block| block.strip_prefix("$ taxisvc "));
    commands
        .map(|block| {
            let mut lines = block.lines();
            let words = lines.next().unwrap().split_whitespace().collect();
            (words, lines.collect())
        })
        .collect()
}

/// Numbers, and texts of 16 or more hexadecimal digits, are drawn or depend on the time.
fn masked(line: &str) -> String {
    let is_part = |character: char| character.is_ascii_alphanumeric();
    let mut text = String::new();
    for word in line.split_inclusive(|character| !is_part(character)) {
        let bare = word.trim_end_matches(|character| !is_part(character));
        let is_drawn = bare.len() >= 16 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut was_digit = false;
        for character in if is_drawn { "0" } else { bare }.chars() {
            if !(character.is_ascii_digit() && was_digit) {
                text.push(if character.is_ascii_digit() { '0' } else { character });
            }
            was_digit = character.is_ascii_digit();
        }
        text.push_str(&word[bare.len()..]);
    }
    text.trim_end().to_owned()
}

/// Whether what is said is what stands there, with any number of lines where some are left out.
fn is_told(expected: &[String], said: &[String]) -> bool {
    match expected {
        [] => said.is_empty(),
        [first, rest @ ..] if first == LEFT_OUT => {
            (0..=said.len()).any(|skipped| is_told(rest, &said[skipped..]))
        }
        [first, rest @ ..] => said.first() == Some(first) && is_told(rest, &said[1..]),
    }
}

#[test]
fn every_command_of_the_document_says_what_stands_there() {
    let document = include_str!("../../../../../docs/commands.md");
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let examples = examples(document);
    assert!(examples.len() >= 12, "{}", examples.len());
    for (words, expected) in examples {
        let ended = run(folder.path(), &settings(&[]), &words);
        let text = format!("{}{}", ended.stdout, ended.stderr);
        let said: Vec<String> = text.lines().map(masked).collect();
        let expected: Vec<String> = expected.into_iter().map(masked).collect();
        assert!(is_told(&expected, &said), "taxisvc {} says\n{text}", words.join(" "));
    }
}
