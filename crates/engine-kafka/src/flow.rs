//! One shard's log on its way to the topic: read in order, given in order, held up where an event cannot go.

use crate::message;
use crate::producer::{NotTaken, Teller, Told, is_refusal};
use crate::run::Run;
use crate::shared::{Known, Shared, count};
use crate::stats::ShardStats;
use engine::clock::{Stopwatch, Timestamp};
use engine::log::{Recorded, ShardName};
use engine::store::{Reader, Stored};
use engine::topic::{Spread, partition_of, told_in};
use engine::wire::Packet;
use rdkafka::types::RDKafkaErrorCode;
use std::collections::VecDeque;
use std::time::Duration;

/// Events that are read at once.
const READ_MAX: usize = 512;
/// How often it is looked whether another replica has recorded something.
const LOOK_EVERY: Duration = Duration::from_millis(25);
const HELD_FIRST: Duration = Duration::from_secs(1);
const HELD_MAX: Duration = Duration::from_secs(60);

/// How a look at a shard went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to be told at once.
    More,
    /// There is nothing, or it has to wait.
    Waits,
    /// The producer failed with this event.
    Failed(RDKafkaErrorCode),
}

/// An event that cannot go.
struct Held {
    position: u64,
    why: String,
    since: Stopwatch,
    wait: Duration,
    /// What the topic took when it was held.
    message_bytes_max: usize,
}

pub(crate) struct Flow {
    pub(crate) shard: ShardName,
    run: Option<Run>,
    /// Counts the runs.
    number: u64,
    /// Read and not given yet, the front of them as it is to be given.
    ready: VecDeque<Recorded>,
    packet: Option<(Packet, u32)>,
    looked: Option<Stopwatch>,
    is_behind: bool,
    held: Option<Held>,
    /// Up to here an event goes alone, because one was refused among several.
    careful_until: u64,
    /// By how many partitions it is told.
    spread: Spread,
    /// The cursor as it was noted last.
    noted: u64,
}

impl Flow {
    pub(crate) fn of(shard: ShardName) -> Self {
        Self {
            shard,
            run: None,
            number: 0,
            ready: VecDeque::new(),
            packet: None,
            looked: None,
            is_behind: true,
            held: None,
            careful_until: 0,
            spread: Spread::default(),
            noted: 0,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// Begins where the rows say that the topic was told, by as many partitions as they say. Where they say nothing yet, it does
    /// not begin before they do.
    pub(crate) fn begin(&mut self, shared: &Shared, reader: &dyn Reader, known: &Known) -> Stored<()> {
        if !self.is_time() {
            return Ok(());
        }
        let identity = known.identity;
        let Some((spread, told)) = told_in(&reader.inbox(self.shard)?, identity.id) else {
            let spread = Spread { partitions: identity.partitions, after: 0 };
            shared.topic.note_spread(identity.id, self.shard.index, spread);
            return Ok(());
        };
        self.go_on(spread, told);
        tracing::info!(
            shard = %self.shard, after = told, partitions = spread.partitions, topic = %identity.id, "tells the topic from here"
        );
        Ok(())
    }

    /// Goes over to more partitions once the row is there that says so, and from where. What was told by fewer and is not
    /// acknowledged is told again: nobody takes it for old because of what was told by fewer behind it.
    fn follow_count(&mut self, shared: &Shared, turn: Turn<'_>) -> Stored<()> {
        let identity = turn.known.identity;
        let Some(after) = self.cursor().filter(|_| self.spread.partitions < identity.partitions) else {
            return Ok(());
        };
        let wanted = Spread { partitions: identity.partitions, after };
        shared.topic.note_spread(identity.id, self.shard.index, wanted);
        if !self.is_time() {
            return Ok(());
        }
        let found = told_in(&turn.reader.inbox(self.shard)?, identity.id);
        if let Some((spread, told)) = found.filter(|(spread, _)| spread.partitions >= identity.partitions) {
            // Another replica may have told by them already.
            self.go_on(spread, told);
            tracing::info!(
                shard = %self.shard, after = told, partitions = spread.partitions, "tells by more partitions from here"
            );
        }
        Ok(())
    }

    fn go_on(&mut self, spread: Spread, told: u64) {
        self.spread = spread;
        self.start(told);
        self.noted = told;
    }

    /// Whether it may be looked again what others have stored.
    fn is_time(&mut self) -> bool {
        let is_time = self.looked.is_none_or(|since| since.elapsed() >= LOOK_EVERY);
        if is_time {
            self.looked = Some(Stopwatch::start());
        }
        is_time
    }

    fn start(&mut self, cursor: u64) {
        self.run = Some(Run::from(cursor));
        self.number += 1;
        self.ready.clear();
        self.packet = None;
        self.is_behind = true;
    }

    /// Another producer goes on where this one was acknowledged.
    pub(crate) fn restart(&mut self) {
        if let Some(cursor) = self.cursor() {
            self.start(cursor);
        }
    }

    /// Another replica tells now, or it is another topic. What is on its way goes on in its order, which harms nobody.
    pub(crate) fn end(&mut self) {
        let (shard, number) = (self.shard, self.number);
        *self = Self { number, ..Self::of(shard) };
    }

    pub(crate) fn cursor(&self) -> Option<u64> {
        self.run.as_ref().map(Run::cursor)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.run.as_ref().map_or(0, Run::under_way)
    }

    pub(crate) fn is_careful(&self) -> bool {
        self.cursor().is_some_and(|cursor| cursor < self.careful_until)
    }

    /// An event was refused somewhere up to here.
    pub(crate) fn be_careful(&mut self, until: u64) {
        self.careful_until = until.max(self.careful_until);
    }

    /// By how many partitions and up to where it was told, when that has moved since the last time.
    pub(crate) fn moved(&mut self) -> Option<(u32, u64)> {
        let cursor = self.cursor().filter(|cursor| *cursor > self.noted)?;
        self.noted = cursor;
        Some((self.spread.partitions, cursor))
    }

    pub(crate) fn acknowledge(&mut self, told: Told) {
        let Some(run) = self.run.as_mut().filter(|_| told.run == self.number) else { return };
        run.acknowledge(told.position);
        let cursor = run.cursor();
        if self.held.as_ref().is_some_and(|held| cursor >= held.position) {
            self.held = None;
            tracing::info!(shard = %self.shard, position = told.position, "the event that was held up is told: it goes on");
        }
    }

    /// Gives what can be given, by all partitions that the topic is known to have.
    pub(crate) fn feed(&mut self, shared: &Shared, teller: &mut Teller, turn: Turn<'_>) -> Stored<Progress> {
        if self.run.is_none() || !self.may_try(turn.known) {
            return Ok(Progress::Waits);
        }
        self.follow_count(shared, turn)?;
        if self.spread.partitions != turn.known.identity.partitions {
            // The row is yet to be there, or the broker that was asked has yet to hear of them.
            return Ok(Progress::Waits);
        }
        if self.ready.is_empty() && !self.read(turn)? {
            return Ok(Progress::Waits);
        }
        while let Some(event) = self.ready.front() {
            let position = event.position;
            match self.give(shared, teller, turn) {
                Given::Yes => {}
                Given::NotNow => return Ok(Progress::Waits),
                Given::Never(why) => {
                    self.hold(shared, position, why, turn.known);
                    return Ok(Progress::Waits);
                }
                Given::Failed(code) => return Ok(Progress::Failed(code)),
            }
            self.ready.pop_front();
            self.packet = None;
            if turn.is_careful && self.under_way() > 0 {
                return Ok(Progress::Waits);
            }
        }
        Ok(if self.is_behind { Progress::More } else { Progress::Waits })
    }

    /// Whether there is something to be given.
    fn read(&mut self, turn: Turn<'_>) -> Stored<bool> {
        let is_time = self.looked.is_none_or(|since| since.elapsed() >= LOOK_EVERY);
        let Some(run) = self.run.as_ref().filter(|run| run.has_room()) else { return Ok(false) };
        if !(self.is_behind || turn.has_news || is_time) {
            return Ok(false);
        }
        self.looked = Some(Stopwatch::start());
        let events = turn.reader.events_after(self.shard, run.given(), READ_MAX)?;
        self.is_behind = events.len() == READ_MAX;
        self.ready.extend(events);
        Ok(!self.ready.is_empty())
    }

    /// Gives the event in front.
    fn give(&mut self, shared: &Shared, teller: &mut Teller, turn: Turn<'_>) -> Given {
        let (Some(run), Some(event)) = (self.run.as_mut(), self.ready.front()) else { return Given::NotNow };
        if self.packet.is_none() {
            match shared.wire.write(event) {
                Ok(Some(packet)) => {
                    let length = message::bytes(&packet);
                    if length > turn.known.message_bytes_max {
                        return Given::Never(too_long(shared, event, length, turn.known));
                    }
                    let partition = partition_of(event.entity_id, self.spread.partitions);
                    self.packet = Some((packet, partition));
                }
                Ok(None) => {
                    run.pass_over(event.position);
                    return Given::Yes;
                }
                Err(error) => return Given::Never(format!("it cannot be written: {error}")),
            }
        }
        let Some((packet, partition)) = &self.packet else { return Given::NotNow };
        if !run.has_room() || (turn.is_careful && turn.others_under_way + run.under_way() > 0) {
            return Given::NotNow;
        }
        let told = Told {
            shard: self.shard.index,
            run: self.number,
            position: event.position,
            partition: *partition,
            spread: self.spread,
        };
        match teller.tell(told, packet) {
            Ok(()) => {
                run.tell(event.position, event.at);
                count(&shared.meters.told, 1);
                Given::Yes
            }
            Err(NotTaken::NotNow) => Given::NotNow,
            Err(NotTaken::Failed(code)) if is_refusal(code) => {
                Given::Never(format!("the client of Kafka refuses it: {code}"))
            }
            Err(NotTaken::Failed(code)) => Given::Failed(code),
        }
    }

    /// Whether the event that is held up, if any, is due to be tried again.
    fn may_try(&mut self, known: &Known) -> bool {
        let Some(held) = &self.held else { return true };
        if held.since.elapsed() < held.wait && held.message_bytes_max == known.message_bytes_max {
            return false;
        }
        // It goes alone, so that it is known to be the one if it is refused again.
        self.careful_until = held.position.max(self.careful_until);
        true
    }

    /// The event at this position cannot go, and nothing of the shard goes before it has.
    pub(crate) fn hold(&mut self, shared: &Shared, position: u64, why: String, known: &Known) {
        count(&shared.meters.refused, 1);
        shared.want_configuration();
        let before = self.held.take().filter(|held| held.position == position);
        let wait = before.as_ref().map_or(HELD_FIRST, |held| (held.wait * 2).min(HELD_MAX));
        let is_new = before.is_none_or(|held| held.why != why || wait == HELD_MAX);
        if is_new {
            tracing::error!(shard = %self.shard, position, "an event cannot be told, and holds up all behind it: {why}");
        }
        let message_bytes_max = known.message_bytes_max;
        self.careful_until = 0;
        self.held = Some(Held { position, why, since: Stopwatch::start(), wait, message_bytes_max });
    }

    pub(crate) fn stats(&self, now: Timestamp) -> ShardStats {
        let run = self.run.as_ref();
        let waits_since = |run: &Run| run.oldest().or_else(|| self.ready.front().map(|event| event.at));
        let age = |at: Timestamp| u64::try_from(now.0.saturating_sub(at.0)).unwrap_or(0);
        ShardStats {
            shard: self.shard.index,
            holds: run.is_some(),
            told: run.map_or(0, Run::cursor),
            age_ms: run.map(|run| waits_since(run).map_or(0, age)),
            held_up: self.held.as_ref().map(|held| held.why.clone()),
        }
    }
}

/// What a shard is given for one look.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) reader: &'a dyn Reader,
    pub(crate) known: &'a Known,
    /// Something was recorded by this process.
    pub(crate) has_news: bool,
    /// Events go one by one, over all shards.
    pub(crate) is_careful: bool,
    /// Events of other shards that are on their way.
    pub(crate) others_under_way: usize,
}

enum Given {
    Yes,
    NotNow,
    Never(String),
    Failed(RDKafkaErrorCode),
}

fn too_long(shared: &Shared, event: &Recorded, length: usize, known: &Known) -> String {
    let topic = &shared.settings.topic;
    format!(
        "{} of {} has up to {length} bytes in the topic, which takes {}: raise max.message.bytes of the topic {topic:?} to at \
         least {length} (kafka-configs --alter --topic {topic} --add-config max.message.bytes={length})",
        event.event_type, event.entity_id, known.message_bytes_max
    )
}
