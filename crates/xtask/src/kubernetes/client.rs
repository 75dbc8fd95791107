//! A pod from which the system is asked as people ask it: the program itself, busybox and siege.

use super::cluster::{Cluster, until};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// What the pod has besides the program: a shell, and what riders and the original's load ask with.
pub(super) const PACKAGES: [&str; 3] = ["busybox", "curl", "siege"];
const NAME: &str = "client";
const READY_MAX: Duration = Duration::from_secs(120);

pub(super) struct Client<'c> {
    cluster: &'c Cluster,
    namespace: String,
}

impl<'c> Client<'c> {
    /// Starts the pod; in a mesh it is a part of that as every other pod there.
    pub(super) fn start(cluster: &'c Cluster, (namespace, image): (&str, &str)) -> anyhow::Result<Self> {
        let client = Self { cluster, namespace: namespace.to_owned() };
        let object = pod(namespace, image).to_string();
        cluster.give(&["apply", "--filename", "-"], &object)?;
        let name = format!("pod/{NAME}");
        let wait = ["wait", "--for=condition=Ready", "--timeout=120s", "--namespace", namespace, &name];
        cluster.ask(&wait)?;
        Ok(client)
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        let namespace = &self.namespace;
        self.cluster.ask(&[
            "delete",
            "pod",
            NAME,
            "--grace-period=0",
            "--force",
            "--namespace",
            namespace,
        ])?;
        Ok(())
    }

    /// A line of shell, run there.
    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = self.cluster.kubectl();
        command.args(["exec", NAME, "--container", NAME, "--stdin", "--namespace", &self.namespace, "--"]);
        command.args(["/bin/busybox", "sh", "-c", line]);
        command
    }

    /// What it says; how it ends is told apart from it only where it failed.
    pub(super) fn run(&self, line: &str) -> anyhow::Result<String> {
        Ok(crate::shell::ask(&mut self.command(line))?.trim().to_owned())
    }

    pub(super) fn get(&self, url: &str) -> anyhow::Result<String> {
        self.run(&format!("curl -sS --fail --max-time 10 '{url}'"))
    }

    /// The status alone, whatever it is; an error where nobody answers.
    pub(super) fn status(&self, url: &str) -> anyhow::Result<u16> {
        let said = self.run(&format!("curl -sS --max-time 10 -o /dev/null -w '%{{http_code}}' '{url}'"))?;
        said.parse().with_context(|| format!("no status in {said:?}"))
    }

    /// A request with a body, as the original's commands have them: its status and what was answered.
    pub(super) fn post(&self, url: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let said = self.run(&format!(
            "curl -sS --max-time 10 -w '\\n%{{http_code}}' -H 'content-type: application/json' -d '{body}' '{url}'"
        ))?;
        let (answer, status) = said.rsplit_once('\n').unwrap_or(("", &said));
        let status = status.trim().parse().with_context(|| format!("no status in {said:?}"))?;
        Ok((status, serde_json::from_str(answer.trim()).unwrap_or(Value::Null)))
    }

    /// Waits until an answer is as it should be.
    pub(super) fn until(&self, url: &str, is_right: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        until(url, READY_MAX, || {
            let answer: Value = serde_json::from_str(&self.get(url)?).context("an answer is JSON")?;
            if !is_right(&answer) {
                bail!("it is {answer}");
            }
            Ok(answer)
        })
    }
}

fn pod(namespace: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"taxisvc/client": "true"}},
        "spec": {
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": NAME,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/busybox", "sh", "-c", "busybox mkdir /tmp/bin; busybox --install -s /tmp/bin; exec busybox sleep 86400"],
                "env": [
                    {"name": "HOME", "value": "/tmp"},
                    {"name": "PATH", "value": "/tmp/bin:/usr/local/bin:/usr/bin:/bin"},
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            }],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        },
    })
}
