//! The topic as a broker keeps it: partitions of messages with offsets, which may be made anew or become more.

use crate::tally::Tally;
use engine::log::{LogId, Recorded, Source};
use engine::topic::{Identity, Spread};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const TOPICS_REMADE: &str = "topics made anew";

pub(crate) struct Broker {
    id: LogId,
    partitions: Vec<Partition>,
    /// The furthest position of each log that was ever told.
    told: BTreeMap<Source, u64>,
    /// Which process reads a partition for which service, as the group has it: its start.
    pub(crate) owners: BTreeMap<(usize, u32), u64>,
    /// Where consumers stopped reading, whatever came of it.
    pub(crate) stopped: BTreeMap<(usize, u32), u64>,
    pub(crate) tally: Tally,
    /// What was taken and read since this was looked at last.
    pub(crate) news: Vec<String>,
}

/// A message: an event, and how its log was told when it was.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) event: Arc<Recorded>,
    pub(crate) spread: Spread,
}

#[derive(Default)]
struct Partition {
    messages: Vec<(u64, Told)>,
    /// The offset behind the last message.
    end: u64,
}

impl Broker {
    pub(crate) fn new(id: LogId, partitions: u32) -> Self {
        Self {
            id,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            told: BTreeMap::new(),
            owners: BTreeMap::new(),
            stopped: BTreeMap::new(),
            tally: Tally::default(),
            news: Vec::new(),
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { id: self.id, partitions: u32::try_from(self.partitions.len()).unwrap_or(u32::MAX) }
    }

    /// Takes a message behind all others of its partition, and `hole` offsets that stay empty. `false` when it was meant
    /// for a topic that is gone.
    pub(crate) fn take(
        &mut self,
        topic: LogId,
        (partition, hole): (u32, u64),
        Told { event, spread }: Told,
    ) -> bool {
        let place = usize::try_from(partition).unwrap_or(usize::MAX);
        let Some(found) = self.partitions.get_mut(place).filter(|_| self.id == topic) else {
            return false;
        };
        let offset = found.end + hole;
        found.messages.push((offset, Told { event: event.clone(), spread }));
        found.end = offset + 1;
        let Source { service, shard, .. } = &event.source;
        let (position, what, id) = (event.position, &event.event_type, event.entity_id);
        self.news.push(format!(
            "{service}.{shard}.{position} ({what} {id}) is told as {offset} of partition {partition}"
        ));
        let told = self.told.entry(event.source.clone()).or_default();
        let name = if event.position <= *told { "messages told again" } else { "messages told" };
        *told = event.position.max(*told);
        self.tally.add(name, 1);
        true
    }

    /// Messages of a topic's partition from an offset on, with their offsets.
    pub(crate) fn read(&self, topic: LogId, (partition, from): (u32, u64), most: usize) -> Vec<(u64, Told)> {
        let place = usize::try_from(partition).unwrap_or(usize::MAX);
        let found = self.partitions.get(place).filter(|_| self.id == topic);
        let messages = found.map_or(&[][..], |found| &found.messages);
        let first = messages.partition_point(|(offset, _)| *offset < from);
        messages[first..].iter().take(most).cloned().collect()
    }

    pub(crate) fn ends(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..).zip(self.partitions.iter().map(|partition| partition.end))
    }

    pub(crate) fn end(&self, partition: u32) -> u64 {
        self.ends().find(|(known, _)| *known == partition).map_or(0, |(_, end)| end)
    }

    pub(crate) fn told(&self, source: &Source) -> u64 {
        self.told.get(source).copied().unwrap_or(0)
    }

    /// Somebody deletes the topic, and makes one of the same name.
    pub(crate) fn make_anew(&mut self, id: LogId) {
        self.id = id;
        self.stopped.clear();
        self.partitions.iter_mut().for_each(|partition| *partition = Partition::default());
        self.tally.add(TOPICS_REMADE, 1);
    }

    pub(crate) fn grow(&mut self) {
        self.partitions.push(Partition::default());
        self.tally.add("partitions added", 1);
    }
}
