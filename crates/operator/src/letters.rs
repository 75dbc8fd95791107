//! Dead letters: messages that were put aside because they cannot be read or make the code fail, of all services.

mod speech;

use crate::moment::Moment;
use crate::time::At;
use crate::words::Words;
use engine::dead_letter::{DeadLetter, Parcel};
use engine::log::ShardName;
use engine::store::Stored;
use serde::Serialize;
use serde_json::Value;
use wiring::{Readers, SERVICES, view};

/// A message that was put aside.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Whose message it is.
    pub service: &'static str,
    pub shard: u16,
    /// Names it within its service.
    pub number: u64,
    pub call_id: u64,
    pub message: Message,
    /// Why it was put aside, as the code said it.
    pub reason: String,
    pub at: At,
    /// The numbers of the later messages about the same call that wait behind it.
    pub behind: Vec<u64>,
    /// Where an earlier one about the same call is still here, and must be dealt with first.
    pub waits_behind: Option<u64>,
    /// Set once an operator has passed it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// What it is and what follows from it.
    pub words: Words,
    /// What taking it up again would do.
    pub retry: Words,
    /// What leaving it out for good would do.
    pub skip: Words,
}

/// That an operator passed it over.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    pub by: String,
    pub reason: String,
    pub at: At,
    pub words: Words,
}

/// What kind of message it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Message {
    /// What another service said.
    Event { event: String, service: String, shard: u16, position: u64 },
    /// A deadline that ran out.
    Timer { name: String, due: At },
    /// What the payment provider answered.
    Answer { errand: String, sequence: u64, outcome: String },
}

/// A dead letter with the message itself, which may hold personal data.
#[derive(Debug, Clone, Serialize)]
pub struct InFull {
    #[serde(flatten)]
    pub letter: Letter,
    pub content: Value,
}

/// All of them, service by service, in the order in which they were put aside.
pub fn list(readers: &Readers) -> Stored<Vec<Letter>> {
    let moment = Moment::take(readers)?;
    let mut found = Vec::new();
    for service in SERVICES {
        for index in 0..moment.shards(service) {
            let shard = ShardName { service, index };
            found.extend(of_shard(&moment, shard)?.into_iter().map(|(letter, _)| letter));
        }
    }
    Ok(found)
}

/// One of them; nothing when the service has none of that number.
pub fn show(readers: &Readers, service: &str, number: u64) -> Stored<Option<InFull>> {
    let Some(service) = SERVICES.into_iter().find(|known| *known == service) else {
        return Ok(None);
    };
    let moment = Moment::take(readers)?;
    for index in 0..moment.shards(service) {
        let letters = of_shard(&moment, ShardName { service, index })?;
        let found = letters.into_iter().find(|(letter, _)| letter.number == number);
        if let Some((letter, content)) = found {
            return Ok(Some(InFull { letter, content: content.in_full() }));
        }
    }
    Ok(None)
}

/// Those about one call, of all services.
pub(crate) fn letters_of(moment: &Moment<'_>, call_id: u64) -> Stored<Vec<Letter>> {
    let mut found = Vec::new();
    for service in SERVICES {
        let letters = of_shard(moment, moment.shard_of(service, call_id))?;
        found
            .extend(letters.into_iter().map(|(letter, _)| letter).filter(|letter| letter.call_id == call_id));
    }
    Ok(found)
}

struct Content(Parcel);

impl Content {
    fn in_full(self) -> Value {
        match self.0 {
            Parcel::Event(event) => {
                serde_json::to_value(crate::events::Envelope::of(&event)).unwrap_or(Value::Null)
            }
            parcel @ (Parcel::Due { .. } | Parcel::Answer { .. }) => {
                serde_json::to_value(parcel).unwrap_or(Value::Null)
            }
        }
    }
}

fn of_shard(moment: &Moment<'_>, shard: ShardName) -> Stored<Vec<(Letter, Content)>> {
    let letters = moment.of(shard.service).dead_letters(shard)?;
    let told = letters.iter().map(|letter| {
        let is_waiting = |other: &&DeadLetter| other.skipped.is_none() && letter.skipped.is_none();
        let same = letters.iter().filter(|other| other.entity_id == letter.entity_id).filter(is_waiting);
        let waiting = same.map(|other| other.number).filter(|number| *number != letter.number);
        let before = waiting.clone().find(|number| *number < letter.number);
        let behind = waiting.filter(|number| *number > letter.number).collect();
        (tell(shard, letter, (before, behind)), Content(letter.parcel.clone()))
    });
    Ok(told.collect())
}

fn tell(shard: ShardName, letter: &DeadLetter, (before, behind): (Option<u64>, Vec<u64>)) -> Letter {
    let message = Message::of(&letter.parcel);
    Letter {
        service: shard.service,
        shard: shard.index,
        number: letter.number,
        call_id: letter.entity_id,
        words: speech::words(shard.service, &message, before),
        retry: speech::retry(before, behind.len()),
        skip: speech::skip(shard.service, &message, behind.len()),
        message,
        reason: letter.reason.clone(),
        at: At(letter.at),
        behind,
        waits_behind: before,
        skipped: letter.skipped.as_ref().map(|skip| Skipped {
            by: skip.by.clone(),
            reason: skip.reason.clone(),
            at: At(skip.at),
            words: speech::skipped(&skip.by, &skip.reason, At(skip.at)),
        }),
    }
}

impl Letter {
    /// Whether the call itself comes no further because of it.
    pub(crate) fn holds_up(&self) -> bool {
        self.skipped.is_none() && self.service != view::NAME
    }

    pub(crate) fn is_first_to_hold_up(&self) -> bool {
        self.holds_up() && self.waits_behind.is_none()
    }
}

impl Message {
    fn of(parcel: &Parcel) -> Self {
        match parcel {
            Parcel::Event(event) => Self::Event {
                event: event.event_type.to_string(),
                service: event.source.service.to_string(),
                shard: event.source.shard,
                position: event.position,
            },
            Parcel::Due { timer, .. } => Self::Timer { name: timer.name.to_string(), due: At(timer.due) },
            Parcel::Answer { name, sequence, outcome, .. } => {
                Self::Answer { errand: name.clone(), sequence: *sequence, outcome: outcome.clone() }
            }
        }
    }
}
