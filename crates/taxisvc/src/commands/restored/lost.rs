//! What a topic was told by a service of which its own database knows nothing any more.
//!
//! The end of the log says too little: once the service has run on, it is where it was before, with other events at the
//! same positions. So each event that comes from the topic is looked for in the log.

use anyhow::Context;
use engine::clock::Timestamp;
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
    /// All that others may have heard of it, in order of what it says.
    held: Vec<Held>,
    /// Kinds of entities and types of events, by the numbers that stand for them.
    names: Vec<(String, String)>,
}

/// An event of the log, in as few bytes as tell it from others: there is one of these for each. Its version is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    entity_id: u64,
    name: usize,
    at: Timestamp,
    shard: u16,
    position: u64,
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
    /// Some of it was told under the id that the log has: going on under that would use positions again.
    #[serde(skip)]
    pub(super) is_of_this_log: bool,
    /// Of all calls that anybody has told of; 0 for none.
    pub(super) highest_call: u64,
}

impl Own {
    /// Reads the whole log, as it is at one moment.
    pub(super) fn read(reader: &dyn Reader, service: &'static str, shards: u16) -> Stored<Self> {
        let snapshot = reader.snapshot()?;
        let mut own =
            Self { service, log: reader.log(), ends: Vec::new(), held: Vec::new(), names: Vec::new() };
        for index in 0..shards {
            let shard = ShardName { service, index };
            own.ends.push(snapshot.last_position(shard)?);
            snapshot.events(shard, &mut |event| {
                own.hold(&event);
                Visit::On
            })?;
        }
        own.held.sort_unstable();
        Ok(own)
    }

    fn hold(&mut self, event: &Recorded) {
        if !event.published {
            return;
        }
        let name = self.name(event).unwrap_or_else(|| {
            self.names.push((event.entity_kind.to_string(), event.event_type.to_string()));
            self.names.len() - 1
        });
        self.held.push(held(event, name));
    }

    fn name(&self, event: &Recorded) -> Option<usize> {
        self.names.iter().position(|(kind, name)| *kind == event.entity_kind && *name == event.event_type)
    }

    /// Whether the log has an event that the service told. Under the id that the log has now it must be the same one at the
    /// same position, as the replicas compare it; told under a former id, it may have been decided again meanwhile.
    fn has(&self, event: &Recorded) -> bool {
        let Some(name) = self.name(event) else { return false };
        let wanted = held(event, name);
        if event.source.log == self.log {
            return self.held.binary_search(&wanted).is_ok();
        }
        let says = |held: &Held| (held.entity_id, held.name);
        self.held.binary_search_by_key(&says(&wanted), says).is_ok()
    }
}

fn held(event: &Recorded, name: usize) -> Held {
    let Recorded { entity_id, at, position, .. } = *event;
    Held { entity_id, name, at, shard: event.source.shard, position }
}

/// What is collected while the topic is read.
struct Seen<'a> {
    own: &'a Own,
    told_to: Vec<u64>,
    /// By call, in order: a message may be there twice, and an event under several ids of the log.
    lost: BTreeMap<u64, BTreeSet<(Timestamp, u64, String)>>,
    is_of_this_log: bool,
    highest_call: u64,
}

impl<'a> Seen<'a> {
    fn of(own: &'a Own) -> Self {
        let told_to = vec![0; own.ends.len()];
        Self { own, told_to, lost: BTreeMap::new(), is_of_this_log: false, highest_call: 0 }
    }

    fn note(&mut self, event: &Recorded) {
        self.highest_call = event.entity_id.max(self.highest_call);
        if event.source.service != self.own.service {
            return;
        }
        let is_of_this_log = event.source.log == self.own.log;
        if is_of_this_log && let Some(told_to) = self.told_to.get_mut(usize::from(event.source.shard)) {
            *told_to = event.position.max(*told_to);
        }
        if !self.own.has(event) {
            self.is_of_this_log |= is_of_this_log;
            let of_call = self.lost.entry(event.entity_id).or_default();
            of_call.insert((event.at, event.position, event.event_type.to_string()));
        }
    }

    fn into_lost(self) -> Lost {
        let ends = self.own.ends.iter().zip(self.told_to).zip(0..);
        let events = self.lost.values().map(|events| events.len() as u64).sum();
        let calls = self.lost.into_iter().map(|(call_id, events)| LostCall {
            call_id,
            is_unknown: false,
            events: events.into_iter().map(|(_, _, name)| name).collect(),
        });
        Lost {
            shards: ends.map(|((end, told_to), shard)| ShardEnd { shard, end: *end, told_to }).collect(),
            events,
            calls: calls.collect(),
            is_of_this_log: self.is_of_this_log,
            highest_call: self.highest_call,
        }
    }
}

/// Reads the whole topic; what others have said of a call counts for its number.
pub(super) fn look(settings: &Settings, wire: &dyn Wire, own: &Own) -> Result<Lost, ScanError> {
    let mut seen = Seen::of(own);
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

    fn own(log: u64, events: &[Recorded]) -> Own {
        let ends = vec![events.iter().map(|event| event.position).max().unwrap_or(0)];
        let mut own = Own { service: "call", log: LogId(log), ends, held: Vec::new(), names: Vec::new() };
        events.iter().for_each(|event| own.hold(event));
        own.held.sort_unstable();
        own
    }

    fn lost(own: &Own, told: &[Recorded]) -> Lost {
        let mut seen = Seen::of(own);
        told.iter().for_each(|event| seen.note(event));
        seen.into_lost()
    }

    fn named(lost: &Lost) -> Vec<(u64, String)> {
        lost.calls.iter().map(|call| (call.call_id, call.events.join(" "))).collect()
    }

    fn later(event: Recorded) -> Recorded {
        Recorded { at: Timestamp(9), ..event }
    }

    #[test]
    fn what_lies_beyond_the_end_is_lost_and_counted_once() {
        let own = own(7, &[event("call", 7, (40, 3))]);
        let told = [
            ("call", 7, (40, 3)),
            ("call", 7, (43, 5)),
            ("call", 7, (41, 5)),
            ("call", 7, (42, 6)),
            ("call", 7, (41, 5)),
            // Somebody else's.
            ("payment", 7, (99, 9)),
        ];
        let lost = lost(&own, &told.map(|(service, log, place)| event(service, log, place)));
        assert_eq!(lost.shards, [ShardEnd { shard: 0, end: 40, told_to: 43 }]);
        assert_eq!((lost.events, lost.highest_call, lost.is_of_this_log), (3, 9, true));
        assert_eq!(named(&lost), [(5, "Said41 Said43".to_owned()), (6, "Said42".to_owned())]);
    }

    #[test]
    fn what_has_another_event_at_its_position_is_lost() {
        // The end is where it was, with another call, and with the same one at another time.
        let held = [event("call", 7, (40, 3)), event("call", 7, (41, 8)), later(event("call", 7, (42, 5)))];
        let told = [(40, 3), (41, 5), (42, 5)].map(|place| event("call", 7, place));
        let lost = lost(&own(7, &held), &told);
        assert_eq!(lost.shards, [ShardEnd { shard: 0, end: 42, told_to: 42 }]);
        assert_eq!((lost.events, lost.is_of_this_log), (2, true));
        assert_eq!(named(&lost), [(5, "Said41 Said42".to_owned())]);
    }

    #[test]
    fn what_was_told_under_another_id_is_lost_unless_it_is_known_by_its_meaning() {
        let held = [event("call", 7, (40, 3)), later(event("call", 7, (41, 5)))];
        let told = [
            event("call", 3, (40, 3)),
            // Decided again since, and at another time.
            event("call", 3, (41, 5)),
            event("call", 3, (42, 6)),
            // Told again under the next id.
            event("call", 4, (42, 6)),
        ];
        let lost = lost(&own(7, &held), &told);
        assert_eq!((lost.events, lost.is_of_this_log), (1, false));
        assert_eq!(named(&lost), [(6, "Said42".to_owned())]);
        assert_eq!(lost.shards, [ShardEnd { shard: 0, end: 41, told_to: 0 }]);
    }
}
