//! What a batch will tell once it is committed: replies to commands, and events with their places in the log.

use crate::Service;
use crate::decide::Batch;
use crate::handle::Reply;
use crate::lane::Lane;
use crate::log::{EntityKey, Position, Recorded, Source};
use crate::store::{NewEvent, Store, Stored};
use std::borrow::Cow;

impl NewEvent {
    pub(crate) fn recorded(self, source: Source, position: u64) -> Recorded {
        Recorded {
            source,
            position,
            entity_kind: Cow::Borrowed(self.key.kind),
            entity_id: self.key.id,
            version: self.version,
            event_type: Cow::Borrowed(self.event_type),
            schema: self.schema,
            published: self.published,
            at: self.at,
            actor: self.actor,
            cause: self.cause,
            trace: self.trace,
            body: self.body,
        }
    }
}

/// Up to where a reply was written.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The shard's own log, after so many events of the batch; with none of them, its end.
    After { events: u64 },
    /// The log of another shard, whose entity a repeated request is answered with.
    Other { shard: u16, end: u64 },
    /// The last that was published of the entity, stored before this batch.
    Said { position: u64 },
}

impl<S: Service> Batch<S> {
    /// Where the service is heard over a topic, only what was published of an entity is ever read of it, in whichever
    /// batch that was: a reply that waits for more would wait for ever, and one that waits for less sees too little.
    pub(crate) fn place_answers(&mut self, lane: &Lane<S>, store: &mut dyn Store) -> Stored<()> {
        if lane.listening.is_none() {
            return Ok(());
        }
        let mut earlier: Vec<(usize, EntityKey)> = Vec::new();
        let events = &self.set.events;
        for (index, answer) in &mut self.answers {
            let Answer::Done { key, place, .. } = answer else { continue };
            match events.iter().rposition(|event| event.published && event.key == *key) {
                Some(last) => *place = Place::After { events: last as u64 + 1 },
                None => earlier.push((*index, *key)),
            }
        }
        if earlier.is_empty() {
            return Ok(());
        }
        let keys: Vec<EntityKey> = earlier.iter().map(|(_, key)| *key).collect();
        let positions = store.published_last(lane.shard.service, &keys)?;
        for ((index, _), position) in earlier.into_iter().zip(positions) {
            if let Some(Answer::Done { place, .. }) = self.answers.get_mut(&index) {
                *place = Place::Said { position };
            }
        }
        Ok(())
    }
}

/// What a command's reply will be once its batch is committed.
pub(crate) enum Answer<State, Refusal> {
    Done { key: EntityKey, state: Option<State>, place: Place, repeated: bool },
    Refused { refusal: Refusal, repeated: bool },
    KeyReused,
    NotStored(String),
    NoRoom,
    Bug(String),
}

impl<State, Refusal> Answer<State, Refusal> {
    pub(crate) fn into_reply(
        self,
        position: impl FnOnce(EntityKey, Place) -> Position,
    ) -> Reply<State, Refusal> {
        match self {
            Self::Done { key, state, place, repeated } => {
                Reply::Done { key, state, position: position(key, place), repeated }
            }
            Self::Refused { refusal, repeated } => Reply::Refused { refusal, repeated },
            Self::KeyReused => Reply::KeyReused,
            Self::NotStored(why) => Reply::NotStored(why),
            Self::NoRoom => Reply::NoRoom,
            Self::Bug(reason) => Reply::Bug(reason),
        }
    }
}
