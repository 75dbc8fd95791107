//! What is recorded: entities' keys, shards, logs, positions, and the envelope around every event.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// An entity of one service: its kind and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey {
    pub kind: &'static str,
    pub id: u64,
}

impl fmt::Display for EntityKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.id)
    }
}

/// One shard of one service: what is decided one after the other, and numbered without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShardName {
    pub service: &'static str,
    pub index: u16,
}

impl fmt::Display for ShardName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.service, self.index)
    }
}

/// Which shard of `count` a key belongs to. Fixed for ever once a store is made: the finalizer of SplitMix64
/// (Steele, Lea, Flood 2014), modulo the number of shards.
pub fn shard_of(id: u64, count: u16) -> u16 {
    let mut mixed = id;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    u16::try_from(mixed % u64::from(count.max(1))).expect("a remainder is below its u16 divisor")
}

/// A number of its own for each shard of a replica, to count batches from.
pub(crate) fn shard_seed(replica: u64, shard: ShardName) -> u64 {
    let mut mixed = replica;
    for byte in shard.service.bytes() {
        mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (mixed ^ u64::from(shard.index)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The identity of a store's logs, drawn when it is made or restored: a position means something only with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogId(pub u64);

impl fmt::Display for LogId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for LogId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let well_formed = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = well_formed.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| format!("{text:?} is not a log id of 16 hex digits"))
    }
}

impl TryFrom<String> for LogId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LogId> for String {
    fn from(log: LogId) -> Self {
        log.to_string()
    }
}

/// The log of one shard, seen by those who read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    pub log: LogId,
    pub service: Cow<'static, str>,
    pub shard: u16,
}

/// A place in a log, written `<service>.<shard>.<number>.<log>`, or `….<about>` behind it; opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    pub source: Source,
    pub number: u64,
    /// The entity that it is about, where the log is heard over a topic: what is said of an entity travels in one
    /// partition, and how far the others are read tells nothing.
    pub about: Option<u64>,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Source { log, service, shard } = &self.source;
        write!(formatter, "{service}.{shard}.{}.{log}", self.number)?;
        self.about.map_or(Ok(()), |entity_id| write!(formatter, ".{entity_id}"))
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("{text:?} is not a position of this system");
        let parts: Vec<&str> = text.split('.').collect();
        let (service, shard, number, log, about) = match parts[..] {
            [service, shard, number, log] => (service, shard, number, log, None),
            [service, shard, number, log, about] => (service, shard, number, log, Some(about)),
            _ => return Err(malformed()),
        };
        if service.is_empty() || !service.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            return Err(malformed());
        }
        Ok(Self {
            source: Source {
                log: log.parse().map_err(|_| malformed())?,
                service: Cow::Owned(service.to_owned()),
                shard: shard.parse().map_err(|_| malformed())?,
            },
            number: number.parse().map_err(|_| malformed())?,
            about: about.map(str::parse).transpose().map_err(|_| malformed())?,
        })
    }
}

/// An event as its service writes it: the type and schema say how to read the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub event_type: &'static str,
    pub schema: u16,
    /// Private events stay in their owner's log: they are neither delivered to other services nor shown outside.
    pub published: bool,
    pub body: String,
}

/// An event as it stands in the log, with who, why and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    pub source: Source,
    pub position: u64,
    pub entity_kind: Cow<'static, str>,
    pub entity_id: u64,
    pub version: u64,
    pub event_type: Cow<'static, str>,
    pub schema: u16,
    pub published: bool,
    pub at: Timestamp,
    pub actor: Cow<'static, str>,
    pub cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    pub body: String,
}

impl Recorded {
    /// The part of its `traceparent` that all of a trace have in common.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace.as_deref()?.split('-').nth(1)
    }
}

/// Who wants something and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub actor: Cow<'static, str>,
    pub cause: Cause,
    /// A W3C `traceparent`.
    pub trace: Option<String>,
}

impl Origin {
    pub fn request(actor: &'static str, request_id: String) -> Self {
        Self { actor: Cow::Borrowed(actor), cause: Cause::Request(request_id), trace: None }
    }
}

/// The message that led to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    Request(String),
    Event { source: Source, position: u64 },
    Timer(String),
    Effect { name: String, sequence: u64 },
}

/// What stands before the name of a timer.
const BY_TIMER: &str = "timer ";

impl Cause {
    /// The timer that is the cause, where it is one.
    pub(crate) fn timer_in(cause: &str) -> Option<&str> {
        cause.strip_prefix(BY_TIMER)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => write!(formatter, "request {id}"),
            Self::Event { source, position } => {
                write!(formatter, "event {}/{}/{position}", source.service, source.shard)
            }
            Self::Timer(name) => write!(formatter, "{BY_TIMER}{name}"),
            Self::Effect { name, sequence } => write!(formatter, "effect {name} {sequence}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_in_its_shard_for_ever() {
        let placed: Vec<u16> = (1..=12).map(|id| shard_of(id, 4)).collect();
        assert_eq!(placed, [1, 2, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0]);
    }

    #[test]
    fn a_position_is_read_back_as_it_was_written() {
        for (text, about) in [("call.3.42.00000000deadbeef", None), ("call.3.42.00000000deadbeef.7", Some(7))]
        {
            let position: Position = text.parse().unwrap();
            assert_eq!((position.number, position.about), (42, about));
            assert_eq!(position.to_string(), text);
        }
        for wrong in [
            "",
            "call.3.42",
            "call.3.x.00000000deadbeef",
            "CALL.3.4.00000000deadbeef",
            "call.-1.4.0",
            "call.3.42.00000000deadbeef.",
            "call.3.42.00000000deadbeef.x",
            "call.3.42.00000000deadbeef.7.7",
        ] {
            assert!(wrong.parse::<Position>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_envelope_is_golden() {
        let recorded = Recorded {
            source: Source { log: LogId(0xdead_beef), service: Cow::Borrowed("call"), shard: 0 },
            position: 7,
            entity_kind: Cow::Borrowed("call"),
            entity_id: 1,
            version: 2,
            event_type: Cow::Borrowed("CallPlaced"),
            schema: 1,
            published: true,
            at: Timestamp(1_795_472_555_467),
            actor: Cow::Borrowed("system"),
            cause: Cause::Effect { name: "take".into(), sequence: 256 }.to_string(),
            trace: None,
            body: "{}".into(),
        };
        let golden = r#"{"source":{"log":"00000000deadbeef","service":"call","shard":0},"position":7,"entityKind":"call","entityId":1,"version":2,"eventType":"CallPlaced","schema":1,"published":true,"at":1795472555467,"actor":"system","cause":"effect take 256","body":"{}"}"#;
        assert_eq!(serde_json::to_string(&recorded).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Recorded>(golden).unwrap(), recorded);
    }
}
