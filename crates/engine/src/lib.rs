//! The machine: runs any service's pure functions over a log, and has never heard of a taxi.
//!
//! This page is the whole interface of a service. Reading order after it: [`log`] (what is recorded), [`store`] (what
//! one commit carries), [`lane`] (the core: inputs in, one write set and the replies out), [`runner`] (the loop
//! around it), [`bus`] (how an event reaches the next service), [`handle`] (how the edge gives commands and waits).

mod apply;
mod aside;
pub mod audit;
pub mod bus;
mod cache;
pub mod carry;
pub mod clock;
mod conflict;
pub mod conformance;
pub mod dead_letter;
mod decide;
pub mod effect;
pub mod figures;
pub mod gate;
pub mod handle;
mod hear;
pub mod idempotency;
pub mod lane;
pub mod lease;
pub mod letters;
mod listen;
pub mod log;
pub mod lookout;
pub mod memory;
pub mod progress;
pub mod projection;
mod reply;
pub mod runner;
pub mod skew;
mod step;
mod steps;
pub mod store;
pub mod timer;
pub mod topic;
pub mod wire;

use crate::clock::Timestamp;
use crate::effect::{Effect, NewEffect};
use crate::log::{Encoded, EntityKey, Origin, Recorded};
use crate::timer::TimerChange;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// A service: pure functions over its own entities. Nothing here touches a clock, a disk, a network or chance.
pub trait Service: Send + Sync + 'static {
    /// What an entity is; an enum over the kinds where a service has several.
    type State: Clone + Send + Sync + Serialize + DeserializeOwned + 'static;
    /// What somebody wants.
    type Command: Send + Sync + 'static;
    /// What happened. Every change of a state that is not a projection is one.
    type Event: Send + 'static;
    /// Why a command is not carried out: a result, shown to whoever asked, never an error.
    type Refusal: Clone + Send + Serialize + DeserializeOwned + fmt::Display + 'static;

    fn name(&self) -> &'static str;

    /// The kinds of entity that the service owns.
    fn kinds(&self) -> &'static [&'static str];

    /// Whether a refusal is kept under the request's key. One that only says "not yet" is not: the same request may
    /// be carried out later.
    fn is_lasting(&self, _: &Self::Refusal) -> bool {
        true
    }

    /// Whether an event says that somebody should look.
    fn is_alarm(&self, _event_type: &str) -> bool {
        false
    }

    /// The types of its events that are counted before there is one of them, so that the first is seen to come.
    fn event_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// The timers that are deadlines: when one of them runs out, what was waited for has not come. They are counted.
    fn deadlines(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it is measured how long it took until an event of this type.
    fn is_measured(&self, _event_type: &str) -> bool {
        false
    }

    /// How long it took from the entity's beginning until such an event; the state is as it is stored.
    fn took_ms(&self, _state: &str, _at: Timestamp) -> Option<u64> {
        None
    }

    /// Whether it hears what other services say; one that does not is spared the reading.
    fn hears(&self) -> bool {
        true
    }

    /// Whether its states follow from others' events alone, so that it can be dropped and read anew.
    fn is_projection(&self) -> bool {
        false
    }

    /// Every entity that deciding `command` may read or change. The first one names the shard.
    fn entities(&self, command: &Self::Command) -> Vec<EntityKey>;

    fn decide(
        &self,
        entities: &Entities<'_, Self::State>,
        command: &Self::Command,
        context: &Context<'_>,
    ) -> Result<Decision<Self>, Self::Refusal>;

    fn evolve(
        &self,
        key: EntityKey,
        state: Option<Self::State>,
        event: &Self::Event,
        at: Timestamp,
    ) -> Option<Self::State>;

    /// What another service's event makes this one do; `None` when it is not meant.
    fn react(&self, event: &Recorded) -> Result<Option<Self::Command>, Unreadable>;

    /// What a timer that ran out makes the service do.
    fn due(&self, key: EntityKey, timer: &str) -> Self::Command;

    /// What the outcome of an effect makes the service do.
    fn answered(&self, effect: &Effect, outcome: &str) -> Result<Self::Command, Unreadable>;

    fn encode(&self, event: &Self::Event) -> Encoded;

    fn decode(&self, event: &Recorded) -> Result<Self::Event, Unreadable>;

    /// A word for the entity's condition, by which entities are counted, filtered and sorted.
    fn tag(&self, state: &Self::State) -> &'static str;

    /// Something is still to come. An open entity has exactly one armed timer, a closed one none.
    fn is_open(&self, state: &Self::State) -> bool;

    /// What must hold of every state that is ever committed; an `Err` is a bug and nothing of it is stored.
    fn check(&self, state: &Self::State) -> Result<(), String>;
}

/// What a decision wants done, as data.
pub struct Decision<S: Service + ?Sized> {
    pub changes: Vec<Change<S>>,
    pub timers: Vec<(EntityKey, TimerChange)>,
    pub effects: Vec<NewEffect>,
}

/// One step of one entity.
pub enum Change<S: Service + ?Sized> {
    /// It happened: recorded in the log, and the state evolves by it.
    Event(EntityKey, S::Event),
    /// A projection's new state, derived from others' events and therefore not recorded.
    State(EntityKey, S::State),
}

impl<S: Service + ?Sized> Default for Decision<S> {
    fn default() -> Self {
        Self { changes: Vec::new(), timers: Vec::new(), effects: Vec::new() }
    }
}

/// When, by whom and why a command is decided.
pub struct Context<'a> {
    pub now: Timestamp,
    pub origin: &'a Origin,
}

/// The entities that a command named, as they stand within the batch.
pub struct Entities<'a, State> {
    pub(crate) loaded: Vec<(EntityKey, Option<&'a State>)>,
}

impl<'a, State> Entities<'a, State> {
    /// The state of a named entity, `None` when there is none yet.
    ///
    /// # Panics
    /// When the command did not name it: deciding on what was not loaded is a bug.
    pub fn get(&self, key: EntityKey) -> Option<&'a State> {
        let found = self.loaded.iter().find(|(loaded, _)| *loaded == key);
        found.unwrap_or_else(|| panic!("{key} was not named by Service::entities")).1
    }
}

/// A message that cannot be understood: poison, which goes to the dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unreadable: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}
