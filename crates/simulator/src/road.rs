//! What may happen on the way over a topic: partitions change hands, relays tell at once, replicas come and go.

use crate::broker::Broker;
use crate::failure::{Breach, Kind, must, readable};
use crate::line::{Line, Luck};
use crate::lock;
use crate::world::World;
use engine::log::{LogId, ShardName};
use engine::store::Reader;
use engine::topic::{read_key, told_in};

/// The services that run by themselves, each over its own database.
pub(crate) const ROLES: usize = 4;

/// Partitions that a topic may come to have.
const PARTITIONS_MAX: u32 = 8;

#[derive(Clone, Copy)]
pub(crate) enum Travel {
    Relay,
    Consume,
    /// A partition changes hands.
    Rebalance,
    /// One who read on without knowing hears of it.
    Retire,
    Look,
    Notice,
    Grow,
    MakeAnew,
    /// All of one service's way, in and out.
    All,
}

/// The way of a world over a topic.
pub(crate) struct Road {
    pub(crate) broker: Broker,
    /// Those who still read a partition that was given to another.
    zombies: Vec<(u64, u32)>,
}

impl Road {
    pub(crate) fn new(id: LogId, partitions: u32) -> Self {
        Self { broker: Broker::new(id, partitions), zombies: Vec::new() }
    }
}

impl World {
    /// A replica of a service that is up: over a topic one of its own.
    pub(crate) fn place_of(&mut self, service: &str, place: usize) -> Option<usize> {
        if self.road.is_none() {
            return Some(place);
        }
        let role = self.ground.stores.iter().position(|(services, _)| services.contains(&service))?;
        let up = self.up(role);
        (!up.is_empty()).then(|| self.chance.pick(&up))
    }

    /// The replicas of a role that are up.
    fn up(&self, role: usize) -> Vec<usize> {
        let places = (role..self.replicas.len()).step_by(ROLES);
        places.filter(|place| self.replicas[*place].is_some()).collect()
    }

    fn line(&mut self, place: usize) -> Option<&mut Line> {
        self.replicas[place].as_mut()?.line.as_mut()
    }

    fn start_of(&self, place: usize) -> u64 {
        self.replicas[place].as_ref().map_or(0, |replica| replica.start)
    }

    fn place_started(&self, start: u64) -> Option<usize> {
        (0..self.replicas.len())
            .find(|place| self.replicas[*place].is_some() && self.start_of(*place) == start)
    }

    pub(crate) fn travel(&mut self, place: usize, travel: Travel) -> Result<(), Breach> {
        match travel {
            Travel::Relay => self.relay(place).map(drop),
            Travel::Consume => self.consume(place).map(drop),
            Travel::Rebalance => self.rebalance(),
            Travel::Retire => {
                self.retire();
                Ok(())
            }
            Travel::Look => self.look_out(place),
            Travel::Notice => self.notice(place),
            Travel::Grow => self.grow(),
            Travel::MakeAnew => {
                self.make_topic_anew();
                Ok(())
            }
            Travel::All => {
                self.notice(place)?;
                self.relay(place)?;
                self.consume(place)?;
                self.look_out(place)?;
                self.turn(place, place % ROLES).map(drop)
            }
        }
    }

    fn look_out(&mut self, place: usize) -> Result<(), Breach> {
        let Some(line) = self.line(place) else { return Ok(()) };
        readable(line.look())
    }

    fn notice(&mut self, place: usize) -> Result<(), Breach> {
        let Some(road) = self.road.take() else { return Ok(()) };
        let noticed = self.line(place).map_or(Ok(()), |line| line.notice(&road.broker));
        self.road = Some(road);
        readable(noticed)
    }

    /// Only the first replica that is up has the turn, by rights.
    fn may_relay(&mut self, place: usize) -> bool {
        let has_turn = self.up(place % ROLES).first() == Some(&place);
        let vices = self.vices();
        has_turn || (self.retells() && self.chance.per_mille(vices))
    }

    fn vices(&self) -> u64 {
        let is_calm = lock(&self.ground.fate).is_calm();
        let topic = self.ground.plan.topic.as_ref().filter(|_| !is_calm);
        topic.map_or(0, |topic| topic.vices_per_mille)
    }

    fn retells(&self) -> bool {
        self.ground.plan.topic.as_ref().is_some_and(|topic| topic.retells)
    }

    fn relay(&mut self, place: usize) -> Result<bool, Breach> {
        if !self.may_relay(place) {
            return Ok(false);
        }
        let tells_once = !self.retells();
        let vices_per_mille = if tells_once { 0 } else { self.vices() / 4 };
        let Some(mut road) = self.road.take() else { return Ok(false) };
        let mut chance = self.chance.fork();
        let mut luck = Luck { chance: &mut chance, vices_per_mille, tells_once };
        let mut has_told = false;
        let shards = self.ground.plan.shards;
        let mut relayed = Ok(());
        if let Some(line) = self.line(place) {
            for shard in 0..shards {
                match line.relay(&mut road.broker, shard, &mut luck) {
                    Ok(told) => has_told |= told,
                    Err(error) => relayed = Err(error),
                }
            }
        }
        self.tell_news(place, &mut road);
        self.road = Some(road);
        readable(relayed)?;
        Ok(has_told)
    }

    fn consume(&mut self, place: usize) -> Result<bool, Breach> {
        let most = if self.vices() > 0 { self.chance.between(1, 8) } else { 8 };
        let Some(mut road) = self.road.take() else { return Ok(false) };
        let mut has_read = false;
        if let Some(line) = self.line(place) {
            for partition in line.reads() {
                has_read |= line.consume(&mut road.broker, (place % ROLES, partition), most);
            }
        }
        self.tell_news(place, &mut road);
        self.road = Some(road);
        Ok(has_read)
    }

    fn tell_news(&mut self, place: usize, road: &mut Road) {
        for news in std::mem::take(&mut road.broker.news) {
            self.trace(|| format!("replica {place}: {news}"));
        }
    }

    /// A partition that nobody reads is given to somebody, or one changes hands; who had it may go on for a while.
    fn rebalance(&mut self) -> Result<(), Breach> {
        let Some(road) = &self.road else { return Ok(()) };
        let partitions = road.broker.identity().partitions;
        let every = (0..ROLES).flat_map(|role| (0..partitions).map(move |partition| (role, partition)));
        let every: Vec<(usize, u32)> = every.filter(|(role, _)| !self.up(*role).is_empty()).collect();
        let unread: Vec<(usize, u32)> =
            every.iter().copied().filter(|given| self.owner(*given).is_none()).collect();
        if every.is_empty() {
            return Ok(());
        }
        let given = if unread.is_empty() { self.chance.pick(&every) } else { self.chance.pick(&unread) };
        let up = self.up(given.0);
        let to = self.chance.pick(&up);
        self.give(given, to)
    }

    fn owner(&self, given: (usize, u32)) -> Option<usize> {
        let start = self.road.as_ref()?.broker.owners.get(&given)?;
        self.place_started(*start)
    }

    fn give(&mut self, given: (usize, u32), to: usize) -> Result<(), Breach> {
        let owner = self.owner(given);
        let vices = self.vices();
        if let Some(owner) = owner.filter(|owner| *owner != to) {
            self.tally.add("partitions that changed hands", 1);
            let start = self.start_of(owner);
            if self.chance.per_mille(vices) {
                self.tally.add("partitions read by two at once", 1);
                self.road.iter_mut().for_each(|road| road.zombies.push((start, given.1)));
            } else if let Some(line) = self.line(owner) {
                line.revoke(given.1);
            }
        }
        let start = self.start_of(to);
        let Some(mut road) = self.road.take() else { return Ok(()) };
        road.zombies.retain(|zombie| *zombie != (start, given.1));
        road.broker.owners.insert(given, start);
        let assigned = self.line(to).map_or(Ok(()), |line| line.assign(&road.broker, given));
        self.road = Some(road);
        self.trace(|| format!("partition {} of {} is read by replica {to}", given.1, given.0));
        readable(assigned)
    }

    fn retire(&mut self) {
        let Some((start, partition)) = self.road.as_mut().and_then(|road| road.zombies.pop()) else { return };
        if let Some(place) = self.place_started(start)
            && let Some(line) = self.line(place)
        {
            line.revoke(partition);
        }
    }

    /// Whoever tells goes on by fewer until he has noticed, and another may have gone over to more by then.
    fn grow(&mut self) -> Result<(), Breach> {
        let may_grow = self.ground.plan.topic.as_ref().is_some_and(|topic| topic.grows);
        let Some(road) = self.road.as_mut().filter(|_| may_grow) else { return Ok(()) };
        if road.broker.identity().partitions >= PARTITIONS_MAX {
            return Ok(());
        }
        road.broker.grow();
        self.trace(|| "the topic has a partition more".to_owned());
        Ok(())
    }

    fn make_topic_anew(&mut self) {
        let is_remade = self.ground.plan.topic.as_ref().is_some_and(|topic| topic.is_remade);
        let id = LogId(self.chance.draw());
        if let Some(road) = self.road.as_mut().filter(|_| is_remade) {
            road.broker.make_anew(id);
            self.trace(|| format!("the topic is made anew as {id}"));
        }
    }

    /// Everybody knows what there is to know, and each partition is read by one. Says whether anything moved.
    pub(crate) fn travel_on(&mut self, place: usize) -> Result<bool, Breach> {
        if self.road.is_none() {
            return Ok(false);
        }
        self.notice(place)?;
        let mut has_moved = self.relay(place)?;
        has_moved |= self.consume(place)?;
        self.look_out(place)?;
        Ok(has_moved)
    }

    /// The groups come to rest.
    pub(crate) fn settle_groups(&mut self) -> Result<(), Breach> {
        while self.road.as_ref().is_some_and(|road| !road.zombies.is_empty()) {
            self.retire();
        }
        let partitions = self.road.as_ref().map_or(0, |road| road.broker.identity().partitions);
        for role in 0..ROLES {
            for partition in 0..partitions {
                let Some(to) = self.up(role).first().copied() else { continue };
                if self.owner((role, partition)).is_none() {
                    self.give((role, partition), to)?;
                }
            }
        }
        Ok(())
    }

    /// At the end everything is told, and everything is read, and the rows say so.
    pub(crate) fn audit_rows(&self) -> Result<(), Breach> {
        let Some(road) = &self.road else { return Ok(()) };
        let identity = road.broker.identity();
        for (services, store) in &self.ground.stores {
            let service = services[0];
            for index in 0..self.ground.plan.shards {
                let shard = ShardName { service, index };
                let rows = readable(store.inbox(shard))?;
                let row = |key| rows.iter().find(|(known, _)| *known == key).map_or(0, |(_, row)| *row);
                let told = told_in(&rows, identity.id).map_or(0, |(_, told)| told);
                let last = readable(Reader::last_position(store, shard))?;
                must(told == last || !wiring::TELLING.contains(&service), Kind::Inbox, || {
                    format!("{shard} says that it told {told} of its {last} events")
                })?;
                for partition in 0..identity.partitions {
                    let (read, end) = (row(read_key(identity.id, partition)), road.broker.end(partition));
                    must(read == end, Kind::Inbox, || {
                        format!(
                            "{shard} says that it read {read} of the {end} in partition {partition}: {rows:?}"
                        )
                    })?;
                }
            }
        }
        Ok(())
    }
}
