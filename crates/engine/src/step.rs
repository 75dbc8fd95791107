//! What an input comes to before it is decided: a command, with who and why, or poison.

use crate::dead_letter::{A_PANIC, Parcel, effect_of, own_key};
use crate::lane::{Input, Lane};
use crate::log::{Cause, EntityKey, Origin, Recorded, shard_of};
use crate::{Service, Unreadable};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What an input comes to before it is decided.
pub(crate) enum Step<S: Service> {
    /// The input is a command itself.
    Given,
    Command(Box<(S::Command, Origin)>),
    Begin,
    Skip,
    /// Another shard is meant.
    Elsewhere(String),
    Poison(String),
}

/// What an input is about, and whether this shard is meant at all.
pub(crate) fn step<S: Service>(lane: &Lane<S>, input: &Input<S>) -> Step<S> {
    let parcel = match input {
        Input::Command(_) => return Step::Given,
        Input::Event { event, .. } => return of_event(lane, event),
        Input::Due(due) => return of_timer(lane, due.key, &due.timer.name),
        Input::Begin(_) => return Step::Begin,
        Input::Skip(_) | Input::Passed { .. } => return Step::Skip,
        Input::Answer(parcel) => parcel,
        Input::Again(letter) => &letter.parcel,
    };
    let kinds = lane.service.kinds();
    match parcel {
        Parcel::Event(event) => of_event(lane, event),
        Parcel::Due { kind, id, timer } => match own_key(kinds, kind, *id) {
            Some(key) => of_timer(lane, key, &timer.name),
            None => Step::Poison(format!("a timer of an unknown kind {kind:?}")),
        },
        Parcel::Answer { kind, id, sequence, name, body, outcome, trace } => {
            let Some(key) = own_key(kinds, kind, *id) else {
                return Step::Poison(format!("an answer for an unknown kind {kind:?}"));
            };
            let effect = effect_of(key, *sequence, name, body);
            let cause = Cause::Effect { name: name.clone(), sequence: *sequence };
            let origin = Origin { actor: Cow::Borrowed("provider"), cause, trace: trace.clone() };
            guarded(|| named(lane, lane.service.answered(&effect, outcome)?))
                .map_or_else(Step::Poison, |command| Step::Command(Box::new((command, origin))))
        }
    }
}

pub(crate) fn of_event<S: Service>(lane: &Lane<S>, event: &Recorded) -> Step<S> {
    if !event.published {
        return Step::Skip;
    }
    match guarded(|| lane.service.react(event)?.map(|command| named(lane, command)).transpose()) {
        // Poison in every shard that reads it; it is put aside once, in the shard of its key.
        Err(_) if shard_of(event.entity_id, lane.shards) != lane.shard.index => Step::Skip,
        Err(reason) => Step::Poison(reason),
        Ok(None) => Step::Skip,
        Ok(Some(command)) => {
            let key = lane.service.entities(&command)[0];
            if shard_of(key.id, lane.shards) != lane.shard.index {
                return Step::Elsewhere(format!(
                    "it is about {key} now, of another shard than {}",
                    lane.shard
                ));
            }
            let cause = Cause::Event { source: event.source.clone(), position: event.position };
            let origin = Origin { actor: event.actor.clone(), cause, trace: event.trace.clone() };
            Step::Command(Box::new((command, origin)))
        }
    }
}

/// It goes on in the trace of what armed the timer, which is known once the entity is loaded.
fn of_timer<S: Service>(lane: &Lane<S>, key: EntityKey, name: &str) -> Step<S> {
    let origin = Origin { actor: Cow::Borrowed("system"), cause: Cause::Timer(name.to_owned()), trace: None };
    guarded(|| named(lane, lane.service.due(key, name)))
        .map_or_else(Step::Poison, |command| Step::Command(Box::new((command, origin))))
}

/// Asks a command once which entities it names, while a panic is still this message's own.
fn named<S: Service>(lane: &Lane<S>, command: S::Command) -> Result<S::Command, Unreadable> {
    let names_one = !lane.service.entities(&command).is_empty();
    names_one.then_some(command).ok_or_else(|| Unreadable("its command names no entity".to_owned()))
}

/// A panic of the service's code is poison of the message that made it, never the end of the lane.
fn guarded<T>(code: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(result) => result.map_err(|unreadable| unreadable.to_string()),
        Err(panic) => Err(panic_text(&*panic)),
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("{A_PANIC}{}", text.unwrap_or("without a message"))
}
