//! What an operator can ask for on the command line, beside a running server or without one.

pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod print;
pub(crate) mod token;
