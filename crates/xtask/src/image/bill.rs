//! The list of what is in the image, crates and packages, as CycloneDX writes it (<https://cyclonedx.org/docs/1.5/json/>).

use super::root::{Root, Unpacked};
use crate::shell::{call, tool};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const FILE: &str = "sbom.cdx.json";
/// What lists the crates.
const TOOL: &str = "cargo-cyclonedx";
const TOOL_VERSION: &str = "0.5.9";
/// What it calls its list, beside the manifest that it is of.
const OF_CRATES: &str = "taxisvc-crates";

/// Writes it, and where.
pub(super) fn write(repository: &Path, folder: &Path, root: &Root) -> anyhow::Result<PathBuf> {
    let path = folder.join(FILE);
    write_with(repository, &path, root.packages.iter().map(component))?;
    Ok(path)
}

/// The same of the program alone.
pub(crate) fn write_of_program(repository: &Path, path: &Path) -> anyhow::Result<()> {
    write_with(repository, path, std::iter::empty())
}

fn write_with(repository: &Path, path: &Path, packages: impl Iterator<Item = Value>) -> anyhow::Result<()> {
    let mut bill = crates(repository)?;
    let components = bill["components"].as_array_mut().context("a bill has components")?;
    if components.len() < 100 {
        bail!("the bill has {} crates, which are too few", components.len());
    }
    let others: Vec<Value> = packages.chain(of_pages(repository)?).collect();
    let dependencies: Vec<Value> = others.iter().map(|other| json!({"ref": other["bom-ref"]})).collect();
    components.extend(others);
    bill["dependencies"].as_array_mut().context("a bill has dependencies")?.extend(dependencies);
    let text = serde_json::to_string_pretty(&bill).context("a bill is JSON")?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// As <https://github.com/package-url/purl-spec> names packages of Debian's.
fn component(package: &Unpacked) -> Value {
    let Unpacked { name, version, architecture } = package;
    let purl = format!("pkg:deb/debian/{name}@{}?arch={architecture}", version.replace(':', "%3A"));
    json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
}

/// What the pages were built from and carry.
fn of_pages(repository: &Path) -> anyhow::Result<Vec<Value>> {
    let read = |name: &str| -> anyhow::Result<Value> {
        let path = repository.join("web").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is JSON", path.display()))
    };
    let (wanted, locked) = (read("package.json")?, read("package-lock.json")?);
    let names = wanted["dependencies"].as_object().context("the pages have dependencies")?.keys();
    let component = |name: &String| {
        let version = locked["packages"][format!("node_modules/{name}")]["version"].as_str();
        let version = version.with_context(|| format!("package-lock.json has no {name}"))?;
        let purl = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        Ok(json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}))
    };
    names.map(component).collect()
}

fn crates(repository: &Path) -> anyhow::Result<Value> {
    let tool = tool(repository, TOOL, TOOL_VERSION)?;
    let manifest = repository.join("crates/taxisvc/Cargo.toml");
    let mut command = Command::new(&tool);
    command.args([
        "cyclonedx",
        "--format",
        "json",
        "--spec-version",
        "1.5",
        "--features",
        "kafka-tls",
        "--quiet",
    ]);
    command.args(["--override-filename", OF_CRATES, "--manifest-path"]).arg(&manifest);
    call(&mut command)?;
    let mut found = None;
    let members = fs::read_dir(repository.join("crates")).context("the crates are somewhere")?;
    for list in members.flatten().map(|member| member.path().join(format!("{OF_CRATES}.json"))) {
        let Ok(text) = fs::read_to_string(&list) else { continue };
        fs::remove_file(&list).with_context(|| format!("cannot remove {}", list.display()))?;
        if list.starts_with(repository.join("crates/taxisvc")) {
            // Where this repository lies is nobody's business.
            let text = text.replace(&repository.display().to_string(), "");
            found = Some(serde_json::from_str(&text).context("a bill is JSON")?);
        }
    }
    found.with_context(|| format!("{TOOL} has written nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_as_others_name_it() {
        let package = |name: &str, version: &str| Unpacked {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
        };
        let component = component(&package("libc6", "2:36-9+deb12u13"));
        assert_eq!(component["purl"], "pkg:deb/debian/libc6@2%3A36-9+deb12u13?arch=amd64");
        assert_eq!(component["version"], "2:36-9+deb12u13");
    }
}
