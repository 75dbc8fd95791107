//! The bus on a real Kafka: a street that speaks and an ear that hears, each with a store of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod brokers;
mod changes;
mod database;
mod ear;
mod growing;
mod hearing;
mod street;
mod telling;
mod transactions;
mod turns;
mod wire;
mod world;
