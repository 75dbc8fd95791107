//! Environments of Python, made below `target/`.

use crate::shell::call;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment in this folder with what the file names, made once for each version of the file; where its programs are.
pub(crate) fn environment(root: &Path, folder: &str, requirements: &str) -> anyhow::Result<PathBuf> {
    let (wanted, place) = (root.join(requirements), root.join(folder));
    let (stamp, programs) = (place.join("installed.txt"), place.join("bin"));
    let pinned = fs::read(&wanted).with_context(|| format!("cannot read {requirements}"))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == pinned) {
        return Ok(programs);
    }
    println!("== Python packages of {requirements} into {folder}");
    call(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let mut pip = Command::new(programs.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]);
    call(pip.arg(&wanted))?;
    fs::write(&stamp, pinned).context("cannot say what is installed")?;
    Ok(programs)
}
