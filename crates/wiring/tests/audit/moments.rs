//! No false alarm at any moment, and none where each service is looked at at another moment; no lost message unseen.

use crate::copy::Copy;
use crate::system::{START, System, busy};
use engine::clock::Timestamp;
use std::collections::BTreeSet;
use wiring::audit::{Moment, Options, Report, audit, audit_readers};
use wiring::{call, drive, payment, view};

const NOW: Timestamp = Timestamp(START.0 + 20_000);

fn look_at(moment: &Moment<'_>) -> Report {
    audit(moment, NOW, &Options::default()).expect("a copy can be read")
}

fn all_moments() -> Vec<Copy> {
    let mut moments = Vec::new();
    busy(|system: &System| moments.push(Copy::of(&**system.reader())));
    moments
}

#[test]
fn a_healthy_system_is_clean_after_every_turn() {
    let moments = all_moments();
    assert!(moments.len() > 10, "{} turns", moments.len());
    for (turn, moment) in moments.iter().enumerate() {
        let report = look_at(&Moment::of_one(moment));
        assert!(report.is_clean(), "after turn {turn}:\n{report}");
    }
    let report = look_at(&Moment::of_one(moments.last().unwrap()));
    assert!(report.in_flight() > 0, "{report}");
    assert_eq!(report.money.taken, 1_500_000);
    assert_eq!(report.money.held, 100_000);
    assert_eq!(report.money.earned, 100_000);
    assert_eq!(report.money.returned, 1_300_000);
    assert_eq!(report.money.at_provider, 200_000);
}

#[test]
fn moments_of_different_databases_raise_no_alarm() {
    let moments = all_moments();
    let ends = moments.last().unwrap().positions();
    // Every third moment keeps the number of combinations small and still separates each pair of services.
    let some: Vec<&Copy> = moments.iter().step_by(3).collect();
    for call in &some {
        for payment in &some {
            for drive in &some {
                for view in [&some[0], call, payment, drive] {
                    let report = look_at(&Moment {
                        call: *call,
                        payment: *payment,
                        provider: *payment,
                        drive: *drive,
                        view: *view,
                        ends: ends.clone(),
                    });
                    assert!(report.is_clean(), "{report}");
                }
            }
        }
    }
}

#[test]
fn a_message_that_is_counted_as_read_and_was_not_is_found() {
    let mut words = BTreeSet::new();
    for moment in all_moments() {
        for consumer in [call::NAME, payment::NAME, drive::NAME, view::NAME] {
            let checks = ["heard and done", "events heard"];
            let before = look_at(&Moment::of_one(&moment));
            let own = before.checks.iter().filter(|check| check.service == consumer);
            let unread: u64 =
                own.filter(|check| checks.contains(&check.name)).map(|check| check.in_flight).sum();
            let mut lossy = moment.clone();
            lossy.pretend_heard(consumer);
            let after = look_at(&Moment::of_one(&lossy));
            // Not every message that is lost changes something; every one that does must show.
            assert!(unread > 0 || after.is_clean(), "{consumer}:\n{before}\n{after}");
            for finding in after.findings {
                assert_eq!(finding.service, consumer, "{finding:?}");
                let said = finding.detail.split(" was heard, and ").last().unwrap();
                words.insert(format!("{consumer}: {said}"));
            }
        }
    }
    let differing: Vec<&String> = words.iter().filter(|word| word.contains("differ in")).collect();
    assert!(!differing.is_empty());
    let told: Vec<&str> =
        words.iter().filter(|word| !word.contains("differ in")).map(String::as_str).collect();
    let expected = [
        "call: the call is neither placed nor being cancelled",
        "call: the call is neither under way nor being cancelled",
        "call: the call is neither unpaid nor being cancelled",
        "call: the call is not cancelled",
        "call: the call is not completed",
        "drive: the drive goes on",
        "drive: there is no drive",
        "payment: the fare is not earned",
        "payment: the payment goes on as if the call were not off",
        "payment: there is no payment",
        "view: there is no view, and what it has read tells of one",
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_moment_is_taken_from_the_readers() {
    let system = busy(|_| ());
    let report = audit_readers(system.readers(), None, &Options::default()).unwrap();
    assert!(report.is_clean(), "{report}");
    let late = Some(Timestamp(START.0 + 3_600_000));
    assert!(!audit_readers(system.readers(), late, &Options::default()).unwrap().is_clean());
}
