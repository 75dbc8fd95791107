//! Making a decision part of a batch: all of it, or nothing when it would break what the service promised.

use crate::cache::Entry;
use crate::clock::Timestamp;
use crate::dead_letter::{Parcel, own_key};
use crate::decide::{Batch, Touched};
use crate::effect::{EFFECTS_PER_VERSION_MAX, Effect};
use crate::lane::{Input, Lane};
use crate::log::{EntityKey, shard_of};
use crate::step::panic_text;
use crate::store::NewEvent;
use crate::timer::TimerChange;
use crate::{Change, Context, Decision, Service};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<S: Service> Batch<S> {
    /// A panic in what the service does to a state is poison like one in what it decides: until all is staged, the
    /// batch is as it was.
    pub(crate) fn apply_guarded(
        &mut self,
        lane: &Lane<S>,
        input: &Input<S>,
        decision: Decision<S>,
        context: &Context<'_>,
    ) -> Result<(), String> {
        let applied = catch_unwind(AssertUnwindSafe(|| self.apply(lane, input, decision, context)));
        applied.unwrap_or_else(|panic| Err(panic_text(&*panic)))
    }

    /// Makes a decision part of the batch, or leaves the batch as it was and says what is wrong with it.
    fn apply(
        &mut self,
        lane: &Lane<S>,
        input: &Input<S>,
        decision: Decision<S>,
        context: &Context<'_>,
    ) -> Result<(), String> {
        let mut staged: Vec<(EntityKey, Entry<S::State>)> = Vec::new();
        let mut events = Vec::new();
        for change in decision.changes {
            let key = match &change {
                Change::Event(key, _) | Change::State(key, _) => *key,
            };
            let entry = self.stage(lane, &mut staged, key)?;
            entry.version += 1;
            match change {
                Change::State(_, state) => entry.state = Some(state),
                Change::Event(_, event) => {
                    entry.state = lane.service.evolve(key, entry.state.take(), &event, context.now);
                    events.push(new_event(&*lane.service, key, entry.version, &event, context));
                }
            }
        }
        for (key, change) in decision.timers.iter().filter(|(_, change)| *change != TimerChange::Keep) {
            change.apply(&mut self.amend(lane, &mut staged, *key)?.timer);
        }
        let done = answered(lane, input);
        if let Some((key, sequence)) = done {
            self.amend(lane, &mut staged, key)?.effects_open.retain(|open| *open != sequence);
        }
        let mut effects = Vec::new();
        for (place, wanted) in decision.effects.into_iter().enumerate() {
            let entry = self.amend(lane, &mut staged, wanted.key)?;
            let sequence = entry.version * EFFECTS_PER_VERSION_MAX + place as u64;
            let is_first = entry.effects_open.is_empty();
            entry.effects_open.push(sequence);
            let claimed_for = lane.settings.effect_retry.delay_ms(1);
            effects.push(Effect {
                key: wanted.key,
                sequence,
                name: Cow::Borrowed(wanted.name),
                body: wanted.body,
                attempts: u32::from(is_first),
                claimed_until: if is_first { context.now.plus_ms(claimed_for) } else { Timestamp(0) },
                trace: context.origin.trace.clone(),
            });
        }
        for (key, entry) in &mut staged {
            examine(&*lane.service, *key, entry)?;
        }
        self.begin.extend(effects.iter().filter(|effect| effect.attempts == 1).cloned());
        self.set.effects_done.extend(done);
        self.set.effects_new.extend(effects);
        self.set.events.extend(events);
        self.keep(lane, staged);
        Ok(())
    }

    /// Stages an entity whose timer or effects change. Where nothing else of it does, that is a version as well: else
    /// another writer, who knows the version before, would write over it.
    fn amend<'a>(
        &self,
        lane: &Lane<S>,
        staged: &'a mut Vec<(EntityKey, Entry<S::State>)>,
        key: EntityKey,
    ) -> Result<&'a mut Entry<S::State>, String> {
        let is_new = staged.iter().all(|(known, _)| *known != key);
        let entry = self.stage(lane, staged, key)?;
        entry.version += u64::from(is_new);
        Ok(entry)
    }

    fn stage<'a>(
        &self,
        lane: &Lane<S>,
        staged: &'a mut Vec<(EntityKey, Entry<S::State>)>,
        key: EntityKey,
    ) -> Result<&'a mut Entry<S::State>, String> {
        if let Some(place) = staged.iter().position(|(known, _)| *known == key) {
            return Ok(&mut staged[place].1);
        }
        if !self.read.contains(&key) {
            return Err(format!("{key} is changed without having been named by Service::entities"));
        }
        if shard_of(key.id, lane.shards) != lane.shard.index {
            return Err(format!("{key} is changed from {}, which is not its shard", lane.shard));
        }
        staged.push((key, self.entry(lane, key).clone()));
        Ok(&mut staged.last_mut().expect("it was pushed just now").1)
    }

    fn keep(&mut self, lane: &Lane<S>, staged: Vec<(EntityKey, Entry<S::State>)>) {
        for (key, entry) in staged {
            match self.touched.get_mut(&key) {
                Some(touched) => touched.entry = entry,
                None => {
                    let before = self.entry(lane, key);
                    let (replaces, tag_before) = (before.version, before.tag.clone());
                    self.touched.insert(key, Touched { entry, replaces, tag_before });
                }
            }
        }
    }
}

/// Checks what the service promised of every state that is committed.
fn examine<S: Service>(service: &S, key: EntityKey, entry: &mut Entry<S::State>) -> Result<(), String> {
    let Some(state) = &entry.state else {
        return Err(format!("{key} would be changed without coming to be"));
    };
    service.check(state).map_err(|broken| format!("{key} would break an invariant: {broken}"))?;
    let (is_open, is_armed) = (service.is_open(state), entry.timer.is_some());
    if is_open != is_armed {
        return Err(format!("{key} would be open: {is_open}, with a timer: {is_armed}"));
    }
    entry.tag = Some(Cow::Borrowed(service.tag(state)));
    Ok(())
}

fn new_event<S: Service>(
    service: &S,
    key: EntityKey,
    version: u64,
    event: &S::Event,
    context: &Context<'_>,
) -> NewEvent {
    let encoded = service.encode(event);
    NewEvent {
        key,
        version,
        event_type: encoded.event_type,
        schema: encoded.schema,
        published: encoded.published,
        at: context.now,
        actor: context.origin.actor.clone(),
        cause: context.origin.cause.to_string(),
        trace: context.origin.trace.clone(),
        body: encoded.body,
    }
}

/// The effect that an input answers.
fn answered<S: Service>(lane: &Lane<S>, input: &Input<S>) -> Option<(EntityKey, u64)> {
    let parcel = match input {
        Input::Answer(parcel) => parcel,
        Input::Again(letter) => &letter.parcel,
        Input::Command(_)
        | Input::Event { .. }
        | Input::Passed { .. }
        | Input::Due(_)
        | Input::Begin(_)
        | Input::Skip(_) => return None,
    };
    match parcel {
        Parcel::Answer { kind, id, sequence, .. } => {
            own_key(lane.service.kinds(), kind, *id).map(|key| (key, *sequence))
        }
        Parcel::Event(_) | Parcel::Due { .. } => None,
    }
}
