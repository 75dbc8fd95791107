//! The checks of the house: what no compiler sees, and what a reviewer would otherwise say twice.

mod arrows;
mod documents;

use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;

/// The folders of the business, which meet only in event.rs.
const SERVICES: [&str; 4] = ["call", "payment", "drive", "view"];

/// What must not stand in a source file, and why.
const FORBIDDEN_TEXTS: [(&str, &str); 5] = [
    (concat!("#[", "allow("), "say #[expect(…, reason)] instead"),
    (concat!("TO", "DO"), "finish it, or file an issue"),
    (concat!("FIX", "ME"), "mend it, or file an issue"),
    (concat!("thread::", "sleep"), "wait for a condition, not for a time"),
    (concat!("/ho", "me/"), "a path of somebody's machine"),
];

/// What must not stand in a test besides: one that waits for a time is slow on a fast machine and wrong on a slow one.
const FORBIDDEN_IN_TESTS: (&str, &str) =
    (concat!("time::", "sleep("), "wait for a condition, by polling it or by being told");

const TESTS: &str = "#[cfg(test)]\nmod tests";

const FOLDERS_NOT_ALLOWED: [&str; 4] = ["common", "utils", "helpers", "types"];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for file in sources(&root.join("crates"))? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        faults.extend(faults_of_file(&name, &text).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    faults.extend(documents::faults(root)?);
    faults.extend(arrows::faults(root)?);
    if faults.is_empty() {
        println!("the house is tidy");
        return Ok(());
    }
    bail!("{} thing(s) to tidy:\n  {}", faults.len(), faults.join("\n  "))
}

fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn faults_of_file(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//! ") {
        faults.push("it does not open with one //! sentence".to_owned());
    }
    let is_test = name.contains("/tests/") || name.ends_with("tests.rs");
    let (code, tests) = text.split_once(TESTS).unwrap_or((text, ""));
    let lines = code.lines().count();
    if !is_test && lines > FILE_LINES_MAX {
        faults.push(format!("{lines} lines without its tests; split it by idea at {FILE_LINES_MAX}"));
    }
    for (forbidden, why) in FORBIDDEN_TEXTS {
        if let Some(line) = text.lines().position(|line| line.contains(forbidden)) {
            faults.push(format!("line {} says {forbidden}: {why}", line + 1));
        }
    }
    let (forbidden, why) = FORBIDDEN_IN_TESTS;
    let tests = if is_test { text } else { tests };
    if tests.contains(forbidden) {
        faults.push(format!("a test says {forbidden}…): {why}"));
    }
    if let Some(folder) = name.split('/').find(|part| FOLDERS_NOT_ALLOWED.contains(part)) {
        faults.push(format!("a folder called {folder} says nothing"));
    }
    faults.extend(sideways(name, text));
    faults
}

/// An import of one service of the business by another.
fn sideways(name: &str, text: &str) -> Option<String> {
    let inside = name.strip_prefix("crates/taxi/src/")?;
    let own = SERVICES.iter().find(|service| inside.starts_with(&format!("{service}/")))?;
    let reached = reached(text);
    let other = SERVICES.iter().filter(|other| *other != own).find(|other| reached.contains(*other))?;
    Some(format!("it reaches {other}; the services of the business meet only in event.rs"))
}

/// What a file reaches from the top of its crate or from above itself: `crate::a`, `crate::{b, c::d}`, `super::e`.
fn reached(text: &str) -> Vec<&str> {
    let roots = ["crate::", "super::"].into_iter();
    let paths =
        roots.flat_map(|root| text.match_indices(root).map(|(place, root)| &text[place + root.len()..]));
    let names = paths.flat_map(|path| match path.strip_prefix('{') {
        Some(group) => firsts_of_group(group),
        None => vec![first_name(path)],
    });
    names.collect()
}

fn first_name(path: &str) -> &str {
    let path = path.trim_start();
    &path[..path.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(path.len())]
}

/// The first names of what stands between braces, up to the one that closes them.
fn firsts_of_group(group: &str) -> Vec<&str> {
    let mut firsts = vec![first_name(group)];
    let mut depth = 0_usize;
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => firsts.push(first_name(&group[place + 1..])),
            _ => {}
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_untidy_is_found() {
        let check = |name: &str, text: &str, expected: &str| {
            let faults = faults_of_file(name, text).join("; ");
            assert!(faults.contains(expected), "{name}: {faults:?}");
        };
        check("crates/a/src/lib.rs", "fn main() {}", "//! sentence");
        check("crates/a/src/lib.rs", &format!("//! Long.\n{}", "\n".repeat(600)), "split it");
        check("crates/a/src/lib.rs", concat!("//! A.\n#[", "allow(dead_code)]"), "#[expect");
        check("crates/a/src/utils/lib.rs", "//! A.\n", "says nothing");
        let sleep = concat!("//! A.\nfn a() { tokio::time::", "sleep(b) }");
        check("crates/a/tests/it/main.rs", sleep, "wait for a condition");
        assert_eq!(faults_of_file("crates/a/src/lib.rs", sleep), [""; 0]);
        for sideways in [
            "use crate::drive::Drive;",
            "use crate::{drive, id};",
            "use crate::{\n    event::{Event, view},\n    drive::{self, Drive},\n};",
            "use super::super::drive;",
            "fn a() -> crate::drive::Drive {}",
        ] {
            check("crates/taxi/src/call/mod.rs", &format!("//! A.\n{sideways}"), "it reaches drive");
        }
        let downwards =
            "//! A.\nuse crate::call::Call;\nuse crate::{event::{drive, view}, id};\nuse super::policy;";
        assert_eq!(faults_of_file("crates/taxi/src/call/mod.rs", downwards), [""; 0]);
        assert_eq!(
            faults_of_file("crates/taxi/src/call/mod.rs", "//! A.\nuse crate::event::Event;"),
            [""; 0]
        );
        let long_test = format!("//! A.\n#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(900));
        assert_eq!(faults_of_file("crates/a/src/lib.rs", &long_test), [""; 0]);
    }
}
