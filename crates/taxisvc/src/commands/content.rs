//! What lies in a copy of all databases, for whoever takes one or goes back to one.

use engine::clock::Timestamp;
use engine::log::ShardName;
use engine::store::Stored;
use operator::time::At;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use wiring::{Readers, SERVICES, TELLING, call};

/// How much there is, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    pub(super) events: u64,
    /// Where each log ends, as positions are written.
    pub(super) ends: Vec<String>,
    /// The same of those too that nobody hears.
    #[serde(skip)]
    pub(super) all_ends: Vec<String>,
    pub(super) last_event_at: Option<At>,
    /// Calls by their status.
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) dead_letters: u64,
}

impl Content {
    pub(super) fn read(readers: &Readers, shards: u16) -> Stored<Self> {
        let mut content = Self {
            events: 0,
            ends: Vec::new(),
            all_ends: Vec::new(),
            last_event_at: None,
            calls: readers.call.counts(call::NAME, call::NAME)?.into_iter().collect(),
            dead_letters: 0,
        };
        for service in SERVICES {
            let reader = readers.of(service);
            content.dead_letters += reader.backlog(service, Timestamp(0))?.letters_waiting;
            for index in 0..shards {
                let shard = ShardName { service, index };
                let end = reader.last_position(shard)?;
                content.events += end;
                let written = format!("{service}.{index}.{end}.{}", reader.log());
                content.all_ends.push(written.clone());
                if TELLING.contains(&service) {
                    content.ends.push(written);
                    let last = reader.events_after(shard, end.saturating_sub(1), 1)?;
                    content.last_event_at = content.last_event_at.max(last.first().map(|event| At(event.at)));
                }
            }
        }
        Ok(content)
    }

    /// When the last event was.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.last_event_at.map(|at| at.0)
    }

    pub(super) fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { events, ends, last_event_at, calls, dead_letters, .. } = self;
        let last = last_event_at.map_or_else(|| "none yet".to_owned(), |at| at.to_string());
        writeln!(text, "events  {events}, the last at {last}")?;
        let by_status: Vec<String> =
            calls.iter().map(|(status, count)| format!("{status} {count}")).collect();
        let all: u64 = calls.values().sum();
        writeln!(text, "calls   {all}{}{}", if all > 0 { ": " } else { "" }, by_status.join(", "))?;
        if *dead_letters > 0 {
            writeln!(text, "letters {dead_letters} wait (taxisvc dead-letters list)")?;
        }
        writeln!(text, "ends    {}", ends.join(" "))
    }
}
