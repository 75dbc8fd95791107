//! What every adapter between the business and the engine does alike.

use crate::wire;
use engine::clock::Timestamp;
use engine::effect::NewEffect;
use engine::log::{Encoded, EntityKey, Recorded};
use engine::timer::TimerChange;
use engine::{Change, Decision, Service, Unreadable};
use taxi::event::Event;
use taxi::id::CallId;

pub(crate) fn key(kind: &'static str, call_id: CallId) -> EntityKey {
    EntityKey { kind, id: call_id.get() }
}

/// The engine's keys come from calls, so each is one.
pub(crate) fn call_id(key: EntityKey) -> CallId {
    CallId::new(key.id).expect("an entity's number is a call's id, which is never 0")
}

pub(crate) fn to_taxi_time(at: Timestamp) -> taxi::time::Timestamp {
    taxi::time::Timestamp(at.0)
}

/// A decision of the business about one entity, in the engine's words.
pub(crate) fn decision<S, E>(
    key: EntityKey,
    decided: taxi::decision::Decision<E>,
    effect: impl Fn(EntityKey, &E) -> NewEffect,
) -> Decision<S>
where
    S: Service<Event = Event>,
{
    Decision {
        changes: decided.events.into_iter().map(|event| Change::Event(key, event)).collect(),
        timers: vec![(key, timer(decided.timer))],
        effects: decided.effects.iter().map(|wanted| effect(key, wanted)).collect(),
    }
}

/// For services that want nothing done outside.
pub(crate) fn no_effect(_: EntityKey, never: &taxi::decision::NoEffect) -> NewEffect {
    match *never {}
}

fn timer(change: taxi::decision::TimerChange) -> TimerChange {
    match change {
        taxi::decision::TimerChange::Keep => TimerChange::Keep,
        taxi::decision::TimerChange::Arm { name, due } => TimerChange::Arm { name, due: Timestamp(due.0) },
        taxi::decision::TimerChange::Disarm => TimerChange::Disarm,
    }
}

pub(crate) fn encode(event: &Event) -> Encoded {
    let (event_type, schema, body) = event.to_stored();
    Encoded { event_type, schema, published: event.is_published(), body }
}

/// An event of this system, as it stands in a log, or in a message that was not understood when it came.
pub fn decode(recorded: &Recorded) -> Result<Event, Unreadable> {
    if recorded.schema == wire::AS_IT_CAME {
        return wire::read_again(recorded);
    }
    Event::from_stored(&recorded.event_type, recorded.schema, &recorded.body)
        .map_err(|error| Unreadable(with_causes(&error)))
}

/// What a service does about another's event. One that it cannot read, of a type about which it would do nothing, is no
/// more to it than one that it can.
pub(crate) fn react<C>(
    recorded: &Recorded,
    policy: fn(&Event) -> Option<C>,
) -> Result<Option<C>, Unreadable> {
    let is_meant = || wire::known(&recorded.event_type).is_none_or(|known| policy(known).is_some());
    match decode(recorded) {
        Ok(event) => Ok(policy(&event)),
        Err(unreadable) if is_meant() => Err(unreadable),
        Err(_) => Ok(None),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
