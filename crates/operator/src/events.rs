//! Events as they stand in the logs, published and private ones, with who, why and where.

use crate::time::At;
use engine::log::Recorded;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// One recorded event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub service: String,
    pub shard: u16,
    /// In the log of that shard, without a gap.
    pub position: u64,
    /// Counts what happened to the call in this service.
    pub version: u64,
    #[serde(rename = "type")]
    pub event_type: String,
    pub schema: u16,
    /// Whether other services hear of it.
    pub published: bool,
    pub at: At,
    pub actor: String,
    /// `request <id>`, `event <service>/<shard>/<position>`, `timer <name>` or `effect <name> <sequence>`.
    pub cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    pub call_id: u64,
    /// As it is stored; text where it is no JSON.
    pub body: Value,
}

impl Envelope {
    pub fn of(recorded: &Recorded) -> Self {
        let body = serde_json::from_str(&recorded.body);
        Self {
            service: recorded.source.service.to_string(),
            shard: recorded.source.shard,
            position: recorded.position,
            version: recorded.version,
            event_type: recorded.event_type.to_string(),
            schema: recorded.schema,
            published: recorded.published,
            at: At(recorded.at),
            actor: recorded.actor.to_string(),
            cause: recorded.cause.clone(),
            trace: recorded.trace.clone(),
            call_id: recorded.entity_id,
            body: body.unwrap_or_else(|_| Value::String(recorded.body.clone())),
        }
    }
}

/// One line: `2026-11-23T22:21:06.964Z  payment/0/17  FarePaid  call 1  rider, effect take 256  {…}`.
impl fmt::Display for Envelope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, service, shard, position, event_type, call_id, actor, cause, body, .. } = self;
        write!(
            formatter,
            "{at}  {service}/{shard}/{position}  {event_type}  call {call_id}  {actor}, {cause}  {body}"
        )
    }
}

/// The event that led to another: `event <service>/<shard>/<position>`.
pub(crate) fn cause_of(text: &str) -> Option<(&str, u16, u64)> {
    let mut parts = text.strip_prefix("event ")?.split('/');
    let (service, shard, position) = (parts.next()?, parts.next()?, parts.next()?);
    Some((service, shard.parse().ok()?, position.parse().ok()?))
}
