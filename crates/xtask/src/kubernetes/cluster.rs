//! The cluster that is tried: the one that KUBECONFIG names, or one node made for it beside this repository.

use crate::services;
use crate::shell::{ask, call};
use anyhow::{Context, bail};
use serde_json::json;
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
    /// Somebody's: how it is reached, and how it is given an image.
    Given { kubectl: Vec<String>, load: Option<String> },
    /// One node of our own.
    Own { tool: PathBuf, repository: PathBuf },
}

impl Cluster {
    pub(super) fn given(context: &str, kubeconfig: Option<&Path>, load: Option<&str>) -> Self {
        let mut kubectl = vec!["--context".to_owned(), context.to_owned()];
        if let Some(file) = kubeconfig {
            kubectl.extend(["--kubeconfig".to_owned(), file.display().to_string()]);
        }
        Self::Given { kubectl, load: load.map(str::to_owned) }
    }

    pub(super) fn own(repository: &Path) -> anyhow::Result<Self> {
        let tool = repository.join(TOOL);
        if !tool.exists() {
            bail!(
                "there is nothing at {TOOL} to make a cluster with: start one (kind, minikube), and name its context by \
                 --context"
            );
        }
        Ok(Self::Own { tool, repository: repository.to_owned() })
    }

    /// Makes the node, with Kafka and PostgreSQL on it; whatever a former run has left goes first.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        let Self::Own { tool, repository } = self else { return Ok(()) };
        services::prepare(repository)?;
        self.stop(&[])?;
        call(Command::new(tool).arg("up"))?;
        call(self.services("up")?.args(["--listen", NODE]))
    }

    /// Of somebody's cluster only what we have put there goes.
    pub(super) fn stop(&self, namespaces: &[&str]) -> anyhow::Result<()> {
        match self {
            Self::Own { tool, .. } => {
                ask(&mut self.services("down")?)?;
                call(Command::new(tool).arg("down"))
            }
            Self::Given { .. } => {
                let delete = ["delete", "namespace", "--ignore-not-found", "--wait"];
                self.ask(&[&delete[..], namespaces].concat()).map(drop)
            }
        }
    }

    /// What is deleted at the end must be ours.
    pub(super) fn expect_nothing_of_ours(&self, namespaces: &[&str]) -> anyhow::Result<()> {
        let there = self.ask(&["get", "namespaces", "--output", "name"])?;
        for namespace in namespaces {
            if there.lines().any(|line| line == format!("namespace/{namespace}")) {
                bail!(
                    "the cluster has a namespace {namespace} already, and nothing was done: take another cluster"
                );
            }
        }
        Ok(())
    }

    /// `cargo xtask services` where the node's network is. To take something down none is needed, and there may be none.
    fn services(&self, command: &str) -> anyhow::Result<Command> {
        let Self::Own { tool, repository } = self else {
            bail!("Kafka and PostgreSQL of a given cluster are somebody's")
        };
        let own = crate::ci::own_path()?;
        let mut services = match command {
            "down" | "stop" => Command::new(own),
            _ => {
                let mut inside = Command::new(tool);
                inside.arg("run").arg(own);
                inside
            }
        };
        services.args(["services", command, "--at"]).arg(repository.join(SERVICES));
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
            Self::Given { load: None, .. } => Ok(()),
            Self::Given { load: Some(load), .. } => {
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
            Self::Given { kubectl, .. } => {
                let mut command = Command::new("kubectl");
                command.args(kubectl);
                command
            }
        }
    }

    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        Ok(ask(self.kubectl().args(arguments))?.trim().to_owned())
    }

    /// A namespace, in which what keeps to no standard for pods is warned of.
    pub(super) fn make_namespace(&self, name: &str) -> anyhow::Result<()> {
        let labels = json!({"pod-security.kubernetes.io/warn": "restricted"});
        let metadata = json!({"name": name, "labels": labels});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.give(&["apply", "--filename", "-"], &object.to_string()).map(drop)
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
