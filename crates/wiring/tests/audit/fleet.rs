//! Services by themselves over a topic that a test turns by hand: at no moment does the audit accuse anybody, whatever lags,
//! is told twice, starts again, or grows; and what is lost on the way is found.

use crate::system::NoDelay;
use engine::clock::{ManualClock, Timestamp};
use engine::handle::{Handle, Request};
use engine::lane::LaneSettings;
use engine::log::{LogId, Origin, Recorded, ShardName};
use engine::memory::MemoryStore;
use engine::runner::Turn;
use engine::topic::{Identity, Message, Spread, Topic, partition_of, read_key, told_in};
use provider::settings::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;
use taxi::distance::Meters;
use taxi::id::CallId;
use taxi::rider::Rider;
use taxi::rules::Rules;
use taxi::{call, drive};
use wiring::audit::{Options as Audited, Report, audit_readers};
use wiring::{Assembly, Database, Layout, Options, Readers, TELLING, assemble_alone, schema};

const START: Timestamp = Timestamp(1_800_000_000_000);
const SHARDS: u16 = 2;
const CALLS: u64 = 12;
const STEPS: usize = 220;
const TURNS_MAX: usize = 2_000;

/// Chance that can be had again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

struct Kafka {
    id: LogId,
    partitions: Vec<Vec<(Arc<Recorded>, Spread)>>,
}

impl Kafka {
    fn new(id: u64, partitions: usize) -> Self {
        Self { id: LogId(id), partitions: vec![Vec::new(); partitions] }
    }

    fn identity(&self) -> Identity {
        Identity { id: self.id, partitions: u32::try_from(self.partitions.len()).unwrap() }
    }
}

/// One process.
struct Part {
    services: Vec<&'static str>,
    store: MemoryStore,
    topic: Arc<Topic>,
    assembly: Assembly,
    /// The next offset of each partition.
    next: BTreeMap<u32, u64>,
    /// Up to where each shard was put into the topic.
    produced: BTreeMap<ShardName, u64>,
}

struct Fleet {
    parts: Vec<Part>,
    kafka: Kafka,
    clock: Arc<ManualClock>,
    replicas: u64,
    /// What each part loses on the way.
    loses: Option<(&'static str, &'static str)>,
}

impl Fleet {
    fn new(partitions: usize) -> Self {
        let clock = Arc::new(ManualClock::starting_at(START));
        let kafka = Kafka::new(0xcafe, partitions);
        let mut fleet = Self { parts: Vec::new(), kafka, clock, replicas: 0, loses: None };
        for ((_, services), log) in Layout::Apart.groups().into_iter().zip(7..) {
            let schemas: Vec<_> = services.iter().map(|service| schema(service, SHARDS)).collect();
            let store = MemoryStore::new(&schemas, LogId(log));
            let part = fleet.start(services, store);
            fleet.parts.push(part);
        }
        fleet
    }

    fn start(&mut self, services: Vec<&'static str>, store: MemoryStore) -> Part {
        self.replicas += 1;
        let topic = Topic::new(services[0], SHARDS);
        topic.identify(self.kafka.identity());
        let options = Options {
            rules: Rules::default(),
            provider: Settings { obey_test_methods: true, ..Settings::default() },
            lane: LaneSettings::default(),
            shards: SHARDS,
            first_call: 1,
            replica: self.replicas,
            clock: self.clock.clone(),
            delay: Arc::new(NoDelay),
        };
        let database = Database { services: services.clone(), store: store.writer(), reader: store.reader() };
        let assembly = assemble_alone(database, &topic, &options).unwrap();
        let mut part =
            Part { services, store, topic, assembly, next: BTreeMap::new(), produced: BTreeMap::new() };
        part.begin(&self.kafka);
        part
    }

    fn readers(&self) -> Readers {
        let of = |place: usize| self.parts[place].store.reader();
        Readers { call: of(0), payment: of(1), drive: of(2), view: of(3) }
    }

    fn report(&self) -> Report {
        use engine::clock::Clock;
        audit_readers(&self.readers(), Some(self.clock.now()), &Audited::default()).unwrap()
    }

    fn step(&mut self, chance: &mut Chance, calls: &mut u64) {
        let place = usize::try_from(chance.below(4)).unwrap();
        match chance.below(16) {
            0 if *calls < CALLS => {
                *calls += 1;
                let kilometers = if chance.below(4) == 0 { "120" } else { "10" };
                let method = (chance.below(6) == 0).then_some("test:refused");
                self.request(*calls, (kilometers, method));
            }
            1 if *calls > 0 => self.cancel(1 + chance.below(*calls)),
            2 if *calls > 0 => self.end(1 + chance.below(*calls)),
            3 => self.clock.advance_ms(50),
            4 if chance.below(4) == 0 => self.restart(place),
            0..8 => drop(self.parts[place].turn()),
            8..11 => self.tell(place, chance),
            _ => self.hear(place, chance),
        }
    }

    fn restart(&mut self, place: usize) {
        let Part { services, store, .. } = self.parts.remove(place);
        let part = self.start(services, store);
        self.parts.insert(place, part);
    }

    /// Some more of a log goes into the topic, once the row is there that says by how many partitions; that it did is
    /// heard of, or not before it is done again.
    fn tell(&mut self, place: usize, chance: &mut Chance) {
        let Self { parts, kafka, .. } = self;
        let part = &mut parts[place];
        let Identity { id, partitions } = kafka.identity();
        for (shard, produced) in &mut part.produced {
            let rows = part.store.reader().inbox(*shard).unwrap();
            let stored = told_in(&rows, id).filter(|(spread, _)| spread.partitions == partitions);
            let Some((spread, _)) = stored else {
                part.topic.note_spread(id, shard.index, Spread { partitions, after: *produced });
                continue;
            };
            let limit = usize::try_from(1 + chance.below(4)).unwrap();
            let events = part.store.reader().events_after(*shard, *produced, limit).unwrap();
            for event in events {
                *produced = event.position;
                if event.published {
                    let partition = partition_of(event.entity_id, partitions);
                    kafka.partitions[partition as usize].push((Arc::new(event), spread));
                }
            }
            if chance.below(4) > 0 {
                part.topic.note_told(kafka.id, shard.index, (partitions, *produced));
            }
        }
    }

    /// Some more of one partition is read.
    fn hear(&mut self, place: usize, chance: &mut Chance) {
        let Self { parts, kafka, loses, .. } = self;
        let part = &mut parts[place];
        let partition = u32::try_from(chance.below(kafka.partitions.len() as u64)).unwrap();
        part.next.extend(part.topic.take_rewinds());
        let messages = &kafka.partitions[partition as usize];
        part.topic.note_end(partition, messages.len() as u64);
        let next = part.next.entry(partition).or_default();
        let limit = usize::try_from(1 + chance.below(5)).unwrap();
        let from = usize::try_from(*next).unwrap();
        let pushed: Vec<Message> = messages
            .iter()
            .skip(from)
            .take(limit)
            .map(|(event, spread)| {
                let after = *next;
                *next += 1;
                let is_own = part.services.contains(&&*event.source.service);
                let is_lost = loses.is_some_and(|(service, event_type)| {
                    part.services[0] == service && event.event_type == event_type
                });
                let event = Some(event.clone()).filter(|_| !is_own);
                // What is lost is read as if it had been something else, so that its row passes it all the same.
                let event = event.map(|event| if is_lost { emptied(&event) } else { event });
                Message { partition, after, next: *next, event, spread: *spread }
            })
            .collect();
        part.topic.push(kafka.id, &pushed);
    }

    /// Everything is told and heard, and follows.
    fn settle(&mut self) {
        let mut chance = Chance(1);
        for _ in 0..TURNS_MAX {
            let mut is_busy = false;
            for place in 0..4 {
                self.tell(place, &mut chance);
                for _ in 0..self.kafka.partitions.len() {
                    self.hear(place, &mut chance);
                }
                is_busy |= self.parts[place].turn();
            }
            self.clock.advance_ms(20);
            let is_told = self.parts.iter().all(|part| part.is_told());
            let is_read = self.parts.iter().all(|part| part.has_read(&self.kafka));
            if !is_busy && is_told && is_read && self.report().in_flight() == 0 {
                return;
            }
        }
        panic!("it never comes to rest:\n{}", self.report());
    }

    fn request(&self, id: u64, (kilometers, method): (&str, Option<&str>)) {
        let meters = Meters::parse(kilometers).unwrap();
        let request = call::Request {
            call_id: CallId::new(id).unwrap(),
            rider: Rider::new("1", "eojin").unwrap(),
            meters,
            fare: Rules::default().tariff.fare(meters),
            payment_method: method.map(str::to_owned),
        };
        give(&self.parts[0].assembly.handles.call, call::Command::Request(request));
    }

    fn cancel(&self, id: u64) {
        give(&self.parts[0].assembly.handles.call, call::Command::Cancel(CallId::new(id).unwrap()));
    }

    fn end(&self, id: u64) {
        give(&self.parts[2].assembly.handles.drive, drive::Command::End(CallId::new(id).unwrap()));
    }

    /// The topic gets more partitions; what is in it stays where it is, and a relay goes on once it is noted from where.
    fn raise(&mut self, partitions: usize) {
        self.kafka.partitions.resize(partitions, Vec::new());
        for part in &self.parts {
            part.topic.identify(self.kafka.identity());
        }
    }

    /// The topic is deleted and made anew: everything is told again.
    fn remake(&mut self, partitions: usize) {
        self.kafka = Kafka::new(self.kafka.id.0 + 1, partitions);
        for part in &mut self.parts {
            part.topic.identify(self.kafka.identity());
            part.begin(&self.kafka);
        }
    }
}

/// An event of which nothing follows: a note of payment's, which payment itself would not write.
fn emptied(event: &Arc<Recorded>) -> Arc<Recorded> {
    let note = taxi::sample::every_event().into_iter().find(|event| !event.is_published()).unwrap();
    let (event_type, schema, body) = note.to_stored();
    Arc::new(Recorded { event_type: event_type.into(), schema, body, ..Recorded::clone(event) })
}

impl Part {
    /// Where reading and telling go on, by what is stored.
    fn begin(&mut self, kafka: &Kafka) {
        let reader = self.store.reader();
        let rows = |service: &'static str| -> Vec<_> {
            (0..SHARDS).map(|index| reader.inbox(ShardName { service, index }).unwrap()).collect()
        };
        let hearing = rows(self.services[0]);
        let of = |rows: &Vec<(engine::store::InboxKey, u64)>, key| {
            rows.iter().find(|(known, _)| *known == key).map_or(0, |(_, position)| *position)
        };
        self.next = (0..kafka.identity().partitions)
            .map(|partition| {
                let next = hearing.iter().map(|rows| of(rows, read_key(kafka.id, partition))).min();
                (partition, next.unwrap())
            })
            .collect();
        self.produced = BTreeMap::new();
        for service in self.services.iter().filter(|service| TELLING.contains(*service)) {
            for (rows, index) in rows(service).iter().zip(0..) {
                let told = told_in(rows, kafka.id).map_or(0, |(_, told)| told);
                self.produced.insert(ShardName { service, index }, told);
            }
        }
    }

    fn turn(&mut self) -> bool {
        let turned = self.assembly.runners.iter_mut().map(|runner| runner.turn().unwrap());
        turned.collect::<Vec<_>>().contains(&Turn::Worked)
    }

    fn is_told(&self) -> bool {
        let reader = self.store.reader();
        self.produced.iter().all(|(shard, produced)| reader.last_position(*shard).unwrap() == *produced)
    }

    fn has_read(&self, kafka: &Kafka) -> bool {
        let ends = kafka.partitions.iter().map(|messages| messages.len() as u64);
        self.next.values().copied().eq(ends)
    }
}

fn give<S: engine::Service>(handle: &Handle<S>, command: S::Command) {
    let origin = Origin::request("rider", "test".to_owned());
    handle.submit(Request { command, origin, idempotency: None, reply: Box::new(|_| ()) }).unwrap();
}

/// Drives a fleet by chance, with something special in the middle, and audits it after every step.
fn drive_fleet(seed: u64, midway: impl Fn(&mut Fleet)) -> Fleet {
    let mut chance = Chance(seed);
    let mut fleet = Fleet::new(4);
    let mut calls = 0;
    for step in 0..STEPS {
        if step == STEPS / 2 {
            midway(&mut fleet);
        }
        fleet.step(&mut chance, &mut calls);
        let report = fleet.report();
        assert!(report.is_clean(), "seed {seed}, step {step}:\n{report}");
    }
    fleet.settle();
    assert!(fleet.report().is_clean(), "seed {seed}:\n{}", fleet.report());
    fleet
}

#[test]
fn a_fleet_is_clean_at_every_moment() {
    for seed in 0..20 {
        let fleet = drive_fleet(seed, |_| ());
        assert!(fleet.report().transit.is_empty());
        assert!(
            fleet.report().checks.iter().any(|check| check.name == "told to the topic" && check.seen > 5)
        );
    }
}

#[test]
fn so_it_is_when_the_topic_gets_more_partitions() {
    for seed in 0..20 {
        drive_fleet(seed, |fleet| fleet.raise(12));
    }
}

#[test]
fn so_it_is_when_the_topic_is_made_anew() {
    for seed in 0..10 {
        drive_fleet(seed, |fleet| fleet.remake(4));
        drive_fleet(seed, |fleet| fleet.remake(7));
    }
}

#[test]
fn what_is_lost_on_the_way_is_found() {
    for (service, event_type, expected) in [
        ("payment", "CallRequested", "there is no payment"),
        ("call", "DriveStarted", "the call is neither under way nor being cancelled"),
        ("drive", "FarePaid", "there is no drive"),
        ("view", "DriveStarted", "it and its rebuild differ"),
    ] {
        let mut fleet = Fleet::new(4);
        fleet.loses = Some((service, event_type));
        for id in 1..=3 {
            fleet.request(id, ("10", None));
        }
        let mut chance = Chance(3);
        for _ in 0..400 {
            let place = usize::try_from(chance.below(4)).unwrap();
            fleet.tell(place, &mut chance);
            fleet.hear(place, &mut chance);
            fleet.parts[place].turn();
            fleet.clock.advance_ms(20);
        }
        let report = fleet.report();
        let found =
            report.findings.iter().any(|found| found.service == service && found.detail.contains(expected));
        assert!(found, "{service} {event_type}:\n{report}");
    }
}
