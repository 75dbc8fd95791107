//! The one entry: it takes every request, and has a service of this process or a replica over HTTP answer it.
//!
//! It knows HTTP and the languages of people, and nothing else: what a route means is told by whoever builds it.
//!
//! - [`route`]: which paths go where.
//! - [`settings`]: every limit, by name.
//! - [`Gateway`]: the entry itself, as an axum router; its readiness, its counts.
//! - [`server`]: the HTTP/1.1 server of every port of ours, and how it stops.

mod body;
mod cors;
mod entry;
mod forward;
mod headers;
mod problem;
mod rate;
mod replica;
mod replica_set;
mod request_id;
mod socket;

pub mod route;
pub mod server;
pub mod settings;
pub mod stats;

pub use entry::{Gateway, Readiness};
