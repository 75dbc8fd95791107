//! `taxisvc backup`: a copy of the data directory as it is at one moment, taken beside a running server.

use super::content::Content;
use super::print;
use crate::config::{Config, Kind};
use crate::data_dir;
use crate::data_dir::copies::{self, Manifest, Unfinished};
use crate::disk::told_bytes;
use crate::version::VERSION;
use anyhow::{Context, bail};
use engine::clock::{Clock, Stopwatch, SystemClock, Timestamp};
use engine_sqlite::copy::{Member, Moment};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wiring::audit::{self, Report, audit_readers};

const HELP: &str = "\
Examples:
  taxisvc backup /backup/taxisvc-monday
  taxisvc backup /backup/taxisvc-monday --audit --json

Copies the data directory as it is at one moment, whether or not a server runs on it, which is not held up. The copy is \
written beside its place, under a name that ends in .unfinished, and has its own name once all of it is on the disk and was \
read again; it is its owner's alone. The operator's token is not in it. Names and journeys of people are: keep it as you \
keep the data directory.

`taxisvc audit --data COPY` looks at it; `taxisvc restore COPY` makes a data directory of it. A server refuses to run on it.

With store.kind = \"postgres\" each database is backed up by PostgreSQL's own tools while everything runs: `pg_dump \
--format=custom`, or `pg_basebackup` with its WAL. See operations.md.

With --audit a copy in which an invariant is broken is kept, too, and says so: it may be the best that there is. A dead letter \
that waits, or what is late, is nothing broken.

Exit codes: 0 when the copy is there and whole, 1 when nothing is, or when an invariant is broken in it.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Where the copy is to be; nothing may be there yet
    directory: PathBuf,
    /// Check every invariant of the copy, too, and say in it whether all hold
    #[arg(long)]
    audit: bool,
    /// Print what was copied as JSON
    #[arg(long)]
    json: bool,
}

/// What was copied.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    directory: PathBuf,
    bytes: u64,
    took_ms: u64,
    /// How long the moment was held: for so long the server's WAL cannot start over.
    held_ms: u64,
    #[serde(flatten)]
    content: Content,
    /// Whether every invariant holds; nothing where that was not looked at.
    holds: Option<bool>,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    if config.store.kind == Kind::Postgres {
        bail!(
            "with store.kind = \"postgres\" each database is backed up by PostgreSQL's own tools, while everything runs: \
             `pg_dump --format=custom --file=call.dump ADDRESS`, and likewise the others. operations.md has it, and how to \
             go back to one"
        );
    }
    if copies::is_backup(&config.data) {
        let name = config.data.display();
        bail!(
            "{name} is a backup itself, and a copy of it is one as it stands: cp -a {name} {}",
            options.directory.display()
        );
    }
    let stopwatch = Stopwatch::start();
    let members = data_dir::members(config)?;
    refuse_inside(&config.data, &options.directory)?;
    let beside = beside(&options.directory);
    // On the server's disk nobody is to be alarmed by it, let alone turned away.
    let for_server = copies::share_a_disk(beside, &config.data).then_some(config.store.room_warn_bytes);
    copies::refuse_without_room(&members, beside, for_server)?;
    let unfinished = Unfinished::make(&options.directory)?;
    let (bytes, taken_at, held_ms) = copy(&members, &unfinished.directory)?;
    let copied = Config { data: unfinished.directory.clone(), ..config.clone() };
    let (content, report) = look(&copied, options.audit)?;
    let holds = report.as_ref().map(Report::holds);
    unfinished.finish(&Manifest {
        taken_at,
        version: VERSION.to_owned(),
        layout: config.store.layout,
        shards: config.store.shards,
        events: content.events,
        bytes,
        holds,
    })?;
    if holds != Some(false)
        && let Err(error) = copies::note_backed_up(&config.data, Timestamp(taken_at))
    {
        tracing::warn!(%error, "that a backup was taken cannot be noted in the data directory");
    }
    let took_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    let told = Told { directory: options.directory.clone(), bytes, took_ms, held_ms, content, holds };
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&text(&told)?)?;
    }
    if let Some(report) = report.filter(|report| !report.holds()) {
        bail!(
            "the copy {} is kept, but something is broken in it, and so in the data directory (`taxisvc audit`):\n{report}",
            options.directory.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Copies all files of one moment; how many bytes there are, when that was, and how long it was held.
fn copy(members: &[Member], to: &Path) -> anyhow::Result<(u64, i64, u64)> {
    let stopwatch = Stopwatch::start();
    let moment = Moment::find(members, copies::program())?;
    let taken_at = SystemClock.now().0;
    let copied = copies::copy_all(&moment, members, to)?;
    // A disk that is slow to sync, or a large file that is read through, keeps no WAL from starting over.
    drop(moment);
    let held_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok((copies::settle_all(&copied)?, taken_at, held_ms))
}

/// What is in the copy, as it can be read again, and whether everything holds, where that is asked.
fn look(copied: &Config, is_audited: bool) -> anyhow::Result<(Content, Option<Report>)> {
    // Its version is written last.
    let readers = data_dir::read(copied)?;
    let options = audit::Options { rules: copied.rules(), ..audit::Options::default() };
    let report = if is_audited { Some(audit_readers(&readers, None, &options)?) } else { None };
    Ok((Content::read(&readers, copied.store.shards)?, report))
}

/// A copy in the directory itself would be in the way of its next start.
fn refuse_inside(data: &Path, target: &Path) -> anyhow::Result<()> {
    let beside = beside(target);
    let beside =
        beside.canonicalize().with_context(|| format!("there is no directory {}", beside.display()))?;
    if data.canonicalize().is_ok_and(|data| beside.starts_with(data)) {
        bail!("{} lies in the data directory: name a place elsewhere", target.display());
    }
    Ok(())
}

/// The directory that a copy comes to lie in.
fn beside(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn text(told: &Told) -> Result<String, std::fmt::Error> {
    let Told { directory, bytes, took_ms, held_ms, content, holds } = told;
    let mut text = String::new();
    let audited = match holds {
        Some(true) => ", every invariant holds",
        Some(false) => ", something is BROKEN in it",
        None => "",
    };
    let directory = directory.display();
    writeln!(
        text,
        "{directory} is whole{audited}: {} in {took_ms} ms, one moment held for {held_ms} ms",
        told_bytes(*bytes)
    )?;
    content.write(&mut text)?;
    Ok(text)
}
