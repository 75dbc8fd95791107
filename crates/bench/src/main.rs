//! Takes the figures of docs/performance.md: each with what was measured, on real files and real sockets.

mod engine_rate;

use clap::{Parser, ValueEnum};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "bench", about)]
struct Arguments {
    /// The figures to take; all of them when none is named
    figures: Vec<Figure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Commands a second that the engine decides and commits, on one file with synchronous=FULL
    Engine,
    /// Trips a second through all services, without HTTP
    Flow,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let figures =
        if arguments.figures.is_empty() { Figure::value_variants().to_vec() } else { arguments.figures };
    for figure in figures {
        let taken = match figure {
            Figure::Engine => engine_rate::commands(),
            Figure::Flow => engine_rate::flow(),
        };
        match taken {
            Ok(line) => println!("{line}"),
            Err(error) => {
                eprintln!("bench: {error:#}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
