//! Dead letters: messages that were put aside because they cannot be read or make the code fail, of all services.

mod speech;

use crate::moment::Moment;
use crate::time::At;
use crate::words::Words;
use engine::dead_letter::{DeadLetter, Parcel, Side};
use engine::log::ShardName;
use engine::store::Stored;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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

/// Which of them are listed.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Also those that were passed over, after those that wait.
    pub skipped: bool,
    pub limit: usize,
}

/// How many are listed unless something else is said.
pub const LISTED: usize = 1_000;

/// Those that are listed, and how many there are.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    pub total: u64,
    pub dead_letters: Vec<Letter>,
}

/// Of all services: first those that wait, then those that were passed over, each the oldest first.
pub fn list(readers: &Readers, wanted: Wanted) -> Stored<List> {
    let moment = Moment::take(readers)?;
    let mut list = List { total: 0, dead_letters: Vec::new() };
    let sides = [Side::Waiting, Side::PassedOver];
    for side in sides.into_iter().filter(|side| wanted.skipped || *side == Side::Waiting) {
        list.total += count(&moment, side)?;
        let first = first(&moment, side, wanted.limit - list.dead_letters.len())?;
        list.dead_letters.extend(told(&moment, &first)?);
    }
    Ok(list)
}

/// How many wait, of all services.
pub fn waiting(readers: &Readers) -> Stored<u64> {
    count(&Moment::take(readers)?, Side::Waiting)
}

/// One of them; nothing when the service has none of that number.
pub fn show(readers: &Readers, service: &str, number: u64) -> Stored<Option<InFull>> {
    let Some(service) = SERVICES.into_iter().find(|known| *known == service) else {
        return Ok(None);
    };
    let moment = Moment::take(readers)?;
    for index in 0..moment.shards(service) {
        let shard = ShardName { service, index };
        if let Some(found) = moment.of(service).dead_letter(shard, number)? {
            let waiting = moment.of(service).numbers_waiting(shard, found.entity_id)?;
            let letter = tell(shard, &found, &waiting);
            return Ok(Some(InFull { letter, content: Content(found.parcel).in_full() }));
        }
    }
    Ok(None)
}

/// Those about one call, of all services.
pub(crate) fn letters_of(moment: &Moment<'_>, call_id: u64) -> Stored<Vec<Letter>> {
    let mut found = Vec::new();
    for service in SERVICES {
        let shard = moment.shard_of(service, call_id);
        let letters = moment.of(service).dead_letters_of(shard, call_id)?;
        let waits = letters.iter().filter(|letter| letter.skipped.is_none());
        let waiting: Vec<u64> = waits.map(|letter| letter.number).collect();
        found.extend(letters.iter().map(|letter| tell(shard, letter, &waiting)));
    }
    Ok(found)
}

fn shards<'a>(moment: &'a Moment<'_>) -> impl Iterator<Item = ShardName> + use<'a> {
    SERVICES
        .into_iter()
        .flat_map(|service| (0..moment.shards(service)).map(move |index| ShardName { service, index }))
}

fn count(moment: &Moment<'_>, side: Side) -> Stored<u64> {
    let mut count = 0;
    for shard in shards(moment) {
        count += moment.of(shard.service).dead_letters_counted(shard, side)?;
    }
    Ok(count)
}

/// The oldest ones of all shards.
fn first(moment: &Moment<'_>, side: Side, limit: usize) -> Stored<Vec<(ShardName, DeadLetter)>> {
    let mut found = Vec::new();
    for shard in shards(moment) {
        let letters = moment.of(shard.service).dead_letters_first(shard, side, limit)?;
        found.extend(letters.into_iter().map(|letter| (shard, letter)));
    }
    found.sort_by_key(|(_, letter)| letter.at);
    found.truncate(limit);
    Ok(found)
}

/// What waits about a call is looked up once for all of its letters.
fn told(moment: &Moment<'_>, letters: &[(ShardName, DeadLetter)]) -> Stored<Vec<Letter>> {
    let mut waiting: HashMap<(ShardName, u64), Vec<u64>> = HashMap::new();
    let mut told = Vec::with_capacity(letters.len());
    for (shard, letter) in letters {
        let numbers = match waiting.entry((*shard, letter.entity_id)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(moment.of(shard.service).numbers_waiting(*shard, letter.entity_id)?)
            }
        };
        told.push(tell(*shard, letter, numbers));
    }
    Ok(told)
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

/// `waiting` are the numbers of all about the same call that wait, in order.
fn tell(shard: ShardName, letter: &DeadLetter, waiting: &[u64]) -> Letter {
    // One that was passed over waits for nobody, and nobody for it.
    let waiting = if letter.skipped.is_none() { waiting } else { &[] };
    let before = waiting.first().copied().filter(|first| *first < letter.number);
    let behind = waiting[waiting.partition_point(|number| *number <= letter.number)..].to_vec();
    let message = Message::of(&letter.parcel);
    Letter {
        service: shard.service,
        shard: shard.index,
        number: letter.number,
        call_id: letter.entity_id,
        words: speech::words(shard.service, &message, before),
        retry: speech::retry(before, behind.len()),
        // What waits behind one that itself waits goes on only after the first.
        skip: speech::skip(shard.service, &message, before.map_or(behind.len(), |_| 0)),
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
