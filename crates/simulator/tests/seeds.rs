//! Many worlds: under even seeds the inbox stands alone against doubled messages, under odd ones the business does.

use simulator::setup::{Defence, Setup};
use simulator::tally::Tally;
use std::ops::Range;

/// `SEED=7 cargo test -p simulator` runs that world alone, and prints what happens in it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is the edge that whoever looks for a failure speaks to"
)]
fn named_seed() -> Option<u64> {
    std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"))
}

fn survive(seeds: Range<u64>, defence: Defence) -> Tally {
    let worlds: Vec<Setup> = match named_seed() {
        Some(seed) => vec![Setup { is_traced: true, ..Setup::of(seed) }],
        None => seeds.map(Setup::of).filter(|setup| setup.defence == defence).collect(),
    };
    let mut tally = Tally::default();
    for setup in worlds {
        match simulator::run(&setup) {
            Ok(survived) => tally.merge(&survived),
            Err(failure) => panic!("{failure}"),
        }
    }
    tally
}

#[test]
fn the_inbox_alone_survives() {
    survive(0..1_000, Defence::Inbox);
}

#[test]
fn the_inbox_alone_survives_again() {
    survive(1_000..2_000, Defence::Inbox);
}

#[test]
fn the_business_alone_survives() {
    survive(0..1_000, Defence::Business);
}

#[test]
fn the_business_alone_survives_again() {
    survive(1_000..2_000, Defence::Business);
}

#[test]
fn every_sort_of_trouble_is_met() {
    let mut tally = survive(2_000..2_100, Defence::Inbox);
    tally.merge(&survive(2_000..2_100, Defence::Business));
    if named_seed().is_some() {
        return;
    }
    for trouble in [
        "calls cancelled",
        "calls completed",
        "calls not paid",
        "calls under way",
        "commits refused as conflicts",
        "commits refused as fenced",
        "commits refused for want of the store",
        "commits unknown, and lost",
        "commits unknown, and stored",
        "commits unknown, and stored late",
        "crashes of a replica",
        "crashes right after a commit",
        "crashes right before a commit",
        "deliveries withheld",
        "events delivered again",
        "events delivered before earlier ones",
        "requests lost in a crash",
        "requests repeated under their key",
        "requests said twice at once",
        "views made anew while all runs",
    ] {
        assert!(tally.count(trouble) > 20, "{trouble}: {}", tally.count(trouble));
    }
}

#[test]
fn a_seed_is_the_same_world_every_time() {
    for seed in 0..20 {
        let (first, second) = (simulator::run(&Setup::of(seed)), simulator::run(&Setup::of(seed)));
        assert_eq!(first.ok(), second.ok(), "seed {seed}");
    }
}
