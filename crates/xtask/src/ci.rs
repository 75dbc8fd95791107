//! What CI runs, step by step; the first that fails ends it.

use crate::{contract, packages, tidy};
use anyhow::{Context, bail};
use std::path::Path;
use std::process::Command;

struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const STEPS: [Step; 5] = [
    Step { name: "format", arguments: &["fmt", "--all", "--check"], environment: &[] },
    Step {
        name: "lints",
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        environment: &[],
    },
    Step {
        name: "documents",
        arguments: &["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Step { name: "the binary", arguments: &["build", "--locked", "-p", "taxisvc"], environment: &[] },
    Step { name: "tests", arguments: &["test", "--workspace", "--locked"], environment: &[] },
];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    println!("== tidy");
    tidy::run(root)?;
    for step in &STEPS {
        println!("== {}", step.name);
        cargo(root, step)?;
    }
    println!("== contract");
    contract::run(root)?;
    println!("== slow tests");
    cargo(root, &SLOW)?;
    Ok(())
}

/// The tests that a developer does not wait for every few minutes.
const SLOW: Step = Step {
    name: "slow tests",
    arguments: &["test", "--locked", "--release", "-p", "taxisvc", "--", "--ignored", "--nocapture"],
    environment: &[],
};

pub(crate) fn bench(root: &Path, figures: &[String]) -> anyhow::Result<()> {
    let build = ["build", "--release", "--locked", "-p", "taxisvc", "-p", "bench"];
    call(root, &build, &[])?;
    let mut arguments = vec!["run", "--quiet", "--release", "--locked", "-p", "bench", "--"];
    arguments.extend(figures.iter().map(String::as_str));
    call(root, &arguments, &[])
}

fn cargo(root: &Path, step: &Step) -> anyhow::Result<()> {
    call(root, step.arguments, step.environment)
}

fn call(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(arguments).envs(environment.iter().copied());
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    Ok(())
}
