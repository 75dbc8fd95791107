//! Databases as they were earlier, and as they would be if an event could not be read.

use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parcel};
use engine::effect::Effect;
use engine::idempotency::IdempotencyRow;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{Backlog, EntityRow, InboxKey, Query, Reader, Rebuild, Schema, Snapshot, Stored, Visit};
use engine::topic::{count_key, heard_key, partition_of, read_key, told_key};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use taxi::event::Event;
use wiring::{Readers, call, drive, payment, view};

/// What is changed about what the databases hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lens {
    /// How much of its own events a service has said; all of them where it is not named.
    pub(crate) said: BTreeMap<&'static str, u64>,
    /// No version can read these.
    pub(crate) unreadable: Vec<&'static str>,
    /// The view was made anew and has put them aside.
    pub(crate) is_view_made_anew: bool,
    /// The state of this one cannot be read either.
    pub(crate) no_state_of: Option<&'static str>,
    /// The services hear each other over a topic, and those that are named here have told it no more than so much.
    pub(crate) topic: Option<BTreeMap<&'static str, u64>>,
}

const KAFKA: LogId = LogId(0xcafe);
const PARTITIONS: u32 = 12;

pub(crate) fn seen_through(readers: &Readers, lens: &Lens) -> Readers {
    let mut aside = Vec::new();
    let telling =
        [(call::NAME, &readers.call), (payment::NAME, &readers.payment), (drive::NAME, &readers.drive)];
    for (service, reader) in telling.into_iter().filter(|_| lens.is_view_made_anew) {
        let told = reader.snapshot().unwrap().story(service, crate::situations::CALL).unwrap();
        aside.extend(told.into_iter().filter(|event| lens.unreadable.contains(&event.event_type.as_ref())));
    }
    let seen = |reader: &Arc<dyn Reader>| -> Arc<dyn Reader> {
        Arc::new(Seen { reader: reader.clone(), lens: lens.clone(), aside: aside.clone() })
    };
    Readers {
        call: seen(&readers.call),
        payment: seen(&readers.payment),
        drive: seen(&readers.drive),
        view: seen(&readers.view),
    }
}

struct Seen {
    reader: Arc<dyn Reader>,
    lens: Lens,
    /// What the view has put aside.
    aside: Vec<Recorded>,
}

impl Reader for Seen {
    fn log(&self) -> LogId {
        self.reader.log()
    }

    fn apart(&self) -> Arc<dyn Reader> {
        self.reader.apart()
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        self.reader.get(service, key)
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        self.reader.list(query)
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.reader.counts(service, kind)
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        self.reader.events_after(shard, position, limit)
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.reader.last_position(shard)
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        self.reader.backlog(service, overdue_before)
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        self.reader.armed(service, limit)
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        Ok(Box::new(SeenMoment { snapshot: self.reader.snapshot()?, seen: self }))
    }
}

struct SeenMoment<'a> {
    snapshot: Box<dyn Snapshot + 'a>,
    seen: &'a Seen,
}

impl SeenMoment<'_> {
    /// The row as it was after the last event that was said.
    fn earlier(&self, service: &'static str, row: EntityRow) -> Stored<Option<EntityRow>> {
        let Some(said) = self.seen.lens.said.get(service).copied().filter(|said| *said < row.version) else {
            return Ok(Some(row));
        };
        let told = self.snapshot.story(service, row.key.id)?;
        let told = told.iter().filter(|event| event.entity_kind == service && event.version <= said);
        let told = told.map(|event| (wiring::decode(event).unwrap(), taxi::time::Timestamp(event.at.0)));
        let state = match service {
            call::NAME => state(told, taxi::call::evolve),
            payment::NAME => state(told, taxi::payment::evolve),
            drive::NAME => state(told, taxi::drive::evolve),
            _ => return Ok(Some(row)),
        };
        let row = |state| EntityRow { state, version: said, timer: None, effects_open: Vec::new(), ..row };
        Ok(state.map(row))
    }

    fn is_unreadable(&self, event: &Recorded) -> bool {
        self.seen.lens.unreadable.contains(&event.event_type.as_ref())
    }
}

fn state<S: Serialize>(
    told: impl Iterator<Item = (Event, taxi::time::Timestamp)>,
    evolve: fn(Option<S>, &Event, taxi::time::Timestamp) -> Option<S>,
) -> Option<String> {
    let state = told.fold(None, |state, (event, at)| evolve(state, &event, at));
    state.map(|state| serde_json::to_string(&state).unwrap())
}

impl Snapshot for SeenMoment<'_> {
    fn log(&self) -> LogId {
        self.snapshot.log()
    }

    fn schemas(&self) -> &[Schema] {
        self.snapshot.schemas()
    }

    fn events(&self, shard: ShardName, visit: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        self.snapshot.events(shard, visit)
    }

    fn events_by_entity(
        &self,
        service: &'static str,
        visit: &mut dyn FnMut(Recorded) -> Visit,
    ) -> Stored<()> {
        self.snapshot.events_by_entity(service, visit)
    }

    fn story(&self, service: &'static str, entity_id: u64) -> Stored<Vec<Recorded>> {
        let mut told = self.snapshot.story(service, entity_id)?;
        let said = self.seen.lens.said.get(service).copied().unwrap_or(u64::MAX);
        told.retain(|event| event.entity_kind != service || event.version <= said);
        for event in told.iter_mut().filter(|event| self.is_unreadable(event)) {
            event.body = "{".to_owned();
        }
        Ok(told)
    }

    fn entities(&self, service: &'static str, visit: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()> {
        self.snapshot.entities(service, visit)
    }

    fn entity(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        let Some(row) = self.snapshot.entity(service, key)? else { return Ok(None) };
        if key.kind != service {
            return Ok(Some(row));
        }
        if self.seen.lens.no_state_of == Some(service) {
            return Ok(Some(EntityRow { state: "{".to_owned(), ..row }));
        }
        self.earlier(service, row)
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.snapshot.last_position(shard)
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        let rows = self.snapshot.inbox(shard)?;
        let Some(told) = &self.seen.lens.topic else { return Ok(rows) };
        let partition = partition_of(crate::situations::CALL, PARTITIONS);
        let mut spread: Vec<_> = rows
            .into_iter()
            .map(|(key, position)| (heard_key(KAFKA, PARTITIONS, partition, &key.source), position))
            .chain([(read_key(KAFKA, partition), 9)])
            .collect();
        if wiring::TELLING.contains(&shard.service) {
            let last = self.snapshot.last_position(shard)?;
            let told = told.get(shard.service).copied().unwrap_or(last);
            spread.push((told_key(KAFKA, PARTITIONS), told));
            spread.push((count_key(KAFKA, PARTITIONS), 1));
        }
        Ok(spread)
    }

    fn effects(&self, service: &'static str) -> Stored<Vec<Effect>> {
        self.snapshot.effects(service)
    }

    fn dead_letters(&self, shard: ShardName) -> Stored<Vec<DeadLetter>> {
        let mut letters = self.snapshot.dead_letters(shard)?;
        for event in self.seen.aside.iter().filter(|_| shard.service == view::NAME) {
            letters.push(DeadLetter {
                number: letters.len() as u64 + 1,
                entity_id: event.entity_id,
                at: event.at,
                parcel: Parcel::Event(event.clone()),
                reason: "the event cannot be read".to_owned(),
                skipped: None,
            });
        }
        Ok(letters)
    }

    fn passed_over(&self, shard: ShardName) -> Stored<Vec<(Source, u64)>> {
        self.snapshot.passed_over(shard)
    }

    fn answers(&self, service: &'static str, visit: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()> {
        self.snapshot.answers(service, visit)
    }

    fn rebuild(&self, service: &'static str) -> Stored<Option<Rebuild>> {
        self.snapshot.rebuild(service)
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.snapshot.counts(service, kind)
    }
}
