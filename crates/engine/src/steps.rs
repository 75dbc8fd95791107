//! What a tracer is told of a batch once it is committed: a span for each message that led to something.
//!
//! A message goes on in the trace of what led to it, which the log carries from service to service; a timer in that of what
//! armed it, an answer in that of what asked. Spans get their ids from what they are about, so that a batch that is decided
//! again comes to the same ones, and nothing here draws a number.

use crate::Service;
use crate::dead_letter::{Parcel, own_key};
use crate::decide::Batch;
use crate::effect::Effect;
use crate::lane::{Input, Lane};
use crate::log::{EntityKey, Origin, ShardName};
use crate::store::{NewEvent, Store, Stored};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::time::SystemTime;
use trace::{Kind, Span, Traceparent, Tracer};

/// Beyond every version.
const NEWEST: u64 = i64::MAX as u64;

/// Of one batch.
#[derive(Default)]
pub(crate) struct Steps {
    began: Option<SystemTime>,
    /// Of entities that the log knows, at a version or before.
    traces: FxHashMap<(EntityKey, u64), String>,
    taken: Vec<Taken>,
}

/// A message that led to something.
struct Taken {
    context: Traceparent,
    parent: Traceparent,
    /// What the entity had been through until then, where that is another trace.
    link: Option<Traceparent>,
    kind: Kind,
    name: String,
    key: EntityKey,
    cause: String,
    /// How many events of the batch there were after it, where it led to any.
    events_after: Option<u64>,
}

/// A message that is about to be decided: who wants it, in the trace in which it goes on.
pub(crate) struct Traced<'a> {
    pub(crate) origin: Cow<'a, Origin>,
    /// The context that led to it, and its own, where a tracer wants to be told.
    contexts: Option<(Traceparent, Traceparent)>,
}

impl Steps {
    pub(crate) fn begin(&mut self, tracer: Option<&dyn Tracer>) {
        self.began = tracer.map(Tracer::now);
    }

    /// The trace in which an effect was wanted that is begun again.
    pub(crate) fn trace_of(&self, effect: &Effect) -> Option<String> {
        self.traces.get(&(effect.key, effect.wanted_at())).cloned()
    }

    pub(crate) fn tell(&mut self, tracer: Option<&dyn Tracer>, shard: ShardName, first: u64) {
        let (Some(tracer), Some(began)) = (tracer, self.began) else { return };
        let ended = tracer.now();
        for taken in self.taken.drain(..) {
            let mut attributes = vec![
                ("taxisvc.entity", taken.key.to_string().into()),
                ("taxisvc.cause", taken.cause.into()),
                ("taxisvc.shard", shard.to_string().into()),
            ];
            if let Some(after) = taken.events_after {
                attributes.push(("taxisvc.position", format!("{shard}/{}", first + after - 1).into()));
            }
            tracer.tell(Span {
                context: taken.context,
                parent: Some(taken.parent.span_id()),
                links: taken.link.into_iter().collect(),
                service: shard.service,
                name: format!("{} {}", shard.service, taken.name),
                kind: taken.kind,
                began,
                ended,
                attributes,
                has_failed: false,
            });
        }
    }
}

impl<S: Service> Batch<S> {
    /// Asks the log for the traces that no message carries.
    pub(crate) fn load_traces(&mut self, lane: &Lane<S>, store: &mut dyn Store) -> Stored<()> {
        let wanted: Vec<(EntityKey, u64)> =
            self.inputs.iter().filter_map(|input| trace_wanted(lane, input)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let found = store.traces(lane.shard.service, &wanted)?;
        let found = wanted.into_iter().zip(found);
        self.steps.traces = found.filter_map(|(of, trace)| Some((of, trace?))).collect();
        Ok(())
    }

    pub(crate) fn traced<'a>(
        &self,
        lane: &Lane<S>,
        input: &Input<S>,
        origin: &'a Origin,
        key: EntityKey,
    ) -> Traced<'a> {
        let armed_by = due_key(lane, input).and_then(|key| self.steps.traces.get(&(key, NEWEST)));
        let mut origin = match armed_by {
            Some(trace) => Cow::Owned(Origin { trace: Some(trace.clone()), ..origin.clone() }),
            None => Cow::Borrowed(origin),
        };
        let parent = origin.trace.as_deref().filter(|_| lane.tracing.is_some()).and_then(Traceparent::parse);
        let contexts = parent.filter(|parent| parent.is_sampled()).map(|parent| {
            let mut hasher = rustc_hash::FxHasher::default();
            (lane.shard.service, key.kind).hash(&mut hasher);
            let version = self.entry(lane, key).version;
            (parent, parent.descendant(&[hasher.finish(), key.id, version]))
        });
        if let Some((_, own)) = contexts {
            origin.to_mut().trace = Some(own.to_string());
        }
        Traced { origin, contexts }
    }

    /// Notes a message that was decided, and led to the events of the batch from the `events_before`th on.
    pub(crate) fn note_step(
        &mut self,
        input: &Input<S>,
        traced: &Traced<'_>,
        key: EntityKey,
        events_before: usize,
    ) {
        let Some((parent, context)) = traced.contexts else { return };
        let events = &self.set.events[events_before..];
        let earlier = self.steps.traces.get(&(key, NEWEST)).and_then(|trace| Traceparent::parse(trace));
        let (kind, name) = named(input, key, events);
        self.steps.taken.push(Taken {
            context,
            parent,
            link: earlier.filter(|earlier| earlier.trace_id() != parent.trace_id()),
            kind,
            name,
            key,
            cause: traced.origin.cause.to_string(),
            events_after: (!events.is_empty()).then_some(self.set.events.len() as u64),
        });
    }
}

/// How a span is called: by what it led to, else by what led to it.
fn named<S: Service>(input: &Input<S>, key: EntityKey, events: &[NewEvent]) -> (Kind, String) {
    let heard = match input {
        Input::Event { event, .. } => Some(&**event),
        Input::Again(letter) => match &letter.parcel {
            Parcel::Event(event) => Some(event),
            Parcel::Due { .. } | Parcel::Answer { .. } => None,
        },
        Input::Command(_)
        | Input::Passed { .. }
        | Input::Due(_)
        | Input::Answer(_)
        | Input::Begin(_)
        | Input::Skip(_) => None,
    };
    let kind = if heard.is_some() { Kind::Consumer } else { Kind::Internal };
    let led_to: Vec<&str> = events.iter().map(|event| event.event_type).collect();
    let name = match heard {
        _ if !led_to.is_empty() => led_to.join(", "),
        Some(event) => event.event_type.clone().into_owned(),
        None => key.kind.to_owned(),
    };
    (kind, name)
}

/// Whose trace, up to which version, is to be known for an input.
fn trace_wanted<S: Service>(lane: &Lane<S>, input: &Input<S>) -> Option<(EntityKey, u64)> {
    match input {
        Input::Begin(effect) => Some((effect.key, effect.wanted_at())),
        Input::Due(_) | Input::Again(_) => Some((due_key(lane, input)?, NEWEST)),
        // Only for a link to what the entity had been through.
        Input::Command(request) => {
            let trace = request.origin.trace.as_deref().filter(|_| lane.tracing.is_some());
            let is_told = trace.and_then(Traceparent::parse).is_some_and(|trace| trace.is_sampled());
            is_told.then(|| Some((*lane.service.entities(&request.command).first()?, NEWEST))).flatten()
        }
        Input::Event { .. } | Input::Passed { .. } | Input::Answer(_) | Input::Skip(_) => None,
    }
}

/// The entity whose timer ran out.
fn due_key<S: Service>(lane: &Lane<S>, input: &Input<S>) -> Option<EntityKey> {
    match input {
        Input::Due(due) => Some(due.key),
        Input::Again(letter) => match &letter.parcel {
            Parcel::Due { kind, id, .. } => own_key(lane.service.kinds(), kind, *id),
            Parcel::Event(_) | Parcel::Answer { .. } => None,
        },
        Input::Command(_)
        | Input::Event { .. }
        | Input::Passed { .. }
        | Input::Answer(_)
        | Input::Begin(_)
        | Input::Skip(_) => None,
    }
}
