//! What is told of calls of every outcome, run over stores in memory.

mod document;
mod events;
mod golden;
mod letters;
mod situations;
mod world;
