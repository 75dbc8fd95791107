//! How far each consumer had read each log at its own moment: what lies past that is on its way.

use super::Moment;
use crate::{SERVICES, TELLING, view};
use engine::log::{LogId, Recorded, ShardName, shard_of};
use engine::store::{InboxKey, Rebuild, Stored};
use std::collections::{HashMap, HashSet};

/// A log: its producer and shard.
type Log = (String, u16);

pub(super) struct Cuts {
    read: HashMap<ShardName, HashMap<Log, u64>>,
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
    pub(super) fn read(moment: &Moment<'_>) -> Stored<Self> {
        let mut cuts = Self {
            read: HashMap::new(),
            shards: HashMap::new(),
            ahead: HashSet::new(),
            aside: HashSet::new(),
            passed_over: HashMap::new(),
            view_rebuild: moment.view.rebuild(view::NAME)?,
        };
        let mut logs: HashMap<Log, (LogId, u64)> = HashMap::new();
        for service in TELLING {
            let snapshot = moment.of(service);
            for shard in moment.shards(service) {
                let last = snapshot.last_position(shard)?;
                logs.insert((service.to_owned(), shard.index), (snapshot.log(), last));
            }
        }
        for service in SERVICES {
            for shard in moment.shards(service) {
                *cuts.shards.entry(service).or_default() += 1;
                let rows = moment.of(service).inbox(shard)?;
                cuts.note(shard, rows, &logs);
                let letters = moment.of(service).dead_letters(shard)?;
                let waiting = letters.iter().filter(|letter| letter.skipped.is_none());
                cuts.aside.extend(waiting.map(|letter| (service, letter.entity_id)));
                for (source, position) in moment.of(service).passed_over(shard)? {
                    let log = (source.service.into_owned(), source.shard);
                    let known = logs.get(&log).is_some_and(|(known, _)| *known == source.log);
                    if known {
                        cuts.passed_over.entry(shard).or_default().insert((log, position));
                    }
                }
            }
        }
        Ok(cuts)
    }

    fn note(&mut self, shard: ShardName, rows: Vec<(InboxKey, u64)>, logs: &HashMap<Log, (LogId, u64)>) {
        let read = self.read.entry(shard).or_default();
        for (key, position) in rows {
            let name = (key.source.service.into_owned(), key.source.shard);
            let Some((log, last)) = logs.get(&name) else { continue };
            if *log != key.source.log {
                continue;
            }
            if position > *last {
                self.ahead.insert(shard);
            }
            // Where partitions are read at different paces, only what the slowest has passed was surely heard.
            let known = read.entry(name).or_insert(position);
            *known = position.min(*known);
        }
    }

    fn shard(&self, service: &'static str, id: u64) -> ShardName {
        let shards = self.shards.get(service).copied().unwrap_or(1);
        ShardName { service, index: shard_of(id, shards) }
    }

    /// Whether the consumer had read this event, which is about entity `id`.
    pub(super) fn has_heard(&self, consumer: &'static str, id: u64, event: &Recorded) -> bool {
        let log = (event.source.service.to_string(), event.source.shard);
        let read = self.read.get(&self.shard(consumer, id)).and_then(|read| read.get(&log));
        read.is_some_and(|read| event.position <= *read)
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
