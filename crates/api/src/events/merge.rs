//! Many logs read as one: each in its own order, among each other by time, and no event before the one that led to it.

use engine::bus::Tail;
use engine::log::Recorded;
use engine::store::Stored;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use super::cursor;

/// Events that are read of one log at once.
const READ_MAX: usize = 256;
/// Events that one chunk of a stream passes by.
const CHUNK_MAX: usize = 256;

/// Which events a client wants to hear of.
pub(super) enum Filter {
    Everything,
    Types(Vec<&'static str>),
}

impl Filter {
    fn takes(&self, event_type: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Types(types) => types.contains(&event_type),
        }
    }
}

/// What a stream sends next.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) text: String,
    /// Nothing more is there for now.
    pub(super) is_at_end: bool,
}

/// How far each log was read.
pub(super) struct Merge {
    tails: Vec<Arc<Tail>>,
    readings: Vec<Reading>,
}

#[derive(Default)]
struct Reading {
    /// The position of the last event that was passed on, or passed over.
    passed: u64,
    ahead: VecDeque<Arc<Recorded>>,
    /// More may follow what is ahead.
    has_more: bool,
}

impl Merge {
    pub(super) fn new(tails: Vec<Arc<Tail>>, positions: Vec<u64>) -> Self {
        let reading = |passed| Reading { passed, has_more: true, ..Reading::default() };
        Self { tails, readings: positions.into_iter().map(reading).collect() }
    }

    pub(super) fn cursor(&self) -> String {
        cursor::write(&self.tails, self.readings.iter().map(|reading| reading.passed))
    }

    /// Passes on what there is, so much at a time.
    pub(super) fn chunk(&mut self, filter: &Filter) -> Stored<Chunk> {
        let mut chunk = Chunk::default();
        self.read()?;
        let mut passed = self.pass(filter, &mut chunk.text);
        if passed == 0 {
            // What leads to an event was stored before it, though its log may have been looked at too early.
            self.read()?;
            passed = self.pass(filter, &mut chunk.text);
        }
        if passed == 0
            && let Some(event) = self.next(false)
        {
            // A cause that is not there never was in a log of ours.
            self.tell(&event, filter, &mut chunk.text);
            passed = 1;
        }
        chunk.is_at_end = passed == 0;
        Ok(chunk)
    }

    /// Passes on what is ahead, and says how many events that were.
    fn pass(&mut self, filter: &Filter, text: &mut String) -> usize {
        let mut passed = 0;
        while passed < CHUNK_MAX
            && let Some(event) = self.next(true)
        {
            self.tell(&event, filter, text);
            passed += 1;
        }
        passed
    }

    fn read(&mut self) -> Stored<()> {
        for (tail, reading) in self.tails.iter().zip(&mut self.readings) {
            if reading.ahead.is_empty() {
                let events = tail.read(reading.passed, READ_MAX)?;
                reading.has_more = events.len() == READ_MAX;
                reading.ahead = events.into();
            }
        }
        Ok(())
    }

    /// The next event; nothing when none is ahead, or one might be missing that comes before.
    fn next(&mut self, after_its_cause: bool) -> Option<Arc<Recorded>> {
        if self.readings.iter().any(|reading| reading.ahead.is_empty() && reading.has_more) {
            return None;
        }
        let heads = self
            .readings
            .iter()
            .enumerate()
            .filter_map(|(place, reading)| Some((reading.ahead.front()?.at, place)));
        let (_, mut place) = heads.min()?;
        if after_its_cause {
            for _ in &self.readings {
                match self.waits_for(place) {
                    None => break,
                    Some(other) if self.readings[other].ahead.is_empty() => return None,
                    Some(other) => place = other,
                }
            }
        }
        let event = self.readings[place].ahead.pop_front()?;
        self.readings[place].passed = event.position;
        Some(event)
    }

    /// The log that has the cause of the next event of this one, where that was not passed yet.
    fn waits_for(&self, place: usize) -> Option<usize> {
        let event = self.readings[place].ahead.front()?;
        let (service, shard, position) = cause(&event.cause)?;
        let other = self.tails.iter().position(|tail| {
            let source = tail.source();
            source.service == service && source.shard == shard
        })?;
        (self.readings[other].passed < position).then_some(other)
    }

    fn tell(&self, event: &Recorded, filter: &Filter, text: &mut String) {
        if !event.published || !filter.takes(&event.event_type) {
            return;
        }
        let decoded = match wiring::decode(event) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::error!(%error, position = event.position, "an event cannot be told");
                return;
            }
        };
        if let Some(data) = decoded.to_wire(taxi::time::Timestamp(event.at.0)) {
            let (id, name) = (self.cursor(), &event.event_type);
            write!(text, "id: {id}\nevent: {name}\ndata: {data}\n\n")
                .expect("writing to a string cannot fail");
        }
    }
}

/// The event that led to another: `event <service>/<shard>/<position>`.
fn cause(text: &str) -> Option<(&str, u16, u64)> {
    let mut parts = text.strip_prefix("event ")?.split('/');
    let (service, shard, position) = (parts.next()?, parts.next()?, parts.next()?);
    Some((service, shard.parse().ok()?, position.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::log::{Cause, LogId, Source};

    #[test]
    fn a_cause_is_read_as_the_engine_writes_it() {
        let written = Cause::Event {
            source: Source { log: LogId(1), service: "payment".into(), shard: 3 },
            position: 42,
        };
        assert_eq!(cause(&written.to_string()), Some(("payment", 3, 42)));
        assert_eq!(cause(&Cause::Request("event".into()).to_string()), None);
    }
}
