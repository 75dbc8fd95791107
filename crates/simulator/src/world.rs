//! One world: what is in it, and what is looked at after every step.

use crate::accounts;
use crate::chance::Chance;
use crate::failure::{Breach, Failure};
use crate::fate::Fate;
use crate::lock;
use crate::observer::Observer;
use crate::people::People;
use crate::plan::Plan;
use crate::replica::{Ground, Replica};
use crate::road::Road;
use crate::setup::{Defence, Setup};
use crate::tally::Tally;
use crate::verdicts;
use engine::clock::{Clock, ManualClock, Timestamp};
use engine::log::LogId;
use engine::memory::MemoryStore;
use engine::store::Reader;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use wiring::{Readers, call, drive, payment, view};

/// When a world begins: any moment does.
const BEGINNING: Timestamp = Timestamp(1_795_472_466_964);

/// How many steps a failure tells of.
const LAST_STEPS: usize = 60;

/// Entities that change without saying so are looked at every so many steps.
const LOOK_AT_ALL_EVERY: usize = 40;

/// The operator's audit is had every so many steps, in the midst of everything.
const AUDIT_EVERY: usize = 70;

pub(crate) struct World {
    pub(crate) ground: Ground,
    pub(crate) chance: Chance,
    /// Nothing where one is down.
    pub(crate) replicas: Vec<Option<Replica>>,
    pub(crate) starts: u64,
    /// The topic, where the services hear each other over one.
    pub(crate) road: Option<Road>,
    pub(crate) observer: Observer,
    pub(crate) people: People,
    pub(crate) tally: Tally,
    /// By how much the clock was set back, all in all.
    pub(crate) set_back_ms: u64,
    step: usize,
    last: VecDeque<String>,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut chance = Chance::new(setup.seed);
        let plan = Plan::draw(setup, &mut chance);
        let groups = plan.layout.groups().into_iter();
        let stores: Vec<(Vec<&'static str>, MemoryStore)> = groups
            .map(|(_, services)| {
                let schemas: Vec<_> =
                    services.iter().map(|service| wiring::schema(service, plan.shards)).collect();
                (services, MemoryStore::new(&schemas, LogId(chance.draw())))
            })
            .collect();
        let observer = Observer::new(plan.may_repeat(), plan.shards, readers(&stores));
        let road = plan.topic.as_ref().map(|topic| Road::new(LogId(chance.draw()), topic.partitions));
        let fate = Fate::new(chance.fork(), &plan);
        let replicas = (0..plan.replicas).map(|_| None).collect();
        Self {
            ground: Ground {
                setup: setup.clone(),
                plan,
                stores,
                clock: Arc::new(ManualClock::starting_at(BEGINNING)),
                fate: Arc::new(Mutex::new(fate)),
            },
            chance,
            replicas,
            starts: 0,
            road,
            observer,
            people: People::default(),
            tally: Tally::default(),
            set_back_ms: 0,
            step: 0,
            last: VecDeque::new(),
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), Breach> {
        for place in 0..self.replicas.len() {
            self.start(place)?;
        }
        for step in 1..=self.ground.plan.steps {
            self.step = step;
            self.act()?;
            self.look()?;
            if step.is_multiple_of(LOOK_AT_ALL_EVERY) {
                self.look_at_all()?;
            }
            // Where order does not matter, a position does not tell what was read.
            if step.is_multiple_of(AUDIT_EVERY) && self.ground.plan.defence == Defence::Inbox {
                self.audit_moment(i64::MAX)?;
            }
        }
        self.finish()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ground.clock.now()
    }

    /// Everything that a step may have changed.
    pub(crate) fn look(&mut self) -> Result<(), Breach> {
        let mail = self.people.take_mail();
        for (service, id) in self.observer.look()? {
            if service == payment::NAME {
                accounts::check_book(&self.observer, id)?;
            }
        }
        for (submission, answer) in mail {
            self.trace(|| format!("submission {submission} is told {answer}"));
            self.wish_to_read(submission, &answer)?;
            verdicts::check_answer(&mut self.people, &self.observer, submission, answer)?;
        }
        self.check_reads()?;
        self.check_watched()
    }

    pub(crate) fn look_at_all(&mut self) -> Result<(), Breach> {
        self.observer.look_at_all()?;
        let payments: Vec<u64> = self.observer.payment.known.keys().copied().collect();
        payments.into_iter().try_for_each(|id| accounts::check_book(&self.observer, id))
    }

    /// Those who watch a call see what was committed.
    fn check_watched(&mut self) -> Result<(), Breach> {
        let watched = std::mem::take(&mut *lock(&self.people.watched));
        for (id, state) in watched {
            let history = self.observer.history(call::NAME, id);
            crate::failure::must(history.contains(&state), crate::failure::Kind::Reply, || {
                format!("call {id} was watched as {state}, which it never was")
            })?;
            self.tally.add("states watched", 1);
        }
        Ok(())
    }

    /// Notes what happens, for those who have to see why.
    pub(crate) fn trace(&mut self, line: impl FnOnce() -> String) {
        if self.last.len() == LAST_STEPS {
            self.last.pop_front();
        }
        let since = self.now().0 - BEGINNING.0;
        let line = format!("{:>4} +{since} ms: {}", self.step, line());
        if self.ground.setup.is_traced {
            eprintln!("{line}");
        }
        self.last.push_back(line);
    }

    pub(crate) fn into_tally(mut self) -> Tally {
        self.tally.add("worlds", 1);
        self.tally.add("steps", self.step as u64);
        self.tally.merge(&lock(&self.ground.fate).tally);
        if let Some(road) = &self.road {
            self.tally.merge(&road.broker.tally);
        }
        for (deadline, count) in self.observer.deadlines {
            self.tally.add(deadline, count);
        }
        for replica in self.replicas.iter().flatten() {
            self.tally.merge(&lock(&replica.courier).tally);
        }
        self.tally
    }

    pub(crate) fn into_failure(self, breach: Breach) -> Failure {
        Failure {
            plan: format!("{:?}", self.ground.plan),
            setup: self.ground.setup,
            step: self.step,
            breach,
            last: self.last.into(),
        }
    }
}

fn readers(stores: &[(Vec<&'static str>, MemoryStore)]) -> Readers {
    // One for each database, so that an audit sees which services share a moment.
    let each: Vec<Arc<dyn Reader>> = stores.iter().map(|(_, store)| store.reader()).collect();
    let of = |service: &str| {
        let place = stores.iter().position(|(services, _)| services.contains(&service));
        each[place.expect("a layout has a place for every service")].clone()
    };
    Readers { call: of(call::NAME), payment: of(payment::NAME), drive: of(drive::NAME), view: of(view::NAME) }
}
