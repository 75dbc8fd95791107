//! What a shard takes in of the logs of others in one turn, and what it knows of how far it has read.

use crate::Service;
use crate::bus::Bus;
use crate::clock::Timestamp;
use crate::decide::Batch;
use crate::handle::lock;
use crate::lane::{Cursor, Input, Lane, Span};
use crate::log::Recorded;
use crate::step::{Step, of_event};
use crate::store::{InboxKey, Store, Stored};
use crate::topic::{after_key, heard_key, is_heard, read_key};
use std::sync::Arc;

impl<S: Service> Lane<S> {
    pub(crate) fn load_once(&mut self, store: &mut dyn Store) -> Stored<()> {
        if self.is_loaded {
            return self.learn_of_letters(store);
        }
        self.read_rows(store)?;
        self.aside.may_be_more();
        self.learn_of_letters(store)?;
        if !std::mem::replace(&mut self.has_started, true) {
            // A program that was mended takes up by itself what its predecessor could not.
            lock(&self.queue.retries).extend(&self.aside.entities);
        }
        self.last_position = store.last_position(self.shard)?;
        self.tell_progress();
        self.is_loaded = true;
        Ok(())
    }

    /// Takes the rows as they stand in the store. What nobody else has moved is known better here; what waits to be
    /// decided is judged anew by them, or, where it comes from a log, is read again.
    pub(crate) fn read_rows(&mut self, store: &mut dyn Store) -> Stored<()> {
        let rows = store.inbox(self.shard)?;
        let known = std::mem::take(&mut self.inbox);
        for (key, cursor) in known.iter().filter(|(_, cursor)| cursor.stored == 0) {
            self.inbox.insert(key.clone(), Cursor { gathered: cursor.seen, ..*cursor });
        }
        for (key, stored) in rows {
            let same = known.get(&key).filter(|cursor| cursor.stored == stored);
            let seen = same.map_or(stored, |cursor| cursor.seen);
            self.inbox.insert(key, Cursor { stored, seen, gathered: seen });
        }
        self.judge_anew(&known);
        Ok(())
    }

    /// Tells those who wait how far the logs were read.
    pub(crate) fn tell_progress(&self) {
        let read = self.inbox.iter().map(|(key, cursor)| (key.clone(), cursor.seen));
        self.progress.note(self.shard.index, read, self.shards);
    }

    pub(crate) fn gather_events(&mut self, store: &mut dyn Store, bus: &Bus, now: Timestamp) -> Stored<()> {
        match bus.topic(self.shard.service) {
            Some(topic) => self.gather_topic(store, &topic, now),
            None => self.gather_logs(bus, now),
        }
    }

    /// No more than a batch of all logs together: every shard reads every log, so that what each took of each would
    /// grow with the cube of the shards. The next turn begins at the log after the one where the batch was full.
    fn gather_logs(&mut self, bus: &Bus, now: Timestamp) -> Stored<()> {
        let (mut heard, mut unread, mut behind_ms) = (0, 0, 0);
        let mut left = self.settings.batch_max;
        let name = self.service.name();
        let tails: Vec<_> = bus.tails().iter().filter(|tail| tail.shard().service != name).collect();
        let first = if self.log_next < tails.len() { self.log_next } else { 0 };
        for (tail, place) in tails[first..].iter().chain(&tails[..first]).zip(first + 1..) {
            let key = InboxKey { partition: 0, source: tail.source().clone() };
            let after = self.inbox.get(&key).map_or(0, |cursor| cursor.gathered);
            if left == 0 {
                unread += tail.last()?.saturating_sub(after);
                continue;
            }
            let events = bus.read(self.shard, tail, after, left)?;
            left = left.saturating_sub(events.len());
            if left == 0 {
                self.log_next = place % tails.len();
            }
            if let Some(last) = events.last() {
                self.inbox.entry(key).or_default().gathered = last.position;
                heard += events.len() as u64;
                let not_yet = tail.last()?.saturating_sub(last.position);
                unread += not_yet;
                if not_yet > 0 {
                    behind_ms = now.0.saturating_sub(last.at.0).max(behind_ms);
                }
            }
            self.take_in(events);
        }
        self.queue.heard.note(heard, unread, behind_ms.max(0).unsigned_abs());
        Ok(())
    }

    /// What is another shard's is not kept to be decided, but for the last: by it, all of them are seen.
    fn take_in(&mut self, mut events: Vec<Arc<Recorded>>) {
        if self.shards > 1
            && let Some(last) = events.pop()
        {
            events.retain(|event| self.is_meant(event));
            events.push(last);
        }
        self.pending.extend(events.into_iter().map(|event| Input::Event { partition: 0, event, span: None }));
    }

    /// Whether this shard has anything to do with an event.
    pub(crate) fn is_meant(&self, event: &Recorded) -> bool {
        !matches!(of_event(self, event), Step::Skip | Step::Elsewhere(_))
    }
}

impl<S: Service> Batch<S> {
    /// Whether there is nothing left to decide: the event was heard already, or is none. What was read counts as read
    /// from here on.
    pub(crate) fn has_been_seen(&mut self, lane: &Lane<S>, input: &Input<S>) -> bool {
        match input {
            Input::Passed { partition, span } => {
                self.move_on(lane, read_key(span.topic, *partition), span.next);
                true
            }
            Input::Event { partition, event, span } => {
                let is_passed =
                    span.is_some_and(|span| !self.move_on(lane, read_key(span.topic, *partition), span.next));
                if is_passed && lane.settings.drop_passed {
                    return true;
                }
                let is_seen = match span {
                    Some(span) => self.has_been_heard(lane, (span, *partition), event),
                    None => {
                        let key = InboxKey { partition: *partition, source: event.source.clone() };
                        !self.move_on(lane, key, event.position)
                    }
                };
                is_seen && lane.settings.deduplicate
            }
            Input::Command(_)
            | Input::Due(_)
            | Input::Answer(_)
            | Input::Begin(_)
            | Input::Again(_)
            | Input::Skip(_) => false,
        }
    }

    /// Whether an event was heard already, of what was told by as many partitions. Where a topic has lost what it had and is
    /// told everything again, one may come that lies before all of that.
    fn has_been_heard(&mut self, lane: &Lane<S>, (span, partition): (&Span, u32), event: &Recorded) -> bool {
        let Span { topic, spread, .. } = span;
        let after = after_key(*topic, spread.partitions, &event.source);
        if spread.after > 0 {
            self.move_on(lane, after.clone(), spread.after);
        }
        let heard = heard_key(*topic, spread.partitions, partition, &event.source);
        let (after, heard_to) = (self.seen(lane, &after), self.seen(lane, &heard));
        self.move_on(lane, heard, event.position);
        is_heard(event.position, after, heard_to)
    }

    /// Where a row of the inbox stands, as the batch sees it.
    fn seen(&self, lane: &Lane<S>, key: &InboxKey) -> u64 {
        self.inbox.get(key).or_else(|| lane.inbox.get(key)).map_or(0, |cursor| cursor.seen)
    }

    /// Moves a row of the inbox, as the batch sees it; `false` when it has come that far already.
    fn move_on(&mut self, lane: &Lane<S>, key: InboxKey, to: u64) -> bool {
        let known = lane.inbox.get(&key).copied().unwrap_or_default();
        let cursor = self.inbox.entry(key).or_insert(known);
        let is_new = to > cursor.seen;
        cursor.seen = cursor.seen.max(to);
        is_new
    }
}
