//! `taxisvc restored`: a service's database was restored from a backup, and others have heard what it does not hold.

mod lost;

use super::{print, restore};
use crate::config::{Config, Kind};
use crate::{databases, kafka};
use anyhow::{Context, bail};
use clap::ValueEnum;
use engine::clock::{Stopwatch, SystemClock};
use engine::handle::Doorbell;
use engine::log::LogId;
use engine_postgres::Database;
use engine_postgres::inspect::inspect;
use lost::{Lost, LostCall, Own};
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;
use wiring::{Layout, call, drive, payment, view};

/// Numbers of calls that are left out beyond the highest that the topic knows. What was accepted last may not have been told,
/// and each replica gives numbers of a block of its own, of which nothing may have been told yet.
const NUMBERS_LEFT_OUT: u64 = 1_000_000;
/// Calls that the text names; with --json all of them are.
const CALLS_NAMED: usize = 100;

/// How long the server may take to end what was closed, and how often it is asked.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
const ASK_EVERY: Duration = Duration::from_millis(50);

const HELP: &str = "\
Examples:
  taxisvc restored call --dry-run      what the database has lost, and nothing is changed
  taxisvc restored call

Give it once, after the database of one service was restored from a backup, before its first replica starts again. Its log \
would go on with positions that others have heard already, and what it says then would be dropped as old. So the log gets \
another id, everything in it is told to the topic again, and others drop what they know by its meaning. The numbers of new \
calls begin beyond those that anybody has seen. It says what was lost: what the service had told after the backup, and about \
which calls; look at those with `taxisvc explain`. What it had accepted after the backup and told nobody is lost without a trace.

It reads the topic, so Kafka must be there; it refuses while anybody else is connected to the database, replicas, gateways and other programs too. \
A view's database needs none of this. See operations.md.

  taxisvc restored             where a copy was put in the place of a data directory (SQLite) by hand

Then its logs get other ids and its new calls other numbers, as `taxisvc restore COPY` does it. No server may run on it. What it is \
given becomes a data directory and is no backup any more: give it the copy that was put in place, and never the only one.

Exit codes: 0 when it was done, or nothing had to be; 1 when not.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Service {
    Call,
    Payment,
    Drive,
    View,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Call => call::NAME,
            Self::Payment => payment::NAME,
            Self::Drive => drive::NAME,
            Self::View => view::NAME,
        }
    }
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Whose database was restored; none for a data directory
    #[arg(value_enum)]
    service: Option<Service>,
    /// The first number that a new call can have, in a data directory [default: as restore has it]
    #[arg(long, value_name = "NUMBER")]
    first_id: Option<u64>,
    /// Only say what was lost
    #[arg(long)]
    dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// What was found, and what was done about it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    service: &'static str,
    /// The id that its log had in the backup.
    log: LogId,
    /// The id that it has now; nothing where it has kept it.
    new_log: Option<LogId>,
    /// The first number that a new call can have now; nothing where that is not call's business, or nothing was done.
    first_number: Option<u64>,
    #[serde(flatten)]
    lost: Lost,
}

pub(crate) fn run(
    config: &Config,
    options: &Options,
    mut draw: impl FnMut() -> u64,
) -> anyhow::Result<ExitCode> {
    let asked = match (config.store.kind, options.service) {
        (Kind::Postgres, Some(asked)) if options.first_id.is_none() => asked,
        (Kind::Postgres, Some(_)) => {
            bail!("--first-id is for a data directory: here the topic says which numbers were given")
        }
        (Kind::Postgres, None) => bail!("say whose database was restored: call, payment, drive or view"),
        (Kind::Sqlite, None) => {
            return restore::in_place(config, (options.first_id, options.dry_run, options.json), draw);
        }
        (Kind::Sqlite, Some(_)) => bail!(
            "with store.kind = \"sqlite\" all services go back together: `taxisvc restored` after a copy was put in the place of \
             the data directory, or `taxisvc restore COPY`, which does both"
        ),
    };
    let service = asked.name();
    if asked == Service::View {
        let says = "a view's database needs nothing: it says nothing to others, and reads on from where the backup stands \
                    (`taxisvc rebuild view` reads everything again)\n";
        return print::text(says).map(|()| ExitCode::SUCCESS);
    }
    let opened = databases::options(config, &services(service));
    let database =
        Database::open_read_only(&opened).map_err(|error| databases::explain(config, service, error))?;
    refuse_company(config, service)?;
    let own = Own::read(&*database.reader(), service, config.store.shards)?;
    let lost = lost::look(&kafka::settings(config, service), &kafka::wire(config), &own)
        .context("what was told cannot be read from the topic: it must be there")?;
    let lost = lost.with_what_is_left(&*database.reader(), service)?;
    let mut told = Told { service, log: database.log(), new_log: None, first_number: None, lost };
    if !options.dry_run {
        // Reading the topic takes its time, and somebody may have come. Its own connections go first.
        drop(database);
        refuse_company(config, service)?;
        let database =
            Database::open_read_only(&opened).map_err(|error| databases::explain(config, service, error))?;
        if asked == Service::Call {
            let first = told.lost.highest_call.saturating_add(NUMBERS_LEFT_OUT);
            database.skip_numbers(service, first)?;
            told.first_number = Some(first);
        }
        if told.lost.is_of_this_log {
            let new = LogId(draw());
            database.renew_log(new)?;
            told.new_log = Some(new);
        }
    }
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&text(&told, options.dry_run)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn services(service: &str) -> Vec<&'static str> {
    let groups = Layout::Apart.groups().into_iter();
    groups.filter(|(name, _)| *name == service).flat_map(|(_, services)| services).collect()
}

/// A replica that runs would go on in the log as it knew it. What was just closed may be there for another moment.
fn refuse_company(config: &Config, service: &'static str) -> anyhow::Result<()> {
    let opened = databases::options(config, &services(service));
    let (pause, since) = (Doorbell::default(), Stopwatch::start());
    loop {
        let inspection =
            inspect(&opened, &SystemClock).map_err(|error| databases::explain(config, service, error))?;
        match inspection.others {
            0 => return Ok(()),
            others if since.elapsed() >= CLOSED_WITHIN => bail!(
                "{others} connections are open to the database of {service}: stop its replicas, the gateway, and whoever \
                 looks at it, then try again"
            ),
            _others => pause.wait(ASK_EVERY),
        }
    }
}

fn text(told: &Told, is_dry_run: bool) -> anyhow::Result<String> {
    let Told { service, log, lost, .. } = told;
    let mut text = String::new();
    for shard in &lost.shards {
        let (index, end, told_to) = (shard.shard, shard.end, shard.told_to);
        writeln!(text, "{service}/{index} ends at {end}; the topic was told of it up to {told_to}")?;
    }
    if lost.events > 0 {
        write_lost(&mut text, lost)?;
    } else {
        writeln!(text, "nothing was told that the database does not hold")?;
    }
    if !lost.is_of_this_log {
        writeln!(text, "its log keeps its id, {log}: nothing was told under it that it does not hold")?;
    }
    if is_dry_run {
        writeln!(text, "nothing was changed")?;
        return Ok(text);
    }
    if let Some(first) = told.first_number {
        writeln!(text, "the next call's number is {first} or above")?;
    }
    if let Some(new) = told.new_log {
        writeln!(text, "the log is {new} now, and was {log}")?;
        writeln!(
            text,
            "start the replicas: everything in the log is told to the topic again, and others drop what they know"
        )?;
    }
    writeln!(text, "what was accepted after the backup and not told to the topic is lost without a trace")?;
    Ok(text)
}

fn write_lost(text: &mut String, lost: &Lost) -> std::fmt::Result {
    writeln!(
        text,
        "lost: {} events that others have heard, about {} calls; look at each: taxisvc explain NUMBER",
        lost.events,
        lost.calls.len()
    )?;
    for LostCall { call_id, is_unknown, events } in lost.calls.iter().take(CALLS_NAMED) {
        let unknown = if *is_unknown { "; the database knows nothing of it" } else { "" };
        writeln!(text, "  call {call_id}: {}{unknown}", events.join(", "))?;
    }
    if lost.calls.len() > CALLS_NAMED {
        writeln!(text, "  and {} more: --json names all", lost.calls.len() - CALLS_NAMED)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::lost::ShardEnd;
    use super::*;

    fn told(calls: u64, new_log: Option<LogId>) -> Told {
        let call = |call_id| LostCall {
            call_id,
            is_unknown: call_id % 2 == 0,
            events: vec!["CallRequested".to_owned(), "CallPlaced".to_owned()],
        };
        let shards = vec![ShardEnd { shard: 0, end: 40, told_to: 40 + 2 * calls }];
        let lost = Lost {
            shards,
            events: 2 * calls,
            calls: (1..=calls).map(call).collect(),
            is_of_this_log: calls > 0,
            highest_call: 7,
        };
        Told { service: "call", log: LogId(7), new_log, first_number: new_log.map(|_| 1_000_007), lost }
    }

    #[test]
    fn it_says_what_was_lost_and_what_happens_next() {
        let expected = "\
call/0 ends at 40; the topic was told of it up to 44
lost: 4 events that others have heard, about 2 calls; look at each: taxisvc explain NUMBER
  call 1: CallRequested, CallPlaced
  call 2: CallRequested, CallPlaced; the database knows nothing of it
the next call's number is 1000007 or above
the log is 0000000000000008 now, and was 0000000000000007
start the replicas: everything in the log is told to the topic again, and others drop what they know
what was accepted after the backup and not told to the topic is lost without a trace
";
        assert_eq!(text(&told(2, Some(LogId(8))), false).unwrap(), expected);
        let none = text(&told(0, None), true).unwrap();
        assert!(none.contains("its log keeps its id") && none.ends_with("nothing was changed\n"), "{none}");
        let many = text(&told(101, None), true).unwrap();
        assert!(many.contains("  and 1 more: --json names all\n"), "{many}");
    }
}
