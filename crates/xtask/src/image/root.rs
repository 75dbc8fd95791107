//! What lies in the image beside the program: Debian's packages, unpacked, and who its user is.

use crate::shell::{ask, call};
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is linked to, whom it believes over TLS, and what time it is elsewhere.
const PACKAGES: [&str; 6] = ["base-files", "ca-certificates", "libc6", "libgcc-s1", "libssl3", "tzdata"];
/// The libraries have other names elsewhere, and the program is linked to those of the machine that builds it.
const RELEASE: &str = "VERSION_CODENAME=bookworm";
const PASSWD: &str =
    "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";
const DOWNLOADS: &str = "packages";
const NONROOT: u32 = 65_532;
/// Where programs look for whom to believe.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// What nobody who only runs a program needs.
const DROPPED: [&str; 6] =
    ["usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/bug", "usr/sbin", "usr/bin"];

/// The root, and what was unpacked into it.
pub(super) struct Root {
    pub(super) folder: PathBuf,
    pub(super) packages: Vec<Unpacked>,
}

/// A package as it was unpacked.
pub(super) struct Unpacked {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) architecture: String,
}

/// Makes it anew.
pub(super) fn make(folder: &Path) -> anyhow::Result<Root> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !release.lines().any(|line| line == RELEASE) {
        bail!(
            "the packages of the image are named as in Debian 12, and this is another system: use deploy/Containerfile"
        );
    }
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).context("cannot remove the former root")?;
    }
    fs::create_dir_all(&root).context("cannot make a root")?;
    // Packages of a former time may have been mended since.
    let downloads = folder.join(DOWNLOADS);
    if downloads.exists() {
        fs::remove_dir_all(&downloads).context("cannot remove the former packages")?;
    }
    let packages = add(folder, &root, &PACKAGES)?;
    for dropped in DROPPED.iter().map(|path| root.join(path)).filter(|path| path.exists()) {
        fs::remove_dir_all(&dropped).with_context(|| format!("cannot remove {}", dropped.display()))?;
    }
    trust(&root)?;
    write(&root.join("etc/passwd"), PASSWD)?;
    write(&root.join("etc/group"), GROUP)?;
    for (path, mode) in [("tmp", 0o1777), ("var/lib/taxisvc", 0o700)] {
        let path = root.join(path);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        let owner = Some(if mode == 0o700 { NONROOT } else { 0 });
        chown(&path, owner, owner)
            .with_context(|| format!("as root: cannot give {} away", path.display()))?;
    }
    Ok(Root { folder: root, packages })
}

/// Unpacks packages into a root; what runs when one is installed does not run.
pub(super) fn add(folder: &Path, root: &Path, names: &[&str]) -> anyhow::Result<Vec<Unpacked>> {
    let downloads = folder.join(DOWNLOADS);
    fs::create_dir_all(&downloads).context("cannot make a directory for packages")?;
    names.iter().map(|name| unpack(&downloads, root, name)).collect()
}

/// The same with all that they depend on.
pub(super) fn add_all(folder: &Path, root: &Path, names: &[&str]) -> anyhow::Result<()> {
    let mut apt = Command::new("apt-cache");
    apt.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    let told = ask(apt.args(["--no-replaces", "--no-enhances"]).args(names))?;
    let all: BTreeSet<&str> =
        told.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    add(folder, root, &all.into_iter().collect::<Vec<_>>()).map(drop)
}

fn unpack(downloads: &Path, root: &Path, name: &str) -> anyhow::Result<Unpacked> {
    let find = || -> anyhow::Result<Option<PathBuf>> {
        let begins = format!("{name}_");
        let entries = fs::read_dir(downloads).context("the packages are somewhere")?;
        let mut files = entries.flatten().map(|entry| entry.path());
        Ok(files
            .find(|file| file.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&begins))))
    };
    if find()?.is_none() {
        ask(Command::new("apt-get").args(["download", "--quiet", name]).current_dir(downloads))?;
    }
    let Some(file) = find()? else { bail!("Debian's {name} did not arrive in {}", downloads.display()) };
    call(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(root))?;
    let field = |field: &str| -> anyhow::Result<String> {
        Ok(ask(Command::new("dpkg-deb").arg("--field").arg(&file).arg(field))?.trim().to_owned())
    };
    Ok(Unpacked { name: field("Package")?, version: field("Version")?, architecture: field("Architecture")? })
}

/// Installing the package would put its certificates into one file.
fn trust(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("usr/share/ca-certificates/mozilla");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("no certificates in {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut all = String::new();
    for file in files {
        all += fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?.trim();
        all.push('\n');
    }
    if !all.contains("BEGIN CERTIFICATE") {
        bail!("{} holds no certificate", folder.display());
    }
    write(&root.join(CERTIFICATES), &all)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let parent = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
