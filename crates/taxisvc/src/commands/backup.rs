//! `taxisvc backup`: a copy of the data directory as it is at one moment, taken beside a running server.

use super::content::Content;
use super::print;
use crate::config::{Config, Kind};
use crate::data_dir;
use crate::data_dir::copies::{self, Manifest, Unfinished};
use crate::disk::{Size, mib};
use crate::version::VERSION;
use anyhow::{Context, bail};
use engine::clock::{Clock, Stopwatch, SystemClock};
use engine_sqlite::copy::{Member, Moment};
use rustix::fs::statvfs;
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

With --audit a copy in which an invariant is broken is kept, too, and says so: it may be the best that there is.

Exit codes: 0 when the copy is there and whole, 1 when nothing is, or when its audit is not clean.";

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
    is_audited: bool,
    /// Nothing where it was not audited.
    is_clean: Option<bool>,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    if config.store.kind == Kind::Postgres {
        bail!(
            "with store.kind = \"postgres\" each database is backed up by PostgreSQL's own tools, while everything runs: \
             `pg_dump --format=custom --file=call.dump ADDRESS`, and likewise the others. operations.md has it, and how to \
             go back to one"
        );
    }
    let stopwatch = Stopwatch::start();
    let members = copies::members(config)?;
    refuse_inside(&config.data, &options.directory)?;
    refuse_without_room(config, &members, &options.directory)?;
    let unfinished = Unfinished::make(&options.directory)?;
    let (bytes, taken_at, held_ms) = copy(&members, &unfinished.directory)?;
    let copied = Config { data: unfinished.directory.clone(), ..config.clone() };
    let (content, report) = look(&copied, options.audit)?;
    let is_clean = report.as_ref().map(Report::is_clean);
    unfinished.finish(&Manifest {
        taken_at,
        version: VERSION.to_owned(),
        layout: config.store.layout,
        shards: config.store.shards,
        events: content.events,
        bytes,
        is_clean,
    })?;
    let took_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    let is_audited = report.is_some();
    let told =
        Told { directory: options.directory.clone(), bytes, took_ms, held_ms, content, is_audited, is_clean };
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&text(&told)?)?;
    }
    if let Some(report) = report.filter(|report| !report.is_clean()) {
        bail!(
            "the copy {} is kept, but its audit is not clean, so neither is the data directory (`taxisvc audit`):\n{report}",
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
    let beside = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside =
        beside.canonicalize().with_context(|| format!("there is no directory {}", beside.display()))?;
    if data.canonicalize().is_ok_and(|data| beside.starts_with(data)) {
        bail!("{} lies in the data directory: name a place elsewhere", target.display());
    }
    Ok(())
}

/// A disk that a copy fills up is the server's too, where it is the same: what that keeps for itself stays.
fn refuse_without_room(config: &Config, members: &[Member], target: &Path) -> anyhow::Result<()> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let wal = |path: &Path| length(&path.with_extension("db-wal"));
    let wanted: u64 = members.iter().map(|member| length(&member.path) + wal(&member.path)).sum();
    let beside = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = statvfs(beside).with_context(|| format!("cannot look at the disk of {}", beside.display()))?;
    let Some(Size { left, .. }) = Size::of(&stat) else { return Ok(()) };
    let kept = if copies::share_a_disk(beside, &config.data) { config.store.room_min_bytes } else { 0 };
    if left < wanted.saturating_add(kept) {
        let for_server = match kept {
            0 => String::new(),
            kept => {
                format!(", and {} are kept for the server on the same disk (store.room_min_bytes)", mib(kept))
            }
        };
        bail!(
            "the disk of {} has {} left, the copy takes up to {}{for_server}: make room, or name another disk",
            beside.display(),
            mib(left),
            mib(wanted)
        );
    }
    Ok(())
}

fn text(told: &Told) -> Result<String, std::fmt::Error> {
    let Told { directory, bytes, took_ms, held_ms, content, is_clean, .. } = told;
    let mut text = String::new();
    let audited = match is_clean {
        Some(true) => ", its audit is clean",
        Some(false) => ", its audit is NOT CLEAN",
        None => "",
    };
    let directory = directory.display();
    writeln!(
        text,
        "{directory} is whole{audited}: {} in {took_ms} ms, one moment held for {held_ms} ms",
        mib(*bytes)
    )?;
    content.write(&mut text)?;
    Ok(text)
}
