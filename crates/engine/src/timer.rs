//! One armed timer per open entity, kept in the entity's own row, so that two can never be armed.

use crate::clock::Timestamp;
use crate::log::EntityKey;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A timer that is armed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    pub name: Cow<'static, str>,
    pub due: Timestamp,
}

/// What a decision does to the timer of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimerChange {
    Keep,
    Arm { name: &'static str, due: Timestamp },
    Disarm,
}

impl TimerChange {
    pub(crate) fn apply(&self, timer: &mut Option<Timer>) {
        match self {
            Self::Keep => {}
            Self::Arm { name, due } => *timer = Some(Timer { name: Cow::Borrowed(name), due: *due }),
            Self::Disarm => *timer = None,
        }
    }
}

/// A timer that the store found due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTimer {
    pub key: EntityKey,
    pub timer: Timer,
}
