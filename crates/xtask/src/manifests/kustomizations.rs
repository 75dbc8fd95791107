//! What there is to render: every overlay, every component on the overlays that it fits, and the examples.

use anyhow::{Context, bail};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// The overlays that others stand on.
const WHOLE: [&str; 2] = ["dev", "prod"];

/// What there is to render, by the name that it has here.
pub(super) enum Kustomization {
    Overlay(String),
    /// A component on an overlay.
    Together(&'static str, String),
    Example(String),
}

impl Kustomization {
    pub(super) fn all(manifests: &Path) -> anyhow::Result<Vec<Kustomization>> {
        let overlays = folders(&manifests.join("overlays"))?.into_iter().map(Kustomization::Overlay);
        let mut all: Vec<_> = overlays.collect();
        for component in folders(&manifests.join("components"))? {
            let overlays = fitting(&component).into_iter();
            all.extend(overlays.map(|overlay| Kustomization::Together(overlay, component.clone())));
        }
        all.extend(folders(&manifests.join("examples"))?.into_iter().map(Kustomization::Example));
        Ok(all)
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Overlay(name) => name.clone(),
            Self::Together(overlay, component) => format!("{overlay}+{component}"),
            Self::Example(name) => format!("example-{name}"),
        }
    }

    /// Whether there must be something to run.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self, Self::Example(_))
    }

    /// Renders it into this folder, as `<name>.yaml`.
    pub(super) fn render(&self, kubectl: &Path, manifests: &Path, work: &Path) -> anyhow::Result<()> {
        let folder = match self {
            Self::Overlay(name) => manifests.join("overlays").join(name),
            Self::Example(name) => manifests.join("examples").join(name),
            Self::Together(overlay, component) => {
                let folder = work.join(self.name());
                together(&folder, manifests, (overlay, component))?;
                folder
            }
        };
        into_file(kubectl, &folder, (work, &self.name()))
    }
}

/// On which overlays a component may be put.
fn fitting(component: &str) -> Vec<&'static str> {
    match component {
        "storage-class" => vec!["single"],
        "prometheus" | "grafana" => [&WHOLE[..], &["single"]].concat(),
        _ => WHOLE.to_vec(),
    }
}

fn folders(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().is_dir() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// A kustomization as somebody would write it who wants this component on this overlay.
fn together(folder: &Path, manifests: &Path, (overlay, component): (&str, &str)) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let way = way(&folder.canonicalize()?, &manifests.canonicalize()?);
    let way = way.display();
    let text = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: taxisvc\n\
         resources: [{way}/overlays/{overlay}]\ncomponents: [{way}/components/{component}]\n"
    );
    fs::write(folder.join("kustomization.yaml"), text).context("cannot write a kustomization")
}

/// The way from one folder to another, since Kustomize takes no other.
fn way(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from.iter().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.iter().skip(shared).copied()).collect()
}

fn into_file(kubectl: &Path, folder: &Path, (work, name): (&Path, &str)) -> anyhow::Result<()> {
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output();
    let output = output.with_context(|| format!("cannot start {}", kubectl.display()))?;
    if !output.status.success() {
        bail!("{name} cannot be rendered: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::write(work.join(format!("{name}.yaml")), output.stdout)
        .with_context(|| format!("cannot write {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_one_folder_to_another() {
        let check = |from: &str, to: &str, expected: &str| {
            assert_eq!(way(Path::new(from), Path::new(to)), Path::new(expected), "{from} {to}");
        };
        check("/a/target/x", "/a/deploy", "../../deploy");
        check("/a", "/a/b", "b");
        check("/b/c", "/a", "../../a");
    }
}
