//! What is told of calls of every outcome, run over stores in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod agreement;
mod document;
mod events;
mod golden;
mod letters;
mod past;
mod situations;
mod world;
