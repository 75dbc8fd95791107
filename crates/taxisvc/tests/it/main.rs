//! The whole system, told in stories: the binary over HTTP, and the same services turned by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod world;

mod original;
mod stories;

mod bad_settings;
mod commands;
mod data_directory;
mod drain;
mod gateway_alone;
mod killed_and_resumed;
mod layouts;
mod problem_types;
mod service_alone;
mod the_originals_commands;
mod wrong_input;
