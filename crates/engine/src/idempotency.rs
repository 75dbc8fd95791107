//! A request said twice under one key is carried out once, and both get the first one's answer.

use crate::clock::Timestamp;
use crate::log::EntityKey;

/// How long a key is remembered.
pub const WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// A client's key, within one route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey {
    pub route: &'static str,
    pub key: String,
}

/// A key with the digest of the body that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    pub request: RequestKey,
    pub fingerprint: [u8; 16],
}

/// What was answered under a key: the entity it was about, and the refusal if it was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    pub request: RequestKey,
    pub fingerprint: [u8; 16],
    pub key: EntityKey,
    pub refusal: Option<String>,
    pub at: Timestamp,
}
