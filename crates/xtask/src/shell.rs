//! Programs that are run to their end.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a program to its end; what it says is shown.
pub(crate) fn call(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().display().to_string();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("`{name} {}` failed", words_of(command));
    }
    Ok(())
}

/// Runs a program to its end and gives what it says; only a failure shows it.
pub(crate) fn ask(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("`{name} {}` failed: {} {}", words_of(command), said.trim(), errors.trim());
    }
    Ok(said)
}

/// A program that cargo installs, below `target/`; where it is.
pub(crate) fn tool(root: &Path, name: &str, version: &str) -> anyhow::Result<PathBuf> {
    let tools = root.join("target/tools");
    let (tool, stamp) = (tools.join("bin").join(name), tools.join(format!("{name}.version")));
    if tool.exists() && std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == version) {
        return Ok(tool);
    }
    println!("== {name} {version} into target/tools");
    let mut install = Command::new(env!("CARGO"));
    install.args(["install", "--locked", "--quiet", "--version", version, name, "--root"]);
    call(install.arg(&tools))?;
    std::fs::write(&stamp, version).context("cannot say what is installed")?;
    Ok(tool)
}

fn words_of(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(|argument| argument.display().to_string()).collect();
    words.join(" ")
}
