//! Which version of the program a process is.

use crate::world::process::{Ended, Settings, ended, set};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the version after this one lies, built by whoever runs the tests that want it.
const NEXT: &str = "TAXISVC_NEXT";
/// Without it that one does nothing.
const REHEARSAL: &str = "REHEARSAL";
/// By which that one is told to write events as no version before it can read them.
const WRITES_NEXT: &str = "REHEARSAL_WRITES_NEXT";

#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    name: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

impl Program {
    pub(crate) fn this() -> Self {
        Self { path: env!("CARGO_BIN_EXE_taxisvc").into(), name: "this version", environment: &[] }
    }

    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where the next version is")]
    pub(crate) fn next() -> Self {
        let path =
            std::env::var_os(NEXT).unwrap_or_else(|| panic!("{NEXT} says where the next version lies"));
        Self { path: path.into(), name: "the next version", environment: &[(REHEARSAL, "1")] }
    }

    /// Of the next version, once nobody is left who cannot read its events.
    pub(crate) fn writing_next(self) -> Self {
        Self {
            name: "the next version, with events of its own",
            environment: &[(REHEARSAL, "1"), (WRITES_NEXT, "1")],
            ..self
        }
    }

    pub(crate) fn command(&self, folder: &Path, settings: &Settings, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments);
        set(&mut command, folder, settings);
        command.envs(self.environment.iter().copied());
        command
    }

    pub(crate) fn run(&self, folder: &Path, settings: &Settings, arguments: &[&str]) -> Ended {
        ended(&mut self.command(folder, settings, arguments))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
