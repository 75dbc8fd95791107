//! Runs one seed, to see what it does, or many, to count what is survived.

use simulator::failure::Failure;
use simulator::setup::Setup;
use simulator::tally::Tally;
use std::ops::Range;
use std::process::ExitCode;

const USAGE: &str = "usage: simulate [--topic] --seed N [--trace]   one world, step by step
       simulate [--topic] --seeds FROM..TO   many worlds, and a count of all that was survived";

enum Order {
    One { seed: u64, is_traced: bool },
    Many(Range<u64>),
}

/// The world of a seed.
type World = fn(u64) -> Setup;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (world, words): (World, &[&str]) = match &words[..] {
        ["--topic", rest @ ..] => (Setup::over_a_topic, rest),
        all => (Setup::of, all),
    };
    let Some(order) = read(words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let ran = match order {
        Order::One { seed, is_traced } => simulator::run(&Setup { is_traced, ..world(seed) }),
        Order::Many(seeds) => run_many(world, seeds),
    };
    match ran {
        Ok(tally) => {
            print!("{tally}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn read(words: &[&str]) -> Option<Order> {
    match words {
        ["--seed", seed] => Some(Order::One { seed: seed.parse().ok()?, is_traced: false }),
        ["--seed", seed, "--trace"] => Some(Order::One { seed: seed.parse().ok()?, is_traced: true }),
        ["--seeds", range] => {
            let (from, to) = range.split_once("..")?;
            Some(Order::Many(from.parse().ok()?..to.parse().ok()?))
        }
        _ => None,
    }
}

fn run_many(world: World, seeds: Range<u64>) -> Result<Tally, Box<Failure>> {
    let mut tally = Tally::default();
    for seed in seeds {
        tally.merge(&simulator::run(&world(seed))?);
    }
    Ok(tally)
}
