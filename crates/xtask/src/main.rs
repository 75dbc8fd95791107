//! Our tools: what CI runs, and the checks of the house itself.

mod ci;
mod contract;
mod dependencies;
mod image;
mod kubernetes;
mod manifests;
mod monitoring;
mod packages;
mod python;
mod release;
mod services;
mod shell;
mod tidy;
mod web;
mod workflows;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "xtask", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs all that CI runs: format, lints, documents, every test, and the checks of the house
    Ci,
    /// Checks the house: sizes, arrows between crates, first sentences, what must not be written
    Tidy,
    /// Holds the documents for integrators: drives a generated client, and makes up requests by openapi.json
    Contract,
    /// Holds the pages: checks and tests their source, proves that what is committed is what it builds, and has a browser
    /// walk them over the binary
    Web(web::Arguments),
    /// Renders the manifests of deploy/kubernetes and holds them against the schemas of Kubernetes, the program's settings and
    /// each other
    Manifests,
    /// Holds rules, runbook and dashboards against each other, and has a real Prometheus evaluate all of them over a running
    /// system
    Monitoring(monitoring::Arguments),
    /// Starts Kafka and PostgreSQL on this machine, for development and tests, and stops them
    Services(services::Arguments),
    /// Replays a day through several of each service while they, Kafka and PostgreSQL are killed: every trip must end as
    /// it does undisturbed
    ClusterDay {
        /// The trips, as `taxisvc replay` takes them [default: New York's, beside this repository, or many samples]
        #[arg(long, value_name = "FILE")]
        trips: Option<PathBuf>,
        /// How many of each service
        #[arg(long, value_name = "N", default_value_t = 3)]
        replicas: u8,
    },
    /// Builds with TLS for Kafka, and tries it on a Kafka that wants passwords and certificates: installs OpenSSL's headers
    /// where they are missing
    KafkaTls,
    /// Replaces every process of several of each service by one of the next version and back, twenty times over, while people
    /// ride: no request may fail
    Rolling,
    /// Tries the manifests on a real cluster, under load: the one that KUBECONFIG names, or a node made for it
    Kubernetes(kubernetes::Arguments),
    /// Makes the container image from Debian's packages, without a registry, and a list of all that is in it
    Image(image::Arguments),
    /// Holds what is taken from others against deny.toml: licences, sources, what never
    Dependencies(dependencies::Arguments),
    /// Lints the workflows that .github has
    Workflows,
    /// Makes the files of a release: the archive, its bill of materials and their checksums
    Release(release::Arguments),
    /// Measures: builds the release and prints every figure of docs/performance.md
    Bench {
        /// The figures to take, all of them when none is named; `--markdown` for a table, `--runs 5` for more runs
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        figures: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = root();
    let result = match arguments.command {
        Command::Ci => ci::run(&root),
        Command::Tidy => tidy::run(&root),
        Command::Contract => contract::run(&root),
        Command::Web(arguments) => web::run(&root, arguments),
        Command::Manifests => manifests::run(&root),
        Command::Monitoring(arguments) => monitoring::run(&root, &arguments),
        Command::Services(arguments) => services::run(&root, &arguments),
        Command::ClusterDay { trips, replicas } => ci::cluster_day(&root, trips.as_deref(), replicas),
        Command::KafkaTls => ci::kafka_tls(&root),
        Command::Rolling => ci::rolling(&root),
        Command::Kubernetes(arguments) => kubernetes::run(&root, &arguments),
        Command::Image(arguments) => image::run(&root, &arguments),
        Command::Dependencies(arguments) => dependencies::run(&root, &arguments),
        Command::Workflows => workflows::run(&root),
        Command::Release(arguments) => release::run(&root, &arguments),
        Command::Bench { figures } => ci::bench(&root, &figures),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies two folders below the root").to_owned()
}
