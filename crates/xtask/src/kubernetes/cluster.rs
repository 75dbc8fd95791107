//! The cluster that is tried: the one that KUBECONFIG names, or one node made for it beside this repository.

use crate::services;
use crate::shell::{ask, call};
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What makes a node, seen from the repository.
const TOOL: &str = "../shared/cluster/cluster";
const MESH_TOOL: &str = "../shared/cluster/mesh";
/// Where the node is, and with it Kafka and PostgreSQL: its pods know them by the names `kafka` and `postgres`.
const NODE: &str = "10.200.0.1";
const SERVICES: &str = "target/services-kubernetes";
/// How long is waited between two looks.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) enum Cluster {
    /// Somebody's, with images that were given to it by a command of theirs.
    Given { load: Option<String> },
    /// One node of our own.
    Own { tool: PathBuf, repository: PathBuf },
}

impl Cluster {
    pub(super) fn find(repository: &Path, kubeconfig: bool, load: Option<String>) -> anyhow::Result<Self> {
        if kubeconfig {
            return Ok(Self::Given { load });
        }
        let tool = repository.join(TOOL);
        if !tool.exists() {
            bail!(
                "KUBECONFIG names no cluster, and there is none to make one with at {TOOL}: start one (kind, minikube) and \
                 set KUBECONFIG"
            );
        }
        Ok(Self::Own { tool, repository: repository.to_owned() })
    }

    /// Makes the node, with Kafka and PostgreSQL on it; whatever a former run has left goes first.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        let Self::Own { tool, repository } = self else { return Ok(()) };
        services::prepare(repository)?;
        self.stop()?;
        call(Command::new(tool).arg("up"))?;
        let mut services = self.services("up")?;
        call(services.args(["--listen", NODE]))
    }

    pub(super) fn stop(&self) -> anyhow::Result<()> {
        let Self::Own { tool, .. } = self else { return Ok(()) };
        ask(&mut self.services("down")?)?;
        call(Command::new(tool).arg("down"))
    }

    /// `cargo xtask services` where the node's network is.
    fn services(&self, command: &str) -> anyhow::Result<Command> {
        let Self::Own { tool, repository } = self else {
            bail!("Kafka and PostgreSQL of a given cluster are somebody's")
        };
        let mut services = Command::new(tool);
        // To take them down no network is needed, and there may be none.
        let (program, first) = match command {
            "down" | "stop" => (crate::ci::own_path()?, None),
            _ => (tool.display().to_string(), Some(["run".to_owned(), crate::ci::own_path()?])),
        };
        services = if program == tool.display().to_string() { services } else { Command::new(program) };
        services.args(first.into_iter().flatten()).args(["services", command, "--at"]);
        services.arg(repository.join(SERVICES));
        Ok(services)
    }

    /// Stops PostgreSQL as if its machine had failed, or starts it again on what it had.
    pub(super) fn postgres(&self, command: &str) -> anyhow::Result<()> {
        let mut services = self.services(command)?;
        services.arg("postgres");
        if command == "stop" {
            services.arg("--immediate");
        }
        ask(&mut services)?;
        Ok(())
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// Puts Istio on it.
    pub(super) fn install_mesh(&self) -> anyhow::Result<()> {
        match self {
            Self::Own { repository, .. } => call(Command::new(repository.join(MESH_TOOL)).arg("install")),
            Self::Given { .. } => {
                let found = self.ask(&["get", "deployment", "istiod", "--namespace", "istio-system"]);
                found.map(drop).context("Istio is not there; install it first")
            }
        }
    }

    pub(super) fn load(&self, archive: &Path) -> anyhow::Result<()> {
        match self {
            Self::Own { tool, .. } => call(Command::new(tool).arg("load").arg(archive)),
            Self::Given { load: None } => Ok(()),
            Self::Given { load: Some(load) } => {
                call(Command::new("sh").args(["-c", &format!("{load} \"$0\"")]).arg(archive))
            }
        }
    }

    pub(super) fn kubectl(&self) -> Command {
        match self {
            Self::Own { tool, .. } => {
                let mut command = Command::new(tool);
                command.arg("kubectl");
                command
            }
            Self::Given { .. } => Command::new("kubectl"),
        }
    }

    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        Ok(ask(self.kubectl().args(arguments))?.trim().to_owned())
    }

    pub(super) fn make_namespace(&self, name: &str) -> anyhow::Result<()> {
        let object = format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {{\"name\": \"{name}\"}}}}"
        );
        self.give(&["apply", "--filename", "-"], &object).map(drop)
    }

    /// With objects on its standard input.
    pub(super) fn give(&self, arguments: &[&str], objects: &str) -> anyhow::Result<String> {
        let mut command = self.kubectl();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start kubectl")?;
        let mut input = child.stdin.take().context("its input is ours")?;
        input.write_all(objects.as_bytes()).context("kubectl does not listen")?;
        drop(input);
        let output = child.wait_with_output().context("cannot wait for kubectl")?;
        if !output.status.success() {
            bail!("`kubectl {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Looks until there is something to see; what was wrong at the last look is told when that takes too long.
pub(super) fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begun = now();
    loop {
        match look() {
            Ok(seen) => return Ok(seen),
            Err(error) if begun.elapsed() > patience => {
                return Err(error.context(format!("waited {} s for {what}", patience.as_secs())));
            }
            Err(_) => std::thread::park_timeout(PAUSE),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is tried runs by the machine's clock, and so does whoever waits for it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
