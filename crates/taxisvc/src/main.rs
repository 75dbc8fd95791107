//! The binary: everything in one process, or the part that is asked for.

mod clock;
mod commands;
mod config;
mod data_dir;
mod databases;
mod disk;
#[cfg(test)]
mod documents;
mod edge;
mod front;
mod kafka;
mod live;
mod log;
mod machine;
mod metrics;
mod open_files;
mod role;
mod say;
mod sentinel;
mod servers;
mod serving;
mod traces;
mod up;
mod version;

use clap::{CommandFactory, Parser, Subcommand};
use config::Config;
use config::sources::{self, Flags};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Examples:
  taxisvc                              run everything; it says where it listens and where its data is
  taxisvc doctor                       is everything as it should be, and if not, what to do
  taxisvc explain 7                    the whole story of call 7
  taxisvc events --follow              what happens, as it happens
  taxisvc audit                        does everything add up

Commands that look read the data directory, whether or not a server runs on it. `taxisvc help COMMAND` says more.

Exit codes: 0 when it did what was asked; 1 when not, with a line on standard error; 2 when the command line is not \
understood.";

const REPLAY_HELP: &str = "\
Examples:
  taxisvc replay crates/replay/sample/nyc.csv --speed max
  taxisvc replay day.csv.gz --to http://127.0.0.1:8088 --speed 60x --ends ends.txt

A run that was stopped, or whose server was killed, is resumed by the same command within 24 hours: no trip is driven \
twice.

Exit codes: 0 when every trip came to its end, 1 when not.";

/// What is logged where nothing is said.
const QUIET: &str = "warn";

/// A call-taxi platform: a rider calls, pays, a driver is found or the money goes back.
#[derive(Debug, Parser)]
#[command(name = "taxisvc", version = version::VERSION, about, after_long_help = HELP)]
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
    /// The directory in which everything is stored [default: ./taxisvc-data when it is there, else the platform's place]
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
    /// Runs the call service alone, over a PostgreSQL database of its own and Kafka
    Call,
    /// Runs the payment service alone, likewise
    Payment,
    /// Runs the drive service alone, likewise
    Drive,
    /// Runs the view service alone, likewise
    View,
    /// Drives recorded trips through a running system
    #[command(after_long_help = REPLAY_HELP)]
    Replay(replay::options::Options),
    /// Checks every invariant of a data directory, whether or not a server runs on it
    Audit(commands::audit::Options),
    /// Prints what happened and happens, one event a line
    Events(commands::events::Options),
    /// Tells the whole story of a call: what happened and why, where the money is, what it waits for
    Explain(commands::explain::Options),
    /// Makes the view anew from the events
    Rebuild(commands::rebuild::Options),
    /// Copies the data directory as it is at one moment, beside a running server
    Backup(commands::backup::Options),
    /// Makes a data directory of a backup
    Restore(commands::restore::Options),
    /// Moves a data directory into the PostgreSQL databases of a fleet
    Import(commands::import::Options),
    /// Says what a database has lost that was restored from a backup, and has its service go on from there
    Restored(commands::restored::Options),
    /// Lists, shows, retries and skips messages that were put aside
    DeadLetters(commands::dead_letters::Options),
    /// Looks whether everything is as it should be, and says what to do where it is not
    Doctor(commands::doctor::Options),
    /// Tells or changes how much the running server logs
    #[command(name = "log")]
    LogLevel(commands::log::Options),
    /// Prints every setting that is in force, and where it comes from
    Config(commands::config::Options),
    /// Prints the operator's token, which `/operator/**` wants, or draws another
    Token(commands::token::Options),
    /// Prints a script that completes taxisvc's commands in a shell
    Completions(commands::completions::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nobody may be reading; the exit code says it too.
            let _ = writeln!(std::io::stderr(), "taxisvc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let command = arguments.command.unwrap_or(Command::Up);
    if let Command::Completions(options) = &command {
        return commands::completions::run(Arguments::command(), options);
    }
    version::rehearse()?;
    let Common { config, data, listen, log } = arguments.common;
    let in_force = match (sources::read(&Flags { config, data, listen, log }), &command) {
        (Ok(in_force), _) => in_force,
        (Err(error), Command::Doctor(options)) => return commands::doctor::refused(&error, options),
        (Err(error), _) => return Err(error),
    };
    let config = &in_force.config;
    let serves = matches!(
        command,
        Command::Up | Command::Gateway | Command::Call | Command::Payment | Command::Drive | Command::View
    );
    // A command that ends by itself prints its answer, and is quiet beside it unless it is asked not to be.
    let level = if serves || in_force.is_set("log") { &config.log } else { QUIET };
    let _flush = log::start(level, config.log_format)?;
    match command {
        Command::Up => up::everything(&in_force),
        Command::Gateway => front::gateway_alone(&in_force),
        Command::Call => role::alone(&in_force, wiring::call::NAME),
        Command::Payment => role::alone(&in_force, wiring::payment::NAME),
        Command::Drive => role::alone(&in_force, wiring::drive::NAME),
        Command::View => role::alone(&in_force, wiring::view::NAME),
        Command::Replay(options) => replay(config, options),
        Command::Audit(options) => commands::audit::run(config, &options),
        Command::Events(options) => commands::events::run(config, &options),
        Command::Explain(options) => commands::explain::run(config, &options),
        Command::Rebuild(options) => commands::rebuild::run(config, &options),
        Command::Backup(options) => commands::backup::run(config, &options),
        Command::Restore(options) => commands::restore::run(config, &options, edge::draw),
        Command::Import(options) => commands::import::run(config, &options, edge::draw),
        Command::Restored(options) => commands::restored::run(config, &options, edge::draw),
        Command::DeadLetters(options) => commands::dead_letters::run(config, &options),
        Command::Doctor(options) => commands::doctor::run(&in_force, &options),
        Command::LogLevel(options) => commands::log::run(config, &options),
        Command::Config(options) => commands::config::run(&in_force, &options),
        Command::Token(options) => commands::token::run(config, &options, edge::draw),
        Command::Completions(options) => commands::completions::run(Arguments::command(), &options),
    }
}

fn replay(config: &Config, mut options: replay::options::Options) -> anyhow::Result<ExitCode> {
    options.to.get_or_insert_with(|| {
        let listens_everywhere = config.listen.is_unspecified();
        let host = if listens_everywhere { Ipv4Addr::LOCALHOST.into() } else { config.listen };
        format!("http://{}", SocketAddr::new(host, config.ports.gateway))
    });
    let summary = edge::runtime()?.block_on(replay::run(options))?;
    Ok(if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
