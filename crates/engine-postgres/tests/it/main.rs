//! The store on a real PostgreSQL: the engine's suite, and what only a server between processes can do.

mod analysis;
mod conformance;
mod database;
mod faults;
mod importing;
mod opening;
mod proxy;
mod tls;
mod users;

pub(crate) use engine_postgres::{Database, OpenError, Options, view};
