//! Many logs read as one: each in its own order, among each other by time, and no event before the one that led to it.

use super::cursor::{self, CursorError};
use super::{Filter, From, Log, cause_of};
use engine::log::Recorded;
use engine::store::{StoreError, Stored};
use std::collections::VecDeque;
use std::sync::Arc;

/// Events that are read of one log at once.
const READ_MAX: usize = 256;
/// Events that one chunk of a stream passes by.
const CHUNK_MAX: usize = 256;

/// Who is told the events, each with the cursor after which a stream goes on behind it.
pub type Tell<'a> = &'a mut dyn FnMut(&Recorded, String);

/// Why a stream does not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginError {
    Cursor(CursorError),
    Store(StoreError),
}

/// How far each log was read.
pub struct Merge {
    logs: Vec<Arc<dyn Log>>,
    readings: Vec<Reading>,
}

/// What becomes of a cause that is not in its log.
#[derive(Clone, Copy)]
enum Missing {
    MayCome,
    NeverComes,
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
    pub fn begin(logs: Vec<Arc<dyn Log>>, from: &From) -> Result<Self, BeginError> {
        let last: Stored<Vec<u64>> = logs.iter().map(|log| log.last()).collect();
        let last = last.map_err(BeginError::Store)?;
        let positions = match from {
            From::Now => last,
            From::Beginning => vec![0; logs.len()],
            From::After(text) => {
                let positions = cursor::read(text, &logs).map_err(BeginError::Cursor)?;
                if positions.iter().zip(&last).any(|(position, last)| position > last) {
                    return Err(BeginError::Cursor(CursorError::OtherLog));
                }
                positions
            }
            From::Positions(positions) => positions.clone(),
        };
        let reading = |passed| Reading { passed, has_more: true, ..Reading::default() };
        Ok(Self { logs, readings: positions.into_iter().map(reading).collect() })
    }

    /// Where a stream goes on that has passed on what this one has.
    pub fn cursor(&self) -> String {
        cursor::write(&self.logs, self.readings.iter().map(|reading| reading.passed))
    }

    /// Passes on what there is, so much at a time; says whether nothing more is there for now.
    pub fn chunk(&mut self, filter: &Filter, tell: Tell<'_>) -> Stored<bool> {
        self.read()?;
        let mut passed = self.pass(Missing::MayCome, filter, tell);
        if passed == 0 {
            // What leads to an event was stored before it, though its log may have been looked at too early.
            self.read()?;
            passed = self.pass(Missing::MayCome, filter, tell);
        }
        if passed == 0 {
            // A cause that is not there by now is in no log of ours: another's service said it, or it was lost.
            passed = self.pass(Missing::NeverComes, filter, tell);
        }
        Ok(passed == 0)
    }

    /// Passes on what is ahead, and says how many events that were.
    fn pass(&mut self, missing: Missing, filter: &Filter, tell: Tell<'_>) -> usize {
        let mut passed = 0;
        while passed < CHUNK_MAX
            && let Some(event) = self.next(missing)
        {
            self.tell(&event, filter, tell);
            passed += 1;
        }
        passed
    }

    fn tell(&self, event: &Recorded, filter: &Filter, tell: Tell<'_>) {
        if filter.takes(event) {
            tell(event, self.cursor());
        }
    }

    fn read(&mut self) -> Stored<()> {
        for (log, reading) in self.logs.iter().zip(&mut self.readings) {
            if reading.ahead.is_empty() {
                let events = log.read(reading.passed, READ_MAX)?;
                reading.has_more = events.len() == READ_MAX;
                reading.ahead = events.into();
            }
        }
        Ok(())
    }

    /// The next event; nothing when none is ahead, or one might be missing that comes before.
    fn next(&mut self, missing: Missing) -> Option<Arc<Recorded>> {
        if self.readings.iter().any(|reading| reading.ahead.is_empty() && reading.has_more) {
            return None;
        }
        let heads = self
            .readings
            .iter()
            .enumerate()
            .filter_map(|(place, reading)| Some((reading.ahead.front()?.at, place)));
        let (_, mut place) = heads.min()?;
        for _ in &self.readings {
            match self.waits_for(place) {
                None => break,
                Some(other) if self.readings[other].ahead.is_empty() => match missing {
                    Missing::MayCome => return None,
                    Missing::NeverComes => break,
                },
                Some(other) => place = other,
            }
        }
        let event = self.readings[place].ahead.pop_front()?;
        self.readings[place].passed = event.position;
        Some(event)
    }

    /// The log that has the cause of the next event of this one, where that was not passed yet.
    fn waits_for(&self, place: usize) -> Option<usize> {
        let event = self.readings[place].ahead.front()?;
        let (service, shard, position) = cause_of(&event.cause)?;
        let other = self.logs.iter().position(|log| {
            let source = log.source();
            source.service == service && source.shard == shard
        })?;
        (self.readings[other].passed < position).then_some(other)
    }
}
