//! Asks a broker for the id of a topic, which the Rust client does not pass on; the one crate with unsafe code.
