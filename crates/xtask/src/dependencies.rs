//! What is taken from others: licences, sources, what never, and what is known against it; cargo-deny, by deny.toml.

use crate::shell::{call, tool};
use std::path::Path;
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Also what is known against them, which is fetched from the database of the Rust Security Response Working Group
    #[arg(long)]
    advisories: bool,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let mut deny = Command::new(tool(root, "cargo-deny", "0.20.2")?);
    deny.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    if arguments.advisories {
        deny.arg("advisories");
    }
    call(deny.current_dir(root))
}
