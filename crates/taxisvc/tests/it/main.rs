//! The whole system, told in stories: the binary over HTTP, and the same services turned by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod world;

mod cluster;
mod original;
mod stories;

mod as_a_service;
mod backup;
mod bad_settings;
mod clock_set;
mod commands;
mod contract;
mod data_directory;
mod drain;
mod figures;
mod full_disk;
mod gateway_alone;
mod killed_and_resumed;
mod layouts;
mod older;
mod problem_types;
mod service_alone;
mod settings_change_while_it_runs;
mod the_log;
mod the_originals_commands;
mod traces;
mod upgrade_recipe;
mod web_port;
mod wrong_input;
