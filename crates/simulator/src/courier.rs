//! The road between the services: it is late, tells things again, and under the business alone keeps no order at all.

use crate::chance::Chance;
use crate::lock;
use crate::setup::Defence;
use crate::tally::Tally;
use engine::bus::{Delivery, Tail};
use engine::log::{Recorded, ShardName};
use engine::store::Stored;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How many deliveries a road may stay closed for.
const CLOSED_MAX: u64 = 40;

/// One replica's couriers.
pub(crate) struct Courier {
    defence: Defence,
    chance: Chance,
    vices_per_mille: u64,
    is_calm: bool,
    roads: BTreeMap<(ShardName, ShardName), Road>,
    pub(crate) tally: Tally,
}

/// From one log to one reader.
#[derive(Default)]
struct Road {
    closed_for: u64,
    /// How far the log was seen.
    known: u64,
    /// What the reader was not given yet; only where order does not matter.
    owed: Vec<u64>,
}

pub(crate) struct SharedCourier(pub(crate) Arc<Mutex<Courier>>);

impl Delivery for SharedCourier {
    fn deliver(
        &self,
        reader: ShardName,
        tail: &Tail,
        after: u64,
        limit: usize,
    ) -> Stored<Vec<Arc<Recorded>>> {
        let mut courier = lock(&self.0);
        match courier.defence {
            Defence::Inbox => courier.in_order(reader, tail, after, limit),
            Defence::Business => courier.in_any_order(reader, tail, limit),
        }
    }
}

impl Courier {
    pub(crate) fn new(defence: Defence, chance: Chance, vices_per_mille: u64) -> Self {
        Self {
            defence,
            chance,
            vices_per_mille,
            is_calm: false,
            roads: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Nothing is withheld or told again from now on.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
    }

    /// Everything is to be told once more.
    pub(crate) fn owe_everything(&mut self) {
        for road in self.roads.values_mut() {
            road.owed = (1..=road.known).collect();
        }
    }

    fn vice(&mut self) -> bool {
        !self.is_calm && self.chance.per_mille(self.vices_per_mille)
    }

    /// Whether nothing gets through just now.
    fn is_closed(&mut self, road: (ShardName, ShardName)) -> bool {
        if self.is_calm {
            return false;
        }
        let closes = self.vice() && self.chance.per_mille(150);
        let close_for = if closes { self.chance.below(CLOSED_MAX) } else { 0 };
        let road = self.roads.entry(road).or_default();
        road.closed_for = road.closed_for.saturating_sub(1).max(close_for);
        let is_closed = road.closed_for > 0;
        self.tally.add("deliveries withheld", u64::from(is_closed));
        is_closed
    }

    fn in_order(
        &mut self,
        reader: ShardName,
        tail: &Tail,
        after: u64,
        limit: usize,
    ) -> Stored<Vec<Arc<Recorded>>> {
        if self.is_closed((reader, tail.shard())) {
            return Ok(Vec::new());
        }
        let again = after > 0 && self.vice();
        let from = if again { self.chance.below(after) } else { after };
        let limit = if self.vice() { limit.min(self.chance.index(4) + 1) } else { limit };
        let events = tail.read(from, limit)?;
        let doubled = events.iter().filter(|event| event.position <= after).count();
        self.tally.add("events delivered again", doubled as u64);
        Ok(events)
    }

    fn in_any_order(&mut self, reader: ShardName, tail: &Tail, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        let last = tail.last()?;
        let is_closed = self.is_closed((reader, tail.shard()));
        let again = last > 0 && self.vice();
        let withhold = self.vice();
        let road = self.roads.entry((reader, tail.shard())).or_default();
        road.owed.extend(road.known + 1..=last);
        road.known = last;
        if is_closed || (road.owed.is_empty() && !again) {
            return Ok(Vec::new());
        }
        self.chance.shuffle(&mut road.owed);
        let most = if withhold { self.chance.index(3) } else { limit };
        let mut positions = road.owed.split_off(road.owed.len().saturating_sub(most));
        if again {
            let doubled = self.chance.between(1, 3);
            positions.extend((0..doubled).map(|_| self.chance.between(1, last)));
            self.tally.add("events delivered again", doubled);
        }
        let reordered = positions.windows(2).filter(|pair| pair[0] > pair[1]).count();
        self.tally.add("events delivered before earlier ones", reordered as u64);
        let mut events = Vec::with_capacity(positions.len());
        for position in positions {
            events.extend(tail.read(position - 1, 1)?);
        }
        Ok(events)
    }
}
