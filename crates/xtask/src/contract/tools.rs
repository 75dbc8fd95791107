//! The environments of other languages, made below `target/`.

use super::call;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python environment with what the file names, made once for each version of the file; where its programs are.
pub(super) fn environment(root: &Path, requirements: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/contract/python");
    let (wanted, stamp) = (root.join(requirements), folder.join("installed.txt"));
    let programs = folder.join("bin");
    let pinned = fs::read(&wanted).with_context(|| format!("cannot read {requirements}"))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == pinned) {
        return Ok(programs);
    }
    println!("== Python packages of {requirements} into target/contract/python");
    call(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(programs.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]);
    call(pip.arg(&wanted))?;
    fs::write(&stamp, pinned).context("cannot say what is installed")?;
    Ok(programs)
}
