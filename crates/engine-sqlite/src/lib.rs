//! The engine's store on SQLite: one file holds any number of services, one thread writes it, any number read it.
//!
//! Reading order: [`Database`] (opening), `layout` and `tables` (what the file looks like), `writer` and `commit`
//! (the one writer), `reader` and `list` (everyone else). Why it is laid out so: docs/decisions/0003-sqlite-layout.md.

mod answers;
mod commit;
pub mod copy;
mod failure;
mod keys;
mod layout;
mod list;
mod read;
mod reader;
mod rebuild;
pub mod renew;
mod tables;
mod writer;

pub use layout::FORMAT;

use engine::log::LogId;
use engine::store::{Reader, Schema, Store};
use layout::Layout;
use reader::Pool;
use rusqlite::{Connection, OpenFlags, hooks::Wal};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use writer::Writer;

/// Older libraries can corrupt a WAL that is reset while it is read.
const LIBRARY_MIN: i32 = 3_051_003;
const PAGE_BYTES: u32 = 8_192;
/// Pages that the WAL may gather before they are carried into the file: a page that was written often goes once. Well
/// below the 4,062 that the first part of its index holds: on a full disk a WAL that uses its own length again goes on
/// being written, but its index cannot grow, and that ends the process.
const CHECKPOINT_PAGES: i32 = 3_500;
/// To which the WAL file shrinks again after a long reader let it grow.
const WAL_BYTES_MAX: u32 = 256 << 20;
const WRITER_CACHE_KIB: u32 = 64 << 10;
const READER_CACHE_KIB: u32 = 4 << 10;
/// Statements that a connection keeps prepared; a service has about forty.
const STATEMENTS_MAX: usize = 512;
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the SQLite library is {found}, older than {LIBRARY_MIN}; such a one can corrupt its log")]
    Library { found: i32 },
    #[error("another process is using it")]
    InUse,
    #[error("it is a database of something else")]
    Foreign,
    #[error(
        "its {what} version is {found}, this program knows up to {known}: it was written by a newer program, use that"
    )]
    Newer { what: &'static str, found: u32, known: u32 },
    #[error("it holds the service {0}, which is not one of those asked for")]
    UnknownService(String),
    #[error("it does not hold {0}")]
    MissingService(String),
    #[error("the service {service} in it has entities of an unknown kind {kind}")]
    UnknownKind { service: String, kind: String },
    #[error(
        "the service {service} in it has {stored} shards and not {asked}; the number is fixed when the file is made"
    )]
    Shards { service: String, stored: u16, asked: u16 },
    #[error("{0:?} cannot be the name of a service or a kind: only a-z and - can")]
    Name(String),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// An open file.
pub struct Database {
    layout: Arc<Layout>,
    writer: Mutex<Option<Writer>>,
    pool: Arc<Pool>,
}

impl Database {
    /// Opens a file to write it, and makes what is not there yet: the file itself (its log then is `new_log`), or
    /// services that it lacks. `program` is the version of what the services store; a file that a newer one has
    /// written is refused.
    pub fn create_or_open(
        path: &Path,
        schemas: &[Schema],
        new_log: LogId,
        program: u32,
    ) -> Result<Self, OpenError> {
        check_library()?;
        let lock = lock(path)?;
        let mut connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        layout::check_is_ours(&connection)?;
        set_up_writer(&mut connection)?;
        let layout = Arc::new(Layout::prepare(&mut connection, schemas, (new_log, program))?);
        let writer = Writer::new(connection, layout.clone(), lock).map_err(|failure| {
            let error = failure.into_store_error();
            OpenError::Damaged(error.to_string())
        })?;
        Ok(Self { pool: Arc::new(Pool::new(path, layout.clone())), writer: Mutex::new(Some(writer)), layout })
    }

    /// Opens a file only to look at it, whether or not somebody writes it meanwhile.
    pub fn open_read_only(path: &Path, schemas: &[Schema], program: u32) -> Result<Self, OpenError> {
        check_library()?;
        let connection = open_reader(path)?;
        let layout = Arc::new(Layout::check(&connection, schemas, program)?);
        Ok(Self { pool: Arc::new(Pool::new(path, layout.clone())), writer: Mutex::new(None), layout })
    }

    pub fn log(&self) -> LogId {
        self.layout.log
    }

    /// The one writer; `None` when it was given away already or the file was opened only to look at it.
    pub fn store(&self) -> Option<Box<dyn Store>> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.map(|writer| Box::new(writer) as Box<dyn Store>)
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        self.pool.clone()
    }
}

/// `3.51.3`.
pub fn library_version() -> &'static str {
    rusqlite::version()
}

fn check_library() -> Result<(), OpenError> {
    let found = rusqlite::version_number();
    if found < LIBRARY_MIN {
        return Err(OpenError::Library { found });
    }
    Ok(())
}

/// Keeps every other process from writing the file, which [`Store::is_exclusive`] rests on. The lock is on a file
/// beside it: SQLite's own locks are lost when a process closes any handle of the database itself.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = File::options().create(true).truncate(false).write(true).open(PathBuf::from(name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn flags(access: OpenFlags) -> OpenFlags {
    let create = if access == OpenFlags::SQLITE_OPEN_READ_WRITE {
        OpenFlags::SQLITE_OPEN_CREATE
    } else {
        OpenFlags::empty()
    };
    access | create | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn set_up_writer(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{WRITER_CACHE_KIB}; \
         PRAGMA journal_size_limit = {WAL_BYTES_MAX};"
    ))?;
    connection.wal_hook(Some(checkpoint))
}

/// Carries the WAL into the file once it is long enough. It runs after a commit that is safe already, so of its
/// errors only those may be told that end the process: any other would make the commit look as if it had not been.
fn checkpoint(wal: &mut Wal, pages: i32) -> rusqlite::Result<()> {
    if pages < CHECKPOINT_PAGES {
        return Ok(());
    }
    match wal.checkpoint() {
        Err(error) if failure::severity(&error) == failure::Severity::Fatal => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(&format!(
        "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{READER_CACHE_KIB};"
    ))?;
    Ok(connection)
}
