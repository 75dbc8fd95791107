//! A moment that was copied whole, so that a test can edit what it passes on.

use engine::dead_letter::DeadLetter;
use engine::effect::Effect;
use engine::idempotency::IdempotencyRow;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{EntityRow, InboxKey, Reader, Rebuild, Schema, Snapshot, Stored, Visit};
use std::collections::BTreeMap;

type Counts = Vec<(String, u64)>;

#[derive(Clone)]
pub(crate) struct Copy {
    pub(crate) log: LogId,
    pub(crate) schemas: Vec<Schema>,
    pub(crate) events: BTreeMap<ShardName, Vec<Recorded>>,
    pub(crate) last: BTreeMap<ShardName, u64>,
    pub(crate) inbox: BTreeMap<ShardName, Vec<(InboxKey, u64)>>,
    pub(crate) letters: BTreeMap<ShardName, Vec<DeadLetter>>,
    pub(crate) passed_over: BTreeMap<ShardName, Vec<(Source, u64)>>,
    pub(crate) rebuild: BTreeMap<&'static str, Option<Rebuild>>,
    pub(crate) entities: BTreeMap<&'static str, Vec<EntityRow>>,
    pub(crate) effects: BTreeMap<&'static str, Vec<Effect>>,
    pub(crate) counts: BTreeMap<(&'static str, &'static str), Counts>,
}

impl Copy {
    pub(crate) fn of(reader: &dyn Reader) -> Self {
        Self::read(reader).expect("a store in memory can be read")
    }

    fn read(reader: &dyn Reader) -> Stored<Self> {
        let snapshot = reader.snapshot()?;
        let mut copy = Self {
            log: snapshot.log(),
            schemas: snapshot.schemas().to_vec(),
            events: BTreeMap::new(),
            last: BTreeMap::new(),
            inbox: BTreeMap::new(),
            letters: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            rebuild: BTreeMap::new(),
            entities: BTreeMap::new(),
            effects: BTreeMap::new(),
            counts: BTreeMap::new(),
        };
        for Schema { service, kinds, shards } in copy.schemas.clone() {
            for index in 0..shards {
                let shard = ShardName { service, index };
                let events = copy.events.entry(shard).or_default();
                snapshot.events(shard, &mut |event| {
                    events.push(event);
                    Visit::On
                })?;
                copy.last.insert(shard, snapshot.last_position(shard)?);
                copy.inbox.insert(shard, snapshot.inbox(shard)?);
                copy.letters.insert(shard, snapshot.dead_letters(shard)?);
                copy.passed_over.insert(shard, snapshot.passed_over(shard)?);
            }
            let rows = copy.entities.entry(service).or_default();
            snapshot.entities(service, &mut |row| {
                rows.push(row);
                Visit::On
            })?;
            copy.rebuild.insert(service, snapshot.rebuild(service)?);
            copy.effects.insert(service, snapshot.effects(service)?);
            for kind in kinds {
                copy.counts.insert((service, kind), snapshot.counts(service, kind)?);
            }
        }
        Ok(copy)
    }

    pub(crate) fn row(&mut self, service: &str, id: u64) -> &mut EntityRow {
        let rows = self.entities.get_mut(service).expect("the service is known");
        rows.iter_mut().find(|row| row.key.id == id).expect("the row is there")
    }

    pub(crate) fn event(&mut self, service: &str, id: u64, event_type: &str) -> &mut Recorded {
        let events = self.events.iter_mut().filter(|(shard, _)| shard.service == service);
        let mut events = events.flat_map(|(_, events)| events);
        let found = events.find(|event| event.entity_id == id && event.event_type == event_type);
        found.expect("the event is there")
    }

    /// Replaces a piece of a state, which must be there.
    pub(crate) fn edit(&mut self, (service, id): (&str, u64), piece: &str, by: &str) {
        let row = self.row(service, id);
        assert!(row.state.contains(piece), "{piece} is not in {}", row.state);
        row.state = row.state.replace(piece, by);
    }

    /// Has every shard of a consumer say that it has read all logs to their ends.
    pub(crate) fn pretend_heard(&mut self, consumer: &str) {
        let ends = self.last.clone();
        for (shard, rows) in &mut self.inbox {
            if shard.service != consumer {
                continue;
            }
            for (end, last) in ends.iter().filter(|(end, _)| wiring::TELLING.contains(&end.service)) {
                if end.service == consumer {
                    continue;
                }
                let source =
                    engine::log::Source { log: self.log, service: end.service.into(), shard: end.index };
                rows.retain(|(key, _)| key.source != source);
                rows.push((InboxKey { partition: 0, source }, *last));
            }
        }
    }

    pub(crate) fn positions(&self) -> Vec<(ShardName, u64)> {
        self.last.iter().map(|(shard, last)| (*shard, *last)).collect()
    }

    fn service_events(&self, service: &str) -> Vec<&Recorded> {
        let own = self.events.iter().filter(|(shard, _)| shard.service == service);
        let mut events: Vec<&Recorded> = own.flat_map(|(_, events)| events).collect();
        events.sort_by_key(|event| (event.entity_kind.clone(), event.entity_id, event.version));
        events
    }
}

fn pass_on<T: Clone>(rows: impl IntoIterator<Item = T>, visit: &mut dyn FnMut(T) -> Visit) {
    for row in rows {
        if visit(row) == Visit::Enough {
            return;
        }
    }
}

impl Snapshot for Copy {
    fn log(&self) -> LogId {
        self.log
    }

    fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    fn events(&self, shard: ShardName, visit: &mut dyn FnMut(Recorded) -> Visit) -> Stored<()> {
        pass_on(self.events[&shard].iter().cloned(), visit);
        Ok(())
    }

    fn events_by_entity(
        &self,
        service: &'static str,
        visit: &mut dyn FnMut(Recorded) -> Visit,
    ) -> Stored<()> {
        pass_on(self.service_events(service).into_iter().cloned(), visit);
        Ok(())
    }

    fn story(&self, service: &'static str, entity_id: u64) -> Stored<Vec<Recorded>> {
        let events = self.service_events(service).into_iter();
        Ok(events.filter(|event| event.entity_id == entity_id).cloned().collect())
    }

    fn entities(&self, service: &'static str, visit: &mut dyn FnMut(EntityRow) -> Visit) -> Stored<()> {
        pass_on(self.entities[service].iter().cloned(), visit);
        Ok(())
    }

    fn entity(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        Ok(self.entities[service].iter().find(|row| row.key == key).cloned())
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        Ok(self.last[&shard])
    }

    fn inbox(&self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        Ok(self.inbox[&shard].clone())
    }

    fn effects(&self, service: &'static str) -> Stored<Vec<Effect>> {
        Ok(self.effects[service].clone())
    }

    fn dead_letters(&self, shard: ShardName) -> Stored<Vec<DeadLetter>> {
        Ok(self.letters[&shard].clone())
    }

    fn passed_over(&self, shard: ShardName) -> Stored<Vec<(Source, u64)>> {
        Ok(self.passed_over[&shard].clone())
    }

    fn answers(&self, _: &'static str, _: &mut dyn FnMut(IdempotencyRow) -> Visit) -> Stored<()> {
        Ok(())
    }

    fn rebuild(&self, service: &'static str) -> Stored<Option<Rebuild>> {
        Ok(self.rebuild[service])
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Counts> {
        Ok(self.counts[&(service, kind)].clone())
    }
}
