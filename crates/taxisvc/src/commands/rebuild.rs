//! `taxisvc rebuild view`: the view made anew from the events, beside a running server or without one.

use super::by_hand::with_machine;
use super::look::look;
use super::print;
use super::server::{Server, To};
use super::speak::Speak;
use crate::config::Config;
use anyhow::{Context, bail};
use clap::ValueEnum;
use engine::clock::{Stopwatch, Timestamp};
use engine::handle::Doorbell;
use engine::projection::LOOK_EVERY_MS;
use http::Method;
use operator::acts::{self, CameOf, Outcome};
use serde::Serialize;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use taxi::actor::Actor;
use wiring::view;

const PATH: &str = "/operator/views/rebuild";
/// How often the server is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// By then every replica has looked whether the view is made anew.
const NOTICED_WITHIN: Duration = Duration::from_millis(2 * LOOK_EVERY_MS.unsigned_abs());

const HELP: &str = "\
Examples:
  taxisvc rebuild view
  taxisvc rebuild view --no-wait       return once it has begun

What pages show is derived from the events alone. This drops it and reads every event again. A running server does it \
while it runs, asked over HTTP with the operator's token; until it is done, reads of the view are refused with 503. Where no server runs, \
the command does it itself, and holds the data directory as a server would: deadlines that have run out meanwhile are \
met. Broken off, it goes on at the next start.

Exit codes: 0 when the view is whole again (with --no-wait: when it has begun), else 1: also where messages to it were put \
aside, since what they tell is missing in it.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The read model behind /callViews
    View,
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// What is made anew
    #[arg(value_enum)]
    what: What,
    /// Return once a running server has begun
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    speak: Speak,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    is_whole: bool,
    /// How many there are in it.
    calls: u64,
    /// Messages to the view that cannot be carried out, and what they tell is missing in it.
    put_aside: u64,
}

impl Told {
    fn text(&self) -> String {
        let calls = self.calls;
        match (self.is_whole, self.put_aside) {
            (true, 0) => format!("the view is whole again; calls in it: {calls}\n"),
            (true, aside) => format!(
                "the view is made anew, but for what was put aside: {aside} (taxisvc dead-letters list); calls in it: {calls}\n"
            ),
            (false, _) => {
                "the view is being made anew; GET /operator/views/rebuild says how far it is\n".to_owned()
            }
        }
    }
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let What::View = options.what;
    let is_whole = match Server::find(config, &options.to, view::NAME)? {
        Some(server) => beside(&server, options)?,
        None => by_hand(config, options)?,
    };
    let reader = look(config)?.readers.view;
    let counts = reader.counts(view::NAME, view::NAME)?;
    let put_aside = reader.backlog(view::NAME, Timestamp(0))?.letters_waiting;
    let told = Told { is_whole, calls: counts.iter().map(|(_, count)| count).sum(), put_aside };
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&told.text())?;
    }
    let lacks_something = told.is_whole && told.put_aside > 0;
    Ok(if lacks_something { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn beside(server: &Server, options: &Options) -> anyhow::Result<bool> {
    server.ask(&Method::POST, PATH, None)?;
    if options.no_wait {
        return Ok(false);
    }
    // Whoever answers may be another replica than the one that was told, which has not looked since.
    let (pause, since, mut has_begun) = (Doorbell::default(), Stopwatch::start(), false);
    loop {
        let is_whole = is_whole(&server.ask(&Method::GET, PATH, None)?)?;
        has_begun |= !is_whole;
        if is_whole && (has_begun || since.elapsed() >= NOTICED_WITHIN) {
            return Ok(true);
        }
        pause.wait(ASK_EVERY);
    }
}

fn is_whole(progress: &Value) -> anyhow::Result<bool> {
    progress["isWhole"].as_bool().context("the server does not say whether the view is whole")
}

fn by_hand(config: &Config, options: &Options) -> anyhow::Result<bool> {
    with_machine(config, |machine| {
        let came_of: CameOf = machine.turn_until(acts::rebuild_view)?;
        if came_of.outcome == Outcome::NotNow {
            bail!("{}", came_of.words.of(options.speak.language()));
        }
        // As the server logs it.
        tracing::info!(target: "operator", actor = Actor::Operator.as_str(), "the view is being made anew");
        machine.turn_while(|handles| !acts::view_progress(handles).is_whole)?;
        Ok(true)
    })
}
