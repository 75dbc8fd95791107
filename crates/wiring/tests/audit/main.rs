//! The audit is silent over a healthy system at every moment, and names the row of everything that is planted in it.

mod copy;
mod moments;
mod over_a_topic;
mod planted;
mod system;
