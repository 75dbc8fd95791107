//! The container image: the libraries that the binary wants in an empty root, and a list of all that is in it.
//!
//! `deploy/Containerfile` makes the same from the images of a registry; this one needs Debian's packages alone.

pub(crate) mod bill;
mod root;

use crate::packages;
use crate::shell::{ask, call};
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it all is made, below the root.
const FOLDER: &str = "target/image";
/// How it is called where nobody says otherwise.
pub(crate) const NAME: &str = "docker.io/library/taxisvc";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The tag; `dev` is what the overlays `dev` and `single` want
    #[arg(long, value_name = "TAG", default_value = "dev")]
    tag: String,
}

pub(crate) fn run(repository: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let image = Image { tag: arguments.tag.clone(), version: Version::This };
    let archive = image.make(repository)?;
    println!("{}   {}", image.name(), size_of(&archive)?);
    println!("archive   {}\nits parts {}", archive.display(), folder(repository).join(bill::FILE).display());
    for load in
        ["docker load --input", "podman load --input", "kind load image-archive", "minikube image load"]
    {
        println!("          {load} {}", archive.display());
    }
    Ok(())
}

/// Which program is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    This,
    /// The version after this one, for rehearsals of an upgrade.
    Next,
}

impl Version {
    fn features(self) -> &'static str {
        match self {
            Self::This => "kafka-tls",
            Self::Next => "kafka-tls,next",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) tag: String,
    pub(crate) version: Version,
}

impl Image {
    pub(crate) fn name(&self) -> String {
        format!("{NAME}:{}", self.tag)
    }

    /// Builds the program and puts it into an archive as `docker save` writes them; where that is.
    pub(crate) fn make(&self, repository: &Path) -> anyhow::Result<PathBuf> {
        packages::ensure(&packages::for_image())?;
        let binary = self.build(repository)?;
        let folder = folder(repository);
        fs::create_dir_all(&folder).context("cannot make a directory for the image")?;
        let root = root::make(&folder)?;
        let bill = bill::write(repository, &folder, &root)?;
        let place = |path: &str| root.folder.join(path);
        copy(&binary, &place("usr/local/bin/taxisvc"))?;
        // The names of functions stay for whoever reads a panic; lines of source are four fifths of the file.
        call(Command::new("strip").arg("--strip-debug").arg(place("usr/local/bin/taxisvc")))?;
        copy(&repository.join("deploy/image/taxisvc.toml"), &place("etc/taxisvc/taxisvc.toml"))?;
        copy(&repository.join("LICENSE"), &place("usr/share/doc/taxisvc/LICENSE"))?;
        copy(&bill, &place("usr/share/doc/taxisvc").join(bill::FILE))?;
        self.commit(&folder, &root.folder, ENTRYPOINT)
    }

    /// The same root with further packages of Debian's, busybox among them, for who wants to look at a cluster from inside.
    pub(crate) fn with_tools(&self, repository: &Path, more: &[&str]) -> anyhow::Result<(Self, PathBuf)> {
        let folder = folder(repository);
        let root = folder.join("root");
        let tools = folder.join("root-tools");
        call(Command::new("rm").arg("-rf").arg(&tools))?;
        call(Command::new("cp").arg("-a").arg(&root).arg(&tools))?;
        root::add_all(&folder, &tools, more)?;
        let image = Self { tag: format!("{}-tools", self.tag), version: self.version };
        let archive = image.commit(&folder, &tools, "[\"/bin/busybox\", \"sh\"]")?;
        Ok((image, archive))
    }

    fn build(&self, repository: &Path) -> anyhow::Result<PathBuf> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--release",
            "--locked",
            "-p",
            "taxisvc",
            "--features",
            self.version.features(),
        ]);
        call(cargo.current_dir(repository))?;
        Ok(repository.join("target/release/taxisvc"))
    }

    fn commit(&self, folder: &Path, root: &Path, entrypoint: &str) -> anyhow::Result<PathBuf> {
        let archive = folder.join(format!("taxisvc-{}.tar", self.tag));
        if archive.exists() {
            fs::remove_file(&archive).context("cannot remove the former archive")?;
        }
        let container = ask(buildah().args(["from", "scratch"]))?;
        let container = container.trim();
        ask(buildah().args(["copy", "--quiet", container]).arg(root).arg("/"))?;
        let mut config = buildah();
        config.args(["config", "--user", USER, "--workingdir", "/etc/taxisvc", "--entrypoint", entrypoint]);
        config.args(["--volume", "/var/lib/taxisvc", "--stop-signal", "SIGTERM", "--env", PATH]);
        let version = format!("org.opencontainers.image.version={}", env!("CARGO_PKG_VERSION"));
        config.args(["--label", &version]);
        if self.version == Version::Next {
            config.args(["--env", "REHEARSAL=1"]);
        }
        for port in PORTS {
            config.args(["--port", port]);
        }
        for label in LABELS {
            config.args(["--label", label]);
        }
        ask(config.arg(container))?;
        let destination = format!("docker-archive:{}:{}", archive.display(), self.name());
        ask(buildah().args(["commit", "--quiet", container, &destination]))?;
        ask(buildah().args(["rm", container]))?;
        Ok(archive)
    }
}

const ENTRYPOINT: &str = r#"["/usr/local/bin/taxisvc"]"#;
/// Nobody in particular, and never root: the user that distroless images have too.
const USER: &str = "65532:65532";
const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";
const PORTS: [&str; 6] = ["8080", "8082", "8083", "8084", "8085", "8088"];
const LABELS: [&str; 3] = [
    "org.opencontainers.image.title=taxisvc",
    "org.opencontainers.image.description=A call-taxi platform",
    "org.opencontainers.image.licenses=Apache-2.0",
];

/// It needs neither a daemon nor a kernel's help with layers.
fn buildah() -> Command {
    let mut command = Command::new("buildah");
    for (name, value) in [("STORAGE_DRIVER", "vfs"), ("BUILDAH_ISOLATION", "chroot")] {
        command.env(name, value);
    }
    command
}

fn folder(repository: &Path) -> PathBuf {
    repository.join(FOLDER)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let parent = to.parent().context("a file lies in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn size_of(file: &Path) -> anyhow::Result<String> {
    let bytes = fs::metadata(file).with_context(|| format!("{} is not there", file.display()))?.len();
    if bytes == 0 {
        bail!("{} is empty", file.display());
    }
    Ok(format!("{:.1} MB", bytes as f64 / 1e6))
}
