//! The definitions of other projects' resources, from their Go modules: with them a cluster knows what our overlays say.

use super::cluster::Cluster;
use crate::shell::ask;
use anyhow::{Context, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Module {
    name: &'static str,
    version: &'static str,
    /// Files, or folders of them.
    definitions: &'static [&'static str],
}

const MODULES: [Module; 4] = [
    Module {
        name: "istio.io/api",
        version: "v1.27.1",
        definitions: &["kubernetes/customresourcedefinitions.gen.yaml"],
    },
    Module { name: "sigs.k8s.io/gateway-api", version: "v1.3.0", definitions: &["config/crd/standard"] },
    Module { name: "github.com/kedacore/keda/v2", version: "v2.17.2", definitions: &["config/crd/bases"] },
    Module {
        name: "github.com/prometheus-operator/prometheus-operator",
        version: "v0.85.0",
        definitions: &["example/prometheus-operator-crd"],
    },
];

/// Has the cluster know them all; how many there are.
pub(super) fn apply(cluster: &Cluster, scratch: &Path) -> anyhow::Result<usize> {
    let mut files = Vec::new();
    for module in &MODULES {
        let folder = fetch(module, scratch)?;
        for path in module.definitions {
            files.extend(files_at(&folder.join(path))?);
        }
    }
    for file in &files {
        // They are too long for what `apply` notes on an object otherwise.
        let file = file.display().to_string();
        cluster.ask(&["apply", "--server-side", "--force-conflicts", "--filename", &file])?;
    }
    Ok(files.len())
}

/// Go keeps what it has fetched.
fn fetch(module: &Module, scratch: &Path) -> anyhow::Result<PathBuf> {
    let Module { name, version, .. } = module;
    let mut go = Command::new("go");
    // Outside of any module of Go's: none of this is built.
    go.args(["mod", "download", "-json", &format!("{name}@{version}")]).current_dir(scratch);
    let told =
        ask(&mut go).with_context(|| format!("{name} is fetched by Go's own command, 1.24 or newer"))?;
    let told: Value = serde_json::from_str(&told).context("go tells JSON")?;
    told["Dir"].as_str().map(PathBuf::from).with_context(|| format!("go says nowhere where {name} is"))
}

fn files_at(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("no definitions at {}", path.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| {
        file.extension().is_some_and(|kind| kind == "yaml") && !file.ends_with("kustomization.yaml")
    });
    files.sort();
    if files.is_empty() {
        bail!("no definitions at {}", path.display());
    }
    Ok(files)
}
