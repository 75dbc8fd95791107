//! Reads every log as it grows, folds it by itself, and compares what the stores say of the entities.

use crate::failure::{Breach, Kind, must, readable};
use crate::said::{self, Said};
use engine::log::{EntityKey, LogId, Recorded, ShardName, shard_of};
use engine::store::{EntityRow, Reader};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use taxi::call::Call;
use taxi::drive::Drive;
use taxi::event::Event;
use taxi::payment::Payment;
use taxi::time::Timestamp;
use wiring::{Readers, call, drive, payment};

/// What the log of one service makes of its entities.
pub(crate) struct Lore<S> {
    service: &'static str,
    evolve: fn(Option<S>, &Event, Timestamp) -> Option<S>,
    tag: fn(&S) -> &'static str,
    is_open: fn(&S) -> bool,
    /// Rises with the status, and never falls.
    rank: fn(&S) -> u8,
    check: fn(&S, &EntityRow) -> Result<(), Breach>,
    pub(crate) known: BTreeMap<u64, Known<S>>,
}

pub(crate) struct Known<S> {
    pub(crate) state: Option<S>,
    /// Every state it was ever in, as it is stored; the first one is that of version 1.
    pub(crate) history: Vec<String>,
}

impl<S: Serialize> Lore<S> {
    fn hear(&mut self, recorded: &Recorded, event: &Event) -> Result<(), Breach> {
        let id = recorded.entity_id;
        let known = self.known.entry(id).or_insert(Known { state: None, history: Vec::new() });
        let expected = known.history.len() as u64 + 1;
        must(recorded.version == expected, Kind::Version, || {
            format!(
                "{}/{id} was at version {}, then came {} as version {}",
                self.service,
                expected - 1,
                recorded.event_type,
                recorded.version
            )
        })?;
        let rank_before = known.state.as_ref().map(self.rank);
        known.state = (self.evolve)(known.state.take(), event, Timestamp(recorded.at.0));
        let Some(state) = &known.state else {
            return must(false, Kind::State, || {
                format!("{}/{id} came to nothing by {}", self.service, recorded.event_type)
            });
        };
        must(rank_before <= Some((self.rank)(state)), Kind::Status, || {
            format!("{}/{id} fell by {}", self.service, recorded.event_type)
        })?;
        known.history.push(to_json(state));
        Ok(())
    }

    fn compare(&self, reader: &dyn Reader, id: u64) -> Result<(), Breach> {
        let key = EntityKey { kind: self.service, id };
        let row = readable(reader.get(self.service, key))?;
        let known = &self.known[&id];
        let (Some(row), Some(state), Some(folded)) = (row, &known.state, known.history.last()) else {
            return must(false, Kind::State, || format!("{key} has events and no row"));
        };
        must(row.version == known.history.len() as u64, Kind::Version, || {
            format!("{key} is at version {}, its log at {}", row.version, known.history.len())
        })?;
        must(row.state == *folded, Kind::State, || {
            format!("{key} is stored as {}, and its log makes {folded}", row.state)
        })?;
        must(row.tag == (self.tag)(state), Kind::State, || format!("{key} is tagged {}", row.tag))?;
        must(row.timer.is_some() == (self.is_open)(state), Kind::Timer, || {
            format!("{key} is {}, with the timer {:?}", row.tag, row.timer)
        })?;
        (self.check)(state, &row)
    }
}

/// What the services own together, as one who reads only their logs knows it.
pub(crate) struct Observer {
    /// A message may lead to something twice.
    may_repeat: bool,
    shards: u16,
    readers: Readers,
    read: BTreeMap<ShardName, Vec<u64>>,
    decided: BTreeMap<(&'static str, u64, String), u64>,
    pub(crate) call: Lore<Call>,
    pub(crate) payment: Lore<Payment>,
    pub(crate) drive: Lore<Drive>,
    pub(crate) said: Said,
    /// How many deadlines ran out, by their names.
    pub(crate) deadlines: BTreeMap<String, u64>,
    /// Everything published, in the order in which it was seen.
    pub(crate) published: Vec<(Event, Timestamp)>,
}

/// A service and one of its entities.
pub(crate) type Changed = BTreeSet<(&'static str, u64)>;

impl Observer {
    pub(crate) fn new(may_repeat: bool, shards: u16, readers: Readers) -> Self {
        Self {
            may_repeat,
            shards,
            readers,
            read: BTreeMap::new(),
            decided: BTreeMap::new(),
            call: call_lore(),
            payment: payment_lore(),
            drive: drive_lore(),
            said: Said::default(),
            deadlines: BTreeMap::new(),
            published: Vec::new(),
        }
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Takes in what was said since the last look, checks all of it, and tells whom it changed.
    pub(crate) fn look(&mut self) -> Result<Changed, Breach> {
        let mut fresh = Vec::new();
        for service in wiring::TELLING {
            let reader = self.reader(service);
            for index in 0..self.shards {
                let shard = ShardName { service, index };
                let after = self.last(shard);
                for recorded in readable(reader.events_after(shard, after, usize::MAX))? {
                    let event = self.hear(shard, reader.log(), &recorded)?;
                    fresh.push((service, recorded, event));
                }
            }
        }
        let mut changed = Changed::new();
        for (service, recorded, event) in fresh {
            self.said.was_led_to(recorded.entity_id, event.type_name())?;
            self.check_cause(service, &recorded)?;
            if let Some(timer) = recorded.cause.strip_prefix("timer ") {
                *self.deadlines.entry(format!("deadlines of a {service} run out: {timer}")).or_default() += 1;
            }
            changed.insert((service, recorded.entity_id));
            if event.is_published() {
                self.published.push((event, Timestamp(recorded.at.0)));
            }
        }
        for (service, id) in &changed {
            self.compare(service, *id)?;
        }
        Ok(changed)
    }

    /// Compares every entity with its log.
    pub(crate) fn look_at_all(&self) -> Result<(), Breach> {
        let calls = self.call.known.keys().map(|id| (call::NAME, *id));
        let payments = self.payment.known.keys().map(|id| (payment::NAME, *id));
        let drives = self.drive.known.keys().map(|id| (drive::NAME, *id));
        let mut all = calls.chain(payments).chain(drives);
        all.try_for_each(|(service, id)| self.compare(service, id))
    }

    pub(crate) fn shard(&self, service: &'static str, id: u64) -> ShardName {
        ShardName { service, index: shard_of(id, self.shards) }
    }

    /// The position of the last event that was seen of a shard.
    pub(crate) fn last(&self, shard: ShardName) -> u64 {
        self.read.get(&shard).map_or(0, |entities| entities.len() as u64)
    }

    /// Whether something was published of an entity at a position; at the beginning of a log, that nothing ever was.
    pub(crate) fn is_published(&self, shard: ShardName, position: u64, id: u64) -> bool {
        let reader = self.reader(shard.service);
        let before = position.saturating_sub(1);
        let found = reader.events_after(shard, before, 1).unwrap_or_default();
        let is_there = found.first().is_some_and(|event| event.published && event.entity_id == id);
        is_there || position == 0
    }

    /// Every state that an entity was ever in.
    pub(crate) fn history(&self, service: &str, id: u64) -> &[String] {
        let history = match service {
            call::NAME => self.call.known.get(&id).map(|known| &known.history),
            payment::NAME => self.payment.known.get(&id).map(|known| &known.history),
            drive::NAME => self.drive.known.get(&id).map(|known| &known.history),
            _ => None,
        };
        history.map_or(&[], Vec::as_slice)
    }

    fn reader(&self, service: &str) -> Arc<dyn Reader> {
        match service {
            call::NAME => self.readers.call.clone(),
            payment::NAME => self.readers.payment.clone(),
            _ => self.readers.drive.clone(),
        }
    }

    fn hear(&mut self, shard: ShardName, log: LogId, recorded: &Recorded) -> Result<Event, Breach> {
        let position = self.last(shard) + 1;
        let source = &recorded.source;
        let is_in_place = recorded.position == position
            && (source.log, source.shard, &*source.service) == (log, shard.index, shard.service)
            && shard_of(recorded.entity_id, self.shards) == shard.index;
        must(is_in_place, Kind::Position, || {
            format!("{shard} has {recorded:?} where position {position} is due")
        })?;
        self.read.entry(shard).or_default().push(recorded.entity_id);
        let event = wiring::decode(recorded)
            .map_err(|unreadable| Breach { kind: Kind::State, what: unreadable.to_string() })?;
        self.said.hear(recorded.entity_id, said::name(&event))?;
        match &event {
            Event::Call(_) => self.call.hear(recorded, &event)?,
            Event::Payment(_) => self.payment.hear(recorded, &event)?,
            Event::Drive(_) => self.drive.hear(recorded, &event)?,
        }
        Ok(event)
    }

    fn compare(&self, service: &str, id: u64) -> Result<(), Breach> {
        match service {
            call::NAME => self.call.compare(&*self.readers.call, id),
            payment::NAME => self.payment.compare(&*self.readers.payment, id),
            _ => self.drive.compare(&*self.readers.drive, id),
        }
    }

    /// An event that another event led to names it, and behind an inbox each leads there once.
    fn check_cause(&mut self, service: &'static str, recorded: &Recorded) -> Result<(), Breach> {
        let Some((source, position)) = cause(recorded) else {
            return Ok(());
        };
        let place = usize::try_from(position).unwrap_or(usize::MAX).checked_sub(1);
        let is_real = self.read.iter().any(|(shard, entities)| {
            shard.to_string() == source
                && place.and_then(|place| entities.get(place)) == Some(&recorded.entity_id)
        });
        must(is_real, Kind::Uncaused, || {
            format!("{} of {} is put down to {}", recorded.event_type, recorded.entity_id, recorded.cause)
        })?;
        let decided = (service, recorded.entity_id, recorded.cause.clone());
        let before = self.decided.insert(decided, recorded.version);
        let is_same = before.is_none_or(|before| before + 1 == recorded.version);
        must(is_same || self.may_repeat, Kind::DecidedTwice, || {
            format!("{service}/{} heard {} again", recorded.entity_id, recorded.cause)
        })
    }
}

/// The log and the position of the event that led to this one.
pub(crate) fn cause(recorded: &Recorded) -> Option<(&str, u64)> {
    let (source, position) = recorded.cause.strip_prefix("event ")?.rsplit_once('/')?;
    Some((source, position.parse().ok()?))
}

pub(crate) fn to_json(state: &impl Serialize) -> String {
    serde_json::to_string(state).expect("a state is plain data and always serialises")
}

fn call_lore() -> Lore<Call> {
    Lore {
        service: call::NAME,
        evolve: taxi::call::evolve,
        tag: taxi::call::tag,
        is_open: taxi::call::is_open,
        rank: |call| call.call_status as u8,
        check: no_effects,
        known: BTreeMap::new(),
    }
}

fn payment_lore() -> Lore<Payment> {
    Lore {
        service: payment::NAME,
        evolve: taxi::payment::evolve,
        tag: taxi::payment::tag,
        is_open: taxi::payment::is_open,
        rank: |payment| payment.pay_status as u8,
        check: crate::accounts::check_payment,
        known: BTreeMap::new(),
    }
}

fn drive_lore() -> Lore<Drive> {
    Lore {
        service: drive::NAME,
        evolve: taxi::drive::evolve,
        tag: taxi::drive::tag,
        is_open: taxi::drive::is_open,
        rank: |drive| drive.drive_status as u8,
        check: no_effects,
        known: BTreeMap::new(),
    }
}

fn no_effects<S>(_: &S, row: &EntityRow) -> Result<(), Breach> {
    must(row.effects_open.is_empty(), Kind::Effects, || format!("{} waits for effects", row.key))
}
