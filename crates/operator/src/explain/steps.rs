//! The events of a call one by one: when, by whom, why, and what they moved.

use super::speech::event::event_words;
use super::story::{Story, Told};
use crate::events::cause_of;
use crate::time::At;
use crate::words::Words;
use serde::Serialize;
use taxi::event::{Event, PaymentEvent};
use taxi::money::Won;
use wiring::payment;

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// 1 for the first.
    pub number: usize,
    pub at: At,
    /// In whose log it stands, and where.
    pub service: String,
    pub shard: u16,
    pub position: u64,
    /// Counts what happened to the call in this service.
    pub version: u64,
    pub event: String,
    /// Whether other services hear of it.
    pub published: bool,
    pub actor: String,
    pub cause: Cause,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    pub words: Words,
}

/// What led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Cause {
    /// Somebody asked over HTTP.
    Request { id: String },
    /// Another service's event; it has no step where it is not in the logs.
    Event {
        service: String,
        shard: u16,
        position: u64,
        /// The service says nothing of the call in a log that is here: another's stands in for it, as the original's does,
        /// or its database was restored from a backup and has lost the call.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_elsewhere: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<usize>,
    },
    /// A deadline ran out.
    Timer { name: String },
    /// The payment provider answered what was ordered in a step.
    Effect {
        name: String,
        sequence: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<usize>,
    },
    /// Something that this version does not know.
    Other { text: String },
}

/// Money that changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    pub won: Won,
    pub from: Account,
    pub to: Account,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Account {
    Rider,
    /// Taken, and neither earned nor given back yet.
    Held,
    Earned,
}

impl Story {
    pub(super) fn steps(&self) -> Vec<Step> {
        self.told.iter().enumerate().map(|(place, told)| self.step(place, told)).collect()
    }

    fn step(&self, place: usize, told: &Told) -> Step {
        let recorded = &told.recorded;
        Step {
            number: place + 1,
            at: At(recorded.at),
            service: recorded.source.service.to_string(),
            shard: recorded.source.shard,
            position: recorded.position,
            version: recorded.version,
            event: recorded.event_type.to_string(),
            published: recorded.published,
            actor: recorded.actor.to_string(),
            cause: self.cause(&recorded.cause),
            trace: recorded.trace.clone(),
            moved: told.event.as_ref().and_then(moved),
            words: event_words(self, place),
        }
    }

    pub(super) fn cause(&self, text: &str) -> Cause {
        if let Some((service, shard, position)) = cause_of(text) {
            let place = self.place(service, shard, position);
            let event = place.map(|place| self.told[place].recorded.event_type.to_string());
            let step = place.map(|place| place + 1);
            let is_elsewhere = !self.told.iter().any(|told| told.recorded.source.service == service);
            return Cause::Event { service: service.to_owned(), shard, position, is_elsewhere, event, step };
        }
        if let Some(id) = text.strip_prefix("request ") {
            return Cause::Request { id: id.to_owned() };
        }
        if let Some(name) = text.strip_prefix("timer ") {
            return Cause::Timer { name: name.to_owned() };
        }
        let effect = text.strip_prefix("effect ").and_then(|rest| rest.split_once(' '));
        match effect.and_then(|(name, sequence)| Some((name, sequence.parse::<u64>().ok()?))) {
            Some((name, sequence)) => {
                let version = sequence / engine::effect::EFFECTS_PER_VERSION_MAX;
                let place = self.place_of_version(payment::NAME, version);
                Cause::Effect { name: name.to_owned(), sequence, step: place.map(|place| place + 1) }
            }
            None => Cause::Other { text: text.to_owned() },
        }
    }
}

/// What an event says that was taken, earned or given back.
pub(super) fn moved(event: &Event) -> Option<Moved> {
    let event = match event {
        Event::Payment(event) => event,
        Event::Call(_) | Event::Drive(_) => return None,
    };
    let (won, from, to) = match event {
        PaymentEvent::FarePaid(body) | PaymentEvent::FareSurfaced(body) => {
            (body.fare, Account::Rider, Account::Held)
        }
        PaymentEvent::FareEarned(body) => (body.fare, Account::Held, Account::Earned),
        PaymentEvent::FareRefunded(body) => (body.fare, Account::Held, Account::Rider),
        PaymentEvent::FareAsked(_)
        | PaymentEvent::PaymentFailed(_)
        | PaymentEvent::FareUnwanted(_)
        | PaymentEvent::FareReturning(_)
        | PaymentEvent::FareVoided(_)
        | PaymentEvent::TakeClosed(_)
        | PaymentEvent::FarePlaced(_)
        | PaymentEvent::FareDue(_)
        | PaymentEvent::PaymentOverdue(_) => return None,
    };
    Some(Moved { won, from, to })
}
