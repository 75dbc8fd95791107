//! Effects on the outside: rows of the commit that wants them, carried out after it, at least once, in order per entity.

use crate::clock::Timestamp;
use crate::log::EntityKey;
use std::borrow::Cow;

/// What a decision wants done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    pub key: EntityKey,
    pub name: &'static str,
    pub body: String,
}

/// An effect that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub key: EntityKey,
    /// Orders the effects of one entity: its version when the effect was wanted, times 256, plus the place within it.
    pub sequence: u64,
    pub name: Cow<'static, str>,
    pub body: String,
    /// How often it was begun, this time included.
    pub attempts: u32,
    /// Nobody else begins it before this time.
    pub claimed_until: Timestamp,
    /// The trace in which it was wanted. It is not stored with it: it stands in the log, at the version that wanted it.
    pub trace: Option<String>,
}

impl Effect {
    /// The version of its entity that wanted it.
    pub fn wanted_at(&self) -> u64 {
        self.sequence / EFFECTS_PER_VERSION_MAX
    }
}

pub const EFFECTS_PER_VERSION_MAX: u64 = 256;

/// When an unanswered effect is begun again: doubling from the first delay up to the last.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    pub delay_ms_first: i64,
    pub delay_ms_max: i64,
}

impl Retry {
    pub(crate) fn delay_ms(&self, attempts: u32) -> i64 {
        let factor = 1_i64.checked_shl(attempts.saturating_sub(1).min(32)).unwrap_or(i64::MAX);
        self.delay_ms_first.saturating_mul(factor).min(self.delay_ms_max)
    }
}

/// Whoever carries effects out. It must not block: it begins, and later gives the outcome to the service's handle.
pub trait Performer: Send {
    fn perform(&mut self, effect: Effect);
}

/// For services that want no effects.
pub struct NoPerformer;

impl Performer for NoPerformer {
    fn perform(&mut self, effect: Effect) {
        tracing::error!(effect = %effect.name, key = %effect.key, "an effect that nobody carries out");
    }
}
