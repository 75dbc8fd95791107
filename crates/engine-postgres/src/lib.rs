//! The engine's store on PostgreSQL: several processes write one database, each commit one transaction.
//!
//! Reading order: [`Database`] (opening), `ddl` and `layout` (what a database looks like), `migrate` (how it gets from one
//! version to the next), `session` (one connection), `writer` and `commit`, `reader` and `list` (everyone else).
//! Why it is laid out so: docs/decisions/0020-postgres-layout.md and 0021-postgres-migrations.md.

mod answers;
mod commit;
pub mod connections;
#[cfg(test)]
#[path = "../tests/it/database.rs"]
mod database;
mod ddl;
mod failure;
mod heads;
pub mod import;
pub mod inspect;
mod layout;
mod lease;
mod list;
#[cfg(test)]
mod locking;
mod migrate;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod planted;
mod pool;
mod read;
mod read_sql;
mod reader;
mod rebuild;
mod server;
mod session;
mod tables;
mod tls;
mod value;
pub mod view;
mod writer;
mod writes;

use connections::Connections;
use engine::lease::Lease;
use engine::log::LogId;
use engine::store::{Reader, Schema, Store, Stored};
use engine::topic::RELAY;
use failure::{Answer, Failure};
use layout::Layout;
use lease::Turns;
use migrate::MIGRATIONS;
use pool::Pool;
use reader::Onlooker;
use server::Server;
use session::{Call, Purpose, Session};
use std::path::PathBuf;
use std::sync::Arc;
use tables::common;
use value::integer;
use view::View;
use writer::Writer;

const SET_LOG: &str = "UPDATE engine.meta SET value = $1 WHERE name = 'log'";

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
    #[error("it has no tables yet: start a service once, which makes them")]
    Empty,
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
    #[error("what is being imported into it is not all there: give the same `taxisvc import` again")]
    Importing,
    /// It may be there later.
    #[error("it cannot be reached: {0}")]
    Unavailable(String),
    #[error("{0}")]
    Refused(String),
}

/// A database whose layout was checked.
pub struct Database {
    layout: Arc<Layout>,
    server: Arc<Server>,
    pool: Arc<Pool>,
}

impl Database {
    /// Opens a database to write it, and makes what is not there yet: its tables (its log then is `new_log`), or what a
    /// newer version of them has. Several processes may do so at once.
    pub fn create_or_open(options: &Options, new_log: LogId) -> Result<Self, OpenError> {
        let server = Server::of(options)?;
        let (session, _) = Session::connect(&server, Purpose::Opening, "")?;
        let layout = Layout::prepare(&session, (options, new_log), MIGRATIONS)?;
        import::refuse_half(&session)?;
        view::make(&session, &options.views);
        Ok(Self::with(layout, server, options))
    }

    /// Opens a database only to look at it; it must be there.
    pub fn open_read_only(options: &Options) -> Result<Self, OpenError> {
        let server = Server::of(options)?;
        let (session, _) = Session::connect(&server, Purpose::Opening, "")?;
        let layout = Layout::check(&session, &options.schemas, MIGRATIONS)?;
        import::refuse_half(&session)?;
        Ok(Self::with(layout, server, options))
    }

    fn with(layout: Layout, server: Server, options: &Options) -> Self {
        let (layout, server) = (Arc::new(layout), Arc::new(server));
        let pool = Arc::new(Pool::new(layout.clone(), server.clone(), options.connections_max));
        Self { layout, server, pool }
    }

    pub fn log(&self) -> LogId {
        self.layout.log
    }

    /// The counts of its connections.
    pub fn connections(&self) -> Arc<Connections> {
        self.server.connections.clone()
    }

    /// Another writer, with a connection of its own; it connects when it is first used.
    pub fn store(&self) -> Box<dyn Store> {
        Box::new(Writer::new(self.layout.clone(), self.server.clone()))
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(Onlooker::new(self.pool.clone()))
    }

    /// Turns among replicas, for one of them.
    pub fn lease(&self, holder: u64) -> Box<dyn Lease> {
        Box::new(Turns::new(self.layout.clone(), self.server.clone(), holder))
    }

    /// Gives the logs another identity, and forgets what of them a topic was told. Whoever has the database open is refused
    /// from its next connection on, and must open it again; this one, too.
    pub fn renew_log(&self, new: LogId) -> Stored<()> {
        let renewed = self.change(|session| {
            let mut calls = vec![Call::new(SET_LOG, vec![Box::new(new.to_string())])];
            let told = self.layout.services().iter();
            calls.extend(told.map(|tables| Call::new(&tables.write.forget_told, vec![Box::new(RELAY)])));
            session.transact(&calls, "COMMIT").map(drop)
        });
        renewed.map_err(Failure::into_store_error)
    }

    /// No number below `least` is given any more.
    pub fn skip_numbers(&self, service: &'static str, least: u64) -> Stored<()> {
        let skipped = integer(least).and_then(|least| {
            let code = self.layout.tables(service)?.code;
            self.change(|session| {
                session.query(common::SKIP_NUMBERS, vec![Box::new(code), Box::new(least)]).map(drop)
            })
        });
        skipped.map_err(Failure::into_store_error)
    }

    fn change<T>(&self, change: impl FnOnce(&Session) -> Answer<T>) -> Answer<T> {
        change(&self.layout.connect(&self.server, Purpose::Writing)?)
    }
}
