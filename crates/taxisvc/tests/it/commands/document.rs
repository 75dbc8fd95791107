//! docs/commands.md: each command in it is run, and says what stands there, but for times and ids.

use super::dead_letters::poison;
use crate::world::http::Ask;
use crate::world::process::{Ended, Server, Settings, run, settings, taxisvc};
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
        assert_eq!(ended.code, Some(1), "{ended:?}");
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

/// Times, as they are written: `0` is a digit, `#` one or more, `@` a word; longer ones first.
const TIMES: [&str; 3] =
    ["0000-00-00T00:00:00.000Z", "0000-00-00T00:00:00.000000Z", "0000-00-00 00:00:00.000 +09:00"];
/// Times, as they are said; which part of the day it is depends on when the test runs.
const SPOKEN: [&str; 10] = [
    "on # @ at #:00 in the @",
    "on # @ at #:00 at night",
    "at #:00 in the @",
    "at #:00 at night",
    "at #:00",
    "#월 #일 오전 #시 #분",
    "#월 #일 오후 #시 #분",
    "#월 #일 @ #시",
    "@ #시 #분",
    "@ #시",
];
/// Ids have so many hexadecimal digits, or more.
const ID_DIGITS_MIN: usize = 16;

/// What is left of a line after what is written as a pattern has it.
fn after<'l>(line: &'l str, pattern: &str) -> Option<&'l str> {
    let mut rest = line;
    for part in pattern.chars() {
        let is_part = |character: char| match part {
            '0' | '#' => character.is_ascii_digit(),
            '@' => character.is_alphabetic(),
            literal => character == literal,
        };
        let first = rest.chars().next().filter(|first| is_part(*first))?;
        rest = &rest[first.len_utf8()..];
        if part == '#' || part == '@' {
            rest = rest.trim_start_matches(is_part);
        }
    }
    Some(rest)
}

/// A time or an id that the line begins with, in other words, and what follows.
fn drawn(line: &str) -> Option<(&'static str, &str)> {
    if let Some(found) = TIMES.into_iter().find_map(|time| Some((time, after(line, time)?))) {
        return Some(found);
    }
    if let Some(rest) = SPOKEN.into_iter().find_map(|time| after(line, time)) {
        return Some(("TIME", rest));
    }
    let rest = line.trim_start_matches(|character: char| character.is_ascii_hexdigit());
    (line.len() - rest.len() >= ID_DIGITS_MIN).then_some(("ID", rest))
}

/// Times and ids are others each time; everything else is the same.
fn masked(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_inside = text.ends_with(|last: char| last.is_alphanumeric());
        if let Some((words, after)) = drawn(rest).filter(|_| !is_inside) {
            text.push_str(words);
            rest = after;
        } else {
            text.push(first);
            rest = &rest[first.len_utf8()..];
        }
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
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let shown = assert_says_what_stands_there(
        // They want Kafka: the tests over it hold them.
        |words| !words.contains(&"--topic"),
        |words| run(folder.path(), &settings(&[]), words),
    );
    assert!(shown >= 12, "{shown}");
}

/// Runs those commands of the document that are meant, and returns how many they were.
#[track_caller]
pub(crate) fn assert_says_what_stands_there(
    is_meant: impl Fn(&[&str]) -> bool,
    run: impl Fn(&[&str]) -> Ended,
) -> usize {
    let document = include_str!("../../../../../docs/commands.md");
    let examples: Vec<_> =
        examples(document).into_iter().filter(|(words, _)| is_meant(words.as_slice())).collect();
    for (words, expected) in &examples {
        let ended = run(words);
        let text = format!("{}{}", ended.stderr, ended.stdout);
        let said: Vec<String> = text.lines().map(masked).collect();
        let expected: Vec<String> = expected.iter().map(|line| masked(line)).collect();
        assert!(is_told(&expected, &said), "taxisvc {} says\n{text}", words.join(" "));
    }
    examples.len()
}

/// What is masked is no more than that.
#[test]
fn a_wrong_amount_is_found() {
    for (stands, other, is_same) in [
        ("2026-11-24T10:54:44.513Z  call/0/5", "2027-01-01T00:00:00.000Z  call/0/5", true),
        ("request 5ef20a464863bed5f373b86ce9a95060", "request 00f20a464863bed5f373b86ce9a95060", true),
        ("on 24 November at 7:54 in the evening (Korean", "on 1 May at 11:00 at night (Korean", true),
        ("to you at 7:54.", "to you at 12:00 in the afternoon.", true),
        ("11월 24일 오후 7시 54분(한국", "5월 1일 오전 9시(한국", true),
        ("오후 7시 54분에 3333번 택시", "오전 8시에 3333번 택시", true),
        ("오후 7시 54분에 3333번 택시", "오후 7시 54분에 4444번 택시", false),
        ("took 1,500,000 won", "took 1,500,001 won", false),
        ("call/0/5  call 2", "call/0/6  call 2", false),
        ("calls in it: 3", "calls in it: 4", false),
        ("200,000원이 결제되었습니다", "300,000원이 결제되었습니다", false),
    ] {
        assert_eq!(masked(stands) == masked(other), is_same, "{stands}: {}", masked(other));
    }
}
