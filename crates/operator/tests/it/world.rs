//! All services over stores in memory, a database each, turned by hand.

use crate::past::{Lens, seen_through};
use crate::situations::CALL;
use engine::clock::{Clock, ManualClock, Timestamp};
use engine::handle::{Handle, Request};
use engine::lane::LaneSettings;
use engine::log::{Cause, LogId, Origin};
use engine::memory::MemoryStore;
use engine::runner::Turn;
use operator::explain::{Agreement, Explanation, explain};
use operator::language::Language;
use provider::settings::Settings;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use taxi::distance::Meters;
use taxi::id::CallId;
use taxi::rider::Rider;
use taxi::rules::Rules;
use wiring::business::Business;
use wiring::provider::Delay;
use wiring::{Assembly, Database, Layout, Options, Readers, assemble_with, schema};

/// 2026-11-24, 19:44:00 in Korea.
const START: Timestamp = Timestamp(1_795_517_040_000);
pub(crate) const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How long a turn takes, so that one thing happens after the other.
const TURN_MS: i64 = 4;
const TURNS_MAX: usize = 1_000;

pub(crate) struct World {
    services: Vec<Vec<&'static str>>,
    clock: Arc<ManualClock>,
    answers: Arc<Answers>,
    pub(crate) assembly: Assembly,
    rules: Rules,
    down: BTreeSet<&'static str>,
    /// How it is looked at in the end.
    pub(crate) lens: Option<Lens>,
    requests: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Rules::default(), &Business::default())
    }

    pub(crate) fn with(rules: Rules, business: &Business) -> Self {
        Self::built((rules, business), 200)
    }

    /// With a provider that takes its time.
    pub(crate) fn slow(delay_ms: u64) -> Self {
        Self::built((Rules::default(), &Business::default()), delay_ms)
    }

    fn built((rules, business): (Rules, &Business), delay_ms: u64) -> Self {
        let clock = Arc::new(ManualClock::starting_at(START));
        let answers = Arc::new(Answers { clock: clock.clone(), waiting: Mutex::default() });
        let mut services = Vec::new();
        let databases = Layout::Apart.groups().into_iter().zip(7..).map(|((_, group), log)| {
            let schemas: Vec<_> = group.iter().map(|service| schema(service, 2)).collect();
            let store = MemoryStore::new(&schemas, LogId(log));
            services.push(group.clone());
            Database { services: group, store: store.writer(), reader: store.reader() }
        });
        let options = Options {
            rules,
            provider: Settings {
                obey_test_methods: true,
                delay_ms_min: delay_ms,
                delay_ms_max: delay_ms,
                ..Settings::default()
            },
            lane: LaneSettings::default(),
            shards: 2,
            first_call: 1,
            replica: 1,
            clock: clock.clone(),
            delay: answers.clone(),
        };
        let databases: Vec<Database> = databases.collect();
        let assembly = assemble_with(databases, &options, business).expect("a store in memory can be read");
        Self { services, clock, answers, assembly, rules, down: BTreeSet::new(), lens: None, requests: 0 }
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.assembly.readers
    }

    /// A service, with those who share its database, does nothing until it goes on.
    pub(crate) fn stop(&mut self, service: &'static str) {
        self.down.insert(service);
    }

    pub(crate) fn go_on(&mut self, service: &'static str) {
        self.down.remove(service);
        self.settle();
    }

    /// Turns until nothing is left to do before more time passes.
    pub(crate) fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn() {
                return;
            }
            self.look();
            self.clock.advance_ms(TURN_MS);
        }
        panic!("it never comes to rest");
    }

    /// At every moment, whatever differs is explained by what is on its way.
    fn look(&self) {
        let Some(explanation) = self.explain_if_known(CALL) else { return };
        let (money, view) = (&explanation.money, &explanation.view);
        assert_ne!(money.agrees, Agreement::Differs, "{}", explanation.text(Language::English));
        assert_ne!(view.agrees, Agreement::Differs, "{}", explanation.text(Language::English));
        assert_eq!(money.taken, money.held + money.earned + money.returned);
    }

    fn turn(&mut self) -> bool {
        let mut worked = false;
        for (services, runner) in self.services.iter().zip(&mut self.assembly.runners) {
            if services.iter().any(|service| self.down.contains(service)) {
                continue;
            }
            worked |= runner.turn().expect("a store in memory does not fail") != Turn::Idle;
        }
        worked
    }

    /// Time passes, in steps of 100 ms at most, and everybody does what is due.
    pub(crate) fn pass_ms(&mut self, duration_ms: i64) {
        let mut left = duration_ms;
        while left > 0 {
            let step = left.min(100);
            left -= step;
            self.leap_ms(step);
        }
    }

    /// The same in one leap, for hours in which nothing else happens.
    pub(crate) fn leap_ms(&mut self, duration_ms: i64) {
        self.clock.advance_ms(duration_ms);
        self.answers.arrive();
        self.settle();
    }

    /// A rider calls, and the provider has the time to answer.
    pub(crate) fn call(&mut self, id: u64, kilometers: &str, method: Option<&str>) {
        let meters = Meters::parse(kilometers).expect("the test names a distance");
        let request = taxi::call::Command::Request(taxi::call::Request {
            call_id: call_id(id),
            rider: Rider::new("1", "eojin").expect("the test names a rider"),
            meters,
            fare: self.rules.tariff.fare(meters),
            payment_method: method.map(str::to_owned),
        });
        let origin = self.origin("rider");
        submit(&self.assembly.handles.call, request, origin);
        self.settle();
        self.pass_ms(500);
    }

    pub(crate) fn cancel(&mut self, id: u64, actor: &'static str) {
        let origin = self.origin(actor);
        submit(&self.assembly.handles.call, taxi::call::Command::Cancel(call_id(id)), origin);
        self.settle();
    }

    /// An operator passes over the first dead letter that waits.
    pub(crate) fn skip(&mut self, reason: &str) {
        let wanted = operator::letters::Wanted { skipped: false, limit: 1 };
        let list = operator::letters::list(self.readers(), wanted).expect("a store in memory can be read");
        let first = list.dead_letters.into_iter().next().expect("a message was put aside");
        let place = (first.shard, first.number);
        let handles = &self.assembly.handles;
        match first.service {
            "call" => handles.call.skip_dead_letter(place, "operator", reason, |_| ()),
            "payment" => handles.payment.skip_dead_letter(place, "operator", reason, |_| ()),
            _ => handles.drive.skip_dead_letter(place, "operator", reason, |_| ()),
        }
        self.pass_ms(2 * SECOND_MS);
    }

    pub(crate) fn end(&mut self, id: u64, actor: &'static str) {
        let origin = self.origin(actor);
        submit(&self.assembly.handles.drive, taxi::drive::Command::End(call_id(id)), origin);
        self.settle();
    }

    /// Another call service asks for a fare.
    pub(crate) fn pay(&mut self, id: u64, fare: i64) {
        let fare = taxi::money::Won(fare);
        let pay = taxi::payment::Command::PayNow { call_id: call_id(id), fare };
        let origin = self.origin("system");
        submit(&self.assembly.handles.payment, pay, origin);
        self.settle();
        self.pass_ms(500);
    }

    /// Another call service gives up waiting.
    pub(crate) fn give_up(&mut self, id: u64) {
        let origin = self.origin("system");
        submit(&self.assembly.handles.payment, taxi::payment::Command::GiveUp(call_id(id)), origin);
        self.settle();
    }

    /// Payment hears that the ride is over.
    pub(crate) fn ride_over(&mut self, id: u64) {
        let origin = self.origin("system");
        submit(&self.assembly.handles.payment, taxi::payment::Command::RideOver(call_id(id)), origin);
        self.settle();
    }

    fn origin(&mut self, actor: &'static str) -> Origin {
        self.requests += 1;
        let id = self.requests * 0x1f3a_77c1;
        Origin {
            actor: Cow::Borrowed(actor),
            cause: Cause::Request(format!("{id:016x}")),
            trace: Some(format!("00-{id:032x}-{id:016x}-01")),
        }
    }

    #[track_caller]
    pub(crate) fn explain(&self, id: u64) -> Explanation {
        self.explain_if_known(id).unwrap_or_else(|| panic!("nobody has heard of call {id}"))
    }

    pub(crate) fn explain_if_known(&self, id: u64) -> Option<Explanation> {
        let seen = self.lens.as_ref().map(|lens| seen_through(self.readers(), lens));
        let readers = seen.as_ref().unwrap_or(self.readers());
        explain(readers, call_id(id), self.clock.now(), &self.rules).expect("memory can be read")
    }
}

pub(crate) fn call_id(id: u64) -> CallId {
    CallId::new(id).expect("the test names a call")
}

fn submit<S: engine::Service>(handle: &Handle<S>, command: S::Command, origin: Origin) {
    let request = Request { command, origin, idempotency: None, reply: Box::new(|_| ()) };
    handle.submit(request).expect("the queue has room");
}

type Tell = Box<dyn FnOnce() + Send>;

/// The provider's answers that are on their way.
struct Answers {
    clock: Arc<ManualClock>,
    waiting: Mutex<Vec<(Timestamp, Tell)>>,
}

impl Delay for Answers {
    fn after(&self, delay_ms: u64, then: Tell) {
        let due = self.clock.now().plus_ms(i64::try_from(delay_ms).expect("delays are short here"));
        self.waiting.lock().unwrap().push((due, then));
    }
}

impl Answers {
    /// Those whose time has come arrive.
    fn arrive(&self) {
        let now = self.clock.now();
        let mut waiting = self.waiting.lock().unwrap();
        let (due, later): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|(due, _)| *due <= now);
        *waiting = later;
        drop(waiting);
        due.into_iter().for_each(|(_, tell)| tell());
    }
}
