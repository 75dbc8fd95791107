//! What a batch will tell once it is committed: replies to commands, and events with their places in the log.

use crate::handle::Reply;
use crate::log::{EntityKey, Position, Recorded, Source};
use crate::store::NewEvent;
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
    pub(crate) fn into_reply(self, position: impl FnOnce(Place) -> Position) -> Reply<State, Refusal> {
        match self {
            Self::Done { key, state, place, repeated } => {
                Reply::Done { key, state, position: position(place), repeated }
            }
            Self::Refused { refusal, repeated } => Reply::Refused { refusal, repeated },
            Self::KeyReused => Reply::KeyReused,
            Self::NotStored(why) => Reply::NotStored(why),
            Self::NoRoom => Reply::NoRoom,
            Self::Bug(reason) => Reply::Bug(reason),
        }
    }
}
