//! Files that belong together copied as they are at one moment of all of them, beside whoever writes them.
//!
//! A moment is a read transaction of each file. They cannot be begun at once, so a service may be found to have heard what
//! the file of the one that said it does not hold yet: then they are begun again. What is copied afterwards is what those
//! transactions see, however long it takes, and no writer waits for it.

use crate::failure::Failure;
use crate::layout::Layout;
use crate::{OpenError, check_library, open_reader, read};
use engine::log::{ShardName, Source};
use engine::store::Schema;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How often the transactions are begun until they make one moment: each try takes a fraction of a millisecond.
const TRIES_MAX: u32 = 10_000;

/// A file and the services in it.
#[derive(Debug, Clone)]
pub struct Member {
    pub path: PathBuf,
    pub schemas: Vec<Schema>,
}

/// Why files are not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{}: {error}", path.display())]
    Open { path: PathBuf, error: OpenError },
    #[error("no moment of all files was found in {TRIES_MAX} tries: {0}")]
    NoMoment(String),
    #[error("the disk is full")]
    Full,
    #[error("the copy {} is not whole: {why}", path.display())]
    NotWhole { path: PathBuf, why: String },
}

/// One moment of all files. While it is kept, their WALs cannot start over, so they grow by what is written meanwhile.
pub struct Moment {
    files: Vec<Held>,
    /// How often it was tried.
    pub tries: u32,
}

struct Held {
    path: PathBuf,
    connection: Connection,
    layout: Layout,
}

impl Moment {
    /// Opens the files, which must be there, and finds a moment in which nobody is ahead of whom he has heard.
    pub fn find(members: &[Member], program: u32) -> Result<Self, CopyError> {
        let open = |member: &Member| {
            let opened = check_library().and_then(|()| {
                let connection = open_reader(&member.path)?;
                let layout = Layout::check(&connection, &member.schemas, program)?;
                Ok(Held { path: member.path.clone(), connection, layout })
            });
            opened.map_err(|error| CopyError::Open { path: member.path.clone(), error })
        };
        let files = members.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let mut moment = Self { files, tries: 0 };
        let mut ahead = String::new();
        while moment.tries < TRIES_MAX {
            moment.tries += 1;
            match moment.try_once()? {
                None => return Ok(moment),
                Some(found) => ahead = found,
            }
        }
        Err(CopyError::NoMoment(ahead))
    }

    /// Begins all transactions; says who is ahead, and ends them, where somebody is.
    fn try_once(&self) -> Result<Option<String>, CopyError> {
        for file in &self.files {
            // The moment is that of the first read, so one is made at once.
            file.all("BEGIN; SELECT count(*) FROM meta;")?;
        }
        let ahead = self.ahead()?;
        if ahead.is_some() {
            for file in &self.files {
                file.all("ROLLBACK")?;
            }
        }
        Ok(ahead)
    }

    fn ahead(&self) -> Result<Option<String>, CopyError> {
        for file in &self.files {
            for schema in &file.layout.schemas {
                for index in 0..schema.shards {
                    let shard = ShardName { service: schema.service, index };
                    let rows = file.read(|held| read::inbox(&held.connection, &held.layout, shard))?;
                    for (key, position) in rows {
                        if let Some(end) = self.end_of(&key.source)?
                            && end < position
                        {
                            let Source { service, shard: told, .. } = &key.source;
                            return Ok(Some(format!(
                                "{shard} has heard {service}/{told} up to {position}, which ends at {end}"
                            )));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Where a log ends in this moment; nothing where none of the files holds it.
    fn end_of(&self, source: &Source) -> Result<Option<u64>, CopyError> {
        for file in self.files.iter().filter(|file| file.layout.log == source.log) {
            let schema = file.layout.schemas.iter().find(|schema| schema.service == source.service);
            let Some(schema) = schema.filter(|schema| source.shard < schema.shards) else { continue };
            let shard = ShardName { service: schema.service, index: source.shard };
            return file.read(|held| read::last_position(&held.connection, &held.layout, shard)).map(Some);
        }
        Ok(None)
    }

    /// Copies the file at a place of those that were named to where there is none yet. It is a copy once it is settled, which
    /// wants no moment any more.
    pub fn copy(&self, place: usize, to: &Path) -> Result<(), CopyError> {
        let file = &self.files[place];
        let opened = |error: rusqlite::Error| failed(to, error);
        let mut copy = Connection::open(to).map_err(opened)?;
        copy.execute_batch("PRAGMA synchronous = OFF").map_err(opened)?;
        // All pages in one go: the transaction of the moment is open already, and nobody waits for it.
        let step =
            Backup::new(&file.connection, &mut copy).and_then(|backup| backup.step(-1)).map_err(opened)?;
        if step != StepResult::Done {
            return Err(CopyError::NotWhole { path: to.to_owned(), why: format!("SQLite says {step:?}") });
        }
        Ok(())
    }
}

/// Has a copy on the disk, and looks whether it is whole. Returns how many bytes there are.
pub fn settle(copy: &Path) -> Result<u64, CopyError> {
    close_and_check(copy)?;
    Ok(std::fs::metadata(copy).map_err(|error| failed(copy, OpenError::from(error)))?.len())
}

/// What is copied says of itself that it has a WAL; without one it is whole by itself, also where nothing can be written.
fn close_and_check(path: &Path) -> Result<(), CopyError> {
    let copy = Connection::open(path).map_err(|error| failed(path, error))?;
    let _: String = copy
        .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
        .map_err(|error| failed(path, error))?;
    drop(copy);
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(path, OpenError::from(error)))?;
    check(path)
}

/// Reads a whole file that nobody writes, and says what is damaged in it.
pub fn check(path: &Path) -> Result<(), CopyError> {
    let opened = open_reader(path).and_then(|connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match opened {
        Ok(said) if said == "ok" => Ok(()),
        Ok(why) => Err(CopyError::NotWhole { path: path.to_owned(), why }),
        Err(error) => Err(CopyError::NotWhole { path: path.to_owned(), why: error.to_string() }),
    }
}

fn failed(path: &Path, error: impl Into<OpenError>) -> CopyError {
    let error = error.into();
    if let OpenError::Sqlite(sqlite) = &error
        && sqlite.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    {
        return CopyError::Full;
    }
    CopyError::Open { path: path.to_owned(), error }
}

impl Held {
    fn all(&self, sql: &str) -> Result<(), CopyError> {
        self.connection.execute_batch(sql).map_err(|error| self.failed(error.into()))
    }

    fn read<T>(&self, read: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, CopyError> {
        read(self).map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: Failure) -> CopyError {
        let error = OpenError::Damaged(failure.into_store_error().to_string());
        CopyError::Open { path: self.path.clone(), error }
    }
}
