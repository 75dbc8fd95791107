//! The files of a release: an archive with the program, a list of what is in it, and their checksums.

use crate::image::bill;
use crate::packages;
use crate::shell::{ask, call};
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are made, below the root.
const FOLDER: &str = "target/release-files";
/// What stands in the archive beside the program.
const BESIDE: [&str; 10] = [
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "deploy/image/taxisvc.toml",
    "deploy/nginx/taxisvc.conf",
    "deploy/systemd/taxisvc.service",
    "deploy/systemd/taxisvc@.service",
    "deploy/systemd/taxisvc-backup.service",
    "deploy/systemd/taxisvc-backup.timer",
];
const DOCUMENTS: &str = "docs";
const UNRELEASED: &str = "Unreleased";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The tag that is to be released, `v` and the version; it must be that of Cargo.toml, and stand in CHANGELOG.md
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if let Some(tag) = &arguments.tag {
        let changes = fs::read_to_string(root.join("CHANGELOG.md")).context("cannot read CHANGELOG.md")?;
        check_tag(tag, version, &changes)?;
    }
    packages::ensure(&packages::for_tls())?;
    let files = Files { root: root.to_owned(), folder: root.join(FOLDER), name: name(version) };
    files.make()
}

fn name(version: &str) -> String {
    format!("taxisvc-{version}-{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// A tag says what is in it.
fn check_tag(tag: &str, version: &str, changes: &str) -> anyhow::Result<()> {
    if tag.strip_prefix('v') != Some(version) {
        bail!("the tag is {tag}, and Cargo.toml has version {version}: the tag would be v{version}");
    }
    let heading = format!("## [{version}]");
    let has_news = changes.split("\n## [").any(|part| {
        let (of, news) = part.split_once(']').unwrap_or_default();
        of.trim_start_matches("## [") == version && !news.trim().is_empty()
    });
    if !has_news {
        bail!("CHANGELOG.md has nothing under {heading:?}: what is under [{UNRELEASED}] is released by it");
    }
    Ok(())
}

/// What is no program, and the documents, which messages and the files point to.
fn lay_beside(root: &Path, packed: &Path) -> anyhow::Result<()> {
    for file in BESIDE {
        let place = packed.join(file.strip_prefix("deploy/").unwrap_or(file));
        let parent = place.parent().context("a file lies in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::copy(root.join(file), &place).with_context(|| format!("cannot copy {file}"))?;
    }
    call(Command::new("cp").arg("-R").arg(root.join(DOCUMENTS)).arg(packed))
}

struct Files {
    root: PathBuf,
    folder: PathBuf,
    name: String,
}

impl Files {
    fn make(&self) -> anyhow::Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot empty {}", self.folder.display()))?;
        }
        let packed = self.folder.join(&self.name);
        fs::create_dir_all(&packed).with_context(|| format!("cannot make {}", packed.display()))?;
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--locked", "-p", "taxisvc", "--features", "kafka-tls"]);
        call(cargo.current_dir(&self.root))?;
        let program = packed.join("taxisvc");
        fs::copy(self.root.join("target/release/taxisvc"), &program).context("cannot copy the program")?;
        // The names of functions stay for whoever reads a panic; lines of source are four fifths of the file.
        call(Command::new("strip").arg("--strip-debug").arg(&program))?;
        lay_beside(&self.root, &packed)?;
        let bill = self.file("cdx.json");
        bill::write_of_program(&self.root, &bill)?;
        fs::copy(&bill, packed.join("sbom.cdx.json")).context("cannot copy the list of what is in it")?;
        self.pack()?;
        fs::remove_dir_all(&packed).context("cannot remove what is packed")?;
        let sums = self.sums()?;
        self.try_it()?;
        print!("{sums}");
        println!("in {}", self.folder.display());
        Ok(())
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// The same files make the same archive: nothing in it says when or by whom it was made.
    fn pack(&self) -> anyhow::Result<()> {
        // Whoever builds need not own the folder, as in a container.
        let mut git = Command::new("git");
        git.arg("-c").arg(format!("safe.directory={}", self.root.display()));
        let at = ask(git.args(["log", "-1", "--format=%ct"]).current_dir(&self.root))?;
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+r-w"]);
        tar.arg(format!("--mtime=@{}", at.trim())).args(["--use-compress-program", "gzip -9n", "--create"]);
        call(tar.arg("--file").arg(self.file("tar.gz")).arg("--directory").arg(&self.folder).arg(&self.name))
    }

    /// As `sha256sum --check` reads them.
    fn sums(&self) -> anyhow::Result<String> {
        let names = ["tar.gz", "cdx.json"].map(|ending| format!("{}.{ending}", self.name));
        let sums = ask(Command::new("sha256sum").args(&names).current_dir(&self.folder))?;
        fs::write(self.file("sha256"), &sums).context("cannot write the checksums")?;
        Ok(sums)
    }

    /// What was packed runs, and the sums are right.
    fn try_it(&self) -> anyhow::Result<()> {
        let place = tempfile::tempdir().context("cannot make a directory")?;
        let mut check = Command::new("sha256sum");
        call(check.args(["--check", "--quiet"]).arg(self.file("sha256")).current_dir(&self.folder))?;
        call(Command::new("tar").arg("xzf").arg(self.file("tar.gz")).arg("-C").arg(place.path()))?;
        let program = place.path().join(&self.name).join("taxisvc");
        let said = ask(Command::new(program).arg("--version"))?;
        if said.trim() != format!("taxisvc {}", env!("CARGO_PKG_VERSION")) {
            bail!("what was packed says {said:?} of itself");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_points_to_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        lay_beside(&crate::root(), folder.path()).unwrap();
        for file in
            ["README.md", "docs/operations.md", "docs/runbook/README.md", "systemd/taxisvc-backup.timer"]
        {
            assert!(folder.path().join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn a_tag_says_what_is_in_it() {
        let changes =
            "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-28\n\n- News.\n\n## [1.1.0]\n\n";
        assert!(check_tag("v1.2.0", "1.2.0", changes).is_ok());
        for (tag, version, word) in [
            ("v1.3.0", "1.2.0", "v1.2.0"),
            ("1.2.0", "1.2.0", "v1.2.0"),
            ("v1.1.0", "1.1.0", "nothing under"),
            ("v1.0.0", "1.0.0", "nothing under"),
        ] {
            let error = check_tag(tag, version, changes).unwrap_err().to_string();
            assert!(error.contains(word), "{tag}: {error}");
        }
    }
}
