//! `taxisvc restore`: a data directory is made of a copy, and goes on under other names than those that others remember.

use super::content::Content;
use super::print;
use crate::config::{Config, Kind};
use crate::data_dir::copies::{self, Manifest};
use crate::data_dir::restoring::{Restoring, refuse_half};
use crate::data_dir::{self, token};
use anyhow::bail;
use engine::clock::{Clock, SystemClock, Timestamp};
use engine::log::LogId;
use engine_sqlite::copy::{Member, Moment};
use operator::time::At;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wiring::audit::{self, Report, audit_readers};
use wiring::{Readers, call};

/// Numbers of calls that are left out beyond the last that the copy knows of: some may have been given after it was taken.
const NUMBERS_LEFT_OUT: u64 = 1_000_000;
/// And for each millisecond since its last event, so many more, which is faster than any server gives them: whoever goes back to
/// the same state a second time, by whatever copy of it, begins beyond all that was given since the first.
const NUMBERS_LEFT_OUT_PER_MS: u64 = 10;
/// The highest that a first number can be, as `store.first_id`.
const FIRST_NUMBER_MAX: u64 = 1 << 52;

const HELP: &str = "\
Examples:
  taxisvc restore /backup/taxisvc-monday
  taxisvc restore /backup/taxisvc-monday --data elsewhere --first-id 5000000

Makes the data directory of the settings, which must not be there yet or be empty, of a backup (or of any copy of a data \
directory on which nobody runs). The copy is read through, its invariants are checked, and nothing is left behind where they \
do not hold. Then every log gets another id: positions and event ids that clients have kept are refused (another-log), and \
none is taken for one of a log that goes on from here. New calls are numbered beyond those that may have been given after \
the copy was taken, also by what was restored from the same copy before. It says what is in the copy, and until when; what happened after that is gone.

Exit codes: 0 when the directory is ready to be started, 1 when nothing is there.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// The backup
    copy: PathBuf,
    /// The first number that a new call can have [default: 1,000,000 beyond the last in the copy, and 10 for each millisecond since the last event in it]
    #[arg(long, value_name = "NUMBER")]
    first_id: Option<u64>,
    /// Restore it also where an invariant is broken in it
    #[arg(long)]
    force: bool,
    /// Print what was restored as JSON
    #[arg(long)]
    json: bool,
}

/// What is there now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    directory: PathBuf,
    /// When the copy was taken, where it says so.
    taken_at: Option<At>,
    #[serde(flatten)]
    content: Content,
    /// Whether every invariant holds.
    holds: bool,
    /// What one service has said and another has not heard yet, or the provider has not answered.
    on_the_way: u64,
    money: audit::Money,
    /// How each log was called, and is called now; none where nothing was changed.
    logs: Vec<(LogId, LogId)>,
    first_number: u64,
    has_token: bool,
}

pub(crate) fn run(config: &Config, options: &Options, draw: impl FnMut() -> u64) -> anyhow::Result<ExitCode> {
    if config.store.kind == Kind::Postgres {
        bail!(
            "with store.kind = \"postgres\" a database is restored by `pg_restore`, and then `taxisvc restored SERVICE`: \
             operations.md has the steps"
        );
    }
    refuse_what_is_no_copy(&options.copy, &config.data)?;
    let source = Config { data: options.copy.clone(), ..config.clone() };
    let manifest = check_manifest(&source)?;
    let members = data_dir::members(&source)?;
    if data_dir::is_in_use(&source)? {
        bail!("a server runs on {}: it is no copy (`taxisvc backup` takes one)", source.data.display());
    }
    let moment = Moment::find(&members, copies::program())?;
    let restoring = Restoring::begin(config)?;
    let put = put_there(config, (moment, &members), manifest.as_ref(), options);
    let (content, report, first_number) = match put {
        Ok(put) => put,
        Err(error) => {
            restoring.give_up(config);
            return Err(error);
        }
    };
    restoring.is_copied()?;
    let logs = restoring.renew(config, ((call::NAME, first_number), draw))?;
    let taken_at = manifest.map(|manifest| At(Timestamp(manifest.taken_at)));
    let mut told = told(config, (content, &report), first_number)?;
    told.taken_at = taken_at;
    told.logs = logs;
    // From now on somebody is told where no further one is taken.
    if let Some(At(taken_at)) = told.taken_at
        && let Err(error) = copies::note_backed_up(&config.data, taken_at)
    {
        tracing::warn!(%error, "when the copy was taken cannot be noted in the data directory");
    }
    say(&told, options.json)
}

/// A place that was mistyped, or one within the copy, which would be in the way of the next restoration of it.
fn refuse_what_is_no_copy(copy: &Path, data: &Path) -> anyhow::Result<()> {
    let name = copy.display();
    if !copy.join("version").is_file() {
        bail!(
            "there is no copy of a data directory at {name}: name the directory that `taxisvc backup` has made"
        );
    }
    let above = copies::there_or_above(data).canonicalize();
    if let (Ok(copy), Ok(above)) = (copy.canonicalize(), above)
        && above.starts_with(&copy)
    {
        bail!("{} lies in the copy {name}: name a place elsewhere by --data", data.display());
    }
    Ok(())
}

/// What the copy says of itself fits what it is to be opened as.
fn check_manifest(source: &Config) -> anyhow::Result<Option<Manifest>> {
    let Some(manifest) = Manifest::read(&source.data)? else { return Ok(None) };
    let Manifest { layout, shards, .. } = &manifest;
    if (*layout, *shards) != (source.store.layout, source.store.shards) {
        bail!(
            "{} was taken with store.layout = {} and store.shards = {shards}: set both likewise",
            source.data.display(),
            serde_json::to_string(layout)?
        );
    }
    Ok(Some(manifest))
}

/// Copies all files, reads them through, and looks whether everything holds.
fn put_there(
    config: &Config,
    (moment, members): (Moment, &[Member]),
    manifest: Option<&Manifest>,
    options: &Options,
) -> anyhow::Result<(Content, Report, u64)> {
    // Once what an earlier try had copied is gone.
    copies::refuse_without_room(members, &config.data, None)?;
    let copied = copies::copy_all(&moment, members, &config.data)?;
    drop(moment);
    copies::settle_all(&copied)?;
    let readers = data_dir::read(config)?;
    let report = audited(config, &readers)?;
    let content = Content::read(&readers, config.store.shards)?;
    if let Some(manifest) = manifest
        && manifest.events != content.events
    {
        let events = content.events;
        bail!("the copy has {events} events and says that it has {}: it was changed since", manifest.events);
    }
    if !report.holds() && !options.force {
        bail!(
            "something is broken in the copy, so nothing was restored (--force does it all the same):\n{report}"
        );
    }
    let first_number = first_number(config, options.first_id, last(&content, manifest))?;
    Ok((content, report, first_number))
}

/// When the copy's last number was given at the latest.
fn last(content: &Content, manifest: Option<&Manifest>) -> Option<Timestamp> {
    content.last().or(manifest.map(|manifest| Timestamp(manifest.taken_at)))
}

pub(super) fn audited(config: &Config, readers: &Readers) -> anyhow::Result<Report> {
    let options = audit::Options { rules: config.rules(), ..audit::Options::default() };
    Ok(audit_readers(readers, None, &options)?)
}

/// The first number of a new call: not below the one that the copy would give next, and by default far enough beyond it for
/// all that may have been given since the copy was taken.
fn first_number(config: &Config, asked: Option<u64>, last: Option<Timestamp>) -> anyhow::Result<u64> {
    let next = data_dir::next_numbers(config)?.into_iter().map(|(_, next)| next).max().unwrap_or(1);
    let first = asked.unwrap_or_else(|| next + left_out(last, SystemClock.now()));
    if first < next || first > FIRST_NUMBER_MAX {
        bail!("--first-id {first} is not from {next} to {FIRST_NUMBER_MAX}: lower ones may be given already");
    }
    Ok(first)
}

/// How many numbers are left out.
fn left_out(last: Option<Timestamp>, now: Timestamp) -> u64 {
    let since_ms = last.map_or(0, |last| u64::try_from(now.0 - last.0).unwrap_or(0));
    NUMBERS_LEFT_OUT + since_ms * NUMBERS_LEFT_OUT_PER_MS
}

/// A copy that somebody has put in the place of the data directory by hand.
pub(super) fn in_place(
    config: &Config,
    (first_id, is_dry_run, is_json): (Option<u64>, bool, bool),
    draw: impl FnMut() -> u64,
) -> anyhow::Result<ExitCode> {
    // What was cut off is not looked at as it is: some of its logs have new names by then, and a file may be half written.
    let restoring = if is_dry_run {
        refuse_half(&config.data)?;
        None
    } else {
        Some(Restoring::in_place(config)?)
    };
    let readers = data_dir::look(config)?.readers;
    let report = audited(config, &readers)?;
    let content = Content::read(&readers, config.store.shards)?;
    let first_number =
        first_number(config, first_id, last(&content, Manifest::read(&config.data)?.as_ref()))?;
    drop(readers);
    let mut told = told(config, (content, &report), first_number)?;
    if let Some(restoring) = restoring {
        told.logs = restoring.renew(config, ((call::NAME, first_number), draw))?;
    }
    say(&told, is_json)
}

/// What there is to say of a directory before its logs have other names.
pub(super) fn told(
    config: &Config,
    (content, report): (Content, &Report),
    first_number: u64,
) -> anyhow::Result<Told> {
    Ok(Told {
        directory: config.data.clone(),
        taken_at: None,
        content,
        holds: report.holds(),
        on_the_way: report.in_flight(),
        money: report.money,
        logs: Vec::new(),
        first_number,
        has_token: token::find(config)?.is_some(),
    })
}

fn say(told: &Told, is_json: bool) -> anyhow::Result<ExitCode> {
    if is_json {
        print::json(told)?;
    } else {
        print::text(&text(told)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(told: &Told) -> Result<String, std::fmt::Error> {
    let Told { directory, taken_at, content, holds, on_the_way, money, logs, first_number, has_token } = told;
    let mut text = String::new();
    let directory: &Path = directory;
    if let Some(taken_at) = taken_at {
        writeln!(text, "taken at {taken_at}")?;
    }
    content.write(&mut text)?;
    let holds = if *holds { "every invariant holds" } else { "something is BROKEN" };
    writeln!(text, "audit   {holds}, {on_the_way} on the way, which go on")?;
    writeln!(
        text,
        "money   {} won taken = {} held + {} earned + {} returned; the simulated provider's book went back too, a real one's \
         would not",
        money.taken, money.held, money.earned, money.returned
    )?;
    if logs.is_empty() {
        writeln!(text, "nothing was changed")?;
        return Ok(text);
    }
    writeln!(text, "the next call's number is {first_number} or above")?;
    for (old, new) in logs {
        writeln!(text, "the log is {new} now, and was {old}: positions and event ids of before are refused")?;
    }
    writeln!(
        text,
        "what happened after the last event is gone, and idempotency keys that were used since are new again"
    )?;
    if !has_token {
        writeln!(text, "the operator's token is drawn anew at the first start")?;
    }
    writeln!(text, "start it, with the settings that it was given: taxisvc --data {}", directory.display())?;
    Ok(text)
}
