//! Every way in which a fare goes back, with each step of it failing in every way, and with every step done twice.

use crate::world::by_hand::{ByHand, SECOND_MS, Setup};
use engine::bus::{Delivery, Tail};
use engine::log::{Recorded, ShardName};
use engine::memory::Fault;
use engine::store::Stored;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wiring::Layout;

const FAULTS: [Fault; 8] = [
    Fault::Conflict,
    Fault::Fenced,
    Fault::Unavailable,
    Fault::UnknownStored,
    Fault::UnknownLost,
    Fault::UnknownLate,
    Fault::CrashBefore,
    Fault::CrashAfter,
];

/// A way in which a fare goes back.
struct Compensation {
    name: &'static str,
    run: fn(&mut ByHand),
    ends: [&'static str; 3],
}

const COMPENSATIONS: [Compensation; 5] = [
    Compensation {
        name: "no taxi goes that far",
        run: |system| system.place(1, "120", None),
        ends: ["requestCancel", "refunded", "requestCancel"],
    },
    Compensation {
        name: "the rider cancels the ride",
        run: |system| {
            system.place(1, "10", None);
            until_started(system);
            system.cancel(1).unwrap();
        },
        ends: ["requestCancel", "refunded", "cancel"],
    },
    Compensation {
        name: "the rider cancels while the fare is being taken",
        run: |system| {
            system.place(1, "10", Some("test:late=1500"));
            system.cancel(1).unwrap();
        },
        ends: ["requestCancel", "refunded", "cancel"],
    },
    Compensation {
        name: "the rider cancels and the fare is refused",
        run: |system| {
            system.place(1, "10", Some("test:refused"));
            system.cancel(1).unwrap();
        },
        ends: ["requestCancel", "voided", "cancel"],
    },
    Compensation {
        name: "the fare is taken after the deadline",
        run: |system| {
            system.place(1, "10", Some("test:late=11000"));
            system.pass_ms(10 * SECOND_MS);
        },
        ends: ["payFail", "refunded", "-"],
    },
];

fn until_started(system: &mut ByHand) {
    system.settle();
    for _ in 0..20 {
        if system.standing(1)[2] == "start" {
            return;
        }
        system.leap_ms(500);
    }
    panic!("the ride never starts: {:?}", system.standing(1));
}

/// Its answers take a while, so that a cancellation overtakes them.
fn setup() -> Setup {
    let mut setup = Setup { layout: Layout::Apart, ..Setup::default() };
    (setup.provider.delay_ms_min, setup.provider.delay_ms_max) = (1_500, 1_500);
    setup
}

#[track_caller]
fn assert_compensated(system: &ByHand, compensation: &Compensation, context: &str) {
    let name = compensation.name;
    assert_eq!(system.standing(1), compensation.ends, "{name}: {context}");
    assert_eq!(system.view_standing(1), compensation.ends, "{name}: {context}");
    let money = system.audit();
    assert_eq!((money.held, money.earned, money.at_provider), (0, 0, 0), "{name}: {context}");
    assert_eq!(money.taken, money.returned, "{name}: {context}");
    assert!(system.times_said("FareRefunded") <= 1, "{name}: {context}: given back more than once");
}

#[test]
fn each_step_fails_in_every_way_and_the_fare_is_back_all_the_same() {
    for compensation in &COMPENSATIONS {
        let mut undisturbed = ByHand::with(setup());
        (compensation.run)(&mut undisturbed);
        undisturbed.finish();
        assert_compensated(&undisturbed, compensation, "undisturbed");
        for number in 1..=undisturbed.commits() {
            for fault in FAULTS {
                let mut system = ByHand::with(setup());
                system.plan_faults(move |commit| (commit == number).then_some(fault));
                (compensation.run)(&mut system);
                system.finish();
                assert_compensated(&system, compensation, &format!("{fault:?} at commit {number}"));
            }
        }
    }
}

/// Delivers every log anew, from its beginning, whenever it is told to.
#[derive(Default)]
struct Again {
    asked_for: [AtomicBool; 16],
}

impl Again {
    fn ask_for(&self) {
        self.asked_for.iter().for_each(|asked| asked.store(true, Ordering::SeqCst));
    }

    /// A place for each reader and log.
    fn place(reader: ShardName, tail: &Tail) -> usize {
        let place = |service: &str| wiring::SERVICES.iter().position(|known| *known == service).unwrap();
        let logs = wiring::TELLING.iter().position(|known| *known == tail.shard().service).unwrap();
        place(reader.service) * wiring::TELLING.len() + logs
    }
}

struct Road(Arc<Again>);

impl Delivery for Road {
    fn deliver(
        &self,
        reader: ShardName,
        tail: &Tail,
        after: u64,
        limit: usize,
    ) -> Stored<Vec<Arc<Recorded>>> {
        let again = self.0.asked_for[Again::place(reader, tail)].swap(false, Ordering::SeqCst);
        tail.read(if again { 0 } else { after }, limit)
    }
}

/// With the inbox off, so that only the rules of the business stand against doing it twice.
#[test]
fn each_compensation_is_run_twice_and_the_fare_is_back_once() {
    for compensation in &COMPENSATIONS {
        for deduplicate in [false, true] {
            let again = Arc::new(Again::default());
            let road = again.clone();
            let mut setup = Setup { deduplicate, ..setup() };
            setup.provider.double_per_mille = 1_000;
            let mut system = ByHand::on(setup, Box::new(move || Box::new(Road(road.clone()))));
            (compensation.run)(&mut system);
            system.finish();
            let told = system.told(1);
            for _ in 0..3 {
                again.ask_for();
                system.pass_ms(SECOND_MS);
            }
            assert_compensated(&system, compensation, &format!("twice, inbox {deduplicate}"));
            assert_eq!(system.told(1), told, "{}: nothing is said again", compensation.name);
        }
    }
}

/// The provider's first answer to each errand is lost, so that it is asked for the same twice, and answers alike.
#[test]
fn each_errand_is_asked_for_twice_and_done_once() {
    let check = |run: fn(&mut ByHand), ends: [&'static str; 3]| {
        let mut system = ByHand::with(setup());
        run(&mut system);
        system.finish();
        assert_compensated(&system, &Compensation { name: "lost answers", run, ends }, "lost");
        let account = system.account(1).unwrap();
        assert_eq!((account.takes_heard, account.backs_heard), (2, 2), "{account:?}");
    };
    check(|system| system.place(1, "120", Some("test:lost")), ["requestCancel", "refunded", "requestCancel"]);
    let cancelled = ["requestCancel", "refunded", "cancel"];
    let before_it_is_paid: fn(&mut ByHand) = |system| {
        system.place(1, "10", Some("test:lost"));
        system.cancel(1).unwrap();
    };
    check(before_it_is_paid, cancelled);
    let during_the_ride: fn(&mut ByHand) = |system| {
        system.place(1, "10", Some("test:lost"));
        until_started(system);
        system.cancel(1).unwrap();
    };
    check(during_the_ride, cancelled);
}
