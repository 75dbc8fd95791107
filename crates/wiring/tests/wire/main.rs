//! The messages of the topic: their bytes, what is read of them, and what each service does about it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod desk;
mod document;
mod golden;
mod odd;
mod original;
mod round_trip;
