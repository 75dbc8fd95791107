//! Poison: what cannot be read, makes the code panic, or breaks an invariant. It is put aside alone, in order per key.

use crate::clock::Timestamp;
use crate::effect::Effect;
use crate::log::{EntityKey, Recorded};
use crate::timer::{DueTimer, Timer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A message that was put aside, with why. Later ones of the same key wait behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Drawn by the store; 0 until it is stored.
    pub number: u64,
    pub entity_id: u64,
    pub parcel: Parcel,
    pub reason: String,
    pub at: Timestamp,
    /// Set once an operator has passed it over: then it waits for nothing, and nothing waits behind it.
    pub skipped: Option<Skip>,
}

/// The entities of a shard that have a dead letter that waits: their later messages wait behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parked {
    pub entities: BTreeSet<u64>,
    /// The number of the last of those letters: what comes later has a higher one.
    pub last: u64,
}

impl Parked {
    /// Of letters that wait, those of a number after this one.
    pub fn of(letters: &[DeadLetter], after: u64) -> Self {
        let later = letters.iter().filter(|letter| letter.number > after);
        let last = later.clone().map(|letter| letter.number).max().unwrap_or(after);
        Self { entities: later.map(|letter| letter.entity_id).collect(), last }
    }
}

/// What of a reason may stand in the log, which many read: values come after the colon, and may be about somebody.
pub fn outline(reason: &str) -> &str {
    let reason = reason.strip_prefix(A_PANIC).unwrap_or(reason);
    let line = reason.lines().next().unwrap_or_default();
    line.split_once(": ").map_or(line, |(before, _)| before)
}

/// What the reason of a panic begins with.
pub(crate) const A_PANIC: &str = "a panic: ";

/// Who passed a dead letter over, why, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skip {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
}

/// On which side of an operator's decision a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Waiting,
    PassedOver,
}

impl Side {
    pub fn of(letter: &DeadLetter) -> Self {
        if letter.skipped.is_none() { Self::Waiting } else { Self::PassedOver }
    }
}

/// A message from inside the system, as opposed to a command from its edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Parcel {
    Event(Recorded),
    Due {
        kind: String,
        id: u64,
        timer: Timer,
    },
    Answer {
        kind: String,
        id: u64,
        sequence: u64,
        name: String,
        body: String,
        outcome: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    },
}

impl Parcel {
    pub fn due(due: DueTimer) -> Self {
        Self::Due { kind: due.key.kind.to_owned(), id: due.key.id, timer: due.timer }
    }

    pub fn answer(effect: &Effect, outcome: String) -> Self {
        Self::Answer {
            kind: effect.key.kind.to_owned(),
            id: effect.key.id,
            sequence: effect.sequence,
            name: effect.name.clone().into_owned(),
            body: effect.body.clone(),
            outcome,
            trace: effect.trace.clone(),
        }
    }

    pub fn entity_id(&self) -> u64 {
        match self {
            Self::Event(recorded) => recorded.entity_id,
            Self::Due { id, .. } | Self::Answer { id, .. } => *id,
        }
    }
}

/// The kind as the service spells it, so that a key read back is the key that was written.
pub(crate) fn own_key(kinds: &[&'static str], kind: &str, id: u64) -> Option<EntityKey> {
    kinds.iter().find(|own| **own == kind).map(|own| EntityKey { kind: own, id })
}

pub(crate) fn effect_of(key: EntityKey, sequence: u64, name: &str, body: &str) -> Effect {
    Effect {
        key,
        sequence,
        name: Cow::Owned(name.to_owned()),
        body: body.to_owned(),
        attempts: 0,
        claimed_until: Timestamp(0),
        trace: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reason_is_about_stays_out_of_the_log() {
        for (reason, said) in [
            ("called `Option::unwrap()` on a `None` value", "called `Option::unwrap()` on a `None` value"),
            ("a panic: it is written: Rider { name: \"eojin\" }", "it is written"),
            ("assertion failed\n  left: \"eojin\"", "assertion failed"),
            ("its body cannot be read: invalid type: string \"eojin\"", "its body cannot be read"),
        ] {
            assert_eq!(outline(reason), said);
        }
    }
}
