//! A street whose trains say things: every one of them an event of its own, told to the topic or kept.

use engine::effect::Effect;
use engine::log::{Encoded, EntityKey, Recorded};
use engine::store::Schema;
use engine::{Change, Context, Decision, Entities, Service, Unreadable};

pub(crate) const STREET: Schema = Schema { service: "street", kinds: &["train"], shards: 2 };

pub(crate) struct Street;

/// What a train says: to everybody, or to itself.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    pub(crate) train: u64,
    pub(crate) words: String,
    pub(crate) aloud: bool,
}

pub(crate) fn train(id: u64) -> EntityKey {
    EntityKey { kind: "train", id }
}

impl Service for Street {
    type State = u64;
    type Command = Say;
    type Event = Say;
    type Refusal = String;

    fn name(&self) -> &'static str {
        STREET.service
    }

    fn kinds(&self) -> &'static [&'static str] {
        STREET.kinds
    }

    fn entities(&self, say: &Say) -> Vec<EntityKey> {
        vec![train(say.train)]
    }

    fn decide(&self, _: &Entities<'_, u64>, say: &Say, _: &Context<'_>) -> Result<Decision<Self>, String> {
        Ok(Decision { changes: vec![Change::Event(train(say.train), say.clone())], ..Decision::default() })
    }

    fn evolve(&self, _: EntityKey, said: Option<u64>, _: &Say, _: engine::clock::Timestamp) -> Option<u64> {
        Some(said.unwrap_or(0) + 1)
    }

    fn react(&self, _: &Recorded) -> Result<Option<Say>, Unreadable> {
        Ok(None)
    }

    fn due(&self, key: EntityKey, _: &str) -> Say {
        Say { train: key.id, words: String::new(), aloud: false }
    }

    fn answered(&self, _: &Effect, _: &str) -> Result<Say, Unreadable> {
        Err(Unreadable("a street asks nobody".into()))
    }

    fn encode(&self, say: &Say) -> Encoded {
        Encoded { event_type: "Said", schema: 1, published: say.aloud, body: say.words.clone() }
    }

    fn decode(&self, event: &Recorded) -> Result<Say, Unreadable> {
        Ok(Say { train: event.entity_id, words: event.body.clone(), aloud: event.published })
    }

    fn tag(&self, _: &u64) -> &'static str {
        "speaks"
    }

    fn is_open(&self, _: &u64) -> bool {
        false
    }

    fn check(&self, _: &u64) -> Result<(), String> {
        Ok(())
    }
}
