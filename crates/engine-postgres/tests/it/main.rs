//! The store on a real PostgreSQL: the engine's suite, and what only a server between processes can do.

mod conformance;
mod database;

pub(crate) use engine_postgres::{Database, Options, view};
