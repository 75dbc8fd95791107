//! The gateway between clients that write raw bytes and replicas that answer with raw bytes, on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod changed;
mod drain;
mod failures;
mod framing;
mod passing;
mod streams;
mod support;
mod turned_away;
