//! Bugs in how a topic is told and read, and in the rows that say how far.

use crate::{rule, rules, stores};
use simulator::failure::Kind;
use simulator::setup::{Plant, Road, Rows, Setup, Tamper};
use std::collections::BTreeMap;
use wiring::business::Business;

/// A bug that shows in none of so many worlds is not caught.
const WORLDS_MAX: u64 = 400;

fn worlds(rows: Rows) -> impl Iterator<Item = Setup> {
    (0..4 * WORLDS_MAX).map(Setup::over_a_topic).filter(move |setup| setup.road == Road::Topic(rows))
}

/// Some world finds it, and calls it by one of its names.
fn is_caught(rows: Rows, kinds: &[Kind], plant: impl Fn(Setup) -> Setup) {
    let mut found: BTreeMap<Kind, u64> = BTreeMap::new();
    for setup in worlds(rows).map(plant) {
        if let Err(failure) = simulator::run(&setup) {
            if kinds.contains(&failure.breach.kind) {
                return;
            }
            *found.entry(failure.breach.kind).or_default() += 1;
        }
    }
    panic!("not caught as {kinds:?}; found were {found:?}");
}

fn on_the_road(plant: Plant) -> impl Fn(Setup) -> Setup {
    move |setup| Setup { plant: Some(plant), ..setup }
}

fn in_the_store(tamper: Tamper) -> impl Fn(Setup) -> Setup {
    move |setup| Setup { tamper: Some(tamper), ..setup }
}

fn in_the_rules(change: fn(&mut Business)) -> impl Fn(Setup) -> Setup {
    let business = rule(change).business;
    move |setup| Setup { business, ..setup }
}

#[test]
fn a_relay_that_counts_as_told_what_was_not_acknowledged() {
    is_caught(Rows::Both, &[Kind::Stuck], on_the_road(Plant::TellPastUnacknowledged));
}

#[test]
fn a_relay_that_tells_later_events_of_a_partition_before_one_that_failed() {
    is_caught(Rows::Both, &[Kind::Stuck], on_the_road(Plant::TellOutOfOrder));
}

#[test]
fn a_relay_that_tells_by_more_partitions_before_it_is_stored_from_where() {
    let kinds = [Kind::Stuck, Kind::View, Kind::Audit];
    is_caught(Rows::Both, &kinds, on_the_road(Plant::ChangeCountAtOnce));
}

#[test]
fn a_consumer_that_takes_what_came_by_a_partition_for_heard_whatever_it_was_told_by() {
    is_caught(Rows::Both, &[Kind::Stuck, Kind::View], on_the_road(Plant::HearByPartitionAlone));
}

/// Where a consumer begins anywhere, only the gap that a shard sees makes it go back; at the quiet end of a partition there
/// is none to be seen.
#[test]
fn a_shard_that_takes_a_gap_for_none() {
    let broken = |plant: Plant| {
        let ran = worlds(Rows::Both).map(on_the_road(plant)).map(|setup| simulator::run(&setup));
        ran.filter(Result::is_err).count()
    };
    let (seen, hidden) = (broken(Plant::BeginWhereOthersStopped), broken(Plant::HideGaps));
    assert!(seen > 0 && hidden > seen * 3 / 2, "{seen} worlds broke, and {hidden} where gaps are hidden");
}

#[test]
fn a_consumer_that_does_not_go_back() {
    is_caught(Rows::Both, &[Kind::Stuck], on_the_road(Plant::NeverRewind));
}

#[test]
fn a_consumer_that_begins_where_the_furthest_shard_is() {
    is_caught(Rows::Both, &[Kind::Stuck, Kind::Inbox], on_the_road(Plant::BeginAtHighest));
}

#[test]
fn a_consumer_that_begins_where_another_stopped() {
    is_caught(Rows::Both, &[Kind::Stuck, Kind::Inbox], on_the_road(Plant::BeginWhereOthersStopped));
}

#[test]
fn a_replica_that_does_not_look_out_for_what_others_commit() {
    is_caught(Rows::Both, &[Kind::Stuck], on_the_road(Plant::NoLookout));
}

#[test]
fn a_store_that_forgets_how_far_partitions_were_read() {
    is_caught(Rows::Offsets, &[Kind::Inbox], in_the_store(stores::forget_offsets));
}

#[test]
fn a_store_that_forgets_how_far_logs_were_heard() {
    is_caught(Rows::Positions, &[Kind::Inbox], in_the_store(stores::forget_heard));
}

#[test]
fn a_store_that_fences_nobody() {
    is_caught(Rows::Both, &[Kind::Inbox], in_the_store(stores::fence_nobody));
}

#[test]
fn rows_that_are_not_read_again_after_a_fence() {
    is_caught(Rows::Both, &[Kind::Stuck], in_the_store(stores::keep_old_rows));
}

/// Each sort of rows alone stands between this bug and a second taxi.
#[test]
fn a_drive_that_starts_whenever_it_hears_of_a_fare() {
    let start_again = in_the_rules(|business| business.drive = rules::start_again);
    is_caught(Rows::Neither, &[Kind::SaidTwice], &start_again);
    for rows in [Rows::Positions, Rows::Offsets] {
        // A topic that is made anew, or that gets more partitions, tells again what the rows know nothing of.
        for setup in worlds(rows).filter(simulator::tells_once_by_one_count).map(&start_again) {
            if let Err(failure) = simulator::run(&setup) {
                panic!("{failure}");
            }
        }
    }
}
