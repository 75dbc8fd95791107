//! The pages: checked, tested, proved to be what their source builds, and walked by a browser as a person would.

mod compare;
mod node;

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
const BROWSER: &str = "chromium";

pub(crate) fn run(root: &Path, arguments: Arguments) -> anyhow::Result<()> {
    prepare(root)?;
    if arguments.screenshots {
        let binary = ci::binary(root)?;
        let mut node = node::command(root, "node");
        node.arg(root.join(WALKS).join("screenshots.mjs")).arg(root.join(SCREENSHOTS));
        return call(node.env("TAXISVC_BINARY", binary).env("CHROMIUM", BROWSER));
    }
    let source = root.join(SOURCE);
    println!("== the pages' types and tests");
    for script in ["check", "test"] {
        npm(root, script, &[])?;
    }
    call(
        node::command(root, "node")
            .args(["node_modules/typescript/bin/tsc", "--project", "e2e"])
            .current_dir(&source),
    )?;
    println!("== {PAGES} is what {SOURCE} builds");
    let built = root.join(BUILT);
    npm(root, "build", &["--outDir", &built.display().to_string(), "--emptyOutDir"])?;
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
    node::ensure(root)?;
    println!("== the pages: npm packages into {SOURCE}/node_modules");
    call(node::command(root, "npm").args(["ci", "--silent"]).current_dir(root.join(SOURCE)))
}

fn walk(root: &Path, ending: &str, environment: &[(String, String)]) -> anyhow::Result<()> {
    let binary = ci::binary(root)?;
    let mut node = node::command(root, "node");
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

fn npm(root: &Path, script: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = node::command(root, "npm");
    let folder = root.join(SOURCE);
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
