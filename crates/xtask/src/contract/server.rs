//! The binary, on ports that are free and a directory that is thrown away.

use crate::ci;
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const PORTS: [&str; 6] = ["GATEWAY", "CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"];
/// What it says to standard error.
const LOG: &str = "target/contract/server.log";
/// What is said last once it listens.
const LAST_LINE: &str = "/events?from=0";

pub(super) struct Server {
    child: Child,
    addresses: BTreeMap<String, String>,
    _folder: TempDir,
}

impl Server {
    pub(super) fn start(root: &Path, token: &str) -> anyhow::Result<Self> {
        let binary = ci::binary(root)?;
        let folder = tempfile::tempdir().context("cannot make a directory")?;
        let mut command = Command::new(binary);
        command.current_dir(folder.path()).args(["up", "--data", "data"]).stdout(Stdio::piped());
        // Whoever makes requests up asks for more of it, too.
        command.stderr(File::create(root.join(LOG)).with_context(|| format!("cannot write {LOG}"))?);
        for (name, value) in [
            ("LOG", "warn"),
            ("OPERATOR_TOKEN", token),
            ("PROVIDER_OBEY_TEST_METHODS", "true"),
            // Whoever makes requests up makes many.
            ("LIMITS_CALLS_PER_RIDER_PER_MINUTE", "0"),
        ] {
            command.env(format!("TAXISVC_{name}"), value);
        }
        for port in PORTS {
            command.env(format!("TAXISVC_PORTS_{port}"), "0");
        }
        let mut child = command.spawn().context("cannot start the binary")?;
        let stdout = child.stdout.take().context("it is piped")?;
        let mut server = Self { child, addresses: BTreeMap::new(), _folder: folder };
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cannot read what it says")?;
            if let Some((name, address)) = line.trim().split_once(" http://") {
                server.addresses.insert(name.trim().to_owned(), format!("http://{}", address.trim()));
            }
            if line.contains(LAST_LINE) {
                return Ok(server);
            }
        }
        bail!("the server does not start");
    }

    pub(super) fn address(&self, name: &str) -> anyhow::Result<&str> {
        self.addresses.get(name).map(String::as_str).with_context(|| format!("no port is called {name}"))
    }

    /// It must have lived until now.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("it is ours")? {
            None => Ok(()),
            Some(status) => bail!("the server died by itself, {status}; see {LOG}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that cannot be killed is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
