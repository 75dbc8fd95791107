//! The audit is silent over a healthy system at every moment, and names the row of everything that is planted in it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod books;
mod copy;
mod fleet;
mod moments;
mod over_a_topic;
mod planted;
mod system;
