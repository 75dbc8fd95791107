//! Whether a service has heard an event, and whether a topic was told of it: what the rows of inboxes say.
//!
//! Within a process each log is read as it stands, and one row says how far. Over a topic the events of a log are spread
//! over partitions that are read at different paces, and a row of each says how far. Which partition an event went by
//! follows from the partition count of its day, and that may have been raised since. A relay notes under which counts it
//! has told, and from where on: the rows of each count tell of what lies behind that. What nobody has noted yet may have
//! been heard ([`Heard::Unsure`]). Why so: docs/decisions/0028-audit-over-a-topic.md.

use crate::{TELLING, call, drive, payment};
use engine::log::{LogId, Recorded, ShardName, Source};
use engine::store::InboxKey;
use engine::topic::{RELAY, Spread, TOPIC, heard_key, is_told_key, logs_of, partition_of, spread_in};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use taxi::event::Event;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Yes,
    No,
    /// It is not noted yet by how many partitions it was told; or it was heard under the name that its log had before the
    /// database was restored.
    Unsure,
}

/// What connects the services: their own process, or a topic, and what the inboxes say of it.
#[derive(Debug, Clone, Default)]
pub struct Between {
    /// Under which partition counts each topic was told something by each shard.
    spreads: BTreeMap<LogId, Vec<(ShardName, Spread)>>,
    is_topic: bool,
    /// Up to which position each shard has told its own log: to that topic which was told the most, since nothing says
    /// which of several is today's.
    told: HashMap<(&'static str, u16), u64>,
}

impl Between {
    /// From inboxes and whose they are; and whether there is a topic, for who knows that.
    pub fn of<'r>(
        inboxes: impl IntoIterator<Item = (ShardName, &'r [(InboxKey, u64)])>,
        knows_of_topic: bool,
    ) -> Self {
        let mut between = Self::default();
        for (shard, rows) in inboxes {
            for row in rows {
                let (InboxKey { source, .. }, position) = row;
                if source.service != RELAY && source.service != TOPIC {
                    continue;
                }
                let spreads = between.spreads.entry(source.log).or_default();
                spreads.extend(spread_in(row).map(|spread| (shard, spread)));
                if is_told_key(&row.0) {
                    let told = between.told.entry((shard.service, shard.index)).or_default();
                    *told = (*position).max(*told);
                }
            }
        }
        between.is_topic = knows_of_topic || !between.spreads.is_empty();
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
        let has_passed = |position: &u64| event.position <= *position;
        let mut may_be = self.was_heard_before(read, event);
        if !self.is_topic {
            let position = read.logs.get(&event.source).and_then(|rows| rows.get(&0));
            return match position.is_some_and(has_passed) {
                true => Heard::Yes,
                false if may_be => Heard::Unsure,
                false => Heard::No,
            };
        }
        // Those who have heard it may be ahead of the rows that say how it was told.
        let is_told = self.is_told(event);
        for (topic, spreads) in &self.spreads {
            let Some(rows) = read.logs.get(&heard_key(*topic, 0, 0, &event.source).source) else { continue };
            let row = |spread: &Spread| {
                let partition = partition_of(event.entity_id, spread.partitions);
                rows.get(&heard_key(*topic, spread.partitions, partition, &event.source).partition)
            };
            let (service, index) = (&event.source.service, event.source.shard);
            let own = spreads.iter().filter(|(shard, _)| shard.service == *service && shard.index == index);
            let mut behind = own.map(|(_, spread)| spread).filter(|spread| spread.after < event.position);
            if behind.any(|spread| row(spread).is_some_and(has_passed)) {
                return Heard::Yes;
            }
            may_be |= !is_told && rows.values().any(has_passed);
        }
        if may_be { Heard::Unsure } else { Heard::No }
    }

    /// Perhaps, under the id that its log had before the database was restored.
    fn was_heard_before(&self, read: &Read, event: &Recorded) -> bool {
        let Source { log, service, shard } = &event.source;
        let topics: BTreeSet<LogId> = self.spreads.keys().copied().collect();
        let is_former = |source: &Source| {
            logs_of(source.log, &topics).all(|known| known != *log)
                && source.service == *service
                && source.shard == *shard
                && !is_by_place(source, &topics)
        };
        let former = read.logs.iter().filter(|(source, _)| is_former(source));
        former.flat_map(|(_, rows)| rows.values()).any(|position| event.position <= *position)
    }
}

/// What the original's services say has the topic for its log: it is numbered by offsets, and is no former name of ours.
fn is_by_place(source: &Source, topics: &BTreeSet<LogId>) -> bool {
    logs_of(source.log, topics).any(|known| topics.contains(&known))
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
    use engine::topic::{count_key, heard_key, read_key, told_key};

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
        (heard_key(KAFKA, 12, partition, &source(log)), position)
    }

    /// What drive has heard of payment, by drive's rows and by what payment has told under which counts.
    fn heard((told, counts): (u64, &[u32]), rows: &Rows, event: &Recorded) -> Heard {
        let counts = counts.iter().map(|partitions| (count_key(KAFKA, *partitions), 1));
        let own: Vec<_> = counts.chain((told > 0).then(|| (told_key(KAFKA, 12), told))).collect();
        let between = Between::of([(PAYMENT, &*own), (DRIVE, rows)], false);
        between.heard(&Read::of(rows.to_vec()), event)
    }

    #[test]
    fn within_a_process_one_row_says_how_far() {
        let check = |rows: &Rows, position, expected| {
            assert_eq!(heard((0, &[]), rows, &event(1, position)), expected, "{rows:?}");
        };
        let row = (InboxKey { partition: 0, source: source(LOG) }, 5);
        check(std::slice::from_ref(&row), 5, Heard::Yes);
        check(std::slice::from_ref(&row), 6, Heard::No);
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
    }

    #[test]
    fn a_topic_before_it_says_nothing_of_what_comes_by_this_one() {
        let (id, other) = (1, LogId(9));
        let (by_four, by_seven) = (partition_of(id, 4), partition_of(id, 7));
        let by = |topic, partition, position| {
            let count = if topic == other { 4 } else { 7 };
            (heard_key(topic, count, partition, &source(LOG)), position)
        };
        let told = [(count_key(other, 4), 1), (count_key(KAFKA, 7), 1), (told_key(KAFKA, 7), 100)];
        let check = |rows: &Rows, position, expected| {
            let between = Between::of([(PAYMENT, &told[..]), (DRIVE, rows)], false);
            assert_eq!(between.heard(&Read::of(rows.to_vec()), &event(id, position)), expected, "{rows:?}");
        };
        check(&[by(KAFKA, by_seven, 5)], 5, Heard::Yes);
        check(&[by(other, by_four, 5)], 5, Heard::Yes);
        check(&[by(KAFKA, by_seven, 5), by(other, by_four, 5)], 6, Heard::No);
        // The same numbers, but of partitions of the other topic.
        assert_ne!(by_four, by_seven);
        check(&[by(KAFKA, by_four, 90), by(other, by_seven, 90)], 5, Heard::No);
    }

    #[test]
    fn after_the_count_was_raised_the_rows_of_each_tell_of_what_was_told_by_it() {
        let id = (1..).find(|id| partition_of(*id, 4) != partition_of(*id, 12)).unwrap();
        let by = |count| heard_key(KAFKA, count, partition_of(id, count), &source(LOG));
        // By four up to 10, by twelve since then.
        let own = [(count_key(KAFKA, 4), 1), (count_key(KAFKA, 12), 11), (told_key(KAFKA, 12), 100)];
        let check = |rows: &Rows, position, expected| {
            let between = Between::of([(PAYMENT, &own[..]), (DRIVE, rows)], false);
            let found = between.heard(&Read::of(rows.to_vec()), &event(id, position));
            assert_eq!(found, expected, "{position}: {rows:?}");
        };
        let rows = [(by(4), 5), (by(12), 90)];
        for (position, expected) in
            [(5, Heard::Yes), (6, Heard::No), (11, Heard::Yes), (90, Heard::Yes), (91, Heard::No)]
        {
            check(&rows, position, expected);
        }
        check(&rows[..1], 5, Heard::Yes);
        check(&rows[..1], 11, Heard::No);
        check(&rows[1..], 5, Heard::No);
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
            let by_twelve = if partition == mine { Heard::Yes } else { Heard::Unsure };
            assert_eq!(heard((4, &[12]), &rows, &event(1, 5)), by_twelve);
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
        let rows = [(told_key(KAFKA, 12), 5), (told_key(LogId(9), 4), 7), (count_key(KAFKA, 12), 9)];
        let between = Between::of([(PAYMENT, &rows[..])], false);
        let is_told = |position| between.is_told(&event(1, position));
        assert_eq!((is_told(7), is_told(8), between.is_topic()), (true, false, true));
        // Where nothing was told yet, who knows of the topic says that there is one.
        let between = Between::of([(PAYMENT, &rows[..0])], true);
        assert!(between.is_topic() && !between.is_told(&event(1, 1)));
        let between = Between::of([(PAYMENT, &rows[..0])], false);
        assert!(!between.is_topic() && between.is_told(&event(1, 1)));
    }
}
