//! The data directory: locked by whoever writes it, with a version, refused when a newer program has written it.

use crate::config::Config;
use anyhow::{Context, bail};
use engine::log::LogId;
use engine::store::{Reader, Schema};
use engine_sqlite::Database;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wiring::Readers;

/// The version of what is stored in it. One that is written by a newer program is refused.
const VERSION: u32 = 1;
const VERSION_FILE: &str = "version";
const LOCK_FILE: &str = "lock";

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

/// Opens the directory to write it; makes it when it is not there.
pub(crate) fn open(config: &Config, draw: impl FnMut() -> u64) -> anyhow::Result<DataDir> {
    let path = &config.data;
    std::fs::create_dir_all(path)
        .with_context(|| format!("cannot make the data directory {}", path.display()))?;
    let lock = lock(path)?;
    check_version(path, true)?;
    let databases = open_all(config, draw)?;
    Ok(DataDir { databases, _lock: lock })
}

/// Opens the directory to look at it, whether or not a server runs on it.
pub(crate) fn look(config: &Config) -> anyhow::Result<Look> {
    check_version(&config.data, false)?;
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
    let readers = Readers {
        call: of(wiring::call::NAME)?,
        payment: of(wiring::payment::NAME)?,
        drive: of(wiring::drive::NAME)?,
        view: of(wiring::view::NAME)?,
    };
    Ok(Look { readers, is_running: lock(&config.data).is_err() })
}

fn open_all(config: &Config, mut draw: impl FnMut() -> u64) -> anyhow::Result<Vec<wiring::Database>> {
    refuse_other_layout(config)?;
    let mut databases = Vec::new();
    for (name, services) in config.layout().groups() {
        let file = file_of(&config.data, name);
        let schemas = schemas(&services, config);
        let database = Database::create_or_open(&file, &schemas, LogId(draw()), VERSION)
            .with_context(|| format!("cannot use {}", file.display()))?;
        let store = database.store().context("a database that was opened just now has its writer")?;
        databases.push(wiring::Database { services, store, reader: database.reader() });
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

fn check_version(directory: &Path, make: bool) -> anyhow::Result<()> {
    let path = directory.join(VERSION_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && make => {
            return std::fs::write(&path, format!("{VERSION}\n"))
                .with_context(|| format!("cannot write {}", path.display()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
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
