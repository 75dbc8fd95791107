//! Holds the manifests of deploy/kubernetes: rendered as `kubectl apply -k` does it, against the schemas of Kubernetes,
//! against the program's settings and against each other.

mod kubectl;
mod kustomizations;
mod network;
mod objects;
mod rules;
mod settings;

use crate::shell::call;
use crate::{ci, packages, python};
use anyhow::{Context, bail};
use kustomizations::Kustomization;
use objects::Object;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest and the newest Kubernetes that the manifests are for.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];
const MANIFESTS: &str = "deploy/kubernetes";
const ENVIRONMENT: &str = "target/manifests/python";
const REQUIREMENTS: &str = "crates/xtask/manifests/requirements.txt";
const VALIDATE: &str = "crates/xtask/manifests/validate.py";
const TARGETS: &str = "crates/xtask/manifests/targets.py";
const DOCUMENT: &str = "docs/kubernetes.md";

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_manifests())?;
    let work = root.join("target/manifests/rendered");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    let check = Check {
        manifests: root.join(MANIFESTS),
        kubectl: kubectl::find(root)?,
        python: python::environment(root, ENVIRONMENT, REQUIREMENTS)?.join("python"),
        binary: ci::binary(root)?,
        root: root.to_owned(),
        work,
    };
    check.all()
}

struct Check {
    root: PathBuf,
    /// The folder of the manifests, which tests have a copy of.
    manifests: PathBuf,
    /// Where what is rendered lies; on the same disk, since Kustomize finds its way by relative paths.
    work: PathBuf,
    kubectl: PathBuf,
    python: PathBuf,
    binary: PathBuf,
}

impl Check {
    fn all(&self) -> anyhow::Result<()> {
        self.run(&Kustomization::all(&self.manifests)?)?;
        let mut targets = Command::new(&self.python);
        call(targets.arg(self.root.join(TARGETS)).arg(&self.work).arg(&self.manifests))?;
        println!("the manifests are in order");
        Ok(())
    }

    fn run(&self, kustomizations: &[Kustomization]) -> anyhow::Result<()> {
        fs::create_dir_all(&self.work).with_context(|| format!("cannot make {}", self.work.display()))?;
        for kustomization in kustomizations {
            kustomization.render(&self.kubectl, &self.manifests, &self.work)?;
        }
        let names: Vec<_> = kustomizations.iter().map(Kustomization::name).collect();
        println!("{} rendered: {}", names.len(), names.join(", "));
        let mut validate = Command::new(&self.python);
        validate.arg(self.root.join(VALIDATE)).arg(&self.work).args(VERSIONS);
        let status = validate.status().context("cannot start Python")?;
        let mut faults = Vec::new();
        if !status.success() {
            faults.push("see above what the schemas say".to_owned());
        }
        let document =
            fs::read_to_string(self.root.join(DOCUMENT)).context("cannot read docs/kubernetes.md")?;
        for kustomization in kustomizations {
            faults.extend(self.beyond_schemas(kustomization, &document)?);
        }
        if !faults.is_empty() {
            bail!("{} fault(s) in {MANIFESTS}:\n  {}", faults.len(), faults.join("\n  "));
        }
        Ok(())
    }

    /// What no schema finds.
    fn beyond_schemas(&self, kustomization: &Kustomization, document: &str) -> anyhow::Result<Vec<String>> {
        let name = kustomization.name();
        let objects = Object::read_all(&self.work.join(format!("{name}.json")))?;
        if !kustomization.is_whole() && !objects.iter().any(Object::is_workload) {
            return Ok(Vec::new());
        }
        let found = rules::faults(&objects, document).into_iter();
        let found = found.chain(settings::faults(&objects, &self.binary, &self.work)?);
        Ok(found.map(|fault| format!("{name}: {fault}")).collect())
    }
}

#[cfg(test)]
mod tests;
