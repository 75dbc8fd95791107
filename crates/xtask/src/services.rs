//! Apache Kafka and PostgreSQL for development and tests: on loopback, with data that is thrown away.

mod jars;
mod kafka;
mod notes;
mod postgres;
mod process;
mod secure;
pub(crate) mod throwaway;

use crate::packages::{self, Wanted};
use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use kafka::Kafka;
use notes::Notes;
use postgres::Postgres;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// What the original and we call the topic.
const TOPIC: &str = "taxisvc";
/// Where it all lies when nobody says, below the root.
const FOLDER: &str = "target/services";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The directory for data, logs and taxisvc.toml [default: target/services]
    #[arg(long, global = true, value_name = "DIR")]
    at: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts what does not run yet, installs what is missing, and writes the settings that lead there
    Up(Up),
    /// Stops what `up` started, and removes its data
    Down,
    /// Stops one of them and keeps its data
    Stop {
        which: Which,
        /// As if the power went: Kafka by SIGKILL, PostgreSQL by `pg_ctl stop -m immediate`
        #[arg(long)]
        immediate: bool,
    },
    /// Starts one of them again on its data
    Start { which: Which },
    /// Starts both on free ports, runs a command that finds them as our tests do, and takes them down, also on Ctrl-C
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Waits for the end of its input, and then does what `down` does: whoever holds the other end may be killed
    #[command(hide = true)]
    Keep,
    /// Prints what is on a topic as it comes: Kafka's console consumer, with headers and keys
    Consume {
        #[arg(long, default_value = TOPIC)]
        topic: String,
        #[arg(long)]
        from_beginning: bool,
        /// What else the console consumer understands, such as `--max-messages 3`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        others: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Up {
    /// The address on which both listen, for containers that have a network with this machine: nobody is asked for a password
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST, conflicts_with_all = ["kafka", "postgres", "secure"])]
    listen: Ipv4Addr,
    #[arg(long, value_name = "PORT", default_value_t = 9092)]
    kafka_port: u16,
    #[arg(long, value_name = "PORT", default_value_t = 5432)]
    postgres_port: u16,
    /// A Kafka that is there already; none is started
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "kafka_port")]
    kafka: Option<String>,
    /// A PostgreSQL that is there already, whose user may make databases; none is started
    #[arg(long, value_name = "URL", conflicts_with = "postgres_port")]
    postgres: Option<String>,
    /// Starts this one alone
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["kafka", "postgres"])]
    only: Option<Which>,
    /// Lets Kafka listen on three further ports too, that want a password, a certificate or both: their settings are
    /// written beside its data
    #[arg(long, conflicts_with = "kafka")]
    secure: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Kafka,
    Postgres,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Postgres => "postgres",
        }
    }
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let folder = folder(root, arguments.at.as_deref())?;
    match &arguments.command {
        Command::Up(wanted) => up(root, &folder, wanted),
        Command::Down => down(&folder),
        Command::Run { command } => throwaway::run(root, &folder, command),
        Command::Keep => throwaway::keep(&folder),
        Command::Stop { which: Which::Kafka, immediate } => {
            Kafka::of(&folder, Notes::read(&folder)?.kafka).stop(*immediate)
        }
        Command::Stop { which: Which::Postgres, immediate } => {
            Postgres::of(&folder, Notes::read(&folder)?.postgres)?.stop(*immediate)
        }
        Command::Start { which } => start(root, &folder, *which),
        Command::Consume { topic, from_beginning, others } => {
            consume(root, &folder, (topic, *from_beginning), others)
        }
    }
}

/// Fetches what both want, for a network from which nothing can be fetched.
pub(crate) fn prepare(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_services(&[Wanted::Kafka, Wanted::Postgres]))?;
    jars::java(root, "kafka.Kafka").map(drop)
}

fn folder(root: &Path, at: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = at.map_or_else(|| root.join(FOLDER), Path::to_owned);
    std::path::absolute(&folder).with_context(|| format!("{} is no directory", folder.display()))
}

/// Starts both at once and waits for them; what runs already is left alone.
fn up(root: &Path, folder: &Path, wanted: &Up) -> anyhow::Result<()> {
    let starts = |which| wanted.only.is_none_or(|only| only == which);
    let kafka_wanted = starts(Which::Kafka) && wanted.kafka.is_none();
    let postgres_wanted = starts(Which::Postgres) && wanted.postgres.is_none();
    ensure_packages(wanted, (kafka_wanted, postgres_wanted))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut notes = Notes::read(folder)?;
    if kafka_wanted {
        notes.kafka = Some(Kafka::note(
            folder,
            notes.kafka.as_ref(),
            (wanted.listen, wanted.kafka_port, wanted.secure),
        )?);
    }
    if postgres_wanted {
        notes.postgres =
            Some(Postgres::note(folder, notes.postgres.as_ref(), (wanted.listen, wanted.postgres_port))?);
    }
    notes.write(folder)?;
    let kafka = Kafka::of(folder, notes.kafka.filter(|_| kafka_wanted));
    let starting = if kafka_wanted { kafka.start(root)? } else { None };
    let postgres = Postgres::of(folder, notes.postgres.filter(|_| postgres_wanted))?;
    if postgres_wanted {
        postgres.start()?;
    }
    let kafka_address = wanted.kafka.clone().or_else(|| kafka_wanted.then(|| kafka.address()));
    let postgres_url = wanted.postgres.clone().or_else(|| postgres_wanted.then(|| postgres.url()));
    if let Some(url) = &postgres_url {
        postgres::make_databases(url)?;
    }
    if kafka_wanted {
        kafka.wait(starting)?;
    }
    if let (Some(url), Some(address)) = (&postgres_url, &kafka_address) {
        notes::write_settings(folder, url, address)?;
    }
    tell(folder, (kafka_address.as_deref(), postgres_url.as_deref()));
    if let Some(secure) = kafka.secure().filter(|_| kafka_wanted) {
        secure.tell();
    }
    Ok(())
}

fn ensure_packages(wanted: &Up, (kafka, postgres): (bool, bool)) -> anyhow::Result<()> {
    let needs = [
        kafka.then_some(Wanted::Kafka),
        wanted.secure.then_some(Wanted::Certificates),
        postgres.then_some(Wanted::Postgres),
        wanted.postgres.as_ref().map(|_| Wanted::PostgresClient),
    ];
    packages::ensure(&packages::for_services(&needs.into_iter().flatten().collect::<Vec<_>>()))
}

fn tell(folder: &Path, (kafka, postgres): (Option<&str>, Option<&str>)) {
    for (name, place) in [("Kafka", kafka), ("PostgreSQL", postgres)] {
        if let Some(place) = place {
            println!("{name:<11} {place}");
        }
    }
    let settings = folder.join(notes::SETTINGS).display().to_string();
    // Another directory than the usual one has to be said again.
    let at = if folder.ends_with(FOLDER) { String::new() } else { format!(" --at {}", folder.display()) };
    if kafka.is_some() && postgres.is_some() {
        println!("settings    {settings}\n\nStart the five processes, each in a terminal of its own:");
        for role in ["call", "payment", "drive", "view", "gateway"] {
            println!("  target/release/taxisvc {role} --config {settings}");
        }
        println!("See the events:  cargo xtask services consume --from-beginning{at}");
    }
    println!("Stop, and remove the data:  cargo xtask services down{at}");
}

/// What is stopped is also forgotten; what is not ours in the directory stays.
fn down(folder: &Path) -> anyhow::Result<()> {
    let notes = Notes::read(folder)?;
    if notes.kafka.is_none() && notes.postgres.is_none() {
        end_strays(folder)?;
    }
    if !folder.exists() {
        println!("nothing runs at {}", folder.display());
        return Ok(());
    }
    if notes.kafka.is_some() {
        Kafka::of(folder, notes.kafka).remove()?;
    }
    if notes.postgres.is_some() {
        Postgres::of(folder, notes.postgres)?.remove()?;
    }
    Notes::remove(folder)?;
    // A directory in which something of somebody else lies is not empty, and stays.
    let _ = fs::remove_dir(folder);
    println!("stopped, and the data is removed");
    Ok(())
}

/// What runs on data that was removed beside it, by `cargo clean` say, and that nothing is noted of any more.
fn end_strays(folder: &Path) -> anyhow::Result<()> {
    for (program, signal, place) in
        [("java", "KILL", "kafka/server.properties"), ("postgres", "QUIT", "postgres/data")]
    {
        for id in process::those_with(program, &folder.join(place)) {
            println!("process {id}, {program}, runs on data that is gone, and is ended");
            process::signal(id, signal)?;
        }
    }
    Ok(())
}

fn start(root: &Path, folder: &Path, which: Which) -> anyhow::Result<()> {
    let notes = Notes::read(folder)?;
    match which {
        Which::Kafka if notes.kafka.is_some() => {
            let kafka = Kafka::of(folder, notes.kafka);
            let starting = kafka.start(root)?;
            kafka.wait(starting)?;
        }
        Which::Postgres if notes.postgres.is_some() => Postgres::of(folder, notes.postgres)?.start()?,
        Which::Kafka | Which::Postgres => {
            bail!("no {} was ever started at {}; `services up` does", which.name(), folder.display())
        }
    }
    println!("{} answers, with the data that it had", which.name());
    Ok(())
}

fn consume(
    root: &Path,
    folder: &Path,
    (topic, from_beginning): (&str, bool),
    others: &[String],
) -> anyhow::Result<()> {
    let address = match notes::kafka_of_settings(folder)? {
        Some(address) => address,
        None => Kafka::of(folder, Notes::read(folder)?.kafka).address(),
    };
    // Kafka's own consumer would try for ever, and say so in a thousand lines.
    if !address.split(',').any(|broker| TcpStream::connect(broker.trim()).is_ok()) {
        bail!("no Kafka answers at {address}: `cargo xtask services up` starts one");
    }
    packages::ensure(&packages::for_services(&[Wanted::Kafka]))?;
    let mut command = jars::java(root, "org.apache.kafka.tools.consumer.ConsoleConsumer")?;
    command.args(["--bootstrap-server", &address, "--topic", topic]);
    command.args(["--property", "print.headers=true", "--property", "print.key=true"]);
    command.args(from_beginning.then_some("--from-beginning")).args(others);
    process::call(&mut command)
}

/// A port that nobody listens on, said by name when somebody does.
fn expect_free((host, port): (Ipv4Addr, u16), option: &str) -> anyhow::Result<()> {
    match TcpListener::bind((host, port)) {
        Ok(_) => Ok(()),
        Err(error) => {
            bail!(
                "port {port} of this machine is not to be had ({error}); take another by {option}, or end what an earlier run \
                 left by `services down`"
            )
        }
    }
}

/// Whether nobody has a port any more; nobody has one of an address that is gone, with the network that it was of.
fn is_let_go((host, port): (Ipv4Addr, u16)) -> bool {
    match TcpListener::bind((host, port)) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::AddrNotAvailable,
    }
}

/// A port that is free now, for what nobody else has to know.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr().context("a listener has an address")?.port())
}

pub(crate) fn has_java() -> bool {
    jars::is_there()
}

pub(crate) fn has_postgres() -> bool {
    postgres::server_is_there()
}

pub(crate) fn has_psql() -> bool {
    postgres::client_is_there()
}
