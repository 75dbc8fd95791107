//! Processes on a topic of their own: streets and ears, with what they have stored, and what must hold of it in the end.

use crate::brokers::{Admin, LOOK_EVERY, address};
use crate::ear::{EAR, Ear};
use crate::street::{STREET, Say, Street};
use crate::turns::Turns;
use crate::wire::Envelopes;
use engine::Service;
use engine::bus::Bus;
use engine::clock::{Stopwatch, SystemClock};
use engine::effect::NoPerformer;
use engine::handle::Handle;
use engine::lane::LaneSettings;
use engine::lease::{Alone, Lease};
use engine::log::{LogId, Origin, ShardName};
use engine::memory::MemoryStore;
use engine::runner::{Parts as RunnerParts, Runner};
use engine::store::{Reader, Schema, Visit};
use engine::topic::Topic;
use engine_kafka::settings::{Security, Settings};
use engine_kafka::stats::Stats;
use engine_kafka::{Kafka, Parts};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(5);
pub(crate) const STREET_LOG: LogId = LogId(0x57ee);
pub(crate) const EAR_LOG: LogId = LogId(0xea5);

static STARTS: AtomicU64 = AtomicU64::new(1);

/// Fails the test if it does not come to hold.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Stopwatch::start();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "it never came to this: {what}");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// A topic that goes with the test.
pub(crate) struct World {
    pub(crate) admin: Admin,
    pub(crate) topic: String,
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        let log = tracing_subscriber::fmt()
            .with_test_writer()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO);
        // Only the first test of a process gets to set it up, which is enough.
        let _ = log.try_init();
        let start = STARTS.fetch_add(1, Ordering::SeqCst);
        Self { admin: Admin::new(), topic: format!("it-{}-{start}-{name}", std::process::id()) }
    }

    pub(crate) fn settings(&self, service: &str) -> Settings {
        Settings {
            brokers: address(),
            topic: self.topic.clone(),
            partitions: 4,
            replication: 1,
            group: format!("{}-{service}", self.topic),
            security: Security::default(),
        }
    }

    pub(crate) fn street(&self, store: &MemoryStore) -> Process<Street> {
        Process::start(store, (Street, STREET), Setting::of(self.settings("street")).telling())
    }

    /// One of several relays, which has to have the turn.
    pub(crate) fn street_by_turns(&self, store: &MemoryStore, turns: &Turns, holder: u64) -> Process<Street> {
        let setting = Setting::of(self.settings("street")).telling().by_turns(turns.of(holder));
        Process::start(store, (Street, STREET), setting)
    }

    pub(crate) fn ear(&self, store: &MemoryStore) -> Process<Ear> {
        Process::start(store, (Ear, EAR), Setting::of(self.settings("ear")).hearing())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.admin.delete(&self.topic);
        }
    }
}

pub(crate) fn street_store() -> MemoryStore {
    MemoryStore::new(&[STREET], STREET_LOG)
}

pub(crate) fn ear_store() -> MemoryStore {
    MemoryStore::new(&[EAR], EAR_LOG)
}

/// How a process is put together.
pub(crate) struct Setting {
    settings: Settings,
    tells: bool,
    hears: bool,
    lease: Box<dyn Lease>,
    reader: Option<Arc<dyn Reader>>,
}

impl Setting {
    pub(crate) fn of(settings: Settings) -> Self {
        Self { settings, tells: false, hears: false, lease: Box::new(Alone), reader: None }
    }

    pub(crate) fn telling(self) -> Self {
        Self { tells: true, ..self }
    }

    pub(crate) fn hearing(self) -> Self {
        Self { hears: true, ..self }
    }

    /// The bus looks at the database by this one.
    pub(crate) fn looking_by(self, reader: Arc<dyn Reader>) -> Self {
        Self { reader: Some(reader), ..self }
    }

    pub(crate) fn by_turns(self, lease: Box<dyn Lease>) -> Self {
        Self { lease, ..self }
    }
}

/// One process: its lanes, and its bus.
pub(crate) struct Process<S: Service> {
    pub(crate) handle: Handle<S>,
    kafka: Option<Kafka>,
    failed: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
    runner: Option<JoinHandle<()>>,
}

impl<S: Service> Process<S> {
    pub(crate) fn start(store: &MemoryStore, (service, schema): (S, Schema), setting: Setting) -> Self {
        let topic = Topic::new(schema.service, schema.shards);
        let mut bus = Bus::default();
        let shards = (0..schema.shards).map(|index| ShardName { service: schema.service, index });
        let shards: Vec<ShardName> = shards.collect();
        for shard in &shards {
            bus.add(*shard, store.reader(), false).unwrap();
        }
        bus.set_topic(topic.clone());
        let bus = Arc::new(bus);
        let mut runner = Runner::new(RunnerParts {
            store: store.writer(),
            bus: bus.clone(),
            clock: Arc::new(SystemClock),
            replica: STARTS.fetch_add(1, Ordering::SeqCst) << 32,
            settings: LaneSettings::default(),
        });
        let handle = runner.add(service, schema, |_| Box::new(NoPerformer));
        let failed: Arc<Mutex<Option<String>>> = Arc::default();
        let told = failed.clone();
        let kafka = engine_kafka::start(Parts {
            settings: setting.settings,
            wire: Arc::new(Envelopes),
            topic,
            reader: setting.reader.unwrap_or_else(|| store.reader()),
            relays: if setting.tells { shards } else { Vec::new() },
            hears: setting.hears,
            lease: setting.lease,
            bus,
            clock: Arc::new(SystemClock),
            fail: Box::new(move |why| *told.lock().unwrap() = Some(why)),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let runner = thread::spawn(move || runner.run(&stopped, DRAIN).unwrap());
        Self { handle, kafka: Some(kafka.unwrap()), failed, stop, runner: Some(runner) }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.kafka.as_ref().unwrap().stats()
    }

    pub(crate) fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap().clone()
    }

    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(kafka) = self.kafka.take() {
            kafka.stop();
        }
        self.stop.store(true, Ordering::SeqCst);
        if let Some(runner) = self.runner.take() {
            runner.join().unwrap();
        }
    }
}

impl<S: Service> Drop for Process<S> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        }
    }
}

impl Process<Street> {
    pub(crate) fn say(&self, train: u64, words: &str, aloud: bool) {
        let origin = Origin::request("driver", "r".into());
        let command = Say { train, words: words.into(), aloud };
        let request = engine::handle::Request { command, origin, idempotency: None, reply: Box::new(|_| {}) };
        self.handle.submit(request).unwrap();
    }

    /// Each of these trains says something aloud, and some also to themselves.
    pub(crate) fn talk(&self, trains: RangeInclusive<u64>) {
        for train in trains {
            self.say(train, "hello", true);
            if train % 7 == 0 {
                self.say(train, "hm", false);
            }
        }
    }
}

/// What each train has said aloud, by positions of its shard's log.
pub(crate) fn said(store: &MemoryStore) -> BTreeMap<u64, Vec<u64>> {
    let reader = store.reader();
    let snapshot = reader.snapshot().unwrap();
    let mut said: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for index in 0..STREET.shards {
        let shard = ShardName { service: STREET.service, index };
        let visited = snapshot.events(shard, &mut |event| {
            if event.published {
                said.entry(event.entity_id).or_default().push(event.position);
            }
            Visit::On
        });
        visited.unwrap();
    }
    said
}

/// What was heard of each train, in the order it was heard.
pub(crate) fn heard(store: &MemoryStore) -> BTreeMap<u64, Vec<u64>> {
    let reader = store.reader();
    let snapshot = reader.snapshot().unwrap();
    let mut heard = BTreeMap::new();
    let visited = snapshot.entities(EAR.service, &mut |row| {
        heard.insert(row.key.id, serde_json::from_str(&row.state).unwrap());
        Visit::On
    });
    visited.unwrap();
    heard
}

pub(crate) fn count(heard: &BTreeMap<u64, Vec<u64>>) -> usize {
    heard.values().map(Vec::len).sum()
}

/// Waits until so many things were said in all, and until each was heard, once and in order.
pub(crate) fn each_is_heard_once(street: &MemoryStore, ear: &MemoryStore, least: usize) {
    eventually("all is said", || count(&said(street)) >= least);
    let since = Stopwatch::start();
    loop {
        // What was asked for may still be on its way to be said.
        let (said_by_then, heard) = (said(street), heard(ear));
        if said(street) == said_by_then && count(&heard) >= count(&said_by_then) {
            return assert_eq!(heard, said_by_then, "lost, doubled or out of order");
        }
        assert!(since.elapsed() < PATIENCE, "not heard: {:?}", missing(street, ear));
        thread::park_timeout(LOOK_EVERY);
    }
}

/// The same where something may be told again by another partition: nothing is missing, and what comes twice came before.
pub(crate) fn nothing_is_missing(street: &MemoryStore, ear: &MemoryStore, least: usize) {
    eventually("all is said", || count(&said(street)) >= least);
    let sets = |all: BTreeMap<u64, Vec<u64>>| -> BTreeMap<u64, BTreeSet<u64>> {
        all.into_iter().map(|(train, positions)| (train, positions.into_iter().collect())).collect()
    };
    let all = sets(said(street));
    let since = Stopwatch::start();
    while sets(heard(ear)) != all {
        assert!(since.elapsed() < PATIENCE, "not heard: {:?}", missing(street, ear));
        thread::park_timeout(LOOK_EVERY);
    }
}

/// The same where the topic was made anew meanwhile: each new one tells everything from the beginning, and it is heard
/// again. Nothing is missing, whatever is new is in order, and the last that was heard is the whole of the last topic.
pub(crate) fn each_is_heard_in_the_last_topic(street: &MemoryStore, ear: &MemoryStore, least: usize) {
    eventually("all is said", || count(&said(street)) >= least);
    eventually("all is heard of the last topic", || {
        let heard = heard(ear);
        said(street).iter().all(|(train, said)| heard.get(train).is_some_and(|heard| heard.ends_with(said)))
    });
    let first_heard = |positions: Vec<u64>| {
        let mut known = BTreeSet::new();
        positions.into_iter().filter(|position| known.insert(*position)).collect::<Vec<u64>>()
    };
    let first: BTreeMap<u64, Vec<u64>> =
        heard(ear).into_iter().map(|(train, positions)| (train, first_heard(positions))).collect();
    assert_eq!(first, said(street), "lost or out of order");
}

/// What was said and not heard: the train, and the positions of its shard's log.
fn missing(street: &MemoryStore, ear: &MemoryStore) -> Vec<(u64, Vec<u64>)> {
    let heard = heard(ear);
    let of_train = |(train, positions): (u64, Vec<u64>)| {
        let known = heard.get(&train);
        let missing =
            positions.into_iter().filter(|position| !known.is_some_and(|known| known.contains(position)));
        (train, missing.collect::<Vec<u64>>())
    };
    said(street).into_iter().map(of_train).filter(|(_, positions)| !positions.is_empty()).collect()
}
