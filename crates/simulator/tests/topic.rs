//! Many worlds over a topic: with both sorts of inbox rows, with each alone, and with the business alone, by turns.

use simulator::setup::{Road, Rows, Setup};
use simulator::tally::Tally;
use std::ops::Range;

/// `SEED=7 cargo test -p simulator --test topic` runs that world alone, and prints what happens in it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is the edge that whoever looks for a failure speaks to"
)]
fn named_seed() -> Option<u64> {
    std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"))
}

fn survive(seeds: Range<u64>, rows: &[Rows]) -> Tally {
    let worlds: Vec<Setup> = match named_seed() {
        Some(seed) => vec![Setup { is_traced: true, ..Setup::over_a_topic(seed) }],
        None => seeds.map(Setup::over_a_topic).collect(),
    };
    let mut tally = Tally::default();
    for setup in worlds {
        let Road::Topic(of_world) = setup.road else { continue };
        if named_seed().is_none() && !rows.contains(&of_world) {
            continue;
        }
        match simulator::run(&setup) {
            Ok(survived) => tally.merge(&survived),
            Err(failure) => panic!("{failure}"),
        }
    }
    tally
}

#[test]
fn both_rows_survive() {
    survive(0..800, &[Rows::Both]);
}

#[test]
fn the_rows_of_the_logs_alone_survive() {
    survive(0..800, &[Rows::Positions]);
}

#[test]
fn the_rows_of_the_partitions_alone_survive_where_nothing_is_told_twice() {
    survive(0..800, &[Rows::Offsets]);
}

#[test]
fn the_business_alone_survives() {
    survive(0..800, &[Rows::Neither]);
}

#[test]
fn every_sort_of_trouble_is_met() {
    let tally = survive(1_000..1_200, &[Rows::Both, Rows::Positions, Rows::Offsets, Rows::Neither]);
    if named_seed().is_some() {
        return;
    }
    for trouble in [
        "calls cancelled",
        "calls completed",
        "calls not paid",
        "calls under way",
        "commits refused as fenced",
        "commits unknown, and stored late",
        "crashes of a replica",
        "messages told again",
        "partitions added",
        "partitions read again",
        "partitions read by two at once",
        "partitions that changed hands",
        "reads of one's own write",
        "runs of a relay that were broken off",
        "states watched",
        "topics made anew",
        "views made anew while all runs",
    ] {
        assert!(tally.count(trouble) > 20, "{trouble}: {}", tally.count(trouble));
    }
}

#[test]
fn a_seed_is_the_same_world_every_time() {
    for seed in 0..20 {
        let run = || simulator::run(&Setup::over_a_topic(seed)).ok();
        assert_eq!(run(), run(), "seed {seed}");
    }
}
