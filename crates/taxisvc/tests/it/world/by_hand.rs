//! The same services over stores in memory, turned by hand: for the one order of things that HTTP cannot force.

use super::{Money, Standing};
use engine::bus::{Delivery, Tail};
use engine::clock::{Clock, ManualClock, Timestamp};
use engine::handle::{Handle, Reply, Request};
use engine::idempotency::{Idempotency, RequestKey};
use engine::lane::LaneSettings;
use engine::log::{EntityKey, LogId, Origin, Recorded, ShardName};
use engine::memory::{Fault, MemoryStore};
use engine::runner::Turn;
use engine::store::{Reader, Stored};
use provider::book::Account;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use taxi::distance::Meters;
use taxi::id::CallId;
use taxi::rider::Rider;
use taxi::rules::Rules;
use wiring::audit::{Options as AuditOptions, Report, audit_readers};
use wiring::provider::Delay;
use wiring::{Assembly, Database, Handles, Layout, Options, schema};

pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A system that has not come to rest by then never will.
const TURNS_MAX: usize = 20_000;
/// How often a client repeats a request whose answer it did not get.
const ATTEMPTS_MAX: usize = 1_000;

/// What is different in one test.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) layout: Layout,
    /// Whether the inbox drops what it has seen.
    pub(crate) deduplicate: bool,
    pub(crate) provider: provider::settings::Settings,
    pub(crate) rules: Rules,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            layout: Layout::Apart,
            deduplicate: true,
            provider: provider::settings::Settings { obey_test_methods: true, ..Default::default() },
            rules: Rules::default(),
        }
    }
}

/// Makes the road of one process's life.
type Road = Box<dyn Fn() -> Box<dyn Delivery>>;
type Plan = Box<dyn FnMut(u64) -> Option<Fault> + Send>;
type Databases = Vec<(Vec<&'static str>, MemoryStore)>;

/// The system.
pub(crate) struct ByHand {
    setup: Setup,
    databases: Databases,
    clock: Arc<ManualClock>,
    answers: Arc<Answers>,
    commits: Arc<Commits>,
    road: Road,
    assembly: Assembly,
    down: BTreeSet<&'static str>,
    requests: u64,
    /// How often the process was started.
    pub(crate) lives: u64,
}

impl ByHand {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        Self::on(setup, Box::new(|| Box::new(Honest)))
    }

    /// With whatever carries the events from one service to the other.
    pub(crate) fn on(setup: Setup, road: Road) -> Self {
        let groups = setup.layout.groups().into_iter().zip(7..);
        let databases = groups.map(|((_, services), log)| {
            let schemas: Vec<_> = services.iter().map(|service| schema(service, 1)).collect();
            (services, MemoryStore::new(&schemas, LogId(log)))
        });
        let databases: Databases = databases.collect();
        let clock = Arc::new(ManualClock::starting_at(START));
        let answers = Arc::new(Answers { clock: clock.clone(), waiting: Mutex::default() });
        let commits = Arc::new(Commits(Mutex::new((0, Box::new(|_| None)))));
        let assembly = assemble(&setup, &databases, (&clock, &answers, &commits), 1);
        assembly.bus.deliver_by(road());
        let down = BTreeSet::new();
        Self { setup, databases, clock, answers, commits, road, assembly, down, requests: 0, lives: 1 }
    }

    /// Has the commits suffer what the plan says of their numbers, counted from 1 from now on.
    pub(crate) fn plan_faults(&self, plan: impl FnMut(u64) -> Option<Fault> + Send + 'static) {
        *self.commits.0.lock().unwrap() = (0, Box::new(plan));
    }

    /// How many commits were tried since the faults were planned.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.0.lock().unwrap().0
    }

    /// The process dies, with all that it had in memory, and another one begins on the same data.
    pub(crate) fn start_again(&mut self) {
        self.lives += 1;
        for (_, store) in &self.databases {
            store.arrive();
        }
        self.answers.waiting.lock().unwrap().clear();
        let parts = (&self.clock, &self.answers, &self.commits);
        self.assembly = assemble(&self.setup, &self.databases, parts, self.lives);
        self.assembly.bus.deliver_by((self.road)());
    }

    /// Deadlines of calls that passed in this life, by timer.
    pub(crate) fn deadlines_passed(&self) -> Vec<(&'static str, u64)> {
        let place = self.databases.iter().position(|(services, _)| services.contains(&"call"));
        self.assembly.runners[place.expect("calls lie in one of the databases")].stats().deadlines.read()
    }

    /// A service, with those who share its database, does nothing until it goes on.
    pub(crate) fn stop(&mut self, service: &'static str) {
        self.down.insert(service);
    }

    pub(crate) fn go_on(&mut self, service: &'static str) {
        self.down.remove(service);
        self.settle();
    }

    /// Turns the runner of a service once. Says whether there was anything to do.
    pub(crate) fn turn(&mut self, service: &str) -> bool {
        let place = self.databases.iter().position(|(services, _)| services.contains(&service));
        self.turn_at(place.expect("every service lies in one of the databases"))
    }

    fn turn_at(&mut self, place: usize) -> bool {
        if self.databases[place].0.iter().any(|service| self.down.contains(service)) {
            return false;
        }
        match self.assembly.runners[place].turn() {
            Ok(Turn::Idle) => false,
            Ok(Turn::Worked | Turn::Unavailable) => true,
            Err(_) => {
                self.start_again();
                true
            }
        }
    }

    /// Turns every runner once. Says whether there was anything to do.
    pub(crate) fn turn_all(&mut self) -> bool {
        let worked: Vec<bool> = (0..self.databases.len()).map(|place| self.turn_at(place)).collect();
        worked.contains(&true)
    }

    /// Turns until nothing is left to do before the clock moves.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn_all() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Time passes, in steps of a second at most, and everybody does what is due.
    pub(crate) fn pass_ms(&mut self, duration_ms: i64) {
        let mut left = duration_ms;
        while left > 0 {
            let step = left.min(SECOND_MS);
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

    /// Lets time pass until every call is over and nothing is on its way.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        self.settle();
        for _ in 0..600 {
            if self.is_over() {
                return;
            }
            self.leap_ms(SECOND_MS);
        }
        panic!("it never comes to an end: {}", self.report());
    }

    /// Whether nothing is waited for any more.
    fn is_over(&self) -> bool {
        let mut is_over = self.report().in_flight() == 0;
        for (services, store) in &self.databases {
            let snapshot = store.snapshot().unwrap();
            for service in services {
                let mut look = |row: engine::store::EntityRow| {
                    is_over &= row.timer.is_none() && row.effects_open.is_empty();
                    engine::store::Visit::On
                };
                snapshot.entities(service, &mut look).unwrap();
            }
        }
        is_over
    }

    /// The oldest answer of the provider that is on its way arrives. Says whether there was one.
    pub(crate) fn answer_arrives(&self) -> bool {
        self.answers.arrive_first()
    }

    /// How many answers of the provider are on their way.
    pub(crate) fn answers_on_their_way(&self) -> usize {
        self.answers.waiting.lock().unwrap().len()
    }

    /// A rider calls, again and again until there is an answer.
    #[track_caller]
    pub(crate) fn place(&mut self, id: u64, kilometers: &str, method: Option<&str>) {
        let reply = self.ask(|handles| &handles.call, "POST /calls", || request(id, kilometers, method));
        assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    }

    /// A rider cancels, again and again until there is an answer.
    pub(crate) fn cancel(&mut self, id: u64) -> Result<(), taxi::call::Refusal> {
        let cancel = || taxi::call::Command::Cancel(call_id(id));
        result(self.ask(|handles| &handles.call, "POST /calls/cancel", cancel))
    }

    /// A driver ends a ride, again and again until there is an answer.
    pub(crate) fn end(&mut self, id: u64) -> Result<(), taxi::drive::Refusal> {
        let end = || taxi::drive::Command::End(call_id(id));
        result(self.ask(|handles| &handles.drive, "POST /drives/end", end))
    }

    /// Puts a call before the call service, which has not looked at it when this returns.
    pub(crate) fn hand_in_call(&self, id: u64, kilometers: &str, method: Option<&str>) {
        hand_in(&self.assembly.handles.call, request(id, kilometers, method));
    }

    /// Puts a cancellation before the call service, which has not looked at it when this returns.
    pub(crate) fn hand_in_cancel(&self, id: u64) {
        hand_in(&self.assembly.handles.call, taxi::call::Command::Cancel(call_id(id)));
    }

    /// Puts the end of a ride before the drive service, which has not looked at it when this returns.
    pub(crate) fn hand_in_end(&self, id: u64) {
        hand_in(&self.assembly.handles.drive, taxi::drive::Command::End(call_id(id)));
    }

    /// Gives a command as a client does that keeps asking under one key until it is answered.
    #[track_caller]
    fn ask<S: engine::Service>(
        &mut self,
        handle: fn(&Handles) -> &Handle<S>,
        route: &'static str,
        command: impl Fn() -> S::Command,
    ) -> Reply<S::State, S::Refusal> {
        self.requests += 1;
        let key = format!("request-{}", self.requests);
        for _ in 0..ATTEMPTS_MAX {
            let heard = Arc::new(Mutex::new(None));
            let tell = heard.clone();
            let request = Request {
                command: command(),
                origin: Origin::request("rider", key.clone()),
                idempotency: Some(Idempotency {
                    request: RequestKey { route, key: key.clone() },
                    fingerprint: [7; 16],
                }),
                reply: Box::new(move |reply| *tell.lock().unwrap() = Some(reply)),
            };
            handle(&self.assembly.handles).submit(request).expect("the queue has room");
            let life = self.lives;
            for _ in 0..TURNS_MAX {
                self.turn_all();
                match heard.lock().unwrap().take() {
                    // The process died before it looked at it.
                    Some(Reply::NotStored(_)) => break,
                    Some(reply) => return reply,
                    None => {}
                }
                if self.lives != life {
                    break;
                }
            }
        }
        panic!("{key} is never answered");
    }

    fn entity<T: DeserializeOwned>(&self, service: &'static str, kind: &'static str, id: u64) -> Option<T> {
        let key = EntityKey { kind, id };
        let row = self.store(service).get(service, key).unwrap();
        row.map(|row| serde_json::from_str(&row.state).expect("a state is read as it was written"))
    }

    fn store(&self, service: &str) -> &MemoryStore {
        let found = self.databases.iter().find(|(services, _)| services.contains(&service));
        &found.expect("every service lies in one of the databases").1
    }

    pub(crate) fn call(&self, id: u64) -> Option<taxi::call::Call> {
        self.entity(wiring::call::NAME, wiring::call::NAME, id)
    }

    pub(crate) fn payment(&self, id: u64) -> Option<taxi::payment::Payment> {
        self.entity(wiring::payment::NAME, wiring::payment::NAME, id)
    }

    pub(crate) fn drive(&self, id: u64) -> Option<taxi::drive::Drive> {
        self.entity(wiring::drive::NAME, wiring::drive::NAME, id)
    }

    pub(crate) fn view(&self, id: u64) -> Option<taxi::view::CallView> {
        self.entity(wiring::view::NAME, wiring::view::NAME, id)
    }

    /// The provider's account of a call.
    pub(crate) fn account(&self, id: u64) -> Option<Account> {
        self.entity(wiring::provider::NAME, wiring::provider::ACCOUNT, id)
    }

    /// How the services say that a call stands.
    pub(crate) fn standing(&self, id: u64) -> Standing {
        [
            or_none(self.call(id).map(|call| call.call_status.as_str())),
            or_none(self.payment(id).map(|payment| payment.pay_status.as_str())),
            or_none(self.drive(id).map(|drive| drive.drive_status.as_str())),
        ]
    }

    /// How the view says that a call stands.
    pub(crate) fn view_standing(&self, id: u64) -> Standing {
        let view = self.view(id);
        let view = view.as_ref();
        [
            or_none(view.and_then(|view| view.call_status).map(|status| status.as_str())),
            or_none(view.and_then(|view| view.pay_status).map(|status| status.as_str())),
            or_none(view.and_then(|view| view.drive_status).map(|status| status.as_str())),
        ]
    }

    /// The services, and the view, say that a call stands so.
    #[track_caller]
    pub(crate) fn assert_standing(&self, id: u64, standing: [&str; 3]) {
        assert_eq!(self.standing(id), standing, "call {id}");
        assert_eq!(self.view_standing(id), standing, "the view of call {id}");
    }

    /// Every event in the log of a service, private ones too.
    pub(crate) fn log(&self, service: &'static str) -> Vec<Recorded> {
        self.store(service).events_after(ShardName { service, index: 0 }, 0, usize::MAX).unwrap()
    }

    /// The published events of a call: call's own, then payment's, then drive's.
    pub(crate) fn told(&self, id: u64) -> Vec<String> {
        let logs = wiring::TELLING.iter().flat_map(|service| self.log(service));
        let own = logs.filter(|event| event.published && event.entity_id == id);
        own.map(|event| event.event_type.into_owned()).collect()
    }

    /// How often an event is in the logs, private ones too.
    pub(crate) fn times_said(&self, event_type: &str) -> usize {
        let logs = wiring::TELLING.iter().flat_map(|service| self.log(service));
        logs.filter(|event| event.event_type == event_type).count()
    }

    pub(crate) fn report(&self) -> Report {
        let now = Some(self.clock.now());
        audit_readers(&self.assembly.readers, now, &AuditOptions::default()).expect("memory can be read")
    }

    /// Checks every invariant, and tells the money.
    #[track_caller]
    pub(crate) fn audit(&self) -> Money {
        let report = self.report();
        assert!(report.is_clean(), "{report}");
        let won = |amount: i128| i64::try_from(amount).expect("few rides are paid here");
        Money {
            taken: won(report.money.taken),
            held: won(report.money.held),
            earned: won(report.money.earned),
            returned: won(report.money.returned),
            at_provider: won(report.money.at_provider),
        }
    }
}

fn assemble(
    setup: &Setup,
    databases: &Databases,
    (clock, answers, commits): (&Arc<ManualClock>, &Arc<Answers>, &Arc<Commits>),
    life: u64,
) -> Assembly {
    let opened = databases.iter().map(|(services, store)| {
        let commits = commits.clone();
        let writer = store.faulty_writer(move || commits.next());
        Database { services: services.clone(), store: writer, reader: store.reader() }
    });
    let options = Options {
        rules: setup.rules,
        provider: setup.provider.clone(),
        lane: LaneSettings { deduplicate: setup.deduplicate, ..LaneSettings::default() },
        shards: 1,
        first_call: 1,
        replica: life << 32,
        clock: clock.clone(),
        delay: answers.clone(),
    };
    wiring::assemble(opened.collect(), &options).expect("a store in memory can be read")
}

/// Counts commits, and plans what becomes of them.
struct Commits(Mutex<(u64, Plan)>);

impl Commits {
    fn next(&self) -> Option<Fault> {
        let mut commits = self.0.lock().unwrap();
        commits.0 += 1;
        let number = commits.0;
        (commits.1)(number)
    }
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

    fn arrive_first(&self) -> bool {
        let mut waiting = self.waiting.lock().unwrap();
        let first = if waiting.is_empty() { None } else { Some(waiting.remove(0)) };
        drop(waiting);
        let is_one = first.is_some();
        first.into_iter().for_each(|(_, tell)| tell());
        is_one
    }
}

/// Each event once and in order, as the bus of a process delivers by itself.
struct Honest;

impl Delivery for Honest {
    fn deliver(&self, _: ShardName, tail: &Tail, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        tail.read(after, limit)
    }
}

pub(crate) fn call_id(id: u64) -> CallId {
    CallId::new(id).expect("the test names a call")
}

fn request(id: u64, kilometers: &str, method: Option<&str>) -> taxi::call::Command {
    let meters = Meters::parse(kilometers).expect("the test names a distance");
    taxi::call::Command::Request(taxi::call::Request {
        call_id: call_id(id),
        rider: Rider::new("1", "eojin").expect("the test names a rider"),
        meters,
        fare: Rules::default().tariff.fare(meters),
        payment_method: method.map(str::to_owned),
    })
}

fn hand_in<S: engine::Service>(handle: &Handle<S>, command: S::Command) {
    let origin = Origin::request("rider", "by hand".to_owned());
    let request = Request { command, origin, idempotency: None, reply: Box::new(|_| ()) };
    handle.submit(request).expect("the queue has room");
}

fn result<State: std::fmt::Debug, Refusal: std::fmt::Debug>(
    reply: Reply<State, Refusal>,
) -> Result<(), Refusal> {
    match reply {
        Reply::Done { .. } => Ok(()),
        Reply::Refused { refusal, .. } => Err(refusal),
        Reply::KeyReused | Reply::NotStored(_) | Reply::NoRoom | Reply::Bug(_) => panic!("{reply:?}"),
    }
}

fn or_none(status: Option<&str>) -> String {
    status.unwrap_or("-").to_owned()
}
