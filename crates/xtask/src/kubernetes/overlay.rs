//! The overlays of `deploy/kubernetes`, with the image that is tried in the place of theirs.

use super::cluster::Cluster;
use crate::image::Image;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

const OVERLAYS: &str = "deploy/kubernetes/overlays";
/// Where ours are written, below the root.
const FOLDER: &str = "target/kubernetes";

/// Every overlay there is, in the order of their names.
pub(super) fn all(repository: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(repository.join(OVERLAYS)).context("there are overlays")?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("kustomization.yaml").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Whether the cluster takes it, in the strictest reading and without a warning, without doing anything; how many objects it
/// has. A namespace that it brings has to be there before.
pub(super) fn is_taken(cluster: &Cluster, repository: &Path, name: &str) -> anyhow::Result<usize> {
    let folder = repository.join(OVERLAYS).join(name).display().to_string();
    let strictly = ["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors"];
    let told = cluster.ask(&[&strictly[..], &["--kustomize", &folder]].concat())?;
    Ok(told.lines().count())
}

/// Puts one on the cluster.
pub(super) fn apply(
    cluster: &Cluster,
    repository: &Path,
    (name, image): (&str, &Image),
) -> anyhow::Result<()> {
    let folder = write(repository, name, image)?.display().to_string();
    cluster.ask(&["apply", "--validate=strict", "--kustomize", &folder])?;
    Ok(())
}

/// Takes it away again, and waits until it is gone.
pub(super) fn remove(
    cluster: &Cluster,
    repository: &Path,
    (name, image): (&str, &Image),
) -> anyhow::Result<()> {
    let folder = write(repository, name, image)?.display().to_string();
    cluster.ask(&["delete", "--ignore-not-found", "--wait", "--timeout=180s", "--kustomize", &folder])?;
    Ok(())
}

fn write(repository: &Path, name: &str, image: &Image) -> anyhow::Result<PathBuf> {
    let folder = repository.join(FOLDER).join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let text = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../../{OVERLAYS}/{name}
images:
  - name: taxisvc
    newName: {}
    newTag: {}
",
        crate::image::NAME,
        image.tag
    );
    fs::write(folder.join("kustomization.yaml"), text).context("cannot write an overlay")?;
    Ok(folder)
}
