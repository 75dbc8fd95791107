//! Whether a service has heard an event, and whether a topic was told of it: what the rows of inboxes say.
//!
//! Within a process each log is read as it stands, and one row says how far. Over a topic the events of a log are spread
//! over partitions that are read at different paces, and a row of each says how far. Which partition an event went by
//! follows from the partition count of its day, and that may have been raised since: so a row that has not passed it says
//! nothing where another count may have been in force ([`Heard::Unsure`]).

use crate::{call, drive, payment};
use engine::log::{LogId, Recorded, Source};
use engine::store::InboxKey;
use engine::topic::{RELAY, TOPIC, partition_of};
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

/// What connects the services: their own process, or a topic with so many partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// The topics that rows tell of.
    topics: BTreeSet<LogId>,
    counts: BTreeSet<u32>,
    is_topic: bool,
}

impl Between {
    /// From the rows of all inboxes. `partitions` is the count of today, for who knows that there is a topic: a relay
    /// notes under which counts it has told, and before the first of its rows there is no other word.
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r InboxKey>, partitions: Option<u32>) -> Self {
        let (mut topics, mut counts) = (BTreeSet::new(), BTreeSet::new());
        let mut highest = 0;
        for InboxKey { partition, source } in rows {
            match &*source.service {
                RELAY => {
                    topics.insert(source.log);
                    counts.extend(Some(*partition).filter(|count| *count > 0));
                }
                TOPIC => {
                    topics.insert(source.log);
                    highest = highest.max(*partition);
                }
                _ => highest = highest.max(*partition),
            }
        }
        if counts.is_empty() {
            counts.insert(partitions.unwrap_or(1).max(highest + 1));
        }
        let is_topic = partitions.is_some() || !topics.is_empty();
        Self { topics, counts, is_topic }
    }

    pub fn is_topic(&self) -> bool {
        self.is_topic
    }

    /// The partitions by which something about an entity may have gone.
    fn partitions(&self, entity_id: u64) -> impl Iterator<Item = u32> {
        self.counts.iter().map(move |count| partition_of(entity_id, *count))
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
            if is_log(&source) {
                logs.entry(source).or_default().insert(partition, position);
            }
        }
        Self { logs }
    }

    pub fn heard(&self, event: &Recorded, between: &Between) -> Heard {
        let rows = self.logs.get(&event.source);
        let (mut passed, mut missed) = (false, false);
        for partition in between.partitions(event.entity_id) {
            let position = rows.and_then(|rows| rows.get(&partition));
            match position.is_some_and(|position| event.position <= *position) {
                true => passed = true,
                false => missed = true,
            }
        }
        match (passed, missed) {
            (true, false) => Heard::Yes,
            (true, true) => Heard::Unsure,
            (false, _) if self.may_have_heard_before(event, between) => Heard::Unsure,
            (false, _) => Heard::No,
        }
    }

    /// Under the id that its log had before the database was restored.
    fn may_have_heard_before(&self, event: &Recorded, between: &Between) -> bool {
        let Source { log, service, shard } = &event.source;
        let is_former = |source: &Source| {
            source.log != *log
                && source.service == *service
                && source.shard == *shard
                && !between.topics.contains(&source.log)
        };
        let former = self.logs.iter().filter(|(source, _)| is_former(source));
        former.flat_map(|(_, rows)| rows.values()).any(|position| event.position <= *position)
    }
}

/// Up to which position a shard has told its own log to a topic, by its own inbox: to that which was told the most, since
/// nothing says which of several is today's.
pub fn told<'r>(rows: impl IntoIterator<Item = &'r (InboxKey, u64)>) -> u64 {
    let own = rows.into_iter().filter(|(key, _)| key.source.service == RELAY);
    own.map(|(_, position)| *position).max().unwrap_or(0)
}

/// Rows of an inbox that are about a log, and not about a topic.
pub fn is_log(source: &Source) -> bool {
    source.service != TOPIC && source.service != RELAY
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
    use engine::topic::{read_key, told_key};

    const LOG: LogId = LogId(7);
    const KAFKA: LogId = LogId(0xcafe);

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

    fn row(partition: u32, log: LogId, position: u64) -> (InboxKey, u64) {
        (InboxKey { partition, source: source(log) }, position)
    }

    /// A count under which the relay has told.
    fn count(partitions: u32) -> InboxKey {
        InboxKey { partition: partitions, ..told_key(KAFKA) }
    }

    fn check(counts: &[u32], rows: &[(InboxKey, u64)], event: &Recorded, expected: Heard) {
        let told: Vec<InboxKey> = counts.iter().map(|partitions| count(*partitions)).collect();
        let between = Between::of(rows.iter().map(|(key, _)| key).chain(&told), None);
        assert_eq!(Read::of(rows.to_vec()).heard(event, &between), expected, "{rows:?}");
    }

    #[test]
    fn within_a_process_one_row_says_how_far() {
        check(&[], &[row(0, LOG, 5)], &event(1, 5), Heard::Yes);
        check(&[], &[row(0, LOG, 5)], &event(1, 6), Heard::No);
        check(&[], &[], &event(1, 1), Heard::No);
    }

    #[test]
    fn over_a_topic_the_row_of_its_partition_says_it() {
        let mine = partition_of(1, 12);
        let other = (mine + 1) % 12;
        let rows = [row(mine, LOG, 5), row(other, LOG, 90)];
        check(&[12], &rows, &event(1, 5), Heard::Yes);
        check(&[12], &rows, &event(1, 6), Heard::No);
        check(&[12], &rows[1..], &event(1, 5), Heard::No);
    }

    #[test]
    fn after_the_count_was_raised_it_takes_the_rows_of_both_to_be_sure() {
        let id = (1..).find(|id| partition_of(*id, 4) != partition_of(*id, 12)).unwrap();
        let (old, new) = (partition_of(id, 4), partition_of(id, 12));
        let rows = [row(old, LOG, 5), row(new, LOG, 90)];
        check(&[4, 12], &rows, &event(id, 5), Heard::Yes);
        check(&[4, 12], &rows, &event(id, 6), Heard::Unsure);
        check(&[4, 12], &rows, &event(id, 91), Heard::No);
        check(&[4, 12], &rows[..1], &event(id, 5), Heard::Unsure);
        let same = (1..).find(|id| partition_of(*id, 4) == partition_of(*id, 12)).unwrap();
        check(&[4, 12], &[row(partition_of(same, 4), LOG, 5)], &event(same, 5), Heard::Yes);
    }

    #[test]
    fn under_its_logs_former_name_it_may_have_been_heard() {
        let mine = partition_of(1, 12);
        check(&[12], &[row(mine, LogId(3), 5)], &event(1, 5), Heard::Unsure);
        check(&[12], &[row(mine, LogId(3), 5)], &event(1, 6), Heard::No);
        // What the original's services say is numbered by the topic, and is no former name of ours.
        check(&[12], &[row(mine, KAFKA, 5)], &event(1, 5), Heard::No);
    }

    #[test]
    fn the_count_is_what_was_noted_or_what_is_said_or_what_there_must_be() {
        let partitions = |rows: &[InboxKey], said: Option<u32>| {
            let between = Between::of(rows, said);
            (between.is_topic(), between.counts.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(partitions(&[], None), (false, vec![1]));
        assert_eq!(partitions(&[], Some(12)), (true, vec![12]));
        let read = read_key(KAFKA, 15);
        assert_eq!(partitions(std::slice::from_ref(&read), Some(12)), (true, vec![16]));
        assert_eq!(partitions(&[read.clone(), told_key(KAFKA)], None), (true, vec![16]));
        assert_eq!(partitions(&[read, count(4), count(24)], Some(12)), (true, vec![4, 24]));
    }

    #[test]
    fn how_far_a_log_was_told_is_in_its_own_inbox() {
        let rows = [(told_key(KAFKA), 5), (told_key(LogId(9)), 7), (count(12), 5), row(3, LOG, 99)];
        assert_eq!((told(&rows), told(&rows[3..])), (7, 0));
    }
}
