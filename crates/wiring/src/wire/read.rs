//! What a message says: which event, whose, when, and because of what.

use super::headers::Headers;
use super::value::{self, Fields, Understood};
use super::{SPELLINGS, aside, name};
use crate::calendar::parse_rfc3339;
use crate::{call, drive, payment};
use engine::clock::Timestamp;
use engine::log::{LogId, Recorded, Source};
use engine::wire::{Packet, Place};
use std::borrow::Cow;
use taxi::actor::Actor;
use taxi::event::{self, Event, SCHEMA};
use taxi::id::CallId;
use trace::Traceparent;

/// Causes that are longer are none of ours.
const CAUSE_CHARS_MAX: usize = 300;
/// Positions are kept as numbers of 64 bits with a sign.
const POSITION_MAX: u64 = i64::MAX as u64;

pub(super) fn read(packet: &Packet, place: &Place) -> Option<Recorded> {
    let (headers, fields) = (Headers::of(packet), Fields::of(packet.payload.as_deref()));
    let fields = fields.as_ref().map_err(String::clone);
    let known = value::known(&type_name(headers, fields.as_ref().ok().copied())?)?;
    let kind = owner(known);
    let (source, position) = identity(headers, known).unwrap_or_else(|| by_place(place, kind));
    let (entity_id, schema, body) = match understand(known, headers, fields.clone()) {
        Ok(event) => {
            let (_, schema, body) = event.to_stored();
            (event.call_id().get(), schema, body)
        }
        Err(_) => {
            let entity_id = entity_id(packet, headers, fields.as_ref().ok().copied());
            (entity_id, aside::AS_IT_CAME, aside::body(packet, place))
        }
    };
    Some(Recorded {
        source,
        position,
        entity_kind: Cow::Borrowed(kind),
        entity_id,
        // The topic does not tell it, and nobody who hears an event asks.
        version: 0,
        event_type: Cow::Borrowed(known.type_name()),
        schema,
        published: true,
        at: at(packet, headers, fields.ok()),
        actor: Cow::Borrowed(actor(headers)),
        cause: cause(headers, place),
        trace: trace(headers),
        body,
    })
}

/// The trace that it belongs to; B3 may stand in the quotes of JSON.
fn trace(headers: Headers<'_>) -> Option<String> {
    let header = |name: &str| headers.get(name).map(|text| text.trim_matches('"'));
    Traceparent::of_headers(header).map(|trace| trace.to_string())
}

/// The event that a message of a known type tells, or why it tells none.
pub(super) fn understand(
    known: &Event,
    headers: Headers<'_>,
    fields: Understood<&Fields<'_>>,
) -> Understood<Event> {
    let fields = fields?;
    let (name, version) = headers.get(name::CE_TYPE).and_then(ce_type).unwrap_or((known.type_name(), SCHEMA));
    if name == known.type_name() && !event::is_known(version) {
        return Err(format!("it is of version {version}, and known here is {SCHEMA}"));
    }
    // Whoever goes by the one would do another thing than who goes by the other.
    let also = fields.word("eventType").ok().flatten().and_then(|name| value::known(own_spelling(&name)));
    if let Some(also) = also.filter(|also| also.type_name() != known.type_name()) {
        return Err(format!("eventType: it says {}", also.type_name()));
    }
    value::event(known, fields)
}

/// The header `type`, as the original goes by it; else what CloudEvents or the value itself say.
pub(super) fn type_name(headers: Headers<'_>, fields: Option<&Fields<'_>>) -> Option<String> {
    let said = headers
        .unquoted(name::TYPE)
        .or_else(|| headers.get(name::CE_TYPE).and_then(ce_type).map(|(name, _)| name.to_owned()))
        .or_else(|| fields?.word("eventType").ok()?)?;
    Some(own_spelling(&said).to_owned())
}

fn own_spelling(name: &str) -> &str {
    SPELLINGS.iter().find(|(_, theirs)| *theirs == name).map_or(name, |(ours, _)| *ours)
}

/// Name and version of `taxisvc.FarePaid.v1`; nothing of what is not ours.
fn ce_type(text: &str) -> Option<(&str, u16)> {
    let (name, version) = text.strip_prefix("taxisvc.")?.rsplit_once(".v")?;
    Some((name, version.parse().ok()?))
}

fn owner(known: &Event) -> &'static str {
    match known {
        Event::Call(_) => call::NAME,
        Event::Payment(_) => payment::NAME,
        Event::Drive(_) => drive::NAME,
    }
}

/// The place in its producer's own log. Headers of CloudEvents that are somebody else's are as good as none; so are those of
/// another event, which are left over where a message was made of one of ours.
fn identity(headers: Headers<'_>, known: &Event) -> Option<(Source, u64)> {
    let owner = owner(known);
    let is_known = |text: &str| ce_type(text).is_some_and(|(name, _)| name == known.type_name());
    if !headers.get(name::CE_TYPE).is_none_or(is_known) {
        return None;
    }
    let mut parts = headers.get(name::SOURCE)?.strip_prefix('/')?.split('/');
    let (service, log, shard) = (parts.next()?, parts.next()?, parts.next()?);
    let log: LogId = log.parse().ok()?;
    let shard = shard.parse().ok()?;
    let position = headers.get(name::ID)?.parse().ok()?;
    let is_ours = service == owner && parts.next().is_none() && (1..=POSITION_MAX).contains(&position);
    is_ours.then_some((Source { log, service: Cow::Borrowed(owner), shard }, position))
}

fn by_place(place: &Place, owner: &'static str) -> (Source, u64) {
    let source = Source { log: place.topic, service: Cow::Borrowed(owner), shard: 0 };
    (source, place.offset.saturating_add(1).min(POSITION_MAX))
}

/// The call of a message that is not understood, as far as it says so; 0 is none.
fn entity_id(packet: &Packet, headers: Headers<'_>, fields: Option<&Fields<'_>>) -> u64 {
    let in_key = || std::str::from_utf8(packet.key.as_deref()?).ok()?.parse().ok();
    let in_headers = || headers.get(name::PARTITION_KEY)?.parse().ok();
    let call_id = fields.and_then(|fields| fields.call_id().ok()).or_else(in_key).or_else(in_headers);
    call_id.map_or(0, CallId::get)
}

fn at(packet: &Packet, headers: Headers<'_>, fields: Option<&Fields<'_>>) -> Timestamp {
    let told = headers.get(name::TIME).and_then(parse_rfc3339);
    told.or_else(|| fields?.timestamp()).or(packet.at).unwrap_or(Timestamp(0))
}

fn actor(headers: Headers<'_>) -> &'static str {
    headers.get(name::ACTOR).and_then(Actor::parse).unwrap_or(Actor::System).as_str()
}

/// What led to it; where that is not told, the message by which it came.
fn cause(headers: Headers<'_>, place: &Place) -> String {
    let told = headers
        .get(name::CAUSE)
        .filter(|cause| cause.chars().count() <= CAUSE_CHARS_MAX && !cause.chars().any(char::is_control));
    told.map_or_else(|| format!("message {}/{}", place.partition, place.offset), str::to_owned)
}
