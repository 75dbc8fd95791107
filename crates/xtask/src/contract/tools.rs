//! The tools of other languages: found, or installed and told so.

use super::call;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What Debian calls the packages that bring them all.
const PACKAGES: [&str; 3] = ["python3-venv", "nodejs", "npm"];

/// Installs from the distribution's packages what is missing, where that can be done.
pub(super) fn ensure(names: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !is_there(name, "--version")).collect();
    if missing.is_empty() && has_venv() {
        return Ok(());
    }
    let packages = PACKAGES.join(" ");
    if !is_there("apt-get", "--version") {
        bail!("{missing:?} and Python's venv are needed; on Debian these are {packages}");
    }
    println!("== installing {packages}, since {missing:?} or Python's venv is missing");
    let installed =
        call(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(PACKAGES));
    installed.with_context(|| format!("as root: apt-get install {packages}"))
}

fn is_there(name: &str, question: &str) -> bool {
    let asked = Command::new(name).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn has_venv() -> bool {
    let mut asked = Command::new("python3");
    asked.args(["-c", "import venv, ensurepip"]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

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
