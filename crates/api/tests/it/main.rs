//! Every service over HTTP, as its clients see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod callpay;
mod calls;
mod documents;
mod events;
mod golden;
mod health;
mod idempotency;
mod languages;
mod limits;
mod operator;
mod pages;
mod positions;
mod problem_pages;
mod web;
mod world;
mod wrong;
