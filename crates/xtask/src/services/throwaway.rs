//! Services for one run, on ports that are free, gone at its end also when it fails or is killed.

use super::kafka::Kafka;
use super::notes::Notes;
use super::postgres::Postgres;
use super::{Up, down, free_port, process, up};
use anyhow::{Context, bail};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) struct Throwaway {
    folder: PathBuf,
    keeper: Keeper,
}

impl Throwaway {
    pub(crate) fn start(root: &Path, folder: &Path) -> anyhow::Result<Self> {
        // A run that was killed together with its keeper has left its own behind.
        down(folder)?;
        let wanted = Up {
            listen: Ipv4Addr::LOCALHOST,
            kafka_port: free_port()?,
            postgres_port: free_port()?,
            kafka: None,
            postgres: None,
            only: None,
            secure: false,
        };
        let services = Self { folder: folder.to_owned(), keeper: Keeper::start(folder)? };
        up(root, folder, &wanted)?;
        Ok(services)
    }

    /// What tells tests where they are.
    pub(crate) fn environment(&self) -> anyhow::Result<Vec<(String, String)>> {
        let (kafka, postgres) = self.addresses()?;
        Ok(vec![
            ("TAXISVC_TEST_KAFKA".to_owned(), kafka),
            ("TAXISVC_TEST_POSTGRES".to_owned(), postgres),
            ("TAXISVC_XTASK".to_owned(), crate::ci::own_path()?),
        ])
    }

    /// Of Kafka and of PostgreSQL.
    pub(crate) fn addresses(&self) -> anyhow::Result<(String, String)> {
        let notes = Notes::read(&self.folder)?;
        let kafka = Kafka::of(&self.folder, notes.kafka).address();
        Ok((kafka, Postgres::of(&self.folder, notes.postgres)?.url()))
    }

    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.keeper.end()
    }
}

/// Takes the services down when whoever started it is gone. A Ctrl-C, which all in a terminal hear, does not reach it.
struct Keeper(Option<Child>);

impl Keeper {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(crate::ci::own_path()?);
        command.args(["services", "keep", "--at"]).arg(folder).stdin(Stdio::piped()).process_group(0);
        Ok(Self(Some(command.spawn().context("cannot start a process that takes the services down")?)))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut keeper) = self.0.take() else { return Ok(()) };
        // The end of its input is what it waits for.
        drop(keeper.stdin.take());
        let status = keeper.wait().context("cannot wait until the services are down")?;
        if !status.success() {
            bail!("the services were not taken down: {status}");
        }
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("xtask: {error:#}");
        }
    }
}

pub(super) fn keep(folder: &Path) -> anyhow::Result<()> {
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).context("cannot read the input")?;
    down(folder)
}

/// Runs a command over services of its own.
pub(super) fn run(root: &Path, folder: &Path, command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("there is a command")?;
    let services = Throwaway::start(root, folder)?;
    let called = process::call(Command::new(program).args(arguments).envs(services.environment()?));
    services.stop()?;
    called
}
