//! A published event as a message.

use super::{Profile, SPELLINGS, name};
use crate::adapt;
use crate::calendar::Parts;
use engine::Unreadable;
use engine::log::Recorded;
use engine::wire::Packet;

const SPEC_VERSION: &str = "1.0";
const JSON: &str = "application/json";
/// Without it the original's services pass an event over: its header `type` is then no text to them.
const TYPE_IS_TEXT: &str = r#"{"type":"java.lang.String"}"#;

pub(super) fn write(profile: Profile, event: &Recorded) -> Result<Option<Packet>, Unreadable> {
    if !event.published {
        return Ok(None);
    }
    let told = adapt::decode(event)?;
    let Some(value) = told.to_wire(adapt::to_taxi_time(event.at)) else {
        return Ok(None);
    };
    let (type_name, value) = spelt(profile, told.type_name(), value);
    let call_id = told.call_id().to_string();
    let source = &event.source;
    let mut headers = vec![
        (name::SPEC_VERSION, SPEC_VERSION.to_owned()),
        (name::ID, event.position.to_string()),
        (name::SOURCE, format!("/{}/{}/{}", source.service, source.log, source.shard)),
        (name::CE_TYPE, format!("taxisvc.{}.v{}", event.event_type, event.schema)),
        (name::TIME, Parts::of(event.at).to_string()),
        (name::PARTITION_KEY, call_id.clone()),
        (name::CONTENT_TYPE, JSON.to_owned()),
    ];
    headers.extend(event.trace.clone().map(|trace| (name::TRACEPARENT, trace)));
    headers.push((name::ACTOR, event.actor.to_string()));
    headers.push((name::CAUSE, event.cause.clone()));
    headers.push((name::TYPE, type_name.to_owned()));
    match profile {
        Profile::CloudEvents => {}
        Profile::SpringCloudStream => headers.push((name::HEADER_TYPES, TYPE_IS_TEXT.to_owned())),
    }
    let header = |(name, text): (&str, String)| (name.to_owned(), Some(text.into_bytes()));
    Ok(Some(Packet {
        key: Some(call_id.into_bytes()),
        headers: headers.into_iter().map(header).collect(),
        payload: Some(value.into_bytes()),
        at: Some(event.at),
    }))
}

/// The event's name and value, in the spelling of whoever is written for.
fn spelt(profile: Profile, own: &'static str, value: String) -> (&'static str, String) {
    let original = SPELLINGS.iter().find(|(ours, _)| *ours == own).map(|(_, theirs)| *theirs);
    match (profile, original) {
        (Profile::CloudEvents, _) | (Profile::SpringCloudStream, None) => (own, value),
        // The name is the first text of the value.
        (Profile::SpringCloudStream, Some(theirs)) => (theirs, value.replacen(own, theirs, 1)),
    }
}
