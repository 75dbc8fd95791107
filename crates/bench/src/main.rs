//! Takes the figures of docs/performance.md: each with what was measured, on real files and real sockets.

mod client;
mod cluster;
mod engine_rate;
mod fleet;
mod load;
mod measured;
mod pages;
mod posts;
mod reads;
mod ride;
mod server;
mod starts;
mod trips;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use fleet::Outside;
use measured::Measured;
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};
use trips::Past;

/// A table tells the least and the most of so many runs when nothing else is asked for.
const TABLE_RUNS: u32 = 3;

#[derive(Debug, Parser)]
#[command(name = "bench", about)]
struct Arguments {
    /// The figures to take; all but `cluster` when none is named
    figures: Vec<Figure>,
    /// How often each is taken [default: 1, and 3 for a table]
    #[arg(long)]
    runs: Option<u32>,
    /// Print a table of all runs at the end, as docs/performance.md has it
    #[arg(long)]
    markdown: bool,
    /// Where Kafka is, for `cluster`
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    kafka: String,
    /// Where PostgreSQL is, for `cluster`, whose user may make databases
    #[arg(long, value_name = "URL", default_value = "postgres://taxisvc@127.0.0.1:5432/postgres")]
    postgres: String,
    /// Serve the handler that stores nothing, until killed
    #[arg(long, hide = true)]
    serve_bare: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Commands a second that the engine decides and commits, on one file with synchronous=FULL
    Engine,
    /// Trips a second through all services, without HTTP
    Flow,
    /// Calls a second over HTTP, answered once they are on the disk
    Posts,
    /// Calls a second over HTTP, answered once they are paid
    Placed,
    /// Whole trips a second over HTTP
    Trips,
    /// Views and pages a second over HTTP
    Reads,
    /// From the start of the process until it is ready
    Start,
    /// Memory, processor time and disk of trips
    Memory,
    /// Trips a second with each service by itself over Kafka and PostgreSQL, and the relay alone
    Cluster,
}

/// Those that need nothing besides this machine.
const ALONE: [Figure; 8] = [
    Figure::Engine,
    Figure::Flow,
    Figure::Posts,
    Figure::Placed,
    Figure::Trips,
    Figure::Reads,
    Figure::Start,
    Figure::Memory,
];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.serve_bare {
        return Builder::new_multi_thread().enable_all().build()?.block_on(posts::serve_bare());
    }
    // One thread for all connections: whatever it takes, the server does not have.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let outside = Outside { kafka: arguments.kafka.clone(), postgres: arguments.postgres.clone() };
    let mut bench = Bench { runtime, past: None, outside };
    let runs = arguments.runs.unwrap_or(if arguments.markdown { TABLE_RUNS } else { 1 });
    let figures = match arguments.figures.as_slice() {
        [] => &ALONE,
        named => named,
    };
    let mut all = Vec::new();
    for _ in 0..runs {
        bench.past = None;
        for figure in figures {
            let taken = bench.take(*figure).with_context(|| format!("{figure:?}"))?;
            for measured in &taken {
                println!("{}", measured.line());
            }
            all.extend(taken);
        }
    }
    if arguments.markdown {
        println!("\n{}", measured::table(&all));
    }
    Ok(())
}

struct Bench {
    runtime: Runtime,
    /// Made by the first figure of a run that needs it.
    past: Option<Past>,
    outside: Outside,
}

impl Bench {
    fn take(&mut self, figure: Figure) -> anyhow::Result<Vec<Measured>> {
        let Self { runtime, past, outside } = self;
        match figure {
            Figure::Engine => engine_rate::commands(),
            Figure::Flow => engine_rate::flow().map(|measured| vec![measured]),
            Figure::Posts => runtime.block_on(posts::posts()),
            Figure::Placed => runtime.block_on(posts::placed()),
            Figure::Trips => Ok(made(past, runtime)?.trips()),
            Figure::Memory => Ok(made(past, runtime)?.memory()),
            Figure::Reads => runtime.block_on(reads::reads(made(past, runtime)?)),
            Figure::Cluster => runtime.block_on(cluster::cluster(outside)),
            Figure::Start => runtime.block_on(starts::starts(made(past, runtime)?)),
        }
    }
}

fn made<'p>(past: &'p mut Option<Past>, runtime: &Runtime) -> anyhow::Result<&'p Past> {
    match past {
        Some(past) => Ok(past),
        None => Ok(past.insert(runtime.block_on(Past::make())?)),
    }
}
