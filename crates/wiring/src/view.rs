//! The view, in the engine's words: a projection, which says nothing and refuses nothing.

use crate::adapt;
use engine::clock::Timestamp;
use engine::effect::Effect;
use engine::log::{Encoded, EntityKey, Recorded};
use engine::{Change, Context, Decision, Entities, Service, Unreadable};
use serde::{Deserialize, Serialize};
use std::fmt;
use taxi::event::Event;
use taxi::view::{self, CallView};

pub const NAME: &str = "view";

pub struct ViewService;

/// An event that was heard, and when it happened.
pub struct Heard {
    pub event: Event,
    pub at: Timestamp,
}

/// What a service that says nothing says; what one that refuses nothing refuses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Nothing {}

impl fmt::Display for Nothing {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Service for ViewService {
    type State = CallView;
    type Command = Heard;
    type Event = Nothing;
    type Refusal = Nothing;

    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[NAME]
    }

    fn is_projection(&self) -> bool {
        true
    }

    fn entities(&self, command: &Heard) -> Vec<EntityKey> {
        vec![adapt::key(NAME, command.event.call_id())]
    }

    fn decide(
        &self,
        entities: &Entities<'_, CallView>,
        command: &Heard,
        _: &Context<'_>,
    ) -> Result<Decision<Self>, Nothing> {
        let key = adapt::key(NAME, command.event.call_id());
        let before = entities.get(key);
        let after = view::project(before.cloned(), &command.event, adapt::to_taxi_time(command.at));
        let changed = after.filter(|after| Some(after) != before);
        let changes = changed.map(|after| Change::State(key, after));
        Ok(Decision { changes: changes.into_iter().collect(), ..Decision::default() })
    }

    fn evolve(&self, _: EntityKey, _: Option<CallView>, never: &Nothing, _: Timestamp) -> Option<CallView> {
        match *never {}
    }

    fn react(&self, event: &Recorded) -> Result<Option<Heard>, Unreadable> {
        Ok(Some(Heard { event: adapt::decode(event)?, at: event.at }))
    }

    fn due(&self, key: EntityKey, timer: &str) -> Heard {
        unreachable!("{key} is a view, which arms no timer, yet {timer:?} ran out")
    }

    fn answered(&self, effect: &Effect, _: &str) -> Result<Heard, Unreadable> {
        Err(Unreadable(format!("a view wants nothing done outside, yet {:?} was answered", effect.name)))
    }

    fn encode(&self, never: &Nothing) -> Encoded {
        match *never {}
    }

    fn decode(&self, event: &Recorded) -> Result<Nothing, Unreadable> {
        Err(Unreadable(format!("a view says nothing, yet there is {}", event.event_type)))
    }

    fn tag(&self, state: &CallView) -> &'static str {
        view::tag(state)
    }

    fn is_open(&self, state: &CallView) -> bool {
        view::is_open(state)
    }

    fn check(&self, _: &CallView) -> Result<(), String> {
        Ok(())
    }
}
