//! Whether a service has heard an event, and whether a topic was told of it: what the rows of inboxes say.
//!
//! Within a process each log is read as it stands, and one row says how far. Over a topic the events of a log are spread
//! over partitions that are read at different paces, and a row of each says how far. Which partition an event went by
//! follows from the partition count of its day, and that may have been raised since. A relay notes under which counts it
//! has told; where it was several, only an event that the rows of all of them have passed was heard for sure, and one
//! that some have passed may have been ([`Heard::Unsure`]). Why so: docs/decisions/0028-audit-over-a-topic.md.

use crate::{TELLING, call, drive, payment};
use engine::log::{LogId, Recorded, ShardName, Source};
use engine::store::InboxKey;
use engine::topic::{RELAY, TOPIC, heard_key, logs_of, partition_of};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use taxi::event::Event;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Yes,
    No,
    /// It was heard if it went by one partition, and not if it went by another; or it was heard under the name that its
    /// log had before the database was restored.
    Unsure,
}

/// What connects the services: their own process, or a topic, and what the inboxes say of it.
#[derive(Debug, Clone, Default)]
pub struct Between {
    /// The topics that rows tell of.
    topics: BTreeSet<LogId>,
    /// The partition counts under which something was told.
    counts: BTreeSet<u32>,
    is_topic: bool,
    /// Up to which position each shard has told its own log: to that topic which was told the most, since nothing says
    /// which of several is today's.
    told: HashMap<(&'static str, u16), u64>,
}

impl Between {
    /// From inboxes and whose they are. `partitions` is the count of today, for who knows that there is a topic.
    pub fn of<'r>(
        inboxes: impl IntoIterator<Item = (ShardName, &'r [(InboxKey, u64)])>,
        partitions: Option<u32>,
    ) -> Self {
        let mut between = Self::default();
        let mut highest = 0;
        for (shard, rows) in inboxes {
            for (InboxKey { partition, source }, position) in rows {
                let is_relay = source.service == RELAY;
                if is_relay || source.service == TOPIC {
                    between.topics.insert(source.log);
                }
                if is_relay && *partition > 0 {
                    between.counts.insert(*partition);
                } else if is_relay {
                    let told = between.told.entry((shard.service, shard.index)).or_default();
                    *told = (*position).max(*told);
                } else {
                    highest = highest.max(*partition);
                }
            }
        }
        if between.counts.is_empty() {
            between.counts.insert(partitions.unwrap_or(1).max(highest + 1));
        }
        between.is_topic = partitions.is_some() || !between.topics.is_empty();
        between
    }

    pub fn is_topic(&self) -> bool {
        self.is_topic
    }

    /// Whether a topic was told of an event, by the row of its own shard; within a process there is nobody to tell.
    pub fn is_told(&self, event: &Recorded) -> bool {
        if !self.is_topic {
            return true;
        }
        let Some(service) = TELLING.into_iter().find(|service| event.source.service == *service) else {
            return false;
        };
        self.told.get(&(service, event.source.shard)).is_some_and(|told| event.position <= *told)
    }

    pub fn heard(&self, read: &Read, event: &Recorded) -> Heard {
        let rows = self.rows_of(read, &event.source);
        let rows = (!rows.is_empty()).then_some(&rows);
        // As long as the row of what was told is behind, so may be those that say under which counts it was.
        if !self.is_told(event) {
            let is_passed =
                rows.is_some_and(|rows| rows.values().any(|position| event.position <= *position));
            return if is_passed || self.was_heard_before(read, event) { Heard::Unsure } else { Heard::No };
        }
        let (mut passed, mut missed) = (false, false);
        for partitions in &self.counts {
            let partition = partition_of(event.entity_id, *partitions);
            let position = rows.and_then(|rows| rows.get(&partition));
            match position.is_some_and(|position| event.position <= *position) {
                true => passed = true,
                false => missed = true,
            }
        }
        match (passed, missed) {
            (true, false) => Heard::Yes,
            (true, true) => Heard::Unsure,
            (false, _) if self.was_heard_before(read, event) => Heard::Unsure,
            (false, _) => Heard::No,
        }
    }

    /// How far a log was heard by each partition: of whichever topic, or, within a process, of none.
    fn rows_of(&self, read: &Read, source: &Source) -> BTreeMap<u32, u64> {
        let own = read.logs.get(source).into_iter();
        let by_topics = self.topics.iter().filter_map(|topic| {
            let InboxKey { source, .. } = heard_key(*topic, 0, source);
            read.logs.get(&source)
        });
        let mut furthest: BTreeMap<u32, u64> = BTreeMap::new();
        for (partition, position) in own.chain(by_topics).flatten() {
            let known = furthest.entry(*partition).or_default();
            *known = (*position).max(*known);
        }
        furthest
    }

    /// Perhaps, under the id that its log had before the database was restored.
    fn was_heard_before(&self, read: &Read, event: &Recorded) -> bool {
        let Source { log, service, shard } = &event.source;
        let is_former = |source: &Source| {
            logs_of(source.log, &self.topics).all(|known| known != *log)
                && source.service == *service
                && source.shard == *shard
                && !self.topics.contains(&source.log)
        };
        let former = read.logs.iter().filter(|(source, _)| is_former(source));
        former.flat_map(|(_, rows)| rows.values()).any(|position| event.position <= *position)
    }
}

/// How far one shard has read the logs of others.
#[derive(Debug, Clone, Default)]
pub struct Read {
    logs: HashMap<Source, BTreeMap<u32, u64>>,
}

impl Read {
    pub fn of(rows: impl IntoIterator<Item = (InboxKey, u64)>) -> Self {
        let mut logs: HashMap<Source, BTreeMap<u32, u64>> = HashMap::new();
        for (InboxKey { partition, source }, position) in rows {
            if source.service != TOPIC && source.service != RELAY {
                logs.entry(source).or_default().insert(partition, position);
            }
        }
        Self { logs }
    }
}

/// Whom a published event makes act.
pub fn hearers(event: &Event) -> Vec<&'static str> {
    if !event.is_published() {
        return Vec::new();
    }
    let acts = [
        (call::NAME, taxi::call::policy::policy(event).is_some()),
        (payment::NAME, taxi::payment::policy::policy(event).is_some()),
        (drive::NAME, taxi::drive::policy::policy(event).is_some()),
    ];
    acts.into_iter().filter(|(_, acts)| *acts).map(|(service, _)| service).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Timestamp;
    use engine::topic::{count_key, read_key, told_key};

    const LOG: LogId = LogId(7);
    const KAFKA: LogId = LogId(0xcafe);
    const PAYMENT: ShardName = ShardName { service: payment::NAME, index: 0 };
    const DRIVE: ShardName = ShardName { service: drive::NAME, index: 0 };

    fn source(log: LogId) -> Source {
        Source { log, service: "payment".into(), shard: 0 }
    }

    fn event(entity_id: u64, position: u64) -> Recorded {
        Recorded {
            source: source(LOG),
            position,
            entity_kind: "payment".into(),
            entity_id,
            version: 1,
            event_type: "FarePaid".into(),
            schema: 1,
            published: true,
            at: Timestamp(0),
            actor: "rider".into(),
            cause: "request x".to_owned(),
            trace: None,
            body: "{}".into(),
        }
    }

    type Rows = [(InboxKey, u64)];

    fn row(partition: u32, log: LogId, position: u64) -> (InboxKey, u64) {
        (InboxKey { partition, source: source(log) }, position)
    }

    /// What drive has heard of payment, by drive's rows and by what payment has told under which counts.
    fn heard((told, counts): (u64, &[u32]), rows: &Rows, event: &Recorded) -> Heard {
        let counts = counts.iter().map(|partitions| (count_key(KAFKA, *partitions), 1));
        let own: Vec<_> = counts.chain((told > 0).then(|| (told_key(KAFKA), told))).collect();
        let between = Between::of([(PAYMENT, &*own), (DRIVE, rows)], None);
        between.heard(&Read::of(rows.to_vec()), event)
    }

    #[test]
    fn within_a_process_one_row_says_how_far() {
        let check = |rows: &Rows, position, expected| {
            assert_eq!(heard((0, &[]), rows, &event(1, position)), expected, "{rows:?}");
        };
        check(&[row(0, LOG, 5)], 5, Heard::Yes);
        check(&[row(0, LOG, 5)], 6, Heard::No);
        check(&[], 1, Heard::No);
    }

    #[test]
    fn over_a_topic_the_row_of_its_partition_says_it() {
        let mine = partition_of(1, 12);
        let rows = [row(mine, LOG, 5), row((mine + 1) % 12, LOG, 90)];
        let check = |rows: &Rows, position, expected| {
            assert_eq!(heard((100, &[12]), rows, &event(1, position)), expected, "{rows:?}");
        };
        check(&rows, 5, Heard::Yes);
        check(&rows, 6, Heard::No);
        check(&rows[1..], 5, Heard::No);
        // As the rows are that were heard by this topic, and by one before it.
        let by = |topic, position| (heard_key(topic, mine, &source(LOG)), position);
        let before = (read_key(LogId(9), mine), 90);
        let rows = [by(KAFKA, 5), (read_key(KAFKA, mine), 90), before.clone()];
        check(&rows, 5, Heard::Yes);
        check(&rows, 6, Heard::No);
        check(&[by(KAFKA, 3), by(LogId(9), 5), before], 5, Heard::Yes);
        check(&[by(LogId(8), 5)], 5, Heard::Unsure);
    }

    #[test]
    fn after_the_count_was_raised_it_takes_the_rows_of_both_to_be_sure() {
        let id = (1..).find(|id| partition_of(*id, 4) != partition_of(*id, 12)).unwrap();
        let rows = [row(partition_of(id, 4), LOG, 5), row(partition_of(id, 12), LOG, 90)];
        let check = |rows: &Rows, event, expected| {
            assert_eq!(heard((100, &[4, 12]), rows, &event), expected, "{rows:?}");
        };
        check(&rows, event(id, 5), Heard::Yes);
        check(&rows, event(id, 6), Heard::Unsure);
        check(&rows, event(id, 91), Heard::No);
        check(&rows[..1], event(id, 5), Heard::Unsure);
        let same = (1..).find(|id| partition_of(*id, 4) == partition_of(*id, 12)).unwrap();
        check(&[row(partition_of(same, 4), LOG, 5)], event(same, 5), Heard::Yes);
    }

    #[test]
    fn what_is_heard_before_it_is_noted_that_it_was_told_may_have_come_under_another_count() {
        let mine = partition_of(1, 12);
        for partition in [mine, (mine + 1) % 12] {
            let rows = [row(partition, LOG, 5)];
            assert_eq!(
                heard((0, &[]), &[&rows[..], &[(read_key(KAFKA, 3), 1)]].concat(), &event(1, 5)),
                Heard::Unsure
            );
            assert_eq!(heard((4, &[12]), &rows, &event(1, 5)), Heard::Unsure);
            assert_eq!(heard((4, &[12]), &rows, &event(1, 6)), Heard::No);
        }
    }

    #[test]
    fn under_its_logs_former_name_it_may_have_been_heard() {
        let mine = partition_of(1, 12);
        let check = |log, (told, position), expected| {
            assert_eq!(heard((told, &[12]), &[row(mine, log, 5)], &event(1, position)), expected);
        };
        for told in [2, 100] {
            check(LogId(3), (told, 5), Heard::Unsure);
            check(LogId(3), (told, 6), Heard::No);
            // What the original's services say is numbered by the topic, and is no former name of ours.
            check(KAFKA, (told, 5), Heard::No);
        }
    }

    #[test]
    fn how_far_a_log_was_told_is_in_its_own_inbox() {
        let rows = [(told_key(KAFKA), 5), (told_key(LogId(9)), 7), (count_key(KAFKA, 12), 9)];
        let between = Between::of([(PAYMENT, &rows[..])], None);
        let is_told = |position| between.is_told(&event(1, position));
        assert_eq!((is_told(7), is_told(8), between.is_topic()), (true, false, true));
        // Where nothing was told yet, who knows of the topic says that there is one.
        let between = Between::of([(PAYMENT, &rows[..0])], Some(12));
        assert!(between.is_topic() && !between.is_told(&event(1, 1)));
        let between = Between::of([(PAYMENT, &rows[..0])], None);
        assert!(!between.is_topic() && between.is_told(&event(1, 1)));
    }
}
