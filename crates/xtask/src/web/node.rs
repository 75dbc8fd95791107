//! The Node that the pages are built and walked with: this machine's, or one below `target/` where that is too old.

use crate::shell::{ask, call};
use anyhow::Context;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Below this, Vite does not start; Debian 12 has 18.
const OLDEST: (u32, u32) = (20, 19);
/// The package of npm's that has Node's programs in it.
const PACKAGE: &str = "node@22.23.3";
const FOLDER: &str = "target/node";

/// Installs one where there is none that is new enough.
pub(super) fn ensure(root: &Path) -> anyhow::Result<()> {
    let told = ask(command(root, "node").arg("--version"))?;
    if is_new_enough(&told) {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    println!("== the pages want node {major}.{minor} and this is {}: {PACKAGE} into {FOLDER}", told.trim());
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix"]);
    call(npm.arg(root.join(FOLDER)).arg(PACKAGE))?;
    let told = ask(command(root, "node").arg("--version"))?;
    anyhow::ensure!(is_new_enough(&told), "what was installed says {told:?} of itself");
    Ok(())
}

/// `node`, or what runs by it.
pub(super) fn command(root: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    if let Some(path) = path(root) {
        command.env("PATH", path);
    }
    command
}

/// Where programs are looked for, once there is a Node of our own.
#[expect(clippy::disallowed_methods, reason = "where programs are is no setting")]
fn path(root: &Path) -> Option<OsString> {
    let own: PathBuf = root.join(FOLDER).join("node_modules/node/bin");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own.clone()).chain(std::env::split_paths(&others)));
    path.context("a PATH").ok().filter(|_| own.join("node").exists())
}

fn is_new_enough(told: &str) -> bool {
    let mut numbers = told.trim().trim_start_matches('v').split('.').map(|number| number.parse::<u32>().ok());
    numbers.next().flatten().zip(numbers.next().flatten()).is_some_and(|found| found >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_too_old_is_known() {
        for new_enough in ["v20.19.0\n", "v20.20.2", "v22.1.0", "v100.0.0-nightly"] {
            assert!(is_new_enough(new_enough), "{new_enough}");
        }
        for old in ["v18.20.4\n", "v20.18.9", "", "node?"] {
            assert!(!is_new_enough(old), "{old}");
        }
    }
}
