//! The data directory: locked by whoever writes it, with a version, refused when a newer program has written it.

pub(crate) mod copies;
pub(crate) mod listening;
pub(crate) mod moved;
mod privacy;
pub(crate) mod restoring;
pub(crate) mod token;

use crate::config::{Config, Layout};
use crate::sentinel::{Failing, Sentinel};
use anyhow::{Context, bail};
use engine::log::LogId;
use engine::store::{Reader, Schema};
use engine_sqlite::Database;
use engine_sqlite::copy::Member;
use rustix::fs::Mode;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wiring::Readers;

/// The version of what is stored in it. One that is written by a newer program is refused.
const VERSION: u32 = 1;
const VERSION_FILE: &str = "version";
/// Becomes the version once it is whole.
const VERSION_FILE_NEW: &str = "version.new";
const LOCK_FILE: &str = "lock";
/// What a start may have left that was cut off before it wrote the version, and the token that services which run by
/// themselves keep; `lost+found` is of a disk of its own.
const OF_A_FIRST_START: [&str; 4] = [VERSION_FILE_NEW, LOCK_FILE, token::FILE, "lost+found"];

/// A data directory that this process alone writes.
pub(crate) struct DataDir {
    pub(crate) databases: Vec<wiring::Database>,
    _lock: File,
}

/// A data directory that is only looked at.
pub(crate) struct Look {
    pub(crate) readers: Readers,
    /// Whether somebody writes it meanwhile.
    pub(crate) is_running: bool,
}

/// Opens the directory to write it; makes it when it is not there. What is made is its owner's alone, for it has names and
/// journeys of people in it.
pub(crate) fn open(config: &Config, draw: impl FnMut() -> u64, failing: &Failing) -> anyhow::Result<DataDir> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let path = &config.data;
    refuse_to_run_on(path)?;
    refuse_what_is_not_ours(path)?;
    make(path).with_context(|| format!("cannot make the data directory {}", path.display()))?;
    let lock = lock_to_run(path)?;
    listening::forget(path)?;
    check_version(path, true)?;
    privacy::close(config);
    let databases = open_all(config, draw, failing)?;
    Ok(DataDir { databases, _lock: lock })
}

/// Refuses to run on what is a backup, or has been restored by half.
pub(crate) fn refuse_to_run_on(directory: &Path) -> anyhow::Result<()> {
    let name = directory.display();
    if copies::is_backup(directory) {
        bail!(
            "{name} is a backup, and what runs on it would go on under positions that others know: \
             `taxisvc restore {name} --data DIRECTORY` makes a data directory of it"
        );
    }
    moved::refuse_moved(directory)?;
    restoring::refuse_half(directory)
}

/// The files of a directory's databases, with what is in them, to copy them. Of what is half restored nothing is copied: some
/// of its logs have their old names and some have new ones; nor of what has moved, which a copy would not say of itself.
pub(crate) fn members(config: &Config) -> anyhow::Result<Vec<Member>> {
    restoring::refuse_half(&config.data)?;
    moved::refuse_moved(&config.data)?;
    copies::files(config)
}

/// Whoever had the directory until now may have made something of it on which nobody runs, after it was looked at first.
fn lock_to_run(directory: &Path) -> anyhow::Result<File> {
    let lock = lock(directory)?;
    refuse_to_run_on(directory)?;
    Ok(lock)
}

/// A directory that holds something else is not made ours: its owner would not look for us there, nor find what is theirs.
fn refuse_what_is_not_ours(directory: &Path) -> anyhow::Result<()> {
    if is_there(&directory.join(VERSION_FILE)) {
        return Ok(());
    }
    let Ok(mut entries) = std::fs::read_dir(directory) else { return Ok(()) };
    let foreign = entries.find_map(|entry| {
        let name = entry.ok()?.file_name();
        (!OF_A_FIRST_START.iter().any(|ours| name == *ours)).then_some(name)
    });
    match foreign {
        None => Ok(()),
        Some(name) => bail!(
            "{} is no data directory of taxisvc and not empty ({} is in it): name an empty one, or one that is not there yet",
            directory.display(),
            name.display()
        ),
    }
}

/// Makes the directory and those it lies in, so that a power cut does not take them with all that is in them.
fn make(directory: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !is_there(path)).collect();
    std::fs::create_dir_all(directory)?;
    for made in missing {
        sync_entries(made.parent().unwrap_or(made))?;
    }
    Ok(())
}

/// The empty path is where relative ones begin.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.exists()
}

/// Has a directory's list of files on the disk.
fn sync_entries(directory: &Path) -> std::io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

/// Opens the directory to look at it, whether or not a server runs on it.
pub(crate) fn look(config: &Config) -> anyhow::Result<Look> {
    check_version(&config.data, false)?;
    let is_running = is_locked(&config.data)?;
    Ok(Look { readers: read(config)?, is_running })
}

/// Opens the databases of a directory to read them.
pub(crate) fn read(config: &Config) -> anyhow::Result<Readers> {
    refuse_other_layout(config)?;
    let mut readers: Vec<(Vec<&'static str>, Arc<dyn Reader>)> = Vec::new();
    for (name, services) in config.layout().groups() {
        let file = file_of(&config.data, name);
        let database = Database::open_read_only(&file, &schemas(&services, config), VERSION)
            .with_context(|| format!("cannot use {}", file.display()))?;
        readers.push((services, database.reader()));
    }
    let of = |service: &str| {
        let holds = readers.iter().find(|(services, _)| services.contains(&service));
        holds.map(|(_, reader)| reader.clone()).context("every service lies in one of the databases")
    };
    Ok(Readers {
        call: of(wiring::call::NAME)?,
        payment: of(wiring::payment::NAME)?,
        drive: of(wiring::drive::NAME)?,
        view: of(wiring::view::NAME)?,
    })
}

fn open_all(
    config: &Config,
    mut draw: impl FnMut() -> u64,
    failing: &Failing,
) -> anyhow::Result<Vec<wiring::Database>> {
    refuse_other_layout(config)?;
    let mut databases = Vec::new();
    for (name, services) in config.layout().groups() {
        let file = file_of(&config.data, name);
        let schemas = schemas(&services, config);
        let database = Database::create_or_open(&file, &schemas, LogId(draw()), VERSION)
            .with_context(|| format!("cannot use {}", file.display()))?;
        let store = database.store().context("a database that was opened just now has its writer")?;
        let reader = Arc::new(Sentinel { reader: database.reader(), failing: failing.clone() });
        databases.push(wiring::Database { services, store, reader });
    }
    Ok(databases)
}

/// Files of the other layout would be left behind, with all that is in them.
fn refuse_other_layout(config: &Config) -> anyhow::Result<()> {
    let (chosen, other) = match config.layout() {
        wiring::Layout::Together => ("together", wiring::Layout::Apart),
        wiring::Layout::Apart => ("apart", wiring::Layout::Together),
    };
    for (name, _) in other.groups() {
        let file = file_of(&config.data, name);
        if file.exists() {
            bail!("store.layout is {chosen:?}, but {} was made with the other one", file.display());
        }
    }
    Ok(())
}

/// Keeps everybody from writing a directory that is only read, where anybody has ever written it.
pub(crate) fn hold(directory: &Path) -> anyhow::Result<Option<File>> {
    if directory.join(LOCK_FILE).exists() { lock(directory).map(Some) } else { Ok(None) }
}

/// In which layout a directory was made.
pub(crate) fn layout_of(directory: &Path) -> Layout {
    let (name, _) = wiring::Layout::Together.groups()[0];
    if file_of(directory, name).exists() { Layout::Together } else { Layout::Apart }
}

/// The first number that each service would give next.
pub(crate) fn next_numbers(config: &Config) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let mut numbers = Vec::new();
    for (name, services) in config.layout().groups() {
        let file = file_of(&config.data, name);
        let of = || format!("cannot use {}", file.display());
        let database =
            Database::open_read_only(&file, &schemas(&services, config), VERSION).with_context(of)?;
        for service in services {
            numbers.push((service, database.next_number(service).with_context(of)?));
        }
    }
    Ok(numbers)
}

/// The files of the databases, by their names.
pub(crate) fn databases(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let groups = config.layout().groups().into_iter();
    groups.map(|(name, _)| (name, file_of(&config.data, name))).collect()
}

/// The files that are open for as long as the directory is.
pub(crate) fn files(config: &Config) -> Vec<PathBuf> {
    let databases = databases(config).into_iter().map(|(_, file)| file);
    databases.chain([config.data.join(LOCK_FILE)]).collect()
}

fn schemas(services: &[&'static str], config: &Config) -> Vec<Schema> {
    services.iter().map(|service| wiring::schema(service, config.store.shards)).collect()
}

fn file_of(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.db"))
}

fn lock(directory: &Path) -> anyhow::Result<File> {
    let path = directory.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "the data directory {} is in use by another taxisvc; stop that one first",
                directory.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Refuses what is no data directory of ours.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    check_version(&config.data, false)
}

/// Whether somebody writes the directory, which is refused when it is none of ours.
pub(crate) fn is_in_use(config: &Config) -> anyhow::Result<bool> {
    check(config)?;
    is_locked(&config.data)
}

/// Whether somebody writes the directory. The look takes no lock that a server could run into for longer than a moment, and
/// makes no file: what is looked at may be a copy, or not be ours to write.
fn is_locked(directory: &Path) -> anyhow::Result<bool> {
    let path = directory.join(LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// All of it or nothing: half a version would be one that nobody knows.
fn write_version(directory: &Path) -> std::io::Result<()> {
    let new = directory.join(VERSION_FILE_NEW);
    let mut file = File::create(&new)?;
    writeln!(file, "{VERSION}")?;
    file.sync_all()?;
    std::fs::rename(&new, directory.join(VERSION_FILE))?;
    sync_entries(directory)
}

fn check_version(directory: &Path, make: bool) -> anyhow::Result<()> {
    let path = directory.join(VERSION_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && make => {
            return write_version(directory).with_context(|| format!("cannot write {}", path.display()));
        }
        Err(error) if error.kind() == ErrorKind::NotFound && !directory.exists() => {
            bail!(
                "there is no data directory {}: `taxisvc up` makes it, and --data names another",
                directory.display()
            )
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "{} is not a data directory of taxisvc: it has no file {VERSION_FILE:?}",
                directory.display()
            )
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let version: u32 = text
        .trim()
        .parse()
        .with_context(|| format!("{} should hold a number and holds {:?}", path.display(), text.trim()))?;
    if version > VERSION {
        bail!(
            "the data directory {} has version {version}, and this program knows up to {VERSION}: \
             a newer taxisvc has written it, use that one",
            directory.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_and_its_version_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/b");
        make(&directory).unwrap();
        make(&directory).unwrap();
        // What a power cut left of an earlier attempt is in nobody's way.
        std::fs::write(directory.join(VERSION_FILE_NEW), "").unwrap();
        assert!(check_version(&directory, false).is_err());
        check_version(&directory, true).unwrap();
        check_version(&directory, false).unwrap();
        assert_eq!(std::fs::read_to_string(directory.join(VERSION_FILE)).unwrap(), "1\n");
        assert!(!directory.join(VERSION_FILE_NEW).exists());
    }

    #[test]
    fn what_was_moved_before_it_was_locked_is_not_run_on() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path();
        drop(lock_to_run(directory).unwrap());
        // Between the first look and the lock.
        moved::note_moved(directory, "call postgres://db/call\n").unwrap();
        let refused = lock_to_run(directory).unwrap_err().to_string();
        assert!(refused.contains("was imported into PostgreSQL"), "{refused}");
        drop(lock(directory).unwrap());
    }

    #[test]
    fn those_who_look_see_who_writes_and_not_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path();
        assert!(!is_locked(directory).unwrap());
        assert!(!directory.join(LOCK_FILE).exists(), "a look makes nothing");
        let writing = lock(directory).unwrap();
        assert!(is_locked(directory).unwrap());
        drop(writing);
        let looking = File::open(directory.join(LOCK_FILE)).unwrap();
        looking.lock_shared().unwrap();
        assert!(!is_locked(directory).unwrap());
        std::fs::remove_file(directory.join(LOCK_FILE)).unwrap();
        std::os::unix::fs::symlink(LOCK_FILE, directory.join(LOCK_FILE)).unwrap();
        assert!(is_locked(directory).is_err(), "what cannot be known is said");
    }
}
