//! A simulated payment provider: it takes and gives back each fare once, and has every vice of a real one on request.

pub mod book;
pub mod delivery;
pub mod settings;
pub mod wish;

mod chance;
