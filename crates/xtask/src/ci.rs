//! What CI runs, step by step; the first that fails ends it.

use crate::{contract, manifests, monitoring, packages, services, tidy, web, workflows};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Step {
    name: &'static str,
    /// What cargo is told, in words.
    arguments: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const STEPS: [Step; 4] = [
    Step { name: "format", arguments: "fmt --all --check", environment: &[] },
    Step {
        name: "lints",
        arguments: "clippy --workspace --all-targets --locked -- -D warnings",
        environment: &[],
    },
    Step {
        name: "documents",
        arguments: "doc --workspace --no-deps --document-private-items --locked",
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Step { name: "the binary", arguments: "build --locked -p taxisvc", environment: &[] },
];

const TESTS: Step = Step { name: "tests", arguments: "test --workspace --locked", environment: &[] };

/// The tests that want the real services, and those that a developer does not wait for every few minutes.
const STEPS_WITH_SERVICES: [Step; 3] = [
    Step {
        name: "tests over Kafka and PostgreSQL",
        arguments: "test --locked -p engine-postgres -p engine-kafka -p kafka-topic-id -p wiring -p xtask -- \
                    --ignored",
        environment: &[],
    },
    Step {
        name: "slow tests",
        arguments: "test --locked -p taxisvc -- --ignored --nocapture --skip cluster::",
        environment: &[],
    },
    // One after the other: each has a dozen processes of its own.
    Step {
        name: "several of each service",
        arguments: "test --locked -p taxisvc --test it -- --ignored --nocapture --test-threads 1 \
                    cluster:: --skip cluster::day::a_whole_day --skip cluster::rolling::twenty \
                    --skip cluster::monitoring::provoke",
        environment: &[],
    },
];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    println!("== tidy");
    tidy::run(root)?;
    for step in &STEPS {
        println!("== {}", step.name);
        cargo(root, step, &[])?;
    }
    println!("== workflows");
    workflows::run(root)?;
    println!("== manifests");
    manifests::run(root)?;
    println!("== what watches the system");
    monitoring::check(root)?;
    println!("== {}", TESTS.name);
    cargo(root, &TESTS, &[])?;
    println!("== contract");
    contract::run(root)?;
    println!("== pages");
    web::run(root, web::Arguments::default())?;
    println!("== Kafka and PostgreSQL");
    let services = services::throwaway::Throwaway::start(root, &root.join(SERVICES))?;
    for step in &STEPS_WITH_SERVICES {
        println!("== {}", step.name);
        cargo(root, step, &services.environment()?)?;
    }
    println!("== pages over Kafka and PostgreSQL");
    web::walk_over_services(root, &services.environment()?)?;
    services.stop()
}

/// Where the services of a run of CI lie, which are nobody else's.
const SERVICES: &str = "target/services-ci";

/// Replays a day through several of each service while they, Kafka and PostgreSQL are killed, and compares.
pub(crate) fn cluster_day(root: &Path, trips: Option<&Path>, replicas: u8) -> anyhow::Result<()> {
    let step = Step {
        name: "cluster-day",
        arguments: "test --locked --release -p taxisvc --test it -- --ignored --nocapture \
                    --exact cluster::day::a_whole_day_while_everything_breaks",
        environment: &[],
    };
    let mut environment = vec![
        ("TAXISVC_XTASK".to_owned(), own_path()?),
        ("TAXISVC_REPLICAS".to_owned(), replicas.to_string()),
    ];
    if let Some(trips) = trips {
        let trips = trips.canonicalize().with_context(|| format!("no trips at {}", trips.display()))?;
        environment.push(("TAXISVC_TRIPS".to_owned(), trips.display().to_string()));
    }
    cargo(root, &step, &environment)
}

/// Replaces every process of several of each service by one of the next version and back, twenty times, under load.
pub(crate) fn rolling(root: &Path) -> anyhow::Result<()> {
    call(root, &["build", "--locked", "-p", "taxisvc", "--features", "next", "--target-dir", NEXT], &[])?;
    let step = Step {
        name: "rolling",
        arguments: "test --locked -p taxisvc --test it -- --ignored --nocapture \
                    --exact cluster::rolling::twenty_times_over",
        environment: &[],
    };
    let services = services::throwaway::Throwaway::start(root, &root.join(SERVICES))?;
    let mut environment = services.environment()?;
    environment
        .push(("TAXISVC_NEXT".to_owned(), root.join(NEXT).join("debug/taxisvc").display().to_string()));
    println!("== {}", step.name);
    cargo(root, &step, &environment)?;
    services.stop()
}

/// Runs the test that has a real Prometheus watch a running system; of alerts, those with this in their names.
pub(crate) fn monitoring(root: &Path, name: &str, alert: &str) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    let test = [
        "test",
        "--locked",
        "-p",
        "taxisvc",
        "--test",
        "it",
        "--",
        "--ignored",
        "--nocapture",
        "--exact",
        name,
    ];
    let services = services::throwaway::Throwaway::start(root, &root.join(SERVICES))?;
    let mut environment = services.environment()?;
    environment.push(("TAXISVC_ALERT".to_owned(), alert.to_owned()));
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    call(root, &test, &environment)?;
    services.stop()
}

/// Where the version after this one is built.
const NEXT: &str = "target/next";

/// By itself, since it wants OpenSSL's headers and builds nearly everything once more.
pub(crate) fn kafka_tls(root: &Path) -> anyhow::Result<()> {
    const STEPS: [Step; 2] = [
        Step {
            name: "settings",
            arguments: "test --locked -p engine-kafka --features tls --lib",
            environment: &[],
        },
        Step {
            name: "a Kafka that wants passwords and certificates",
            arguments: "test --locked -p taxisvc --features kafka-tls --test it -- --ignored --nocapture \
                        --test-threads 1 cluster::secured",
            environment: &[],
        },
    ];
    packages::ensure(&packages::for_tls())?;
    for step in &STEPS {
        println!("== {}", step.name);
        cargo(root, step, &[("TAXISVC_XTASK".to_owned(), own_path()?)])?;
    }
    Ok(())
}

/// The binary, built; cargo puts it beside this program.
pub(crate) fn binary(root: &Path) -> anyhow::Result<PathBuf> {
    call(root, &["build", "--locked", "-p", "taxisvc"], &[])?;
    Ok(Path::new(&own_path()?).with_file_name("taxisvc"))
}

/// Where this program lies, for tests that start services of their own.
pub(crate) fn own_path() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("a program that runs lies somewhere")?;
    Ok(where_it_lies(&path.display().to_string()).to_owned())
}

/// A step builds this program anew, and the system then says of the one that runs that it was deleted: the new one lies there.
fn where_it_lies(told: &str) -> &str {
    told.strip_suffix(" (deleted)").unwrap_or(told)
}

pub(crate) fn bench(root: &Path, figures: &[String]) -> anyhow::Result<()> {
    let build = ["build", "--release", "--locked", "-p", "taxisvc", "-p", "bench"];
    call(root, &build, &[])?;
    let mut arguments = vec!["run", "--quiet", "--release", "--locked", "-p", "bench", "--"];
    arguments.extend(figures.iter().map(String::as_str));
    if !figures.iter().any(|figure| figure == "cluster") {
        return call(root, &arguments, &[]);
    }
    let services = services::throwaway::Throwaway::start(root, &root.join(SERVICES_OF_BENCH))?;
    let (kafka, postgres) = services.addresses()?;
    call(root, &[arguments, vec!["--kafka", &kafka, "--postgres", &postgres]].concat(), &[])?;
    services.stop()
}

/// Where Kafka and PostgreSQL lie that are measured.
const SERVICES_OF_BENCH: &str = "target/services-bench";

fn cargo(root: &Path, step: &Step, more: &[(String, String)]) -> anyhow::Result<()> {
    let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let environment: Vec<_> = step.environment.iter().copied().chain(more).collect();
    call(root, &step.arguments.split(' ').collect::<Vec<_>>(), &environment)
}

fn call(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(arguments).envs(environment.iter().copied());
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("`cargo {}` failed", arguments.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_where_it_was_before_it_was_built_anew() {
        for told in ["/target/debug/xtask", "/target/debug/xtask (deleted)"] {
            assert_eq!(where_it_lies(told), "/target/debug/xtask");
        }
    }
}
