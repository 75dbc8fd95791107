//! `taxisvc dead-letters`: messages that were put aside, looked at and dealt with.

use super::by_hand::{Machine, with_machine};
use super::look::look;
use super::print;
use super::server::{Server, To};
use super::speak::Speak;
use crate::config::Config;
use anyhow::{Context, bail};
use clap::Subcommand;
use http::Method;
use operator::acts;
use operator::language::Language;
use operator::letters::{self, InFull, LISTED, Letter, Wanted};
use serde_json::{Value, json};
use std::fmt::{self, Write};
use std::process::ExitCode;
use std::str::FromStr;
use taxi::actor::Actor;
use taxi::rider::{TextFault, check_text};
use wiring::{Readers, SERVICES};

const HELP: &str = "\
Examples:
  taxisvc dead-letters list
  taxisvc dead-letters show payment/3
  taxisvc dead-letters retry payment/3
  taxisvc dead-letters skip payment/3 --reason 'written by a build that was taken back'

A message that cannot be read, or on which the code fails, is put aside, and later ones about the same call wait behind it; \
all other calls go on. Once the cause is mended, retry it. What will never be carried out is skipped, for good: who did it \
and why stays on record.

Exit codes: 0 when it was done, or there was something to show; 1 when not.";

const ACT_HELP: &str = "\
A running server is asked over HTTP with the operator's token: with store.kind = \"postgres\" the gateway, or a replica of the \
service, or whoever --to names. Where none runs on a data directory, the command does it itself, and holds the directory as a \
server would: deadlines that have run out meanwhile are met.

Exit codes: 0 when the message is dealt with, 1 when it still waits or there is none.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    speak: Speak,
    /// Print it as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum Act {
    /// Prints those that wait
    List {
        /// Also those that were skipped
        #[arg(long)]
        all: bool,
        /// No more than so many
        #[arg(long, value_name = "N", default_value_t = LISTED)]
        limit: usize,
    },
    /// Prints one of them in full, which may name people
    Show {
        /// As the list names it: payment/3
        letter: Address,
    },
    /// Takes one up again, once its cause is mended
    #[command(after_long_help = ACT_HELP)]
    Retry {
        /// As the list names it: payment/3
        letter: Address,
        #[command(flatten)]
        to: To,
    },
    /// Passes one over for good
    #[command(after_long_help = ACT_HELP)]
    Skip {
        /// As the list names it: payment/3
        letter: Address,
        /// Why; it stays on record
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        to: To,
    },
}

/// `payment/3`
#[derive(Debug, Clone)]
struct Address {
    service: &'static str,
    number: u64,
}

impl Address {
    fn path(&self, act: &str) -> String {
        format!("/operator/dead-letters/{self}/{act}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.service, self.number)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || "a service and a number are expected, such as payment/3".to_owned();
        let (service, number) = text.split_once('/').ok_or_else(malformed)?;
        let service = SERVICES.into_iter().find(|known| *known == service);
        let service = service.ok_or_else(|| format!("the services are {}", SERVICES.join(", ")))?;
        Ok(Self { service, number: number.parse().map_err(|_| malformed())? })
    }
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    match &options.act {
        Act::List { all, limit } => list(config, options, Wanted { skipped: *all, limit: *limit }),
        Act::Show { letter } => show(config, options, letter),
        Act::Retry { letter, to } => tell(options, &retry(config, to, (letter, options.speak.language()))?),
        Act::Skip { letter, reason, to } => {
            check_reason(reason)?;
            tell(options, &skip(config, to, (letter, reason))?)
        }
    }
}

/// What a server would refuse stays out of the directory, too, where none runs.
fn check_reason(reason: &str) -> anyhow::Result<()> {
    match check_text(reason) {
        Ok(()) => Ok(()),
        Err(TextFault::Empty) => bail!("--reason is empty: say why, for those who come after you"),
        Err(fault @ (TextFault::TooLong | TextFault::ControlCharacter)) => bail!("--reason {fault}"),
    }
}

fn list(config: &Config, options: &Options, wanted: Wanted) -> anyhow::Result<ExitCode> {
    let look = look(config)?;
    let list = letters::list(&look.readers, wanted)?;
    let (listed, total) = (list.dead_letters.len() as u64, list.total);
    if options.json {
        print::json(&list)?;
    } else if total == 0 {
        print::text("no dead letters\n")?;
    } else {
        let mut text = String::new();
        for letter in &list.dead_letters {
            write_in_short(&mut text, letter, options.speak.language())?;
        }
        if listed < total {
            writeln!(text, "{listed} of {total}; --limit N lists more")?;
        }
        print::text(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_in_short(text: &mut String, letter: &Letter, language: Language) -> fmt::Result {
    let Letter { service, number, call_id, at, reason, .. } = letter;
    writeln!(text, "{service}/{number}  call {call_id}  {at}  {}", letter.words.of(language))?;
    writeln!(text, "    {reason}")?;
    if let Some(skipped) = &letter.skipped {
        writeln!(text, "    {}", skipped.words.of(language))?;
    }
    Ok(())
}

fn show(config: &Config, options: &Options, address: &Address) -> anyhow::Result<ExitCode> {
    let look = look(config)?;
    let found = letters::show(&look.readers, address.service, address.number)?;
    let letter = found.with_context(|| none(address))?;
    if options.json {
        print::json(&letter)?;
    } else {
        print::text(&in_full(&letter, options.speak.language())?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn in_full(InFull { letter, content }: &InFull, language: Language) -> anyhow::Result<String> {
    let mut text = String::new();
    write_in_short(&mut text, letter, language)?;
    if letter.skipped.is_none() {
        writeln!(text, "    {}", letter.retry.of(language))?;
        writeln!(text, "    {}", letter.skip.of(language))?;
    }
    writeln!(text, "\n{}", serde_json::to_string_pretty(content)?)?;
    Ok(text)
}

fn none(address: &Address) -> String {
    format!("there is no dead letter {address}; `taxisvc dead-letters list` names those there are")
}

fn retry(config: &Config, to: &To, (address, language): (&Address, Language)) -> anyhow::Result<Value> {
    let path = address.path("retry");
    act(config, to, address, |found, doer| {
        if let Some(skipped) = &found.skipped {
            bail!("{address} stays as it is. {}", skipped.words.of(language));
        }
        match doer {
            Doer::Server(server) => server.ask(&Method::POST, &path, None),
            Doer::Machine(machine) => {
                note(found, "a dead letter is taken up again");
                let came_of = machine.turn_until(|handles, tell| acts::retry(handles, found, tell))?;
                Ok(serde_json::to_value(came_of)?)
            }
        }
    })
}

fn skip(config: &Config, to: &To, (address, reason): (&Address, &str)) -> anyhow::Result<Value> {
    let path = address.path("skip");
    act(config, to, address, |found, doer| match doer {
        Doer::Server(server) => server.ask(&Method::POST, &path, Some(&json!({"reason": reason}))),
        Doer::Machine(machine) => {
            note(found, "a dead letter is passed over");
            let by = (Actor::Operator.as_str(), reason);
            let came_of = machine.turn_until(|handles, tell| acts::skip(handles, found, by, tell))?;
            Ok(serde_json::to_value(came_of)?)
        }
    })
}

/// As the server logs it.
fn note(letter: &Letter, what: &'static str) {
    tracing::info!(
        target: "operator",
        service = letter.service,
        number = letter.number,
        call = letter.call_id,
        actor = Actor::Operator.as_str(),
        "{what}"
    );
}

/// Who does it.
enum Doer<'a, 'm> {
    Server(&'a Server),
    Machine(&'a mut Machine<'m>),
}

/// Finds the letter, and does something about it: the running server, else the command itself.
fn act(
    config: &Config,
    to: &To,
    address: &Address,
    act: impl FnOnce(&Letter, Doer<'_, '_>) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let find = |readers: &Readers| {
        let found = letters::show(readers, address.service, address.number)?;
        Ok::<_, anyhow::Error>(found.with_context(|| none(address))?.letter)
    };
    if let Some(server) = Server::find(config, to, address.service)? {
        return act(&find(&look(config)?.readers)?, Doer::Server(&server));
    }
    with_machine(config, |machine| act(&find(machine.readers)?, Doer::Machine(machine)))
}

/// What came of it, as [`acts::CameOf`] is written.
fn tell(options: &Options, came_of: &Value) -> anyhow::Result<ExitCode> {
    let language = options.speak.language().tag();
    let outcome = came_of["outcome"].as_str().context("the server does not say what came of it")?;
    if options.json {
        print::json(came_of)?;
    } else {
        print::text(&format!("{}\n", came_of["words"][language].as_str().unwrap_or(outcome)))?;
    }
    Ok(match outcome {
        "stillWaits" | "notNow" | "noSuchLetter" => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}
