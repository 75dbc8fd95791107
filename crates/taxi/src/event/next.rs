//! A version of every event that no program in use knows, for rehearsals of an upgrade: it is read by whoever is built with
//! it, and written once they are told to.

use std::sync::atomic::{AtomicBool, Ordering};

/// Its schema version.
pub const SCHEMA: u16 = 2;

static IS_WRITTEN: AtomicBool = AtomicBool::new(false);

const BEFORE: &str = r#"{"next":"#;
const AFTER: &str = "}";

/// From now on events are written so.
pub fn write() {
    IS_WRITTEN.store(true, Ordering::Relaxed);
}

pub(super) fn is_written() -> bool {
    IS_WRITTEN.load(Ordering::Relaxed)
}

/// A body that a program of the version before cannot take for one of its own.
pub(super) fn wrap(body: &str) -> String {
    format!("{BEFORE}{body}{AFTER}")
}

/// As the version before has it.
pub(super) fn unwrap(schema: u16, body: &str) -> (u16, &str) {
    let inner = body.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
    match inner {
        Some(inner) if schema == SCHEMA => (super::SCHEMA, inner),
        Some(_) | None => (schema, body),
    }
}
