//! A whole small world of one call, through every interleaving of messages, answers, timers and people.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use taxi::call::{self, Call};
use taxi::drive::{self, Drive};
use taxi::event::{CallEvent, Event};
use taxi::money::Won;
use taxi::payment::{self, Payment, TakeAnswer};
use taxi::rules::Rules;
use taxi::status::{CallStatus, DriveStatus};
use taxi::view::project;

use crate::desk::{Entity, NOW, call_id, calls, drives, payments, request};

/// What a deadline says, in the word that cancels.
const LAPSED: &str = "CancelRequested by a deadline";

/// Who hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hearer {
    Call,
    Payment,
    Drive,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An event arrives; for good, or to arrive again.
    Arrives {
        hearer: Hearer,
        event: &'static str,
        again: bool,
    },
    TakeAnswered(TakeAnswer),
    BackAnswered,
    CallTimer(&'static str),
    PaymentTimer(&'static str),
    DriveTimer(&'static str),
    RiderAsks,
    RiderCancels,
    DriverEnds,
}

#[derive(Clone)]
struct World {
    rules: Rules,
    kilometers: &'static str,
    call: Entity<Call>,
    payment: Entity<Payment>,
    drive: Entity<Drive>,
    /// Everything published, by its name.
    said: BTreeMap<&'static str, Event>,
    on_its_way: BTreeSet<(Hearer, &'static str)>,
    take_ordered: bool,
    back_ordered: bool,
    /// The provider's book: what it answered, and answers for ever.
    take: Option<TakeAnswer>,
    back: bool,
    /// How it came to this.
    path: Vec<Step>,
}

/// Tells the shortest way to a broken promise.
struct TellWhenBroken<'a>(&'a [Step]);

impl Drop for TellWhenBroken<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("broken after {:#?}", self.0);
        }
    }
}

impl World {
    fn new(kilometers: &'static str) -> Self {
        let mut world = Self {
            rules: Rules::default(),
            kilometers,
            call: Entity::absent(),
            payment: Entity::absent(),
            drive: Entity::absent(),
            said: BTreeMap::new(),
            on_its_way: BTreeSet::new(),
            take_ordered: false,
            back_ordered: false,
            take: None,
            back: false,
            path: Vec::new(),
        };
        world.tell_call(&call::Command::Request(request(kilometers)));
        world
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::RiderAsks, Step::RiderCancels, Step::DriverEnds];
        for (hearer, event) in &self.on_its_way {
            for again in [true, false] {
                steps.push(Step::Arrives { hearer: *hearer, event, again });
            }
        }
        if self.take_ordered {
            let answers =
                self.take.map_or(vec![TakeAnswer::Taken, TakeAnswer::Refused], |answer| vec![answer]);
            steps.extend(answers.into_iter().map(Step::TakeAnswered));
        }
        if self.back_ordered && self.take.is_some() {
            steps.push(Step::BackAnswered);
        }
        steps.extend(self.call.timer.map(Step::CallTimer));
        steps.extend(self.payment.timer.map(Step::PaymentTimer));
        steps.extend(self.drive.timer.map(Step::DriveTimer));
        steps
    }

    fn take_step(&mut self, step: Step) {
        let call_id = call_id();
        match step {
            Step::Arrives { hearer, event, again } => self.arrive(hearer, event, again),
            Step::TakeAnswered(answer) => {
                self.take = Some(answer);
                self.tell_payment(&payment::Command::TakeAnswered { call_id, answer });
            }
            Step::BackAnswered => {
                self.back = true;
                self.tell_payment(&payment::Command::BackAnswered(call_id));
            }
            Step::CallTimer(name) => {
                self.tell_call(&call::Command::TimerDue { call_id, timer: name.to_owned() });
            }
            Step::PaymentTimer(name) => {
                self.tell_payment(&payment::Command::TimerDue { call_id, timer: name.to_owned() });
            }
            Step::DriveTimer(name) => {
                self.tell_drive(&drive::Command::TimerDue { call_id, timer: name.to_owned() });
            }
            Step::RiderAsks => self.tell_call(&call::Command::Request(request(self.kilometers))),
            Step::RiderCancels => self.tell_call(&call::Command::Cancel(call_id)),
            Step::DriverEnds => self.tell_drive(&drive::Command::End(call_id)),
        }
    }

    fn arrive(&mut self, hearer: Hearer, event: &'static str, again: bool) {
        if !again {
            self.on_its_way.remove(&(hearer, event));
        }
        let event = self.said[event].clone();
        match hearer {
            Hearer::Call => self.tell_call(&call::policy::policy(&event).unwrap()),
            Hearer::Payment => self.tell_payment(&payment::policy::policy(&event).unwrap()),
            Hearer::Drive => self.tell_drive(&drive::policy::policy(&event).unwrap()),
        }
    }

    fn tell_call(&mut self, command: &call::Command) {
        if let Ok(decision) = calls().tell(&mut self.call, command, &self.rules) {
            self.publish(decision.events);
        }
    }

    fn tell_payment(&mut self, command: &payment::Command) {
        let Ok(decision) = payments().tell(&mut self.payment, command, &self.rules) else {
            return;
        };
        for effect in decision.effects {
            let ordered = match effect {
                payment::Effect::Take(_) => &mut self.take_ordered,
                payment::Effect::Back(_) => &mut self.back_ordered,
            };
            assert!(!*ordered, "the provider is asked once for each errand");
            *ordered = true;
        }
        self.publish(decision.events);
    }

    fn tell_drive(&mut self, command: &drive::Command) {
        if let Ok(decision) = drives().tell(&mut self.drive, command, &self.rules) {
            self.publish(decision.events);
        }
    }

    fn publish(&mut self, events: Vec<Event>) {
        for event in events.into_iter().filter(Event::is_published) {
            let name = name_of(&event);
            let heard = [
                (Hearer::Call, call::policy::policy(&event).is_some()),
                (Hearer::Payment, payment::policy::policy(&event).is_some()),
                (Hearer::Drive, drive::policy::policy(&event).is_some()),
            ];
            self.on_its_way
                .extend(heard.into_iter().filter(|(_, hears)| *hears).map(|(hearer, _)| (hearer, name)));
            assert!(self.said.insert(name, event).is_none(), "{name} is said once");
        }
    }

    /// What must hold after every step.
    fn check(&self) {
        if let Some(payment) = &self.payment.state {
            payment::check(payment).unwrap();
        }
        let both = |one: &str, other: &str| self.said.contains_key(one) && self.said.contains_key(other);
        for (one, other) in [
            ("FarePaid", "PaymentFailed"),
            ("DriveEnded", "DriveCancelled"),
            ("DriveEnded", "DriveNotAvailable"),
            ("DriveStarted", "DriveNotAvailable"),
            ("DriveEnded", "CallCancelled"),
            ("DriveEnded", "FareRefunded"),
        ] {
            assert!(!both(one, other), "{one} and {other}");
        }
        if both("DriveStarted", "DriveCancelled") {
            let is_wanted =
                ["CancelRequested", "FareRefunded"].iter().any(|word| self.said.contains_key(word));
            assert!(is_wanted, "no clock ends a ride");
        }
        let call = self.call.state.as_ref().unwrap();
        assert_eq!(call.settled.is_some(), call.call_status > CallStatus::PayRequest);
        assert_eq!(call.placed, self.said.contains_key("CallPlaced"));
    }

    /// Nothing is under way between the services any more.
    fn is_quiet(&self) -> bool {
        let answered = |ordered: bool, answered: bool| !ordered || answered;
        self.on_its_way.is_empty()
            && answered(
                self.take_ordered,
                self.payment.state.as_ref().is_some_and(|payment| payment.take != payment::Errand::Out),
            )
            && answered(self.back_ordered, self.back)
    }

    /// What must hold when all has been said: everybody agrees, and the money is where it belongs.
    fn check_quiet(&self) {
        let call = self.call.state.as_ref().unwrap();
        let payment = self.payment.state.as_ref().unwrap();
        let view = self.said.values().fold(None, |view, event| project(view, event, NOW)).unwrap();
        assert_eq!(view.call_status, Some(call.call_status));
        assert_eq!(view.drive_status, self.drive.state.as_ref().map(|drive| drive.drive_status));
        let book = if self.take == Some(TakeAnswer::Taken) && !self.back { payment.fare } else { Won::ZERO };
        assert_eq!(payment.accounts.rider, -book, "the ledger and the provider's book agree");
        match call.call_status {
            CallStatus::PayRequest | CallStatus::DriveRequest => {
                panic!("a call is stuck in {}", call.call_status)
            }
            CallStatus::DriveStart => {
                assert_eq!(view.drive_status, Some(DriveStatus::Start));
                assert_eq!(payment.accounts.held, payment.fare);
            }
            CallStatus::PayFail => assert_eq!(book, Won::ZERO, "nobody pays for a failed payment"),
            // A deadline has passed, and drive alone knew that a taxi was on its way.
            CallStatus::RequestCancel if call.lapsed && view.drive_status == Some(DriveStatus::Start) => {
                assert_eq!(payment.accounts.held, payment.fare);
            }
            CallStatus::RequestCancel => {
                assert!(call.cancelled, "a cancellation ends");
                assert_eq!(book, Won::ZERO, "nobody pays for a cancelled call");
            }
            CallStatus::DriveComplete => assert_eq!(payment.accounts.earned, payment.fare),
        }
    }

    /// All that the future depends on.
    fn fingerprint(&self) -> String {
        let Self { call, payment, drive, on_its_way, .. } = self;
        let states = serde_json::to_string(&(&call.state, &payment.state, &drive.state)).unwrap();
        let timers = (call.timer, payment.timer, drive.timer);
        let said: Vec<&&str> = self.said.keys().collect();
        let provider = (self.take_ordered, self.back_ordered, self.take, self.back);
        format!("{states}{timers:?}{said:?}{on_its_way:?}{provider:?}")
    }
}

/// An event is said once, but for a cancellation that a deadline and then somebody else asks for.
fn name_of(event: &Event) -> &'static str {
    match event {
        Event::Call(CallEvent::CancelRequested(body)) if body.reason.is_some() => LAPSED,
        Event::Call(_) | Event::Payment(_) | Event::Drive(_) => event.type_name(),
    }
}

/// Walks through every world that can be reached; tells how many, and in how many all has been said.
fn explore(kilometers: &'static str) -> (usize, usize, BTreeSet<&'static str>) {
    let start = World::new(kilometers);
    let mut seen = HashSet::from([start.fingerprint()]);
    let mut to_visit = VecDeque::from([start]);
    let mut quiet = 0;
    let mut endings = BTreeSet::new();
    while let Some(world) = to_visit.pop_front() {
        let _guard = TellWhenBroken(&world.path);
        world.check();
        if world.is_quiet() {
            world.check_quiet();
            quiet += 1;
            endings.extend(world.call.state.as_ref().map(call::tag));
        }
        for step in world.steps() {
            let mut next = world.clone();
            next.path.push(step);
            let path = next.path.clone();
            let _guard = TellWhenBroken(&path);
            next.take_step(step);
            if seen.insert(next.fingerprint()) {
                to_visit.push_back(next);
            }
        }
    }
    (seen.len(), quiet, endings)
}

#[test]
fn every_interleaving_of_a_call_keeps_the_promises() {
    let (worlds, quiet, endings) = explore("10");
    assert!(worlds > 1_000 && quiet > 10, "{worlds} worlds, {quiet} quiet");
    assert_eq!(endings, BTreeSet::from(["driveComplete", "driveStart", "payFail", "requestCancel"]));
}

#[test]
fn every_interleaving_of_a_call_that_is_too_far_keeps_the_promises() {
    let (worlds, quiet, endings) = explore("150");
    assert!(worlds > 100 && quiet > 2, "{worlds} worlds, {quiet} quiet");
    assert_eq!(endings, BTreeSet::from(["payFail", "requestCancel"]));
}
