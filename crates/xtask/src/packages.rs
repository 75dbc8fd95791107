//! What the tests need of the machine: found, or installed from the distribution's packages and told so.

use crate::services;
use anyhow::{Context, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// A package of Debian's and how it is known to be there.
#[derive(Clone)]
pub(crate) struct Package {
    name: &'static str,
    wanted_for: &'static str,
    is_there: fn() -> bool,
}

const NODE: Package = Package {
    name: "nodejs",
    wanted_for: "the generated client and the pages",
    is_there: || runs("node", "--version"),
};
const NPM: Package = Package {
    name: "npm",
    wanted_for: "the generated client and the pages",
    is_there: || runs("npm", "--version"),
};

const VENV: Package = Package {
    name: "python3-venv",
    wanted_for: "schemathesis, the manifests and the workflows",
    is_there: has_venv,
};

const PROMETHEUS: Package = Package {
    name: "prometheus",
    wanted_for: "promtool and what it is for",
    is_there: || runs("promtool", "--version") && runs("prometheus", "--version"),
};

const FOR_TESTS: [Package; 8] = [
    VENV,
    NODE,
    NPM,
    PROMETHEUS,
    Package {
        name: "faketime",
        wanted_for: "a clock that is set",
        is_there: || runs("faketime", "--version"),
    },
    Package {
        name: "strace",
        wanted_for: "commands that are killed between two steps",
        is_there: || runs("strace", "--version"),
    },
    Package { name: "e2fsprogs", wanted_for: "a disk that is full", is_there: || runs("mkfs.ext4", "-V") },
    Package { name: "mount", wanted_for: "a disk that is full", is_there: || runs("losetup", "--version") },
];

/// What walks the pages, and what it writes Korean with.
const FOR_PAGES: [Package; 6] = [
    NODE,
    NPM,
    Package {
        name: "python3",
        wanted_for: "spoiling a message in a database",
        is_there: || runs("python3", "--version"),
    },
    Package { name: "chromium", wanted_for: "walking the pages", is_there: || runs("chromium", "--version") },
    Package {
        name: "fontconfig",
        wanted_for: "looking for fonts",
        is_there: || runs("fc-list", "--version"),
    },
    Package { name: "fonts-noto-cjk", wanted_for: "Korean in a browser", is_there: has_korean_font },
];

const JAVA: Package =
    Package { name: "default-jre-headless", wanted_for: "Kafka", is_there: services::has_java };
const MAVEN: Package =
    Package { name: "maven", wanted_for: "Kafka's jars", is_there: || runs("mvn", "--version") };
const POSTGRES: Package = Package {
    name: "postgresql",
    wanted_for: "a PostgreSQL for development and tests",
    is_there: services::has_postgres,
};
const PSQL: Package =
    Package { name: "postgresql-client", wanted_for: "making databases", is_there: services::has_psql };
const OPENSSL: Package =
    Package { name: "openssl", wanted_for: "certificates", is_there: || runs("openssl", "version") };

const PKG_CONFIG: Package = Package {
    name: "pkg-config",
    wanted_for: "finding OpenSSL",
    is_there: || runs("pkg-config", "--version"),
};
const OPENSSL_HEADERS: Package =
    Package { name: "libssl-dev", wanted_for: "TLS to Kafka", is_there: has_openssl };

/// What a build with TLS for Kafka wants.
const FOR_TLS: [Package; 2] = [PKG_CONFIG, OPENSSL_HEADERS];

/// What makes an image.
const FOR_IMAGE: [Package; 3] = [
    PKG_CONFIG,
    OPENSSL_HEADERS,
    Package { name: "buildah", wanted_for: "making images", is_there: || runs("buildah", "--version") },
];

/// What the tests want that are no service.
pub(crate) fn for_tests() -> Vec<Package> {
    FOR_TESTS.into()
}

/// What rules are checked and evaluated with.
pub(crate) fn for_monitoring() -> Vec<Package> {
    vec![PROMETHEUS]
}

/// What the manifests are checked with.
pub(crate) fn for_manifests() -> Vec<Package> {
    vec![VENV]
}

/// What the workflows are linted with.
pub(crate) fn for_workflows() -> Vec<Package> {
    vec![VENV, NODE, NPM]
}

/// What the pages are checked and walked with.
pub(crate) fn for_pages() -> Vec<Package> {
    FOR_PAGES.into()
}

/// What it takes to build with TLS for Kafka.
pub(crate) fn for_tls() -> Vec<Package> {
    FOR_TLS.into()
}

/// What it takes to make an image.
pub(crate) fn for_image() -> Vec<Package> {
    FOR_IMAGE.into()
}

/// What Kafka, a PostgreSQL server and its client want; which of them, the caller says.
pub(crate) fn for_services(wanted: &[Wanted]) -> Vec<Package> {
    let packages = wanted.iter().flat_map(|wanted| match wanted {
        Wanted::Kafka => vec![JAVA, MAVEN],
        Wanted::Certificates => vec![OPENSSL],
        Wanted::Postgres => vec![POSTGRES, PSQL],
        Wanted::PostgresClient => vec![PSQL],
    });
    packages.collect()
}

/// What `services` runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    Kafka,
    Certificates,
    Postgres,
    PostgresClient,
}

/// Installs what is missing, which wants Debian's packages and root; elsewhere says what to install.
pub(crate) fn ensure(packages: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !(package.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    for package in &missing {
        println!("== missing: {}, for {}", package.name, package.wanted_for);
    }
    if !runs("apt-get", "--version") {
        bail!("this needs what Debian has in the packages {}", names.join(" "));
    }
    println!("== apt-get install {}", names.join(" "));
    install(&names).with_context(|| format!("as root: apt-get install {}", names.join(" ")))
}

fn install(names: &[&str]) -> anyhow::Result<()> {
    call(Command::new("apt-get").args(["update", "--quiet"]))?;
    let policy = Path::new(POLICY);
    let is_free = std::fs::read_to_string(policy).map_or(!policy.exists(), |there| there == NO_DAEMONS);
    if !is_free {
        // Somebody else's stays.
        return call(Command::new("apt-get").args(INSTALL).args(names));
    }
    call(Command::new("sh").args(["-c", UNDER_POLICY, POLICY, NO_DAEMONS]).args(INSTALL).args(names))
}

const INSTALL: [&str; 4] = ["install", "--yes", "--quiet", "--no-install-recommends"];
/// Where Debian is told which daemons may be started.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// A daemon that comes with a package is not started: a tool of it is wanted, not the service.
const NO_DAEMONS: &str = "#!/bin/sh\n# Of `cargo xtask`, while it installs.\nexit 101\n";
/// The shell takes the policy away again also when this program is ended by a Ctrl-C: it waits for apt-get first.
const UNDER_POLICY: &str = r#"
trap 'rm -f "$0"' EXIT
trap 'exit 130' HUP INT TERM
printf '%s' "$1" > "$0" && chmod 755 "$0" || exit
shift
apt-get "$@"
"#;

fn call(command: &mut Command) -> anyhow::Result<()> {
    let status = command.env("DEBIAN_FRONTEND", "noninteractive").status().context("cannot start apt-get")?;
    if !status.success() {
        bail!("apt-get failed");
    }
    Ok(())
}

fn runs(program: &str, question: &str) -> bool {
    let asked = Command::new(program).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Any of them will do.
fn has_korean_font() -> bool {
    let asked = Command::new("fc-list").arg(":lang=ko").stderr(Stdio::null()).output();
    asked.is_ok_and(|told| told.status.success() && !told.stdout.is_empty())
}

fn has_openssl() -> bool {
    let mut asked = Command::new("pkg-config");
    asked.args(["--exists", "openssl"]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

fn has_venv() -> bool {
    let mut asked = Command::new("python3");
    asked.args(["-c", "import venv, ensurepip"]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_to_develop_in_has_all_of_them() {
        let there = include_str!("../../../.devcontainer/Containerfile");
        let services = for_services(&[Wanted::Kafka, Wanted::Certificates, Wanted::Postgres]);
        let wanted = [for_tests(), for_manifests(), for_pages(), for_tls(), services].concat();
        for package in wanted {
            let line = format!("    {} \\\n", package.name);
            assert!(there.contains(&line), ".devcontainer/Containerfile does not install {}", package.name);
        }
    }
}
