//! What a topic was told by a service of which its own database knows nothing any more.

use anyhow::Context;
use engine::log::{EntityKey, LogId, Recorded, ShardName};
use engine::store::{Reader, Stored, Visit};
use engine::wire::Wire;
use engine_kafka::scan::{ScanError, ScanFrom, Sight, scan};
use engine_kafka::settings::Settings;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Calls that are looked up at once.
const LOOKED_UP: usize = 1_000;

/// The log as it stands in the restored database.
pub(super) struct Own {
    service: &'static str,
    log: LogId,
    /// Where each shard ends.
    ends: Vec<u64>,
}

/// Where a shard ends, and how far others have heard it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShardEnd {
    pub(super) shard: u16,
    pub(super) end: u64,
    pub(super) told_to: u64,
}

/// A call about which something was told that is not in the database.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LostCall {
    pub(super) call_id: u64,
    /// The database does not know it at all.
    pub(super) is_unknown: bool,
    /// What was told of it, in order.
    pub(super) events: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lost {
    pub(super) shards: Vec<ShardEnd>,
    #[serde(rename = "lostEvents")]
    pub(super) events: u64,
    #[serde(rename = "lostCalls")]
    pub(super) calls: Vec<LostCall>,
    /// Of all calls that anybody has told of; 0 for none.
    pub(super) highest_call: u64,
}

impl Own {
    pub(super) fn read(reader: &dyn Reader, service: &'static str, shards: u16) -> Stored<Self> {
        let ends = (0..shards).map(|index| reader.last_position(ShardName { service, index }));
        Ok(Self { service, log: reader.log(), ends: ends.collect::<Stored<_>>()? })
    }
}

/// What is collected while the topic is read.
struct Seen<'a> {
    own: &'a Own,
    told_to: Vec<u64>,
    /// Positions beyond the end: a message may be there twice.
    beyond: BTreeSet<(u16, u64)>,
    calls: BTreeMap<u64, BTreeMap<(u16, u64), String>>,
    highest_call: u64,
}

impl Seen<'_> {
    fn note(&mut self, event: &Recorded) {
        self.highest_call = event.entity_id.max(self.highest_call);
        let (source, position) = (&event.source, event.position);
        if source.service != self.own.service || source.log != self.own.log {
            return;
        }
        let place = usize::from(source.shard);
        let (Some(told_to), Some(end)) = (self.told_to.get_mut(place), self.own.ends.get(place)) else {
            return;
        };
        *told_to = position.max(*told_to);
        if position > *end && self.beyond.insert((source.shard, position)) {
            let of_call = self.calls.entry(event.entity_id).or_default();
            of_call.insert((source.shard, position), event.event_type.to_string());
        }
    }

    fn into_lost(self) -> Lost {
        let ends = self.own.ends.iter().zip(self.told_to).zip(0..);
        let calls = self.calls.into_iter();
        Lost {
            shards: ends.map(|((end, told_to), shard)| ShardEnd { shard, end: *end, told_to }).collect(),
            events: self.beyond.len() as u64,
            calls: calls
                .map(|(call_id, events)| LostCall {
                    call_id,
                    is_unknown: false,
                    events: events.into_values().collect(),
                })
                .collect(),
            highest_call: self.highest_call,
        }
    }
}

/// Reads the whole topic; what others have said of a call counts for its number.
pub(super) fn look(settings: &Settings, wire: &dyn Wire, own: &Own) -> Result<Lost, ScanError> {
    let mut seen = Seen {
        own,
        told_to: vec![0; own.ends.len()],
        beyond: BTreeSet::new(),
        calls: BTreeMap::new(),
        highest_call: 0,
    };
    scan(settings, wire, &ScanFrom::Beginning, &mut |sight| match sight {
        Sight::Message { event, .. } => {
            event.into_iter().for_each(|event| seen.note(event));
            Visit::On
        }
        Sight::CaughtUp => Visit::Enough,
        Sight::Nothing => Visit::On,
    })?;
    Ok(seen.into_lost())
}

impl Lost {
    pub(super) fn is_anything(&self) -> bool {
        self.events > 0
    }

    /// Says of each call whether the database knows it at all.
    pub(super) fn with_what_is_left(
        mut self,
        reader: &dyn Reader,
        service: &'static str,
    ) -> anyhow::Result<Self> {
        for calls in self.calls.chunks_mut(LOOKED_UP) {
            let keys: Vec<EntityKey> =
                calls.iter().map(|call| EntityKey { kind: service, id: call.call_id }).collect();
            let rows = reader.rows(service, &keys).context("the calls cannot be looked up")?;
            for (call, row) in calls.iter_mut().zip(rows) {
                call.is_unknown = row.is_none();
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Timestamp;
    use engine::log::Source;

    fn event(service: &'static str, log: u64, (position, entity_id): (u64, u64)) -> Recorded {
        Recorded {
            source: Source { log: LogId(log), service: service.into(), shard: 0 },
            position,
            entity_kind: service.into(),
            entity_id,
            version: 1,
            event_type: format!("Said{position}").into(),
            schema: 1,
            published: true,
            at: Timestamp(0),
            actor: "rider".into(),
            cause: "request x".to_owned(),
            trace: None,
            body: "{}".into(),
        }
    }

    #[test]
    fn what_lies_beyond_the_end_is_lost_and_counted_once() {
        let own = Own { service: "call", log: LogId(7), ends: vec![40] };
        let mut seen = Seen {
            own: &own,
            told_to: vec![0],
            beyond: BTreeSet::new(),
            calls: BTreeMap::new(),
            highest_call: 0,
        };
        for (service, log, place) in [
            ("call", 7, (40, 3)),
            ("call", 7, (43, 5)),
            ("call", 7, (41, 5)),
            ("call", 7, (42, 6)),
            ("call", 7, (41, 5)),
            // A former name of the same log, and somebody else's.
            ("call", 3, (99, 8)),
            ("payment", 7, (99, 9)),
        ] {
            seen.note(&event(service, log, place));
        }
        let lost = seen.into_lost();
        assert_eq!(lost.shards, [ShardEnd { shard: 0, end: 40, told_to: 43 }]);
        assert_eq!((lost.events, lost.highest_call, lost.is_anything()), (3, 9, true));
        let calls: Vec<_> = lost.calls.iter().map(|call| (call.call_id, call.events.join(" "))).collect();
        assert_eq!(calls, [(5, "Said41 Said43".to_owned()), (6, "Said42".to_owned())]);
    }
}
