//! Every process is replaced by one of another version, again and again, and nobody who rides notices.

use super::scaling::all_are_driven;
use crate::world::cluster::outside::Outside;
use crate::world::cluster::strict::Strict;
use crate::world::cluster::{Cluster, Program, ROLES};

const RIDERS: usize = 12;
/// So many rides have to end before the next ones are replaced.
const RIDES: u64 = 20;
const REPLICAS: usize = 2;

/// Longer than it takes the gateway to ask everybody how they are.
const DRAIN: [(&str, &str); 1] = [("DEADLINES_DRAIN_GRACE_MS", "2500")];

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn replicas_come_and_go_and_nobody_notices() {
    roll(&[Program::this()]);
}

/// Forward and back between this version and the next.
#[test]
#[ignore = "takes a quarter of an hour: cargo xtask rolling"]
fn twenty_times_over() {
    let (this, next) = (Program::this(), Program::next());
    let mut programs: Vec<Program> = [next.clone(), this].into_iter().cycle().take(18).collect();
    // The last two: nobody is left who cannot read what the next version writes.
    programs.extend([next.clone(), next.writing_next()]);
    roll(&programs);
}

fn roll(programs: &[Program]) {
    let mut cluster = Cluster::with(REPLICAS, Outside::shared(), &DRAIN);
    let load = Strict::start(cluster.gateway, RIDERS);
    load.goes_on_for(RIDES);
    for (round, program) in programs.iter().enumerate() {
        cluster.goes_on_as(program);
        for _ in 0..REPLICAS {
            cluster.renew_one_of_each();
            load.goes_on_for(RIDES);
        }
        println!("round {} of {}: every process is {program}", round + 1, programs.len());
    }
    load.goes_on_for(RIDES);
    let asked = load.end();
    let replaced = programs.len() * ROLES.len() * REPLICAS;
    println!("{replaced} processes replaced, {} requests, {} failed", asked.requests, asked.failed.len());
    assert!(asked.failed.is_empty(), "{:#?}", asked.failed);
    all_are_driven(&cluster, &asked.calls);
}
