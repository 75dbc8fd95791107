//! An ear that keeps all it hears of each train, in the order it was heard: what comes twice is there twice.

use crate::street::train;
use engine::clock::Timestamp;
use engine::effect::Effect;
use engine::log::{Encoded, EntityKey, Recorded};
use engine::store::Schema;
use engine::{Change, Context, Decision, Entities, Service, Unreadable};
use std::convert::Infallible;

pub(crate) const EAR: Schema = Schema { service: "ear", kinds: &["train"], shards: 3 };

pub(crate) struct Ear;

/// A train was heard to say what stands at this position of its shard's log.
pub(crate) struct Hear {
    train: u64,
    position: u64,
}

impl Service for Ear {
    type State = Vec<u64>;
    type Command = Hear;
    type Event = Infallible;
    type Refusal = String;

    fn name(&self) -> &'static str {
        EAR.service
    }

    fn kinds(&self) -> &'static [&'static str] {
        EAR.kinds
    }

    fn is_projection(&self) -> bool {
        true
    }

    fn entities(&self, hear: &Hear) -> Vec<EntityKey> {
        vec![train(hear.train)]
    }

    fn decide(
        &self,
        entities: &Entities<'_, Vec<u64>>,
        hear: &Hear,
        _: &Context<'_>,
    ) -> Result<Decision<Self>, String> {
        let key = train(hear.train);
        let mut heard = entities.get(key).cloned().unwrap_or_default();
        heard.push(hear.position);
        Ok(Decision { changes: vec![Change::State(key, heard)], ..Decision::default() })
    }

    fn evolve(
        &self,
        _: EntityKey,
        _: Option<Vec<u64>>,
        never: &Infallible,
        _: Timestamp,
    ) -> Option<Vec<u64>> {
        match *never {}
    }

    fn react(&self, event: &Recorded) -> Result<Option<Hear>, Unreadable> {
        Ok(Some(Hear { train: event.entity_id, position: event.position }))
    }

    fn due(&self, key: EntityKey, _: &str) -> Hear {
        Hear { train: key.id, position: 0 }
    }

    fn answered(&self, _: &Effect, _: &str) -> Result<Hear, Unreadable> {
        Err(Unreadable("an ear asks nobody".into()))
    }

    fn encode(&self, never: &Infallible) -> Encoded {
        match *never {}
    }

    fn decode(&self, _: &Recorded) -> Result<Infallible, Unreadable> {
        Err(Unreadable("an ear says nothing".into()))
    }

    fn tag(&self, _: &Vec<u64>) -> &'static str {
        "heard"
    }

    fn is_open(&self, _: &Vec<u64>) -> bool {
        false
    }

    fn check(&self, _: &Vec<u64>) -> Result<(), String> {
        Ok(())
    }
}
