//! The arrows between crates: which of ours each one knows, and which others it must never reach.

use anyhow::{Context, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use toml::Table;

/// Every crate of ours with those of ours that it knows. A new arrow changes the design: it stands here and in
/// ARCHITECTURE.md, or it is none.
const ARROWS: [(&str, &[&str]); 18] = [
    ("api", &["engine", "language", "operator", "taxi", "trace", "wiring"]),
    ("bench", &["engine", "engine-sqlite", "provider", "taxi", "wiring"]),
    ("engine", &["trace"]),
    ("engine-kafka", &["engine", "kafka-topic-id"]),
    ("engine-postgres", &["engine"]),
    ("engine-sqlite", &["engine"]),
    ("gateway", &["language", "trace"]),
    ("kafka-topic-id", &[]),
    ("language", &[]),
    ("operator", &["engine", "language", "provider", "taxi", "wiring"]),
    ("provider", &[]),
    ("replay", &[]),
    ("simulator", &["engine", "provider", "taxi", "wiring"]),
    ("taxi", &[]),
    (
        "taxisvc",
        &[
            "api",
            "engine",
            "engine-kafka",
            "engine-postgres",
            "engine-sqlite",
            "gateway",
            "language",
            "operator",
            "provider",
            "replay",
            "taxi",
            "trace",
            "wiring",
        ],
    ),
    ("trace", &[]),
    ("wiring", &["engine", "provider", "taxi", "trace"]),
    ("xtask", &[]),
];

/// What a crate's tests alone know besides.
const ARROWS_OF_TESTS: [(&str, &[&str]); 2] =
    [("api", &["provider"]), ("engine-postgres", &["taxi", "wiring"])];

/// Crates of others that one of ours must not reach, however indirectly: `cargo tree -p left` does not name right.
const FORBIDDEN: [(&str, &str, &str); 8] = [
    ("engine", "tokio", "the engine knows no runtime"),
    ("engine", "rusqlite", "only engine-* know a driver library"),
    ("engine", "rdkafka", "only engine-* know a driver library"),
    ("engine", "tokio-postgres", "only engine-* know a driver library"),
    ("engine", "http", "only api and gateway know HTTP"),
    ("taxi", "tokio", "the business is pure"),
    ("taxi", "rand", "the business knows no chance"),
    ("wiring", "axum", "only api and gateway know HTTP"),
];

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let manifests = manifests(root)?;
    let names: BTreeSet<&str> = manifests.keys().map(String::as_str).collect();
    let mut faults = Vec::new();
    for (name, manifest) in &manifests {
        let Some(allowed) = of(&ARROWS, name) else {
            faults.push(format!("crates/{name} has no arrows in crates/xtask/src/tidy/arrows.rs"));
            continue;
        };
        let mut of_tests = allowed.to_vec();
        of_tests.extend(of(&ARROWS_OF_TESTS, name).unwrap_or_default());
        for (part, allowed) in
            [("dependencies", allowed), ("build-dependencies", allowed), ("dev-dependencies", &of_tests)]
        {
            let known = known(manifest, part).into_iter().filter(|other| names.contains(other.as_str()));
            for other in known.filter(|other| !allowed.contains(&other.as_str())) {
                faults.push(format!("crates/{name} has an arrow to {other} in its {part}"));
            }
        }
    }
    for (name, _) in ARROWS.iter().filter(|(name, _)| !names.contains(name)) {
        faults.push(format!("crates/{name} has arrows and is not there"));
    }
    faults.extend(forbidden(root)?);
    Ok(faults)
}

fn of<'a>(arrows: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    arrows.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

fn manifests(root: &Path) -> anyhow::Result<BTreeMap<String, Table>> {
    let folder = root.join("crates");
    let mut manifests = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path().join("Cargo.toml");
        if !path.exists() {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
        let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
        let name = name.with_context(|| format!("{} names no package", path.display()))?;
        manifests.insert(name.to_owned(), manifest.clone());
    }
    Ok(manifests)
}

/// The names in a part of a manifest, also where they are for one target alone or under another name.
fn known(manifest: &Table, part: &str) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(|targets| targets.as_table());
    let of_targets = targets.into_iter().flat_map(|targets| targets.values()).map(|target| target.get(part));
    let mut names = BTreeSet::new();
    for table in of_targets.chain([manifest.get(part)]).flatten().filter_map(|table| table.as_table()) {
        for (name, what) in table {
            let package = what.get("package").and_then(|package| package.as_str());
            names.insert(package.unwrap_or(name).to_owned());
        }
    }
    names
}

fn forbidden(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (from, to, why) in FORBIDDEN {
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
    fn every_way_to_name_a_crate_is_seen() {
        let manifest: Table = r#"
            [dependencies]
            engine.workspace = true
            machine = { package = "engine-sqlite", path = "x" }
            [target.'cfg(unix)'.dependencies]
            taxi = { path = "y" }
            [dev-dependencies]
            api = "1"
        "#
        .parse()
        .unwrap();
        let names = |part| known(&manifest, part).into_iter().collect::<Vec<_>>();
        assert_eq!(names("dependencies"), ["engine", "engine-sqlite", "taxi"]);
        assert_eq!(names("dev-dependencies"), ["api"]);
    }
}
