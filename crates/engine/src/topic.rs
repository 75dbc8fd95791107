//! A topic outside the process, as the shards of one service meet it.
//!
//! What was read of it waits here until it is decided, and how far the shards have told it of their own logs is noted
//! here until it is stored. Both are rows of the inbox ([`read_key`], [`told_key`]), so that they are stored in the
//! commits of what follows from them, compare-and-set like every other row, and a store knows nothing of topics.

use crate::handle::{Doorbell, lock};
use crate::log::{LogId, Recorded, Source, shard_of};
use crate::store::InboxKey;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

/// Messages that may wait for a shard; whoever reads the topic pauses then.
pub const MESSAGES_WAITING_MAX: usize = 8_192;

/// The name under which the inbox keeps how far a partition was read.
pub const TOPIC: &str = "topic";

/// The name under which the inbox keeps how far a shard's own log was told to the topic.
pub const RELAY: &str = "relay";

/// A partition and the count of them share a number of 32 bits; no more are told apart by the hash.
const COUNT_SHIFT: u32 = 16;
const COUNT_MAX: u32 = (1 << COUNT_SHIFT) - 1;

/// The row that says which offset of a partition is the next to be read. It means something only for this topic: one
/// that is made anew under the same name has another id.
pub fn read_key(topic: LogId, partition: u32) -> InboxKey {
    InboxKey { partition, source: Source { log: topic, service: Cow::Borrowed(TOPIC), shard: 0 } }
}

/// By how many partitions a log is told, and after which of its positions it is told so. Whatever was told by the same of
/// them follows on each other without a gap, in each partition: a run of a relay begins at `after`, or where all behind it
/// was acknowledged as told by so many. So of two counts neither says anything of what was told by the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    /// 0 for what does not say so.
    pub partitions: u32,
    pub after: u64,
}

/// The number under which a row keeps both a count of partitions and one of them.
fn place(partitions: u32, partition: u32) -> u32 {
    (partitions.min(COUNT_MAX) << COUNT_SHIFT) | partition.min(COUNT_MAX)
}

/// The count of partitions in the number of such a row.
pub(crate) fn count_in(place: u32) -> u32 {
    place >> COUNT_SHIFT
}

/// The row that says how far a log was heard by a partition of a topic, of what was told by so many of them. It holds for
/// this topic alone: one that is made anew is told everything again, perhaps by another count of partitions, and then what
/// came by a partition of the old one says nothing of what comes by the same of the new one. Both ids are in it, either is
/// had from it by the other.
pub fn heard_key(topic: LogId, partitions: u32, partition: u32, source: &Source) -> InboxKey {
    let log = LogId(source.log.0 ^ topic.0);
    InboxKey { partition: place(partitions, partition), source: Source { log, ..source.clone() } }
}

/// The row that says after which position a log is told by so many partitions, for those who hear it.
pub fn after_key(topic: LogId, partitions: u32, source: &Source) -> InboxKey {
    heard_key(topic, partitions, COUNT_MAX, source)
}

/// The logs of which a row may tell, in an inbox that has rows of these topics: its own, as within a process, or one
/// that was heard by one of them.
pub fn logs_of(row: LogId, topics: &BTreeSet<LogId>) -> impl Iterator<Item = LogId> + '_ {
    std::iter::once(row).chain(topics.iter().map(move |topic| LogId(row.0 ^ topic.0)))
}

/// The topics that the rows of an inbox tell of.
pub fn topics_of(rows: &[(InboxKey, u64)]) -> BTreeSet<LogId> {
    let of_topics = rows.iter().filter(|(key, _)| key.source.service == TOPIC || key.source.service == RELAY);
    of_topics.map(|(key, _)| key.source.log).collect()
}

/// Whether a position was heard, by the rows of [`after_key`] and [`heard_key`].
pub(crate) fn is_heard(position: u64, after: u64, heard: u64) -> bool {
    after < position && position <= heard
}

/// The row that says up to which position of its own log a shard has told the topic by so many partitions.
pub fn told_key(topic: LogId, partitions: u32) -> InboxKey {
    InboxKey { partition: place(partitions, 0), ..count_key(topic, 0) }
}

/// Whether a row says how far a log was told.
pub fn is_told_key(key: &InboxKey) -> bool {
    key.source.service == RELAY && count_in(key.partition) > 0
}

/// The row that says that a shard's log is told by so many partitions, and after which position: one is added to that, and
/// it is never moved again. Which partition an event went by follows from it, for whoever looks whether it was heard. A
/// relay waits for it before anything goes by them, and goes by what it says: else what was told by one count would not
/// follow on each other.
pub fn count_key(topic: LogId, partitions: u32) -> InboxKey {
    let source = Source { log: topic, service: Cow::Borrowed(RELAY), shard: 0 };
    InboxKey { partition: partitions.min(COUNT_MAX), source }
}

/// What a row of [`count_key`] says.
pub fn spread_in((key, row): &(InboxKey, u64)) -> Option<Spread> {
    let is_one = key.source.service == RELAY && (1..=COUNT_MAX).contains(&key.partition);
    let after = row.checked_sub(1).filter(|_| is_one)?;
    Some(Spread { partitions: key.partition, after })
}

/// By how many partitions a shard's log is told to a topic now, as its rows say, and up to where it was.
pub fn told_in(rows: &[(InboxKey, u64)], topic: LogId) -> Option<(Spread, u64)> {
    let of_topic = rows.iter().filter(|(key, _)| key.source.log == topic);
    let spread = of_topic.filter_map(spread_in).max_by_key(|spread| spread.partitions)?;
    let key = told_key(topic, spread.partitions);
    let told = rows.iter().find(|(known, _)| *known == key).map_or(0, |(_, told)| *told);
    Some((spread, told.max(spread.after)))
}

/// The partition in which everything about an entity travels: the engine's own hash, fixed for ever.
pub fn partition_of(entity_id: u64, partitions: u32) -> u32 {
    u32::from(shard_of(entity_id, u16::try_from(partitions).unwrap_or(u16::MAX)))
}

/// One message of a partition.
#[derive(Debug, Clone)]
pub struct Message {
    pub partition: u32,
    /// The offset that was the next one before this message was read: where the reading began, or `next` of the message
    /// before. Between it and the message there is nothing.
    pub after: u64,
    /// The offset that is the next one now.
    pub next: u64,
    /// `None` when it says nothing that the service hears: another's kind of event, or one of its own; or when it stands for
    /// offsets at which there is no message at all.
    pub event: Option<Arc<Recorded>>,
    /// How its log was told when this was, as the message says itself.
    pub spread: Spread,
}

/// What is known of the topic itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub id: LogId,
    pub partitions: u32,
}

#[derive(Default)]
struct State {
    identity: Option<Identity>,
    /// For each shard, in the order of their partitions.
    waiting: Vec<VecDeque<Message>>,
    /// By how many partitions each shard has told the topic, and up to which position.
    told: Vec<(u32, u64)>,
    /// How each shard is to be told from now on.
    spreads: Vec<Option<Spread>>,
    /// Partitions that are to be read again from an offset.
    rewinds: BTreeMap<u32, u64>,
    /// The offset of the first message of each partition and that behind the last one, as far as they are known.
    spans: BTreeMap<u32, Range<u64>>,
    /// Partitions that are read here, and from which offset on.
    held: BTreeMap<u32, u64>,
}

/// Shared by whoever reads the topic, whoever tells it, and the shards of one service.
pub struct Topic {
    service: &'static str,
    shards: u16,
    state: Mutex<State>,
    doorbell: OnceLock<Arc<Doorbell>>,
}

impl Topic {
    pub fn new(service: &'static str, shards: u16) -> Arc<Self> {
        let of_each = usize::from(shards);
        let waiting = (0..shards).map(|_| VecDeque::new()).collect();
        let (told, spreads) = (vec![(0, 0); of_each], vec![None; of_each]);
        let state = State { waiting, told, spreads, ..State::default() };
        Arc::new(Self { service, shards, state: Mutex::new(state), doorbell: OnceLock::new() })
    }

    pub fn service(&self) -> &'static str {
        self.service
    }

    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// Which topic it is; `None` until a broker has said so.
    pub fn identity(&self) -> Option<Identity> {
        lock(&self.state).identity
    }

    /// Told by whoever has asked a broker. What waits of another topic, or was told to it, is of the past.
    pub fn identify(&self, identity: Identity) {
        let mut state = lock(&self.state);
        if state.identity.is_some_and(|known| known.id != identity.id) {
            state.waiting.iter_mut().for_each(VecDeque::clear);
            state.told.iter_mut().for_each(|told| *told = (0, 0));
            state.spreads.iter_mut().for_each(|spread| *spread = None);
            state.rewinds.clear();
            state.spans.clear();
            state.held.clear();
        }
        state.identity = Some(identity);
    }

    /// How many more messages may be pushed; at 0, wait.
    pub fn room(&self) -> usize {
        let state = lock(&self.state);
        let most = state.waiting.iter().map(VecDeque::len).max().unwrap_or(0);
        MESSAGES_WAITING_MAX.saturating_sub(most)
    }

    /// Messages of partitions of a topic, each partition's in order. Every shard gets all of them, and keeps what is its
    /// own. What is of another topic than the one that is known is dropped, and so is what is of a partition that is to
    /// be read again from further back: it comes again.
    pub fn push(&self, topic: LogId, messages: &[Message]) {
        {
            let mut state = lock(&self.state);
            if state.identity.is_none_or(|known| known.id != topic) {
                return;
            }
            let State { waiting, rewinds, held, .. } = &mut *state;
            let wanted = messages.iter().filter(|message| !rewinds.contains_key(&message.partition));
            for message in wanted {
                let from = held.entry(message.partition).or_insert(message.after);
                *from = message.after.min(*from);
                waiting.iter_mut().for_each(|waiting| waiting.push_back(message.clone()));
            }
        }
        self.ring();
    }

    /// The partition is read here from this offset on, whether or not anything comes: what lies before it was read by all
    /// shards, whoever read it.
    pub fn hold(&self, partition: u32, next: u64) {
        lock(&self.state).held.insert(partition, next);
    }

    /// The partition is read by somebody else now, or from elsewhere: what waits of it is not decided.
    pub fn forget(&self, partition: u32) {
        let mut state = lock(&self.state);
        for waiting in &mut state.waiting {
            waiting.retain(|message| message.partition != partition);
        }
        state.rewinds.remove(&partition);
        state.held.remove(&partition);
    }

    /// Partitions that a shard wants read again from an offset; what waited of them is forgotten already. Take them
    /// before every [`Topic::push`], seek there, and let the first message that comes say `after` = that offset, also
    /// where the topic begins later by now. One that is not read here is read from its rows when it is: leave it out.
    pub fn take_rewinds(&self) -> BTreeMap<u32, u64> {
        std::mem::take(&mut lock(&self.state).rewinds)
    }

    /// The offset behind the last message of a partition that begins at 0, as [`Topic::note_span`] says.
    pub fn note_end(&self, partition: u32, end: u64) {
        self.note_span(partition, 0..end);
    }

    /// The offset of the first message of a partition and that behind the last one, whoever reads it: a projection that
    /// is made anew has read enough when it has read up to the ends of all of them. What is before the first is gone, and
    /// need not be read.
    pub fn note_span(&self, partition: u32, span: Range<u64>) {
        lock(&self.state).spans.insert(partition, span);
    }

    pub fn ends(&self) -> BTreeMap<u32, u64> {
        lock(&self.state).spans.iter().map(|(partition, span)| (*partition, span.end)).collect()
    }

    /// Where a partition begins by now, as far as that is known.
    pub(crate) fn begin(&self, partition: u32) -> u64 {
        lock(&self.state).spans.get(&partition).map_or(0, |span| span.start)
    }

    /// They are to be asked for again.
    pub(crate) fn forget_ends(&self) {
        lock(&self.state).spans.clear();
    }

    /// The rows that say that all that is in the topic was read; `None` until every end is known.
    pub(crate) fn until(&self) -> Option<(LogId, Vec<(InboxKey, u64)>)> {
        let state = lock(&self.state);
        let Identity { id, partitions } = state.identity?;
        let end = |partition: u32| Some((read_key(id, partition), state.spans.get(&partition)?.end));
        let until: Option<Vec<(InboxKey, u64)>> = (0..partitions).map(end).collect();
        Some((id, until?))
    }

    /// The topic has acknowledged a shard's events up to a position of its log, without a gap, as told by so many partitions.
    pub fn note_told(&self, topic: LogId, shard: u16, (partitions, position): (u32, u64)) {
        {
            let mut state = lock(&self.state);
            if state.identity.is_none_or(|known| known.id != topic) {
                return;
            }
            let Some(told) = state.told.get_mut(usize::from(shard)) else { return };
            *told = (partitions, position).max(*told);
        }
        self.ring();
    }

    /// How a relay tells a shard's log, or is about to: it says so whenever it begins, and before it tells by more partitions
    /// than before, and it waits until a row of [`count_key`] is there, which may be another's and say another position.
    pub fn note_spread(&self, topic: LogId, shard: u16, spread: Spread) {
        {
            let mut state = lock(&self.state);
            if state.identity.is_none_or(|known| known.id != topic) {
                return;
            }
            let Some(known) = state.spreads.get_mut(usize::from(shard)) else { return };
            *known = Some(spread);
        }
        self.ring();
    }

    /// The rows that say how far a shard's log is told, and by how many partitions, and what they are to say at least. What a
    /// relay has not said of the count nobody makes up for it: the topic may have got more partitions than it tells by.
    pub(crate) fn told(&self, shard: u16) -> Option<Vec<(InboxKey, u64)>> {
        let state = lock(&self.state);
        let (identity, shard) = (state.identity?, usize::from(shard));
        let (partitions, told) = state.told.get(shard).copied()?;
        let spread = state.spreads.get(shard).copied().flatten();
        let count = spread.map(|spread| (count_key(identity.id, spread.partitions), spread.after + 1));
        let told = (told > 0).then(|| (told_key(identity.id, partitions), told));
        Some(told.into_iter().chain(count).collect())
    }

    /// Messages that wait for a shard, with the topic that they are of.
    pub(crate) fn take(&self, shard: u16, limit: usize) -> Option<(Identity, Vec<Message>)> {
        let mut state = lock(&self.state);
        let identity = state.identity?;
        let waiting = state.waiting.get_mut(usize::from(shard))?;
        let take = waiting.len().min(limit);
        Some((identity, waiting.drain(..take).collect()))
    }

    /// The partitions that are read here: where there is anything to read at all, and where they end.
    pub(crate) fn held_spans(&self) -> Vec<(u32, Range<u64>)> {
        let state = lock(&self.state);
        let held = state
            .held
            .iter()
            .filter_map(|(partition, next)| Some((partition, next, state.spans.get(partition)?)));
        held.map(|(partition, next, span)| (*partition, span.start.max(*next)..span.end)).collect()
    }

    /// A shard wants a partition of a topic read again; what waits of it comes again, for all shards.
    pub(crate) fn rewind(&self, topic: LogId, partition: u32, next: u64) {
        let mut state = lock(&self.state);
        if state.identity.is_none_or(|known| known.id != topic) {
            return;
        }
        for waiting in &mut state.waiting {
            waiting.retain(|message| message.partition != partition);
        }
        let lowest = state.rewinds.entry(partition).or_insert(next);
        *lowest = next.min(*lowest);
    }

    pub(crate) fn wake_with(&self, doorbell: Arc<Doorbell>) {
        // Only the first one counts: the shards of a service share a loop.
        let _ = self.doorbell.set(doorbell);
    }

    fn ring(&self) {
        if let Some(doorbell) = self.doorbell.get() {
            doorbell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC_ID: LogId = LogId(7);

    fn topic() -> Arc<Topic> {
        let topic = Topic::new("order", 2);
        topic.identify(Identity { id: TOPIC_ID, partitions: 3 });
        topic
    }

    fn message(partition: u32, after: u64) -> Message {
        Message { partition, after, next: after + 1, event: None, spread: Spread::default() }
    }

    fn taken(topic: &Topic, shard: u16) -> Vec<(u32, u64)> {
        let (identity, messages) = topic.take(shard, 100).expect("it is known which topic it is");
        assert_eq!(identity.id, TOPIC_ID);
        messages.iter().map(|message| (message.partition, message.after)).collect()
    }

    #[test]
    fn every_shard_gets_what_is_of_the_topic_that_is_known() {
        let topic = Topic::new("order", 2);
        topic.push(TOPIC_ID, &[message(0, 0)]);
        assert!(topic.take(0, 100).is_none(), "nobody knows which topic it is");
        topic.identify(Identity { id: TOPIC_ID, partitions: 3 });
        topic.push(TOPIC_ID, &[message(0, 1), message(2, 0)]);
        topic.push(LogId(8), &[message(1, 0)]);
        for shard in 0..2 {
            assert_eq!(taken(&topic, shard), [(0, 1), (2, 0)]);
        }
        topic.push(TOPIC_ID, &[message(1, 0)]);
        topic.note_told(TOPIC_ID, 0, (3, 9));
        topic.identify(Identity { id: LogId(8), partitions: 3 });
        topic.note_told(TOPIC_ID, 1, (3, 9));
        let (_, left) = topic.take(0, 100).expect("it is known which topic it is");
        assert!(left.is_empty(), "of another topic");
        for shard in 0..2 {
            assert_eq!(topic.told(shard), Some(vec![]));
        }
    }

    #[test]
    fn what_is_to_be_read_again_is_not_taken_before() {
        let topic = topic();
        topic.push(TOPIC_ID, &[message(0, 5), message(1, 5)]);
        topic.rewind(TOPIC_ID, 0, 4);
        topic.rewind(TOPIC_ID, 0, 2);
        topic.rewind(TOPIC_ID, 0, 3);
        topic.rewind(LogId(8), 1, 0);
        topic.push(TOPIC_ID, &[message(0, 6)]);
        assert_eq!(taken(&topic, 0), [(1, 5)]);
        assert_eq!(topic.take_rewinds(), BTreeMap::from([(0, 2)]), "from the lowest that a shard asked for");
        topic.push(TOPIC_ID, &[message(0, 2)]);
        assert_eq!(taken(&topic, 1), [(1, 5), (0, 2)]);
        topic.rewind(TOPIC_ID, 0, 1);
        topic.forget(0);
        assert_eq!(topic.take_rewinds(), BTreeMap::new(), "it is read elsewhere now");
    }

    #[test]
    fn it_is_read_whole_only_once_every_end_is_known() {
        let topic = topic();
        topic.note_end(0, 4);
        topic.note_end(2, 1);
        assert_eq!(topic.until(), None);
        topic.note_end(1, 0);
        let ends = [(0, 4), (1, 0), (2, 1)].map(|(partition, end)| (read_key(TOPIC_ID, partition), end));
        assert_eq!(topic.until(), Some((TOPIC_ID, ends.to_vec())));
        topic.forget_ends();
        assert_eq!(topic.until(), None);
    }

    #[test]
    fn by_how_many_partitions_it_is_told_only_a_relay_can_say() {
        let topic = topic();
        let told = (told_key(TOPIC_ID, 2), 5);
        topic.note_told(TOPIC_ID, 0, (2, 5));
        assert_eq!(topic.told(0), Some(vec![told.clone()]));
        topic.note_spread(TOPIC_ID, 0, Spread { partitions: 2, after: 3 });
        topic.identify(Identity { id: TOPIC_ID, partitions: 4 });
        assert_eq!(topic.told(0), Some(vec![told, (count_key(TOPIC_ID, 2), 4)]), "not by those that came");
        assert_eq!(topic.told(1), Some(vec![]), "each shard by itself");
        topic.note_spread(LogId(8), 1, Spread { partitions: 2, after: 3 });
        assert_eq!(topic.told(1), Some(vec![]), "of another topic");
    }

    #[test]
    fn a_relay_begins_by_the_highest_count_and_where_that_was_told() {
        let (four, five) = (count_key(TOPIC_ID, 4), count_key(TOPIC_ID, 5));
        let told = |partitions| told_key(TOPIC_ID, partitions);
        let check = |rows: &[(InboxKey, u64)], expected: Option<(u32, u64, u64)>| {
            let found = told_in(rows, TOPIC_ID);
            assert_eq!(
                found.map(|(spread, told)| (spread.partitions, spread.after, told)),
                expected,
                "{rows:?}"
            );
        };
        check(&[(read_key(TOPIC_ID, 5), 9), (count_key(LogId(8), 6), 1), (told(4), 9)], None);
        check(&[(four.clone(), 1)], Some((4, 0, 0)));
        check(&[(four.clone(), 1), (told(4), 9)], Some((4, 0, 9)));
        // What one who woke up has told by four since then is told by five again.
        check(&[(four.clone(), 1), (told(4), 90), (five.clone(), 8)], Some((5, 7, 7)));
        check(&[(four, 1), (told(4), 90), (five, 8), (told(5), 12)], Some((5, 7, 12)));
    }

    #[test]
    fn a_row_tells_of_its_log_by_its_topic() {
        let source = Source { log: LogId(3), service: Cow::Borrowed("far"), shard: 1 };
        let row = heard_key(TOPIC_ID, 4, 2, &source);
        assert_eq!((count_in(row.partition), &*row.source.service, row.source.shard), (4, "far", 1));
        let topics = topics_of(&[(read_key(TOPIC_ID, 0), 1), (told_key(LogId(9), 4), 1), (row.clone(), 1)]);
        assert_eq!(topics, BTreeSet::from([TOPIC_ID, LogId(9)]));
        assert!(logs_of(row.source.log, &topics).any(|log| log == LogId(3)));
        assert!(heard_key(LogId(9), 4, 2, &source) != row, "another topic knows nothing of it");
        assert!(heard_key(TOPIC_ID, 5, 2, &source) != row, "nor does another count");
        assert!(
            (0..4).all(
                |partition| heard_key(TOPIC_ID, 4, partition, &source) != after_key(TOPIC_ID, 4, &source)
            )
        );
    }
}
