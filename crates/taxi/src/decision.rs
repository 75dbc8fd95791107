//! What a command leads to when it is not refused: events, a timer, and effects on the world outside.

use crate::event::Event;
use crate::time::{Millis, Timestamp};

/// All of it is committed together, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<E = NoEffect> {
    pub events: Vec<Event>,
    pub timer: TimerChange,
    pub effects: Vec<E>,
}

/// What happens to the one timer of the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerChange {
    Keep,
    /// Replaces the armed one, if any.
    Arm {
        name: &'static str,
        due: Timestamp,
    },
    Disarm,
}

/// The effect of a service that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEffect {}

impl<E> Decision<E> {
    /// Nothing to do: it is already done, or no longer wanted.
    pub fn nothing() -> Self {
        Self { events: Vec::new(), timer: TimerChange::Keep, effects: Vec::new() }
    }

    pub fn say(event: impl Into<Event>) -> Self {
        Self { events: vec![event.into()], ..Self::nothing() }
    }

    pub fn and_say(mut self, event: impl Into<Event>) -> Self {
        self.events.push(event.into());
        self
    }

    pub fn arm(mut self, name: &'static str, now: Timestamp, span: Millis) -> Self {
        self.timer = TimerChange::Arm { name, due: now.plus(span) };
        self
    }

    pub fn disarm(mut self) -> Self {
        self.timer = TimerChange::Disarm;
        self
    }

    pub fn order(mut self, effect: E) -> Self {
        self.effects.push(effect);
        self
    }
}
