//! The binary: everything in one process, or the part that is asked for.

mod audit;
mod config;
mod data_dir;
mod log;
mod metrics;
mod open_files;
mod sentinel;
mod servers;
mod up;

use clap::{Parser, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// A call-taxi platform: a rider calls, pays, a driver is found or the money goes back.
#[derive(Debug, Parser)]
#[command(name = "taxisvc", version, about)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The settings, in TOML [default: taxisvc.toml, when it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory in which everything is stored [default: taxisvc-data]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
    /// The address on which every port listens [default: 127.0.0.1]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// What is logged: error, warn, info, debug, trace [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything in this process, over a data directory (the default)
    Up,
    /// Runs the gateway alone, in front of the services that `upstreams` in the settings names
    Gateway,
    /// Runs the call service alone, over Kafka
    Call,
    /// Runs the payment service alone, over Kafka
    Payment,
    /// Runs the drive service alone, over Kafka
    Drive,
    /// Runs the view service alone, over Kafka
    View,
    /// Drives recorded trips through a running system
    Replay(replay::options::Options),
    /// Checks every invariant of a data directory, whether or not a server runs on it
    Audit(audit::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("taxisvc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut config = config::read(arguments.common.config.as_deref())?;
    config.data = arguments.common.data.unwrap_or(config.data);
    config.listen = arguments.common.listen.unwrap_or(config.listen);
    config.log = arguments.common.log.unwrap_or(config.log);
    config.validate()?;
    log::start(&config.log)?;
    match arguments.command.unwrap_or(Command::Up) {
        Command::Up => up::everything(&config),
        Command::Gateway => up::gateway_alone(&config),
        Command::Call => Err(alone("call")),
        Command::Payment => Err(alone("payment")),
        Command::Drive => Err(alone("drive")),
        Command::View => Err(alone("view")),
        Command::Replay(options) => replay(options),
        Command::Audit(options) => audit::run(&config, &options),
    }
}

fn alone(service: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{service} runs by itself only over Kafka, which this build does not have; \
         `taxisvc up` runs it together with the others"
    )
}

fn replay(options: replay::options::Options) -> anyhow::Result<ExitCode> {
    let summary = up::runtime()?.block_on(replay::run(options))?;
    Ok(if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
