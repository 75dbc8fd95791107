//! How far each consumer had read each log at its own moment: what lies past that is on its way.

use super::Moment;
use crate::heard::{Between, Heard, Read};
use crate::{SERVICES, TELLING, view};
use engine::log::{LogId, Recorded, ShardName, shard_of};
use engine::store::{InboxKey, Rebuild, Stored};
use engine::topic::{logs_of, topics_of};
use std::collections::{HashMap, HashSet};

/// A log: its producer and shard.
type Log = (String, u16);

type Rows = Vec<(InboxKey, u64)>;

pub(super) struct Cuts {
    between: Between,
    read: HashMap<ShardName, Read>,
    shards: HashMap<&'static str, u16>,
    /// Consumers that have read more than the moment of the producer holds.
    ahead: HashSet<ShardName>,
    /// Entities with a dead letter: what they hear waits behind it.
    aside: HashSet<(&'static str, u64)>,
    /// Events that were heard and stay without consequence, since an operator passed them over.
    passed_over: HashMap<ShardName, HashSet<(Log, u64)>>,
    /// Whether the view is being made anew.
    pub(super) view_rebuild: Option<Rebuild>,
}

impl Cuts {
    pub(super) fn read(moment: &Moment<'_>, partitions: Option<u32>) -> Stored<Self> {
        let mut inboxes: Vec<(ShardName, Rows)> = Vec::new();
        for service in SERVICES {
            for shard in moment.shards(service) {
                inboxes.push((shard, moment.of(service).inbox(shard)?));
            }
        }
        let rows = inboxes.iter().map(|(shard, rows)| (*shard, &**rows));
        let mut cuts = Self {
            between: Between::of(rows, partitions.is_some()),
            read: HashMap::new(),
            shards: HashMap::new(),
            ahead: HashSet::new(),
            aside: HashSet::new(),
            passed_over: HashMap::new(),
            view_rebuild: moment.view.rebuild(view::NAME)?,
        };
        let logs = logs(moment)?;
        for (shard, rows) in inboxes {
            *cuts.shards.entry(shard.service).or_default() += 1;
            cuts.note(shard, rows, &logs);
            cuts.note_letters(moment, shard, &logs)?;
        }
        Ok(cuts)
    }

    fn note(&mut self, shard: ShardName, rows: Rows, logs: &HashMap<Log, (LogId, u64)>) {
        let topics = topics_of(&rows);
        for (key, position) in &rows {
            let is_of = |log: LogId| logs_of(key.source.log, &topics).any(|known| known == log);
            let name = (key.source.service.to_string(), key.source.shard);
            if logs.get(&name).is_some_and(|(log, last)| is_of(*log) && position > last) {
                self.ahead.insert(shard);
            }
        }
        self.read.insert(shard, Read::of(rows));
    }

    fn note_letters(
        &mut self,
        moment: &Moment<'_>,
        shard: ShardName,
        logs: &HashMap<Log, (LogId, u64)>,
    ) -> Stored<()> {
        let snapshot = moment.of(shard.service);
        let letters = snapshot.dead_letters(shard)?;
        let waiting = letters.iter().filter(|letter| letter.skipped.is_none());
        self.aside.extend(waiting.map(|letter| (shard.service, letter.entity_id)));
        for (source, position) in snapshot.passed_over(shard)? {
            let log = (source.service.into_owned(), source.shard);
            let known = logs.get(&log).is_some_and(|(known, _)| *known == source.log);
            if known {
                self.passed_over.entry(shard).or_default().insert((log, position));
            }
        }
        Ok(())
    }

    fn shard(&self, service: &'static str, id: u64) -> ShardName {
        let shards = self.shards.get(service).copied().unwrap_or(1);
        ShardName { service, index: shard_of(id, shards) }
    }

    /// Whether the consumer had read this event, which is about entity `id`.
    pub(super) fn heard(&self, consumer: &'static str, id: u64, event: &Recorded) -> Heard {
        let read = self.read.get(&self.shard(consumer, id));
        read.map_or(Heard::No, |read| self.between.heard(read, event))
    }

    pub(super) fn is_over_a_topic(&self) -> bool {
        self.between.is_topic()
    }

    /// Whether the topic had been told of this event; within a process there is nobody to tell.
    pub(super) fn is_told(&self, event: &Recorded) -> bool {
        self.between.is_told(event)
    }

    /// Whether the consumer has passed this event over, which is about entity `id`.
    pub(super) fn has_passed_over(&self, consumer: &'static str, id: u64, event: &Recorded) -> bool {
        if self.passed_over.is_empty() {
            return false;
        }
        let place = ((event.source.service.to_string(), event.source.shard), event.position);
        self.passed_over.get(&self.shard(consumer, id)).is_some_and(|places| places.contains(&place))
    }

    pub(super) fn is_ahead(&self, consumer: &'static str, id: u64) -> bool {
        self.ahead.contains(&self.shard(consumer, id))
    }

    pub(super) fn is_aside(&self, consumer: &'static str, id: u64) -> bool {
        self.aside.contains(&(consumer, id))
    }
}

/// The logs that others read, with their ends at the moment of their own database.
fn logs(moment: &Moment<'_>) -> Stored<HashMap<Log, (LogId, u64)>> {
    let mut logs = HashMap::new();
    for service in TELLING {
        let snapshot = moment.of(service);
        for shard in moment.shards(service) {
            let last = snapshot.last_position(shard)?;
            logs.insert((service.to_owned(), shard.index), (snapshot.log(), last));
        }
    }
    Ok(logs)
}
