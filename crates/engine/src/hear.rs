//! What a shard takes in of the logs of others in one turn.

use crate::Service;
use crate::bus::Bus;
use crate::clock::Timestamp;
use crate::lane::{Input, Lane};
use crate::log::Recorded;
use crate::step::{Step, of_event};
use crate::store::{InboxKey, Stored};
use std::sync::Arc;

impl<S: Service> Lane<S> {
    /// No more than a batch of all logs together: every shard reads every log, so that what each took of each would
    /// grow with the cube of the shards. The next turn begins at the log after the one where the batch was full.
    pub(crate) fn gather_events(&mut self, bus: &Bus, now: Timestamp) -> Stored<()> {
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
            events.retain(|event| !matches!(of_event(self, event), Step::Skip | Step::Elsewhere(_)));
            events.push(last);
        }
        self.pending.extend(events.into_iter().map(|event| Input::Event { partition: 0, event }));
    }
}
