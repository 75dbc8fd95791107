//! What an operator can ask for on the command line, beside a running server or without one.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod log;
pub(crate) mod rebuild;
pub(crate) mod restore;
pub(crate) mod restored;
pub(crate) mod token;

mod by_hand;
mod content;
mod look;
mod print;
mod server;
mod speak;

pub(crate) use look::audited_beside;
