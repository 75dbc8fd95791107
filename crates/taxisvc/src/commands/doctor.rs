//! `taxisvc doctor`: whether everything is as it should be, and what to do where it is not.

mod data;
mod fleet;
mod holder;
mod machine;
mod ports;
mod settings;

use super::print::{self, Colours, Ink};
use crate::config::Kind;
use crate::config::sources::InForce;
use crate::edge::runtime;
use crate::live::Live;
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;

const HELP: &str = "\
Examples:
  taxisvc doctor
  taxisvc doctor --json | jq '.findings[] | select(.state != \"ok\")'

Looks at the settings, the data directory, the disk, the machine, the ports and whoever has to be reached, beside a running \
server or before its first start; with store.kind = \"postgres\" at the databases, the topic and the replicas instead of \
directory and ports. It changes nothing. Give it the settings and the user that the server has. Whether the \
data itself is right is the business of `taxisvc audit`.

Exit codes: 0 when nothing is WRONG, 1 when something is.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    state: State,
    says: String,
    /// What to do about it; nothing where it is as it should be.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    to_do: Option<String>,
}

/// All that was found, in the order in which it was looked for.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    is_well: bool,
    findings: Vec<Finding>,
}

impl Findings {
    fn ok(&mut self, check: &str, says: impl Into<String>) {
        self.add(check, State::Ok, (says.into(), None));
    }

    fn warn(&mut self, check: &str, says: impl Into<String>, to_do: &str) {
        self.add(check, State::Warn, (says.into(), Some(to_do.to_owned())));
    }

    fn wrong(&mut self, check: &str, says: impl Into<String>, to_do: &str) {
        self.add(check, State::Wrong, (says.into(), Some(to_do.to_owned())));
    }

    fn add(&mut self, check: &str, state: State, (says, to_do): (String, Option<String>)) {
        self.findings.push(Finding { check: check.to_owned(), state, says, to_do });
    }

    fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    fn text(&self, colours: Colours) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        for Finding { check, state, says, to_do } in &self.findings {
            let (word, ink) = match state {
                State::Ok => ("ok", Ink::Green),
                State::Warn => ("warn", Ink::Yellow),
                State::Wrong => ("WRONG", Ink::Red),
            };
            writeln!(text, "{}  {check:<16}  {says}", colours.paint(ink, &format!("{word:<5}")))?;
            if let Some(to_do) = to_do {
                writeln!(text, "{:25}do: {to_do}", "")?;
            }
        }
        let (wrong, warned) = (self.count(State::Wrong), self.count(State::Warn));
        match (wrong, warned) {
            (0, 0) => writeln!(text, "all is well")?,
            (0, _) => writeln!(text, "nothing is WRONG; to look at: {warned}")?,
            _ => writeln!(text, "WRONG: {wrong}; to look at: {warned}")?,
        }
        Ok(text)
    }
}

/// The findings as data, for who asks the process itself.
pub(crate) fn told(live: &Live) -> serde_json::Value {
    let mut findings = Findings::default();
    settings::of_process(live, &mut findings);
    let findings = look(&live.now(), findings).unwrap_or_else(|error| {
        let mut findings = Findings::default();
        findings.wrong("doctor", format!("{error:#}"), "look on the machine itself: taxisvc doctor");
        findings
    });
    serde_json::to_value(findings).expect("texts always serialise")
}

/// Beside what was found already.
fn look(in_force: &InForce, mut findings: Findings) -> anyhow::Result<Findings> {
    let config = &in_force.config;
    settings::look(in_force, &mut findings);
    match config.store.kind {
        Kind::Sqlite => {
            let seen = data::look(config, &mut findings);
            findings.ok("sqlite", format!("library {}", engine_sqlite::library_version()));
            machine::look(config, seen.look.as_ref().map(|look| &look.readers), &mut findings)?;
            runtime()?.block_on(ports::look(config, &seen, &mut findings));
        }
        Kind::Postgres => {
            let readers = fleet::look(config, &mut findings);
            machine::look(config, readers.as_ref(), &mut findings)?;
            runtime()?.block_on(ports::of_fleet(config, &mut findings));
        }
    }
    findings.is_well = findings.count(State::Wrong) == 0;
    Ok(findings)
}

pub(crate) fn run(in_force: &InForce, options: &Options) -> anyhow::Result<ExitCode> {
    told_to(&look(in_force, Findings::default())?, options)
}

/// Where the settings make no sense, nothing else can be looked at.
pub(crate) fn refused(error: &anyhow::Error, options: &Options) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    let to_do = "correct it; a server that runs goes on with what it had, and would not start again";
    findings.wrong("settings", format!("{error:#}"), to_do);
    told_to(&findings, options)
}

fn told_to(findings: &Findings, options: &Options) -> anyhow::Result<ExitCode> {
    if options.json {
        print::json(findings)?;
    } else {
        print::text(&findings.text(Colours::of_stdout())?)?;
    }
    Ok(if findings.is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
