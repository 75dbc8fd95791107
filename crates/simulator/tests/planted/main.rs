//! Planted bugs: a suite that was never seen to fail convinces nobody, so each of these has to be caught.

mod rules;
mod stores;
mod topic;

use simulator::failure::Kind;
use simulator::setup::{Defence, Setup, Tamper};
use std::collections::BTreeMap;
use wiring::business::Business;

/// A bug that shows in none of so many worlds is not caught.
const WORLDS_MAX: u64 = 400;

struct Bug {
    business: Business,
    tamper: Option<Tamper>,
}

fn rule(change: impl FnOnce(&mut Business)) -> Bug {
    let mut business = Business::default();
    change(&mut business);
    Bug { business, tamper: None }
}

fn store(tamper: Tamper) -> Bug {
    Bug { business: Business::default(), tamper: Some(tamper) }
}

fn worlds(bug: &Bug, defence: Defence) -> impl Iterator<Item = Setup> {
    let (business, tamper) = (bug.business, bug.tamper);
    let of_seed = move |seed| Setup { business, tamper, ..Setup::of(seed) };
    (0..2 * WORLDS_MAX).map(of_seed).filter(move |setup| setup.defence == defence)
}

/// Some world finds it, and calls it by its name.
fn is_caught(bug: &Bug, defence: Defence, kind: Kind) {
    let mut found: BTreeMap<Kind, u64> = BTreeMap::new();
    for setup in worlds(bug, defence) {
        if let Err(failure) = simulator::run(&setup) {
            if failure.breach.kind == kind {
                return;
            }
            *found.entry(failure.breach.kind).or_default() += 1;
        }
    }
    panic!("not caught as {kind:?}; found were {found:?}");
}

/// The other defence holds: nobody notices.
fn is_survived(bug: &Bug, defence: Defence) {
    for setup in worlds(bug, defence) {
        if let Err(failure) = simulator::run(&setup) {
            panic!("{failure}");
        }
    }
}

#[test]
fn a_fare_that_is_given_back_twice() {
    is_caught(
        &rule(|business| business.payment = rules::give_back_again),
        Defence::Business,
        Kind::SaidTwice,
    );
}

#[test]
fn a_fare_that_is_paid_after_it_failed() {
    let bug = rule(|business| business.payment = rules::pay_after_all);
    is_caught(&bug, Defence::Business, Kind::Contradiction);
    is_caught(&bug, Defence::Inbox, Kind::Contradiction);
}

#[test]
fn a_fare_that_is_kept_though_the_call_is_off() {
    is_caught(&rule(|business| business.payment = rules::keep_the_fare), Defence::Inbox, Kind::Audit);
}

#[test]
fn a_fare_that_is_forgotten_once_it_failed() {
    is_caught(&rule(|business| business.payment = rules::forget_late_money), Defence::Inbox, Kind::Stuck);
}

#[test]
fn a_call_that_is_placed_twice() {
    is_caught(&rule(|business| business.call = rules::place_again), Defence::Business, Kind::SaidTwice);
}

#[test]
fn a_call_that_waits_without_a_timer() {
    is_caught(&rule(|business| business.call = rules::wait_for_ever), Defence::Inbox, Kind::DeadLetter);
}

#[test]
fn a_call_that_is_cancelled_after_its_end() {
    is_caught(
        &rule(|business| business.call = rules::cancel_what_is_over),
        Defence::Inbox,
        Kind::Contradiction,
    );
}

#[test]
fn a_drive_that_does_not_heed_a_cancel_it_did_not_expect() {
    is_caught(&rule(|business| business.drive = rules::ignore_unheard_cancels), Defence::Inbox, Kind::Stuck);
}

/// Only the inbox stands between this bug and a second taxi, and it does.
#[test]
fn a_drive_that_starts_whenever_it_hears_of_a_fare() {
    let bug = rule(|business| business.drive = rules::start_again);
    is_caught(&bug, Defence::Business, Kind::SaidTwice);
    is_survived(&bug, Defence::Inbox);
}

/// Only the rules stand between this bug and a second taxi, and they do: it shows by its missing rows alone.
#[test]
fn a_store_that_forgets_what_was_read() {
    is_caught(&store(stores::forget_inbox), Defence::Inbox, Kind::Inbox);
}

#[test]
fn a_store_that_says_read_and_does_not_keep_what_was_made_of_it() {
    is_caught(&store(stores::keep_only_positions), Defence::Inbox, Kind::View);
}

#[test]
fn a_store_that_loses_effects() {
    is_caught(&store(stores::lose_effects), Defence::Inbox, Kind::Stuck);
}

#[test]
fn a_store_that_loses_timers() {
    is_caught(&store(stores::lose_timers), Defence::Inbox, Kind::Timer);
}

#[test]
fn a_store_that_says_done_and_keeps_nothing() {
    is_caught(&store(stores::say_done), Defence::Inbox, Kind::Reply);
}

#[test]
fn a_store_that_keeps_half_of_a_commit() {
    is_caught(&store(stores::keep_half), Defence::Inbox, Kind::Reply);
}

#[test]
fn a_store_that_takes_every_unknown_commit_for_done() {
    is_caught(&store(stores::believe_the_best), Defence::Inbox, Kind::Reply);
}

#[test]
fn a_store_that_does_not_look_at_versions() {
    is_caught(&store(stores::ignore_versions), Defence::Inbox, Kind::Version);
    is_caught(&store(stores::ignore_versions), Defence::Business, Kind::Version);
}

#[test]
fn a_store_that_drops_a_view_and_not_how_far_it_had_read() {
    is_caught(&store(stores::drop_no_positions), Defence::Inbox, Kind::Audit);
}

#[test]
fn a_store_that_forgets_keys() {
    is_caught(&store(stores::forget_keys), Defence::Inbox, Kind::Key);
}
