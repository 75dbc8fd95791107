//! The pages: checked, tested, proved to be what their source builds, and walked by a browser as a person would.

mod compare;

use crate::{ci, packages};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Takes the pictures of docs/images anew, and checks nothing
    #[arg(long)]
    screenshots: bool,
}

const SOURCE: &str = "web";
/// What is committed and embedded, so that whoever builds the binary needs no npm.
const PAGES: &str = "crates/api/pages";
/// The same, built anew to be compared.
const BUILT: &str = "target/web/pages";
const WALKS: &str = "web/e2e";
/// How the file of a walk ends; every other file there serves them.
const WALK: &str = ".walk.mjs";
/// How the file of a walk ends that wants Kafka and PostgreSQL.
const WALK_OVER_SERVICES: &str = ".services.mjs";
const SCREENSHOTS: &str = "docs/images";
/// Below this, Vite does not start.
const NODE_MIN: (u32, u32) = (20, 19);
const BROWSER: &str = "chromium";

pub(crate) fn run(root: &Path, arguments: Arguments) -> anyhow::Result<()> {
    prepare(root)?;
    if arguments.screenshots {
        let binary = ci::binary(root)?;
        let mut node = Command::new("node");
        node.arg(root.join(WALKS).join("screenshots.mjs")).arg(root.join(SCREENSHOTS));
        return call(node.env("TAXISVC_BINARY", binary).env("CHROMIUM", BROWSER));
    }
    let source = root.join(SOURCE);
    println!("== the pages' types and tests");
    for script in ["check", "test"] {
        npm(&source, script, &[])?;
    }
    call(
        Command::new("node")
            .args(["node_modules/typescript/bin/tsc", "--project", "e2e"])
            .current_dir(&source),
    )?;
    println!("== {PAGES} is what {SOURCE} builds");
    let built = root.join(BUILT);
    npm(&source, "build", &["--outDir", &built.display().to_string(), "--emptyOutDir"])?;
    compare::ensure_same(&root.join(PAGES), &built).with_context(|| {
        format!("{PAGES} is not what its source builds; `npm run build` in {SOURCE}/ mends it")
    })?;
    println!("== a browser walks the pages");
    walk(root, WALK, &[])
}

/// The walks over services that are processes of their own, after the others.
pub(crate) fn walk_over_services(root: &Path, environment: &[(String, String)]) -> anyhow::Result<()> {
    walk(root, WALK_OVER_SERVICES, environment)
}

fn prepare(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_pages())?;
    let told = Command::new("node").arg("--version").output().context("cannot start node")?;
    ensure_node(&String::from_utf8_lossy(&told.stdout))?;
    println!("== the pages: npm packages into {SOURCE}/node_modules");
    call(Command::new("npm").args(["ci", "--silent"]).current_dir(root.join(SOURCE)))
}

/// Debian's may be older than what the pages are built with.
fn ensure_node(told: &str) -> anyhow::Result<()> {
    let told = told.trim();
    let mut numbers = told.trim_start_matches('v').split('.').map(|number| number.parse::<u32>().ok());
    let found = numbers.next().flatten().zip(numbers.next().flatten());
    if found.is_none_or(|found| found < NODE_MIN) {
        let (major, minor) = NODE_MIN;
        bail!(
            "the pages want node {major}.{minor} or newer, and `node --version` says {told:?}: nodejs.org has newer ones"
        );
    }
    Ok(())
}

fn walk(root: &Path, ending: &str, environment: &[(String, String)]) -> anyhow::Result<()> {
    let binary = ci::binary(root)?;
    let mut node = Command::new("node");
    // One after the other: each has a browser and a server of its own.
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(walks(root, ending)?);
    node.env("TAXISVC_BINARY", binary).env("CHROMIUM", BROWSER).envs(environment.iter().cloned());
    call(node.current_dir(root.join(SOURCE)))
}

fn walks(root: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root.join(WALKS);
    let names = compare::files(&folder)?.into_keys();
    let walks: Vec<_> = names.filter(|name| name.ends_with(ending)).map(|name| folder.join(name)).collect();
    if walks.is_empty() {
        bail!("there is no walk in {WALKS}");
    }
    Ok(walks)
}

fn npm(folder: &Path, script: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("npm");
    call(command.args(["run", "--silent", script, "--"]).args(arguments).current_dir(folder))
}

fn call(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().display().to_string();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        let first: Vec<_> =
            command.get_args().take(3).map(|argument| argument.display().to_string()).collect();
        bail!("`{name} {}` failed", first.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_too_old_is_refused_by_name() {
        for new_enough in ["v20.19.0\n", "v20.20.2", "v22.1.0", "v100.0.0-nightly"] {
            ensure_node(new_enough).unwrap();
        }
        for old in ["v18.20.4\n", "v20.18.9", "", "node?"] {
            let refused = ensure_node(old).unwrap_err().to_string();
            assert!(refused.contains("node 20.19") && refused.contains(old.trim()), "{refused}");
        }
    }
}
