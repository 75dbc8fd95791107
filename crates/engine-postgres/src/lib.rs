//! The engine's store on PostgreSQL: several processes write one database, each commit one transaction.
//!
//! Reading order: [`Database`] (opening), `ddl` and `layout` (what a database looks like), `migrate` (how it gets from one
//! version to the next), `session` (one connection), `writer` and `commit`, `reader` and `list` (everyone else).
//! Why it is laid out so: docs/decisions/0020-postgres-layout.md and 0021-postgres-migrations.md.

mod ddl;
mod failure;
mod layout;
mod value;
pub mod view;

use engine::lease::Lease;
use engine::log::LogId;
use engine::store::{Reader, Schema, Store, Stored};
use std::path::PathBuf;
use std::sync::Arc;
use view::View;

/// What a database is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// The services that the database holds, all of them.
    pub schemas: Vec<Schema>,
    pub views: Vec<View>,
    /// Connections for reading that may be open at once. A writer and a lease have one each besides.
    pub connections_max: usize,
    /// The certificates of those who may vouch for the server, in PEM; the system's own where `None`.
    pub ca_file: Option<PathBuf>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("its address is malformed: {0}")]
    Address(String),
    #[error("its TLS cannot be set up: {0}")]
    Tls(String),
    #[error("PostgreSQL {found} is older than {}", layout::SERVER_MIN)]
    Server { found: String },
    #[error("its encoding is {0}, and texts need UTF8")]
    Encoding(String),
    #[error("it has a schema named engine that is of something else")]
    Foreign,
    #[error(
        "its tables are of version {found} and can be used by programs that know version {oldest_reader} or a later one; \
         this one knows {known}: use a newer program"
    )]
    Newer { found: u32, oldest_reader: u32, known: u32 },
    #[error(
        "its tables are of version {found}, this program wants {known}: start a service once, which brings them there"
    )]
    Older { found: u32, known: u32 },
    #[error(
        "it holds the services {stored}, and those asked for are {asked}; they are fixed when it is made"
    )]
    Services { stored: String, asked: String },
    #[error("the service {service} in it has entities of an unknown kind {kind}")]
    UnknownKind { service: String, kind: String },
    #[error(
        "the service {service} in it has {stored} shards and not {asked}; the number is fixed when it is made"
    )]
    Shards { service: String, stored: u16, asked: u16 },
    #[error("its keys are spread over shards by {0:?}, which this program does not know")]
    Hash(String),
    #[error("{0:?} cannot be the name of a service or a kind: only up to {max} of a-z and - can", max = layout::NAME_BYTES_MAX)]
    Name(String),
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It may be there later.
    #[error("it cannot be reached: {0}")]
    Unavailable(String),
    #[error("{0}")]
    Refused(String),
}

/// A database whose layout was checked.
pub struct Database {}

impl Database {
    /// Opens a database to write it, and makes what is not there yet: its tables (its log then is `new_log`), or what a
    /// newer version of them has. Several processes may do so at once.
    pub fn create_or_open(_options: &Options, _new_log: LogId) -> Result<Self, OpenError> {
        Err(OpenError::Unavailable("not built yet".into()))
    }

    /// Opens a database only to look at it; it must be there.
    pub fn open_read_only(_options: &Options) -> Result<Self, OpenError> {
        Err(OpenError::Unavailable("not built yet".into()))
    }

    pub fn log(&self) -> LogId {
        LogId(0)
    }

    /// Another writer, with a connection of its own; it connects when it is first used.
    pub fn store(&self) -> Box<dyn Store> {
        unreachable!("a database cannot be opened yet")
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        unreachable!("a database cannot be opened yet")
    }

    /// Turns among replicas, for one of them.
    pub fn lease(&self, _holder: u64) -> Box<dyn Lease> {
        unreachable!("a database cannot be opened yet")
    }

    /// Gives the logs another identity, and forgets what of them a topic was told. Whoever has the database open must open it
    /// again.
    pub fn renew_log(&self, _new: LogId) -> Stored<()> {
        Ok(())
    }

    /// No number below `least` is given any more.
    pub fn skip_numbers(&self, _service: &'static str, _least: u64) -> Stored<()> {
        Ok(())
    }
}
