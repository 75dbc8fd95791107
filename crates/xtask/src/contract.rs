//! Holds the documents for integrators against a running system: a generated client, and requests made up by them.

mod server;

use crate::shell::call;
use crate::{packages, python};
use server::Server;
use std::path::Path;
use std::process::Command;

/// What the server is started with, and the client and the requests show.
const TOKEN: &str = "contract-operator-token-0123456789";
/// How many requests are made up for each operation, beside those that its schema's edges ask for.
const EXAMPLES: &str = "20";
const CLIENT: &str = "clients/typescript";
const OPENAPI: &str = "crates/api/src/documents/openapi.json";
const HOOKS: &str = "crates/xtask/contract/hooks.py";
const REQUIREMENTS: &str = "crates/xtask/contract/requirements.txt";

/// Installs what it needs below `target/` and in the client's folder, and fails on any finding.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    let python = python::environment(root, "target/contract/python", REQUIREMENTS)?;
    let client = root.join(CLIENT);
    println!("== the client: npm packages into {CLIENT}/node_modules");
    call(Command::new("npm").arg("ci").arg("--silent").current_dir(&client))?;
    for script in ["generate", "compile", "asyncapi"] {
        npm(&client, script, &[])?;
    }
    let server = Server::start(root, TOKEN)?;
    let gateway = server.address("gateway")?;
    println!("== the client drives");
    npm(&client, "ride", &[gateway, TOKEN])?;
    println!("== requests made up by {OPENAPI}, to the gateway");
    // A stream of events never ends, and /callpay is not for the outside.
    let rest = ["--exclude-path-regex", "/events$", "--exclude-path", "/callpay"];
    make_up(root, &python, (gateway, "examples,coverage,fuzzing,stateful"), &rest)?;
    println!("== requests made up by {OPENAPI}, to payment's own port");
    let callpay = ["--include-path", "/callpay"];
    make_up(root, &python, (server.address("payment")?, "examples,coverage,fuzzing"), &callpay)?;
    server.stop()
}

/// All checks that there are: no 5xx, no status, header, type or body outside the document, no wrong request taken, no
/// right one refused, no other method allowed, nobody let in without the token.
fn make_up(
    root: &Path,
    python: &Path,
    (address, phases): (&str, &str),
    which: &[&str],
) -> anyhow::Result<()> {
    let mut command = Command::new(python.join("schemathesis"));
    // What it keeps for its next run lies where it runs.
    let folder = root.join("target/contract");
    let document = Path::new("../..").join(OPENAPI);
    command.arg("run").arg(document).args(["--url", address, "--phases", phases, "--max-examples", EXAMPLES]);
    command.args(["--checks", "all", "--generation-deterministic", "--continue-on-failure", "--no-color"]);
    command.args(["--request-timeout", "10", "--header", &format!("Authorization: Bearer {TOKEN}")]);
    command.args(which).env("SCHEMATHESIS_HOOKS", root.join(HOOKS)).env("PYTHONDONTWRITEBYTECODE", "1");
    call(command.current_dir(folder))
}

fn npm(folder: &Path, script: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script, "--"]).args(arguments);
    call(command.current_dir(folder))
}
