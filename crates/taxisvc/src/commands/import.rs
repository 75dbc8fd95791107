//! `taxisvc import`: everything in a data directory moves into the PostgreSQL databases of a fleet.

use super::content::Content;
use super::{print, restore};
use crate::config::{Config, Kind};
use crate::data_dir::{copies, moved, restoring};
use crate::{data_dir, databases, kafka};
use anyhow::{Context, anyhow, bail};
use engine::carry::{Carried, Changes};
use engine::clock::{Clock, Stopwatch, SystemClock, Timestamp};
use engine::handle::Doorbell;
use engine::log::LogId;
use engine::store::{Reader, Visit};
use engine_kafka::scan::{ScanError, ScanFrom, Sight, scan};
use engine_postgres::import::{self, Import, ImportError, Stage};
use operator::time::At;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use taxi::rules::CallpayBeside;
use wiring::audit::{self, audit_readers};
use wiring::{Layout, Readers, call, drive, payment, view};

/// No deadline runs out for so long after the move; and for as long as telling the topic everything may take.
const GRACE_MS: i64 = 120_000;
/// Events that even a busy machine tells the topic in a second.
const TOLD_PER_SECOND: u64 = 5_000;

/// How long the server may take to end what was closed, and how often it is asked.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
const ASK_EVERY: Duration = Duration::from_millis(50);

const HELP: &str = "\
Examples:
  taxisvc import /var/lib/taxisvc --config fleet.toml

Reads a data directory on which no server runs and fills the four databases of the fleet whose settings it \
is given (store.kind = \"postgres\", postgres.call and so on): new ones, with nothing in them. Everything moves: events at \
their positions under their logs' ids, states, deadlines, what the provider has not answered, remembered answers, what was \
put aside, the provider's book and the view. store.shards must be that of the directory, and kafka.topic one that is not there \
yet, or empty: what another fleet has told there would be heard by this one. A backup is refused: its logs would go \
on under ids and numbers that the directory has used since. `taxisvc restore` makes a data directory of it, which moves.

Each database is filled in one transaction, and no service can use any of them before all are filled and every invariant holds. \
Cut off, the same command goes on where it was. Deadlines that would run out at once, or while the topic is being told \
everything, are put off: --grace says until when.

Afterwards a server refuses to run on the directory. See operations.md.

Exit codes: 0 when the fleet can be started, 1 when not.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// The data directory
    directory: PathBuf,
    /// How long no deadline runs out once all is moved [default: 2 minutes, and one second more for every 5,000 events]
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
    /// Print what was moved as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    databases: Vec<Moved>,
    #[serde(flatten)]
    content: Content,
    /// Nothing where an earlier try has verified it.
    on_the_way: Option<u64>,
    /// Nothing where deadlines stay as they are.
    no_deadline_before: Option<At>,
    took_ms: u64,
}

/// What went into one database; nothing is counted that an earlier try has moved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Moved {
    database: &'static str,
    events: u64,
    entities: u64,
    effects: u64,
    answers: u64,
    letters: u64,
    deadlines_put_off: u64,
    took_ms: u64,
}

/// The data directory, as it is read.
struct Source {
    config: Config,
    readers: Readers,
    content: Content,
    /// Tells this state of it from any other.
    origin: String,
    next_numbers: Vec<(&'static str, u64)>,
}

pub(crate) fn run(
    config: &Config,
    options: &Options,
    mut draw: impl FnMut() -> u64,
) -> anyhow::Result<ExitCode> {
    let stopwatch = Stopwatch::start();
    if config.store.kind != Kind::Postgres {
        bail!(
            "give the settings of the fleet: store.kind is \"sqlite\" here, and the databases are those of postgres.call and so on"
        );
    }
    refuse_backup(&options.directory)?;
    let addresses = addresses(config);
    let _held = data_dir::hold(&options.directory)?;
    moved::refuse_moved_elsewhere(&options.directory, &addresses)?;
    let source = Source::open(config, options)?;
    let grace_ms = options.grace.map_or_else(
        || GRACE_MS + i64::try_from(source.content.events / TOLD_PER_SECOND).unwrap_or(0) * 1_000,
        |seconds| i64::from(seconds) * 1_000,
    );
    let changes =
        Changes { no_timer_before: Some(SystemClock.now().plus_ms(grace_ms)).filter(|_| grace_ms > 0) };
    let drawn = LogId(draw());
    // Once one of them can be used, its service may have told something; and whoever runs beside another call service shares
    // the topic with that.
    let is_begun = check_all(config, &source, drawn)?.contains(&Some(Stage::Done));
    if !is_begun && config.rules().callpay_beside == CallpayBeside::Ours {
        refuse_told_topic(config)?;
    }
    let mut stages = Vec::new();
    for (name, services) in Layout::Apart.groups() {
        let import = source.import(name, drawn);
        let begun = when_alone(|| import::begin(&databases::options(config, &services), import));
        stages.push(begun.map_err(|error| explain(config, name, error))?);
    }
    let databases = load_all(config, &source, (&stages, changes, drawn))?;
    // Once the first of them can be used, it may have been.
    let is_verified = stages.contains(&Stage::Done);
    let on_the_way = if is_verified { None } else { Some(verify(config, &source)?) };
    // Loading may have taken long, and an earlier try may have done it: the time counts from now.
    let from_now = Some(SystemClock.now().plus_ms(grace_ms)).filter(|_| grace_ms > 0);
    let no_deadline_before = release(&options.directory, &addresses, |name, services| {
        let import = source.import(name, drawn);
        import::finish(&databases::options(config, services), import, from_now)
            .map_err(|error| explain(config, name, error))
    })?;
    let took_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    let no_deadline_before = no_deadline_before.map(At);
    let told = Told { databases, content: source.content, on_the_way, no_deadline_before, took_ms };
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&text(&told)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets services use the databases, one after the other. That nobody is to run on the directory is on the disk before the first
/// can be used, so there is no moment at which both could go on. Returns before which time no deadline runs out in any.
fn release(
    directory: &Path,
    addresses: &str,
    mut finish: impl FnMut(&'static str, &[&'static str]) -> anyhow::Result<Option<Timestamp>>,
) -> anyhow::Result<Option<Timestamp>> {
    moved::note_moved(directory, addresses).with_context(|| {
        format!("that all is moved cannot be noted in {}, so no service may use it yet", directory.display())
    })?;
    let mut earliest: Option<Timestamp> = None;
    for (name, services) in Layout::Apart.groups() {
        let time = finish(name, &services)?;
        earliest = earliest.into_iter().chain(time).min();
    }
    Ok(earliest)
}

/// Where the databases lie, one in a line.
fn addresses(config: &Config) -> String {
    let groups = Layout::Apart.groups().into_iter();
    let address = |name| crate::config::secret::without_password(config.postgres.url(name));
    groups.map(|(name, _)| format!("{name} {}\n", address(name))).collect()
}

/// What goes back in time has other ids and numbers afterwards, which only a restore gives it; and where it comes from may
/// still be served.
fn refuse_backup(directory: &Path) -> anyhow::Result<()> {
    if copies::is_backup(directory) {
        let name = directory.display();
        bail!(
            "{name} is a backup, and the directory that it is of may have gone on since: restore it first \
             (`taxisvc restore {name} --data DIRECTORY`), then import that"
        );
    }
    Ok(())
}

impl Source {
    fn open(config: &Config, options: &Options) -> anyhow::Result<Self> {
        restoring::refuse_half(&options.directory)?;
        let mut own = Config { data: options.directory.clone(), ..config.clone() };
        own.store.kind = Kind::Sqlite;
        own.store.layout = data_dir::layout_of(&options.directory);
        let readers = data_dir::look(&own)?.readers;
        let content = Content::read(&readers, own.store.shards)?;
        // Before anything is loaded, which may take long, and while there is time to mend it.
        let report = restore::audited(&own, &readers)?;
        if !report.holds() {
            bail!(
                "something is broken in {}, so nothing is imported:\n{report}",
                options.directory.display()
            );
        }
        let origin = format!("{} letters.{}", content.all_ends.join(" "), content.dead_letters);
        let next_numbers = data_dir::next_numbers(&own)?;
        Ok(Self { config: own, readers, content, origin, next_numbers })
    }

    /// What goes into a database.
    fn import(&self, name: &str, drawn: LogId) -> Import<'_> {
        Import { log: self.readers.of(name).log(), origin: &self.origin, drawn }
    }
}

/// Nothing is changed in any of them before all can be filled. How far each is already.
fn check_all(config: &Config, source: &Source, drawn: LogId) -> anyhow::Result<Vec<Option<Stage>>> {
    let check = |(name, services): (&'static str, Vec<&'static str>)| {
        let import = source.import(name, drawn);
        when_alone(|| import::check(&databases::options(config, &services), import))
            .map_err(|error| explain(config, name, error))
    };
    Layout::Apart.groups().into_iter().map(check).collect()
}

/// What another fleet has told there, a trial maybe, would be heard by this one: calls that are none of its own, under numbers
/// that it gives itself one day.
fn refuse_told_topic(config: &Config) -> anyhow::Result<()> {
    let topic = &config.kafka.topic;
    let mut is_told = false;
    let looked = scan(
        &kafka::settings(config, call::NAME),
        &kafka::wire(config),
        &ScanFrom::Beginning,
        &mut |sight| {
            is_told = matches!(sight, Sight::Message { .. });
            if is_told || matches!(sight, Sight::CaughtUp) { Visit::Enough } else { Visit::On }
        },
    );
    match looked {
        Ok(()) if is_told => bail!(
            "there are messages on the topic {topic:?}, and the fleet would take them for its own: name another one (kafka.topic), \
             or delete it while nobody runs on it"
        ),
        Ok(()) | Err(ScanError::NoTopic(_)) => Ok(()),
        Err(error) => {
            Err(anyhow!(error).context("whether the topic is empty cannot be seen: Kafka must be there"))
        }
    }
}

/// What was just closed may be there for another moment.
fn when_alone<T>(ask: impl Fn() -> Result<T, ImportError>) -> Result<T, ImportError> {
    let (pause, since) = (Doorbell::default(), Stopwatch::start());
    loop {
        match ask() {
            Err(ImportError::InUse(_)) if since.elapsed() < CLOSED_WITHIN => pause.wait(ASK_EVERY),
            answer => return answer,
        }
    }
}

fn explain(config: &Config, name: &'static str, error: ImportError) -> anyhow::Error {
    let address = crate::config::secret::without_password(config.postgres.url(name));
    match error {
        ImportError::Open(error) => databases::explain(config, name, error),
        error @ (ImportError::Store(_)
        | ImportError::NotEmpty(_)
        | ImportError::Other(_)
        | ImportError::InUse(_)) => {
            anyhow!(error).context(format!("nothing more is imported into the database of {name}, {address}"))
        }
    }
}

/// All of them at once: they are on other machines, mostly.
fn load_all(
    config: &Config,
    source: &Source,
    (stages, changes, drawn): (&[Stage], Changes, LogId),
) -> anyhow::Result<Vec<Moved>> {
    let groups = Layout::Apart.groups();
    std::thread::scope(|scope| {
        let loading: Vec<_> = groups
            .iter()
            .zip(stages)
            .map(|((name, services), stage)| {
                scope.spawn(move || match stage {
                    Stage::Begun => load(config, source, ((*name, services), changes, drawn)),
                    Stage::Loaded | Stage::Done => Ok(Moved::of(name, &Carried::default(), 0)),
                })
            })
            .collect();
        let loaded = loading.into_iter().map(|thread| thread.join().expect("a panic ends the process"));
        loaded.collect()
    })
}

fn load(
    config: &Config,
    source: &Source,
    ((name, services), changes, drawn): ((&'static str, &[&'static str]), Changes, LogId),
) -> anyhow::Result<Moved> {
    let stopwatch = Stopwatch::start();
    let reader = source.readers.of(name).apart();
    let snapshot =
        reader.snapshot().with_context(|| format!("cannot read {}", source.config.data.display()))?;
    let numbers: Vec<(&str, u64)> =
        source.next_numbers.iter().filter(|(service, _)| services.contains(service)).copied().collect();
    let options = databases::options(config, services);
    let carried = import::load(&options, source.import(name, drawn), (&*snapshot, changes, &numbers))
        .map_err(|error| explain(config, name, error))?;
    Ok(Moved::of(name, &carried, u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX)))
}

impl Moved {
    fn of(database: &'static str, carried: &Carried, took_ms: u64) -> Self {
        let Carried { events, entities, effects, answers, letters, timers_moved, .. } = *carried;
        Self {
            database,
            events,
            entities,
            effects,
            answers,
            letters,
            deadlines_put_off: timers_moved,
            took_ms,
        }
    }
}

/// What is in the databases is what is in the directory, and everything holds. Returns how much is on its way.
fn verify(config: &Config, source: &Source) -> anyhow::Result<u64> {
    let mut opened: Vec<(&str, Arc<dyn Reader>)> = Vec::new();
    for (name, services) in Layout::Apart.groups() {
        let database = import::open_loaded(&databases::options(config, &services))
            .map_err(|error| databases::explain(config, name, error))?;
        opened.push((name, database.reader()));
    }
    let of = |name: &str| {
        let found = opened.iter().find(|(known, _)| *known == name);
        found.map(|(_, reader)| reader.clone()).context("every service lies in one of the databases")
    };
    let readers = Readers {
        call: of(call::NAME)?,
        payment: of(payment::NAME)?,
        drive: of(drive::NAME)?,
        view: of(view::NAME)?,
    };
    let content = Content::read(&readers, config.store.shards)?;
    if content != source.content {
        bail!(
            "what is in the databases is not what is in the directory, so make them anew: {content:?} and {:?}",
            source.content
        );
    }
    let options = audit::Options {
        rules: config.rules(),
        partitions: Some(config.kafka.partitions),
        ..audit::Options::default()
    };
    let report = audit_readers(&readers, None::<Timestamp>, &options)?;
    if !report.holds() {
        bail!(
            "something is broken in the databases, so no service may use them yet: make them anew\n{report}"
        );
    }
    Ok(report.in_flight())
}

fn text(told: &Told) -> Result<String, std::fmt::Error> {
    let Told { databases, content, on_the_way, no_deadline_before, took_ms } = told;
    let mut text = String::new();
    for moved in databases {
        let Moved { database, events, entities, effects, answers, letters, deadlines_put_off, took_ms } =
            moved;
        writeln!(
            text,
            "{database:<8}{events} events, {entities} entities, {effects} open effects, {answers} remembered answers, \
             {letters} dead letters, {deadlines_put_off} deadlines put off, in {took_ms} ms"
        )?;
    }
    content.write(&mut text)?;
    match on_the_way {
        Some(on_the_way) => {
            writeln!(text, "audit   every invariant holds, {on_the_way} on the way, which go on")?
        }
        None => writeln!(text, "an earlier try has imported it, and found that every invariant holds")?,
    }
    match no_deadline_before {
        Some(time) => writeln!(text, "no deadline runs out before {time}; all of it took {took_ms} ms")?,
        None => writeln!(text, "deadlines stay as they are; all of it took {took_ms} ms")?,
    }
    writeln!(
        text,
        "start the fleet: the topic is told everything, and services drop what they know. Nobody runs on the directory any more"
    )?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_runs_on_the_directory_before_a_service_can_use_the_first_database() {
        let folder = tempfile::tempdir().unwrap();
        let moved = folder.path().join("moved");
        let cut_off = release(folder.path(), "call postgres://db/call\n", |_, _| {
            assert!(moved.exists(), "it is noted before");
            bail!("the first database is away")
        });
        assert!(cut_off.is_err() && moved.exists());
        let mut times = [None, Some(Timestamp(9)), Some(Timestamp(7)), None].into_iter();
        let mut names = Vec::new();
        let again = release(folder.path(), "call postgres://db/call\n", |name, _| {
            names.push(name);
            Ok(times.next().flatten())
        });
        assert_eq!(again.unwrap(), Some(Timestamp(7)), "it goes on, and the earliest time counts");
        assert_eq!(names.len(), 4);
        let nowhere = release(&folder.path().join("nowhere"), "", |_, _| unreachable!("it cannot be noted"));
        assert!(nowhere.is_err());
    }
}
