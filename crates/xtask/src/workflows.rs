//! Lints the workflows of .github: against GitHub's schema and Renovate's, by actionlint, and that every action is pinned.

use crate::shell::call;
use crate::{packages, python};
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const WORKFLOWS: &str = ".github/workflows";
const RENOVATE: &str = ".github/renovate.json";
const ENVIRONMENT: &str = "target/workflows/python";
const REQUIREMENTS: &str = "crates/xtask/workflows/requirements.txt";
/// Where actionlint and what asks it lie.
const LINTER: &str = "crates/xtask/workflows";

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_workflows())?;
    let files = files(&root.join(WORKFLOWS))?;
    let mut faults = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        faults.extend(unpinned(&text).into_iter().map(|fault| format!("{}: {fault}", file.display())));
    }
    if !faults.is_empty() {
        bail!("{} action(s) that are not pinned:\n  {}", faults.len(), faults.join("\n  "));
    }
    let checker = python::environment(root, ENVIRONMENT, REQUIREMENTS)?.join("check-jsonschema");
    call(Command::new(&checker).args(["--builtin-schema", "vendor.github-workflows"]).args(&files))?;
    call(
        Command::new(&checker)
            .args(["--builtin-schema", "custom.github-workflows-require-timeout"])
            .args(&files),
    )?;
    call(Command::new(&checker).args(["--builtin-schema", "vendor.renovate"]).arg(root.join(RENOVATE)))?;
    let linter = root.join(LINTER);
    let mut npm = Command::new("npm");
    call(npm.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&linter))?;
    call(Command::new("node").arg("lint.mjs").args(&files).current_dir(&linter))?;
    println!("{} workflows are in order", files.len());
    Ok(())
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = found.flatten().map(|entry| entry.path()).collect();
    files.sort();
    if files.is_empty() {
        bail!("there are no workflows in {}", folder.display());
    }
    Ok(files)
}

/// Actions that are not named by a commit, with the version it was in a comment: a tag may be moved.
fn unpinned(text: &str) -> Vec<String> {
    let uses = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses:"));
    let is_pinned = |action: &str| {
        let Some((name, version)) = action.split_once(" # ") else { return false };
        let commit = name.split_once('@').map_or("", |(_, commit)| commit);
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_commit && version.starts_with('v')
    };
    // What lies in this repository comes with it.
    let is_own = |action: &str| action.starts_with("./");
    let uses = uses.map(str::trim).filter(|action| !is_own(action) && !is_pinned(action));
    uses.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_or_a_commit_without_its_version_is_not_pinned() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let pinned =
            format!("      - uses: one/action@{commit} # v1.2.3\n        uses: two/action@{commit} # v2\n");
        assert_eq!(unpinned(&pinned), Vec::<String>::new());
        for wrong in
            ["one/action@v1", "one/action", &format!("one/action@{commit}"), "one/action@0123456 # v1"]
        {
            assert_eq!(unpinned(&format!("      - uses: {wrong}\n")), [wrong]);
        }
    }
}
