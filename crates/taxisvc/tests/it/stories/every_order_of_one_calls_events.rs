//! The messages of one call arrive in every order there is, with a cancellation and the end of the ride at any moment
//! between them: the call ends well, and all agree on how.

use crate::world::by_hand::{ByHand, Setup};
use engine::bus::{Delivery, Tail};
use engine::log::{Recorded, ShardName};
use engine::store::Stored;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use taxi::event::Event;
use taxi::time::Timestamp;
use taxi::view::{CallView, project};

/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A service hears one more event of another.
    Hear {
        reader: &'static str,
        teller: &'static str,
    },
    /// The provider's answer arrives.
    Answer,
    RiderCancels,
    DriverEnds,
}

/// Lets through one event, from one service to one other.
#[derive(Default)]
struct Gate(Mutex<Option<(&'static str, &'static str)>>);

struct Gated(Arc<Gate>);

impl Delivery for Gated {
    fn deliver(&self, reader: ShardName, tail: &Tail, after: u64, _: usize) -> Stored<Vec<Arc<Recorded>>> {
        let mut open = self.0.0.lock().unwrap();
        if *open != Some((reader.service, tail.shard().service)) {
            return Ok(Vec::new());
        }
        *open = None;
        tail.read(after, 1)
    }
}

const READERS: [&str; 4] = ["call", "payment", "drive", "view"];

/// One call, up to some moment.
struct Moment {
    system: ByHand,
    gate: Arc<Gate>,
    heard: BTreeMap<(&'static str, &'static str), usize>,
    said: BTreeSet<Step>,
}

impl Moment {
    fn begin(kilometers: &str, method: Option<&str>) -> Self {
        let gate = Arc::new(Gate::default());
        let road = gate.clone();
        let mut setup = Setup::default();
        if method.is_none() {
            (setup.provider.delay_ms_min, setup.provider.delay_ms_max) = (1, 1);
        }
        let system = ByHand::on(setup, Box::new(move || Box::new(Gated(road.clone()))));
        system.hand_in_call(1, kilometers, method);
        let mut moment = Self { system, gate, heard: BTreeMap::new(), said: BTreeSet::new() };
        moment.system.settle();
        moment
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Hear { reader, teller } => {
                *self.gate.0.lock().unwrap() = Some((reader, teller));
                *self.heard.entry((reader, teller)).or_default() += 1;
            }
            Step::Answer => assert!(self.system.answer_arrives()),
            Step::RiderCancels => self.system.hand_in_cancel(1),
            Step::DriverEnds => self.system.hand_in_end(1),
        }
        if matches!(step, Step::RiderCancels | Step::DriverEnds) {
            self.said.insert(step);
        }
        self.system.settle();
        *self.gate.0.lock().unwrap() = None;
    }

    /// What may happen next, the requests of people only where they are wanted.
    fn next(&self, people: &[Step]) -> Vec<Step> {
        let mut steps = Vec::new();
        for reader in READERS {
            for teller in wiring::TELLING.into_iter().filter(|teller| *teller != reader) {
                let heard = self.heard.get(&(reader, teller)).copied().unwrap_or_default();
                if heard < self.system.log(teller).len() {
                    steps.push(Step::Hear { reader, teller });
                }
            }
        }
        if self.system.answers_on_their_way() > 0 {
            steps.push(Step::Answer);
        }
        steps.extend(people.iter().filter(|step| !self.said.contains(step)));
        steps
    }

    /// All that the future depends on. The view hears and is not heard: it has its own test.
    fn fingerprint(&self) -> String {
        let logs = wiring::TELLING.map(|service| {
            let log = self.system.log(service).into_iter();
            log.map(|event| format!("{}v{}", event.event_type, event.version)).collect::<Vec<_>>()
        });
        let heard: Vec<_> = self.heard.iter().collect();
        let states =
            (self.system.call(1), self.system.payment(1), self.system.drive(1), self.system.account(1));
        let answers = self.system.answers_on_their_way();
        format!("{logs:?} {heard:?} {states:?} {answers} {:?}", self.said)
    }
}

/// Walks through every order and returns the ends, with how often each was come to.
fn every_end(kilometers: &str, method: Option<&str>, people: &[Step]) -> BTreeMap<[String; 3], usize> {
    let mut seen = BTreeSet::new();
    let mut ends: BTreeMap<[String; 3], usize> = BTreeMap::new();
    let mut to_walk: Vec<Vec<Step>> = vec![Vec::new()];
    while let Some(path) = to_walk.pop() {
        let mut moment = Moment::begin(kilometers, method);
        path.iter().for_each(|step| moment.take(*step));
        if !seen.insert(moment.fingerprint()) {
            continue;
        }
        // The view hears everything in the end; when it does changes nobody else.
        let steps = moment.next(people);
        let others: Vec<Step> =
            steps.iter().copied().filter(|step| !matches!(step, Step::Hear { reader: "view", .. })).collect();
        if others.is_empty() {
            hear_all(&mut moment, steps);
            let standing = moment.system.standing(1);
            assert_eq!(moment.system.view_standing(1), standing, "{path:?}");
            assert_well(&moment.system, &path);
            *ends.entry(standing).or_default() += 1;
        }
        for step in others {
            let mut longer = path.clone();
            longer.push(step);
            to_walk.push(longer);
        }
    }
    ends
}

fn hear_all(moment: &mut Moment, mut steps: Vec<Step>) {
    while let Some(step) = steps.pop() {
        moment.take(step);
        steps = moment.next(&[]);
    }
}

#[track_caller]
fn assert_well(system: &ByHand, path: &[Step]) {
    let report = system.report();
    assert!(report.is_clean(), "{path:?}\n{report}");
    let money = system.audit();
    let standing = system.standing(1);
    let expected = match standing[0].as_str() {
        "driveComplete" => (money.taken, 0, money.taken, 0),
        // A ride that nobody ended goes on, and holds its fare.
        "driveStart" => (money.taken, money.taken, 0, 0),
        "requestCancel" | "payFail" => (money.taken, 0, 0, money.taken),
        other => panic!("a call is left {other}: {path:?}"),
    };
    assert_eq!((money.taken, money.held, money.earned, money.returned), expected, "{standing:?}: {path:?}");
}

fn names(ends: &BTreeMap<[String; 3], usize>) -> Vec<String> {
    ends.keys().map(|standing| standing.join(" ")).collect()
}

#[test]
fn a_ride_with_a_cancellation_and_its_end_at_any_moment() {
    assert_eq!(names(&every_end("10", None, &[])), ["driveStart paid start"]);
    let ends = every_end("10", None, &[Step::RiderCancels, Step::DriverEnds]);
    let possible = ["driveComplete paid end", "requestCancel refunded cancel"];
    let got = names(&ends);
    assert!(possible.iter().all(|end| got.iter().any(|got| got == end)), "{ends:?}");
    // What follows from an end that was said before there was a ride: it was refused, and the ride goes on.
    assert!(
        got.iter().all(|end| possible.contains(&end.as_str()) || end == "driveStart paid start"),
        "{ends:?}"
    );
}

#[test]
fn a_call_that_is_too_far_with_a_cancellation_at_any_moment() {
    let ends = names(&every_end("120", None, &[Step::RiderCancels]));
    assert_eq!(ends, ["requestCancel refunded cancel", "requestCancel refunded requestCancel"]);
}

#[test]
fn a_payment_that_is_refused_with_a_cancellation_at_any_moment() {
    let ends = names(&every_end("10", Some("test:refused"), &[Step::RiderCancels]));
    assert!(
        ends.iter().all(|end| end.starts_with("payFail failed") || end.starts_with("requestCancel")),
        "{ends:?}"
    );
    assert!(ends.contains(&"payFail failed -".to_owned()), "{ends:?}");
}

/// Every story's events, told to the view in every order, and each twice.
#[test]
fn the_view_is_the_same_in_every_order() {
    type Told = Vec<(Event, Timestamp)>;
    fn events_of(run: impl Fn(&mut ByHand)) -> Told {
        let mut system = ByHand::new();
        run(&mut system);
        system.finish();
        let logs = wiring::TELLING.iter().flat_map(|service| system.log(service));
        let told = logs.filter(|event| event.published);
        told.map(|event| (wiring::decode(&event).unwrap(), Timestamp(event.at.0))).collect()
    }
    let completed = events_of(|system| {
        system.place(1, "10", None);
        system.settle();
        system.end(1).unwrap();
    });
    let too_far = events_of(|system| system.place(1, "120", None));
    let cancelled = events_of(|system| {
        system.place(1, "10", None);
        system.settle();
        system.cancel(1).unwrap();
    });
    let failed = events_of(|system| system.place(1, "10", Some("test:silent")));
    for story in [completed, too_far, cancelled, failed] {
        assert!((3..=8).contains(&story.len()), "{story:?}");
        let expected = view_of(&story);
        let mut order: Vec<usize> = (0..story.len()).collect();
        each_order(&mut order, 0, &mut |order| {
            let told: Told = order.iter().chain(order).map(|place| story[*place].clone()).collect();
            assert_eq!(view_of(&told), expected, "{order:?}");
        });
    }
}

fn view_of(told: &[(Event, Timestamp)]) -> Option<CallView> {
    told.iter().fold(None, |view, (event, at)| project(view, event, *at))
}

fn each_order(order: &mut Vec<usize>, from: usize, check: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return check(order);
    }
    for other in from..order.len() {
        order.swap(from, other);
        each_order(order, from + 1, check);
        order.swap(from, other);
    }
}
