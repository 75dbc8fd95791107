//! The checks of the house: what no compiler sees, and what a reviewer would otherwise say twice.

use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_LINES_MAX: usize = 500;
const ARCHITECTURE_LINES_MAX: usize = 250;
const README_LINES_MAX: usize = 140;

/// Who must never be reached from whom, however indirectly: `cargo tree -p left -i right` finds nothing.
const FORBIDDEN_ARROWS: [(&str, &str, &str); 8] = [
    ("engine", "taxi", "the engine has never heard of a taxi"),
    ("engine", "tokio", "the engine knows no runtime"),
    ("engine", "rusqlite", "only engine-* know a driver library"),
    ("engine-sqlite", "taxi", "a store knows no business"),
    ("taxi", "engine", "the business knows no machine"),
    ("taxi", "tokio", "the business is pure"),
    ("gateway", "taxi", "the gateway knows HTTP and nothing else"),
    ("wiring", "axum", "only api and gateway know HTTP"),
];

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

const FOLDERS_NOT_ALLOWED: [&str; 4] = ["common", "utils", "helpers", "types"];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for file in sources(&root.join("crates"))? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        faults.extend(faults_of_file(&name, &text).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    faults.extend(faults_of_documents(root));
    faults.extend(faults_of_arrows(root)?);
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
    let lines = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
    if !is_test && lines > FILE_LINES_MAX {
        faults.push(format!("{lines} lines without its tests; split it by idea at {FILE_LINES_MAX}"));
    }
    for (forbidden, why) in FORBIDDEN_TEXTS {
        if let Some(line) = text.lines().position(|line| line.contains(forbidden)) {
            faults.push(format!("line {} says {forbidden}: {why}", line + 1));
        }
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
    let others = SERVICES.iter().filter(|other| *other != own);
    let mut imports = others.map(|other| format!("crate::{other}"));
    let import = imports.find(|import| text.lines().any(|line| line.contains(&format!("{import}::"))))?;
    Some(format!("it imports {import}; the services of the business meet only in event.rs"))
}

fn faults_of_documents(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, lines_max) in [("ARCHITECTURE.md", ARCHITECTURE_LINES_MAX), ("README.md", README_LINES_MAX)] {
        match fs::read_to_string(root.join(name)) {
            Ok(text) if text.lines().count() <= lines_max => {}
            Ok(text) => {
                faults.push(format!("{name} has {} lines, {lines_max} at most", text.lines().count()))
            }
            Err(error) => faults.push(format!("{name}: {error}")),
        }
    }
    faults
}

fn faults_of_arrows(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (from, to, why) in FORBIDDEN_ARROWS {
        let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "-p", from];
        let output = Command::new(env!("CARGO")).current_dir(root).args(arguments).output();
        let output = output.context("cannot start cargo")?;
        if !output.status.success() {
            bail!("`cargo {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        let tree = String::from_utf8_lossy(&output.stdout);
        if tree.lines().any(|line| line.split(' ').next() == Some(to)) {
            faults.push(format!("{from} reaches {to}: {why}"));
        }
    }
    Ok(faults)
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
        check("crates/taxi/src/call/mod.rs", "//! A.\nuse crate::drive::Drive;", "crate::drive");
        assert_eq!(
            faults_of_file("crates/taxi/src/call/mod.rs", "//! A.\nuse crate::event::Event;"),
            [""; 0]
        );
        let long_test = format!("//! A.\n#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(900));
        assert_eq!(faults_of_file("crates/a/src/lib.rs", &long_test), [""; 0]);
    }
}
