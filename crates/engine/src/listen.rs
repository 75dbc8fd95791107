//! What a shard takes in of the topic that its service hears, and what it stores of how far it has come there.
//!
//! A row of the inbox says which offset of a partition is the next ([`read_key`]). A message that ends at or before it
//! was read; one that begins behind it leaves a gap, and the partition is read again from the row. Messages that mean
//! nothing to the shard move that row and no other. Why so: docs/decisions/0018-the-topic-in-the-inbox.md.

use crate::Service;
use crate::clock::Timestamp;
use crate::decide::Batch;
use crate::lane::{Cursor, Input, Lane, Span};
use crate::log::{LogId, shard_of};
use crate::progress::Road;
use crate::store::{InboxKey, Store, Stored};
use crate::topic::{Message, TOPIC, Topic, is_told_key, read_key};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long what was told to the topic waits for a commit to ride in, before it gets one of its own.
pub(crate) const NOTE_TOLD_AFTER_MS: i64 = 100;

/// The same of messages that meant nothing: all that is lost with it is to read them again.
pub(crate) const NOTE_READ_AFTER_MS: i64 = 1_000;

/// For how long a shard leaves it to others to store what was told, after a commit that somebody fenced: a row that
/// two relays move must not hold up what else there is to store.
const LEAVE_TOLD_MS: i64 = 1_000;

/// What a lane knows of the topic.
pub(crate) struct Listening {
    topic: Arc<Topic>,
    now: Timestamp,
    /// When what was read last of each partition was said, of those of which not all is read.
    heard_at: BTreeMap<u32, i64>,
    /// Since when there is something to read of each partition and none of it was, and the offset that is the next.
    unread: BTreeMap<u32, (Timestamp, u64)>,
    /// Rows are behind what was read, and since when they and the told row are.
    is_behind: bool,
    behind_since: Option<Timestamp>,
    told_since: Option<Timestamp>,
    leave_told_until: Option<Timestamp>,
    /// The rows are to be stored, whatever else there is.
    is_to_note: bool,
}

impl Listening {
    fn new(topic: Arc<Topic>) -> Self {
        Self {
            topic,
            now: Timestamp(0),
            heard_at: BTreeMap::new(),
            unread: BTreeMap::new(),
            is_behind: false,
            behind_since: None,
            told_since: None,
            leave_told_until: None,
            is_to_note: false,
        }
    }

    /// How old the oldest is that was not read, of partitions with their next offsets and how much is left of them. What is
    /// next was said after what was read last; as long as nothing was, it is as old as it has been seen to be there.
    fn behind_ms(&mut self, held: &[(u32, u64, u64)]) -> i64 {
        let left: BTreeMap<u32, u64> = held
            .iter()
            .filter(|(_, _, left)| *left > 0)
            .map(|(partition, next, _)| (*partition, *next))
            .collect();
        self.heard_at.retain(|partition, _| left.contains_key(partition));
        self.unread.retain(|partition, (_, known)| left.get(partition) == Some(known));
        let ages = left.into_iter().map(|(partition, next)| {
            let (since, _) = *self.unread.entry(partition).or_insert((self.now, next));
            let at = self.heard_at.get(&partition).copied().unwrap_or(since.0);
            self.now.0.saturating_sub(at)
        });
        ages.max().unwrap_or(0)
    }
}

/// Where a message stands to what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Passed,
    Next,
    BehindGap,
}

impl<S: Service> Lane<S> {
    pub(crate) fn gather_topic(
        &mut self,
        store: &mut dyn Store,
        topic: &Arc<Topic>,
        now: Timestamp,
    ) -> Stored<()> {
        let listening = self.listening.get_or_insert_with(|| Listening::new(topic.clone()));
        listening.now = now;
        if let Some(identity) = topic.identity().filter(|_| self.is_to_rewind) {
            self.is_to_rewind = false;
            for partition in 0..identity.partitions {
                topic.rewind(identity.id, partition, self.gathered(identity.id, partition));
            }
        }
        let taken = topic.take(self.shard.index, self.settings.batch_max);
        self.progress.hear_by(Road::Topic(taken.as_ref().map(|(identity, _)| *identity)));
        let Some((identity, messages)) = taken else { return Ok(()) };
        let heard = messages.len() as u64;
        self.take_messages(store, topic, (identity.id, messages))?;
        self.tell_backlog(topic, identity.id, heard);
        Ok(())
    }

    fn gathered(&self, topic: LogId, partition: u32) -> u64 {
        self.inbox.get(&read_key(topic, partition)).map_or(0, |cursor| cursor.gathered)
    }

    /// Before a partition is read again the rows are: another replica may have come further.
    fn take_messages(
        &mut self,
        store: &mut dyn Store,
        topic: &Topic,
        (id, messages): (LogId, Vec<Message>),
    ) -> Stored<()> {
        let mut has_read_rows = false;
        let mut gaps: BTreeSet<u32> = BTreeSet::new();
        // Where in what is pending the last message of a partition stands, if it means nothing.
        let mut passed: BTreeMap<u32, usize> = BTreeMap::new();
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            let Message { after, next, spread, .. } = message;
            let span = Span { topic: id, after, next, spread };
            let mut judged = self.judge(message.partition, span);
            if judged == Judged::BehindGap && !has_read_rows {
                has_read_rows = true;
                passed.clear();
                if let Err(error) = self.read_rows(store) {
                    let left = messages.map(|message| message.partition).chain([message.partition]);
                    gaps.extend(left);
                    self.rewind(topic, id, &gaps);
                    return Err(error);
                }
                judged = self.judge(message.partition, span);
            }
            match judged {
                Judged::BehindGap => drop(gaps.insert(message.partition)),
                Judged::Passed if self.settings.drop_passed => {}
                Judged::Passed | Judged::Next => self.keep_message(message, span, &mut passed),
            }
        }
        self.rewind(topic, id, &gaps);
        Ok(())
    }

    fn rewind(&self, topic: &Topic, id: LogId, partitions: &BTreeSet<u32>) {
        for partition in partitions {
            let next = self.gathered(id, *partition);
            tracing::debug!(shard = %self.shard, partition, next, "a partition is read again");
            topic.rewind(id, *partition, next);
        }
    }

    fn judge(&mut self, partition: u32, span: Span) -> Judged {
        let cursor = self.inbox.entry(read_key(span.topic, partition)).or_default();
        if span.next <= cursor.gathered {
            return Judged::Passed;
        }
        if span.after > cursor.gathered {
            return Judged::BehindGap;
        }
        cursor.gathered = span.next;
        Judged::Next
    }

    /// What means nothing to this shard is kept as one for each run of it.
    fn keep_message(&mut self, message: Message, span: Span, passed: &mut BTreeMap<u32, usize>) {
        let partition = message.partition;
        let said_at = message.event.as_ref().map(|event| event.at.0);
        if let (Some(listening), Some(at)) = (&mut self.listening, said_at) {
            listening.heard_at.insert(partition, at);
        }
        let own = |id: u64| shard_of(id, self.shards) == self.shard.index;
        let event = message.event.filter(|event| own(event.entity_id) || self.is_meant(event));
        if let Some(event) = event {
            passed.remove(&partition);
            self.pending.push_back(Input::Event { partition, event, span: Some(span) });
            return;
        }
        let last = passed.get(&partition).and_then(|place| self.pending.get_mut(*place));
        if let Some(Input::Passed { span: last, .. }) = last {
            last.next = span.next.max(last.next);
            return;
        }
        passed.insert(partition, self.pending.len());
        self.pending.push_back(Input::Passed { partition, span });
    }

    fn tell_backlog(&mut self, topic: &Topic, id: LogId, heard: u64) {
        let held = topic.held_spans().into_iter().map(|(partition, span)| {
            let next = self.gathered(id, partition).max(span.start);
            (partition, next, span.end.saturating_sub(next))
        });
        let held: Vec<(u32, u64, u64)> = held.collect();
        let unread = held.iter().map(|(_, _, left)| left).sum();
        let behind_ms = self.listening.as_mut().map_or(0, |listening| listening.behind_ms(&held));
        self.queue.heard.note(heard, unread, behind_ms.max(0).unsigned_abs());
    }

    /// After the rows were read: what waits to be decided is kept where it still follows on them. Where less was read
    /// than was known, for the rows are gone, say, the rest is read again.
    pub(crate) fn judge_anew(&mut self, known: &FxHashMap<InboxKey, Cursor>) {
        for input in std::mem::take(&mut self.pending) {
            let (partition, span) = match &input {
                // It is read again from its log.
                Input::Event { span: None, .. } => continue,
                Input::Event { partition, span: Some(span), .. } | Input::Passed { partition, span } => {
                    (*partition, *span)
                }
                Input::Command(_)
                | Input::Due(_)
                | Input::Answer(_)
                | Input::Begin(_)
                | Input::Again(_)
                | Input::Skip(_) => {
                    self.pending.push_back(input);
                    continue;
                }
            };
            match self.judge(partition, span) {
                Judged::BehindGap => {}
                Judged::Passed if self.settings.drop_passed => {}
                Judged::Passed | Judged::Next => self.pending.push_back(input),
            }
        }
        let Some(listening) = &self.listening else { return };
        let topic = listening.topic.clone();
        for (key, before) in known.iter().filter(|(key, _)| key.source.service == TOPIC) {
            let next = self.inbox.get(key).map_or(0, |cursor| cursor.gathered);
            if next < before.gathered {
                topic.rewind(key.source.log, key.partition, next);
            }
        }
    }

    /// After a commit: whether something was read that is not stored.
    pub(crate) fn note_rows(&mut self) {
        if let Some(listening) = &mut self.listening {
            listening.is_behind = self.inbox.values().any(|cursor| cursor.seen > cursor.stored);
            listening.is_to_note = false;
        }
    }

    /// Somebody else has moved a row: it may be the one that says what was told.
    pub(crate) fn leave_told(&mut self) {
        if let Some(listening) = &mut self.listening {
            listening.leave_told_until = Some(listening.now.plus_ms(LEAVE_TOLD_MS));
        }
    }

    /// The rows of what was told, if they are behind and to be moved by this shard.
    fn told(&self) -> Vec<(InboxKey, Cursor)> {
        let listening = self.listening.as_ref().filter(|listening| listening.leave_told_until.is_none());
        let rows = listening.and_then(|listening| listening.topic.told(self.shard.index));
        let known = |key: &InboxKey| self.inbox.get(key).copied().unwrap_or_default();
        let rows = rows.into_iter().flatten().map(|(key, told)| (known(&key), key, told));
        // By how many partitions it is told another relay may have said already.
        let is_behind = |known: &Cursor, key: &InboxKey, told: u64| {
            told > known.stored && (known.stored == 0 || is_told_key(key))
        };
        let behind = rows.filter(|(known, key, told)| is_behind(known, key, *told));
        behind.map(|(known, key, told)| (key, Cursor { seen: told, ..known })).collect()
    }

    /// Whether the rows have been behind for so long that they are to be stored by themselves.
    pub(crate) fn is_to_note_rows(&mut self, now: Timestamp) -> bool {
        let Some(listening) = &mut self.listening else { return false };
        // A clock that was set back must not put it off.
        let is_over = |until: &Timestamp| *until <= now || now.plus_ms(LEAVE_TOLD_MS) < *until;
        listening.leave_told_until = listening.leave_told_until.filter(|until| !is_over(until));
        let told = self.told();
        // A relay may wait for the row that says by how many partitions it tells.
        let is_waited_for = told.iter().any(|(key, _)| !is_told_key(key));
        let Some(listening) = &mut self.listening else { return false };
        let since = |is_behind: bool, since: Option<Timestamp>| {
            is_behind.then(|| since.filter(|since| *since <= now).unwrap_or(now))
        };
        listening.told_since = since(!told.is_empty(), listening.told_since);
        listening.behind_since = since(listening.is_behind, listening.behind_since);
        let is_late = |since: Option<Timestamp>, after_ms: i64| {
            since.is_some_and(|since| since.plus_ms(after_ms) <= now)
        };
        listening.is_to_note = is_waited_for
            || is_late(listening.told_since, NOTE_TOLD_AFTER_MS)
            || is_late(listening.behind_since, NOTE_READ_AFTER_MS);
        listening.is_to_note
    }
}

impl<S: Service> Batch<S> {
    /// Adds the rows that go with whatever is stored, and all that are behind when it is their time.
    pub(crate) fn stage_rows(&mut self, lane: &Lane<S>) {
        let Some(listening) = &lane.listening else { return };
        if listening.is_to_note {
            self.moves_matter = true;
            for (key, cursor) in lane.inbox.iter().filter(|(_, cursor)| cursor.seen > cursor.stored) {
                self.inbox.entry(key.clone()).or_insert(*cursor);
            }
        }
        self.inbox.extend(lane.told().into_iter().filter(|_| self.moves_matter));
    }
}
