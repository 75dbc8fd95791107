//! A call is off while the provider is being asked for its fare: the order to give back and the fare cross.

use crate::world::by_hand::{ByHand, Setup};

/// Its answers arrive when the test says so.
fn crossing(provider: impl FnOnce(&mut provider::settings::Settings)) -> ByHand {
    let mut setup = Setup::default();
    setup.provider.obey_test_methods = false;
    (setup.provider.delay_ms_min, setup.provider.delay_ms_max) = (1_500, 1_500);
    provider(&mut setup.provider);
    let mut system = ByHand::with(setup);
    system.place(1, "10", None);
    system.settle();
    system.cancel(1).unwrap();
    system.settle();
    assert_eq!(system.standing(1), ["requestCancel", "refunding", "cancel"]);
    system
}

#[track_caller]
fn assert_nothing_stays_taken(system: &ByHand) {
    let money = system.audit();
    assert_eq!((money.held, money.earned, money.at_provider), (0, 0, 0));
    assert_eq!(system.times_said("FarePaid"), 0);
    assert_eq!(system.times_said("DriveStarted"), 0);
}

#[test]
fn a_fare_that_was_taken_goes_back_once() {
    let mut system = crossing(|_| {});
    assert!(system.answer_arrives());
    system.settle();
    assert_eq!(system.audit().held, 100_000, "it surfaced, and is ordered back");
    assert!(system.answer_arrives());
    system.settle();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    assert_nothing_stays_taken(&system);
    assert_eq!(system.times_said("FareRefunded"), 1);
}

#[test]
fn a_fare_that_was_refused_is_void() {
    let mut system = crossing(|provider| provider.refuse_per_mille = 1_000);
    system.finish();
    system.assert_standing(1, ["requestCancel", "voided", "cancel"]);
    assert_nothing_stays_taken(&system);
    assert!(!system.account(1).unwrap().back, "there was nothing to give back");
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again() {
    let mut system = crossing(|provider| provider.lost_per_mille = 500);
    system.finish();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    assert_nothing_stays_taken(&system);
}

#[test]
fn answers_that_arrive_twice_count_once() {
    let mut system = crossing(|provider| provider.double_per_mille = 1_000);
    assert_eq!(system.answers_on_their_way(), 2);
    system.finish();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    assert_nothing_stays_taken(&system);
    assert_eq!(system.times_said("FareSurfaced"), 1);
}

#[test]
fn a_provider_that_was_silent_takes_and_gives_back() {
    let mut system = crossing(|provider| {
        provider.silent_per_mille = 1_000;
        provider.silent_attempts = 3;
    });
    system.finish();
    system.assert_standing(1, ["requestCancel", "refunded", "cancel"]);
    assert_nothing_stays_taken(&system);
}
