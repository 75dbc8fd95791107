//! How one process tells the topic and hears it, with everything that can go wrong on the way; only the broker is made up.

use crate::broker::{Broker, Told};
use crate::chance::Chance;
use crate::setup::Plant;
use engine::bus::Bus;
use engine::log::{LogId, Recorded, ShardName};
use engine::lookout::Lookout;
use engine::memory::MemoryStore;
use engine::store::{InboxKey, Reader, Stored};
use engine::topic::{Identity, Message, Spread, Topic, partition_of, read_key, told_in};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wiring::{Assembly, call, provider, view};

/// Events that a relay gives at once, and messages that a consumer takes at once.
const AT_ONCE_MAX: u64 = 6;

type Look = Box<dyn FnMut() -> Stored<bool>>;

pub(crate) struct Line {
    pub(crate) topic: Arc<Topic>,
    bus: Arc<Bus>,
    store: MemoryStore,
    /// The next offset of each partition that is read here.
    reads: BTreeMap<u32, u64>,
    relays: BTreeMap<u16, Relay>,
    look: Option<Look>,
    plant: Option<Plant>,
}

/// A run through one shard's log, in order from where it was acknowledged.
struct Relay {
    topic: LogId,
    spread: Spread,
    /// Up to there everything is acknowledged.
    cursor: u64,
    given: u64,
    /// Something failed, and in these partitions nothing more gets through.
    has_failed: bool,
    broken: BTreeSet<u32>,
}

/// The luck of a relay.
pub(crate) struct Luck<'a> {
    pub(crate) chance: &'a mut Chance,
    pub(crate) vices_per_mille: u64,
    /// Nothing is ever told twice, since whoever tells knows how far the topic was told.
    pub(crate) tells_once: bool,
}

impl Line {
    pub(crate) fn new(
        topic: Arc<Topic>,
        assembly: &Assembly,
        store: MemoryStore,
        plant: Option<Plant>,
    ) -> Self {
        let reader = || assembly.readers.of(topic.service()).apart();
        let look: Option<Look> = match topic.service() {
            _ if plant == Some(Plant::NoLookout) => None,
            call::NAME => {
                let mut lookout = Lookout::new(&assembly.handles.call, reader());
                Some(Box::new(move || lookout.turn()))
            }
            view::NAME => {
                let mut lookout = Lookout::new(&assembly.handles.view, reader());
                Some(Box::new(move || lookout.turn()))
            }
            _ => None,
        };
        let (reads, relays) = (BTreeMap::new(), BTreeMap::new());
        Self { topic, bus: assembly.bus.clone(), store, reads, relays, look, plant }
    }

    pub(crate) fn look(&mut self) -> Stored<()> {
        self.bus.poll()?;
        self.look.as_mut().map_or(Ok(()), |look| look().map(drop))
    }

    /// Asks the broker which topic it has and how far that goes. Another one is told and read from its rows.
    pub(crate) fn notice(&mut self, broker: &Broker) -> Stored<()> {
        let identity = broker.identity();
        let known = self.topic.identity();
        if known != Some(identity) {
            self.topic.identify(identity);
        }
        for (partition, end) in broker.ends() {
            self.topic.note_end(partition, end);
        }
        if known.is_some_and(|known| known.id != identity.id) {
            self.relays.clear();
            for partition in self.reads.keys().copied().collect::<Vec<_>>() {
                let next = self.begin_at(identity.id, partition)?;
                self.reads.insert(partition, next);
            }
        }
        Ok(())
    }

    fn rows(&self, shard: u16) -> Stored<Vec<(InboxKey, u64)>> {
        self.store.inbox(ShardName { service: self.topic.service(), index: shard })
    }

    /// Where reading begins: at the lowest row of all shards.
    fn begin_at(&self, topic: LogId, partition: u32) -> Stored<u64> {
        let key = read_key(topic, partition);
        let mut rows = Vec::new();
        for shard in 0..self.topic.shards() {
            let rows_of = self.rows(shard)?;
            rows.push(rows_of.iter().find(|(known, _)| *known == key).map_or(0, |(_, next)| *next));
        }
        let highest = self.plant == Some(Plant::BeginAtHighest);
        Ok(if highest { rows.into_iter().max() } else { rows.into_iter().min() }.unwrap_or(0))
    }

    /// The partition is read here from now on.
    pub(crate) fn assign(&mut self, broker: &Broker, (role, partition): (usize, u32)) -> Stored<()> {
        self.notice(broker)?;
        let is_anywhere = matches!(self.plant, Some(Plant::BeginWhereOthersStopped | Plant::HideGaps));
        let next = if is_anywhere {
            broker.stopped.get(&(role, partition)).copied().unwrap_or(0)
        } else {
            self.begin_at(broker.identity().id, partition)?
        };
        self.topic.forget(partition);
        self.reads.insert(partition, next);
        Ok(())
    }

    pub(crate) fn revoke(&mut self, partition: u32) {
        self.reads.remove(&partition);
        self.topic.forget(partition);
    }

    pub(crate) fn reads(&self) -> Vec<u32> {
        self.reads.keys().copied().collect()
    }

    /// Reads on in one partition. Says whether there was anything.
    pub(crate) fn consume(
        &mut self,
        broker: &mut Broker,
        (role, partition): (usize, u32),
        most: u64,
    ) -> bool {
        let rewinds = self.topic.take_rewinds();
        broker.tally.add("partitions read again", rewinds.len() as u64);
        let is_asked = !rewinds.is_empty();
        for (partition, next) in rewinds.into_iter().filter(|_| self.plant != Some(Plant::NeverRewind)) {
            self.reads.entry(partition).and_modify(|known| *known = next);
        }
        let (Some(identity), Some(from)) = (self.topic.identity(), self.reads.get_mut(&partition)) else {
            return is_asked;
        };
        let most = usize::try_from(most.min(AT_ONCE_MAX)).unwrap_or(1).min(self.topic.room());
        let mut messages = Vec::new();
        for (offset, Told { event, spread }) in broker.read(identity.id, (partition, *from), most) {
            let after = if self.plant == Some(Plant::HideGaps) { 0 } else { *from };
            *from = offset + 1;
            // Payment's provider says nothing that is published.
            let is_own =
                event.source.service == self.topic.service() || event.source.service == provider::NAME;
            let event = (!is_own).then_some(event);
            let is_ignored = self.plant == Some(Plant::HearByPartitionAlone);
            let spread = if is_ignored { Spread::default() } else { spread };
            messages.push(Message { partition, after, next: offset + 1, event, spread });
        }
        if let (Some(first), Some(last)) = (messages.first(), messages.last()) {
            let (after, next) = (first.after, last.next);
            broker
                .news
                .push(format!("{} reads {after} to {next} of partition {partition}", self.topic.service()));
        }
        broker.stopped.insert((role, partition), *from);
        self.topic.push(identity.id, &messages);
        is_asked || !messages.is_empty()
    }

    /// Tells some more of one shard. Says whether there was anything.
    pub(crate) fn relay(&mut self, broker: &mut Broker, shard: u16, luck: &mut Luck<'_>) -> Stored<bool> {
        let Some(identity) = self.topic.identity() else { return Ok(false) };
        let name = ShardName { service: self.topic.service(), index: shard };
        let Some(tail) = self.bus.tail(name).cloned() else { return Ok(false) };
        let rows = self.rows(shard)?;
        let told = luck.tells_once.then(|| broker.told(tail.source()));
        // Where everything is told once, whoever had the turn meanwhile has told some of it.
        let goes_on = |relay: &&Relay| {
            let is_right = relay.topic == identity.id && relay.spread.partitions >= identity.partitions;
            is_right && told.is_none_or(|told| relay.given >= told)
        };
        if !self.relays.get(&shard).as_ref().is_some_and(goes_on) {
            let Some(relay) = self.begin(identity, (shard, &rows), told) else { return Ok(false) };
            self.relays.insert(shard, relay);
        }
        let (topic, plant) = (self.topic.clone(), self.plant);
        let Some(relay) = self.relays.get_mut(&shard) else { return Ok(false) };
        let most = luck.chance.between(1, AT_ONCE_MAX);
        let events = tail.read(relay.given, usize::try_from(most).unwrap_or(1))?;
        for event in &events {
            relay.tell(broker, event, (luck, plant));
        }
        let ends = relay.has_failed && (events.is_empty() || luck.chance.per_mille(500));
        if ends {
            relay.end();
            broker.tally.add("runs of a relay that were broken off", 1);
        }
        topic.note_told(identity.id, shard, (relay.spread.partitions, relay.cursor));
        Ok(ends || !events.is_empty())
    }

    /// Begins where the rows say that the topic was told, by the count by which it was told last. Where the topic has more
    /// partitions by now, that must be stored before anything goes by them, and where it goes over to them.
    fn begin(
        &self,
        identity: Identity,
        (shard, rows): (u16, &[(InboxKey, u64)]),
        told: Option<u64>,
    ) -> Option<Relay> {
        let stored = told_in(rows, identity.id);
        let known = self.relays.get(&shard).filter(|relay| relay.topic == identity.id);
        let after = known.map(|relay| relay.cursor).or(stored.map(|(_, told)| told)).unwrap_or(0);
        let wanted = Spread { partitions: identity.partitions, after };
        let is_there = stored.is_some_and(|(spread, _)| spread.partitions >= identity.partitions);
        let goes_at_once = self.plant == Some(Plant::ChangeCountAtOnce);
        if !is_there && !goes_at_once {
            self.topic.note_spread(identity.id, shard, wanted);
            return None;
        }
        let (spread, stored) = stored.filter(|_| is_there).unwrap_or((wanted, after));
        let cursor = told.unwrap_or(stored);
        let (has_failed, broken) = (false, BTreeSet::new());
        // One who has yet to notice them cannot tell by them.
        let is_known = spread.partitions == identity.partitions;
        is_known.then_some(Relay { topic: identity.id, spread, cursor, given: cursor, has_failed, broken })
    }
}

impl Relay {
    fn tell(
        &mut self,
        broker: &mut Broker,
        event: &Arc<Recorded>,
        (luck, plant): (&mut Luck<'_>, Option<Plant>),
    ) {
        self.given = event.position;
        let is_told = !event.published || {
            let partition = partition_of(event.entity_id, self.spread.partitions);
            let is_lost = luck.chance.per_mille(luck.vices_per_mille);
            let is_taken = is_lost && luck.chance.per_mille(500);
            let hole = u64::from(luck.chance.per_mille(100));
            let told = Told { event: event.clone(), spread: self.spread };
            let gets_through = !self.broken.contains(&partition) && (!is_lost || is_taken);
            let is_taken = gets_through && broker.take(self.topic, (partition, hole), told);
            if !is_taken && plant != Some(Plant::TellOutOfOrder) {
                self.broken.insert(partition);
            }
            is_taken && !is_lost
        };
        self.has_failed |= !is_told;
        if !self.has_failed || plant == Some(Plant::TellPastUnacknowledged) {
            self.cursor = event.position;
        }
    }

    /// This run is over, and another one begins where it was acknowledged.
    fn end(&mut self) {
        self.given = self.cursor;
        self.has_failed = false;
        self.broken.clear();
    }
}
