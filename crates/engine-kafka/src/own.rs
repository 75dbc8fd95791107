//! What the topic has of the own log: if the log has it no more, the database was restored from a backup.
//!
//! The end of the log says too little: it soon comes to where it was before, with other events at the same positions. So
//! the last event that comes from the topic is compared with the one at its position.

use crate::desk::lowest;
use crate::scan::{ScanError, ScanFrom, Sight, scan};
use crate::shared::{Known, Shared};
use engine::clock::Stopwatch;
use engine::log::{Recorded, ShardName};
use engine::store::{StoreError, Stored, Visit};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often what comes from the topic is compared.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The last event of each own shard that came from the topic.
#[derive(Default)]
struct Last(BTreeMap<u16, Recorded>);

impl Last {
    fn note(&mut self, event: &Recorded, shared: &Shared) {
        let is_own =
            event.source.service == shared.topic.service() && event.source.log == shared.reader.log();
        let index = event.source.shard;
        if is_own && self.0.get(&index).is_none_or(|last| last.position < event.position) {
            self.0.insert(index, event.clone());
        }
    }

    /// What to tell whoever runs it, when the log does not have one of them.
    fn compare(&self, shared: &Shared) -> Stored<Option<String>> {
        for (index, event) in &self.0 {
            let shard = ShardName { service: shared.topic.service(), index: *index };
            let there = shared.reader.events_after(shard, event.position.saturating_sub(1), 1)?;
            let is_there = there.first().is_some_and(|there| is_the_same(there, event));
            if !is_there {
                return Ok(Some(restored(shared, shard, event.position)));
            }
        }
        Ok(None)
    }
}

fn is_the_same(one: &Recorded, other: &Recorded) -> bool {
    one.position == other.position && one.entity_id == other.entity_id && one.at == other.at
}

/// Watches what the consumer reads.
pub(crate) struct Own {
    last: Last,
    looked: Stopwatch,
}

impl Default for Own {
    fn default() -> Self {
        Self { last: Last::default(), looked: Stopwatch::start() }
    }
}

impl Own {
    pub(crate) fn note(&mut self, event: &Recorded, shared: &Shared) {
        self.last.note(event, shared);
    }

    /// Now and then, what to tell whoever runs it. A database that does not answer is asked again.
    pub(crate) fn restored(&mut self, shared: &Shared) -> Option<String> {
        if self.looked.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked = Stopwatch::start();
        self.last.compare(shared).ok().flatten()
    }
}

/// Looks before anything is told: positions that are used again must not get to the topic at all. What was told since the
/// backup stands behind what the rows say was read; a database without rows is new, or reads the topic from its beginning.
pub(crate) fn look_ahead(shared: &Shared, known: Known) -> Result<Option<String>, ScanError> {
    let unavailable = |error: StoreError| ScanError::Unavailable(error.to_string());
    let partitions: Vec<u32> = (0..known.identity.partitions).collect();
    let read = lowest(&shared.rows().map_err(unavailable)?, known, &partitions);
    if read.values().all(|next| *next == 0) {
        return Ok(None);
    }
    let mut last = Last::default();
    scan(&shared.settings, shared.wire.as_ref(), &ScanFrom::Offsets(read), &mut |sight| {
        match sight {
            Sight::CaughtUp => return Visit::Enough,
            Sight::Message { event: Some(event), .. } => last.note(event, shared),
            Sight::Message { event: None, .. } | Sight::Nothing => {}
        }
        if shared.is_stopping() { Visit::Enough } else { Visit::On }
    })?;
    last.compare(shared).map_err(unavailable)
}

fn restored(shared: &Shared, shard: ShardName, position: u64) -> String {
    let service = shard.service;
    format!(
        "the topic {:?} has an event {position} of {shard} that the database lacks, or has another in its place: it was \
         restored from a backup, or is another copy. Going on would use positions again, and others would take new events for old ones. \
         Stop every replica of {service}, run `taxisvc restored {service}`, and start them again",
        shared.settings.topic
    )
}
