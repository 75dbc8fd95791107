//! From one of each service to three and back, under load.

use crate::world::cluster::load::Load;
use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};
use crate::world::until;
use std::collections::BTreeSet;

const RIDERS: usize = 8;
/// So many rides have to end before the next change.
const RIDES: u64 = 100;

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn from_one_to_three_and_back_under_load() {
    let mut cluster = Cluster::partly((1, 3), Outside::shared(), &[]);
    let load = Load::start(cluster.gateway, RIDERS);
    load.goes_on_for(RIDES);
    for index in [1, 2] {
        for role in ROLES {
            cluster.start_again(role, index);
        }
        load.goes_on_for(RIDES);
    }
    cluster.wait_until_ready();
    load.goes_on_for(RIDES);
    for index in [1, 0] {
        for role in ROLES {
            cluster.stop(role, index);
            load.goes_on_for(RIDES / 4);
        }
    }
    load.goes_on_for(RIDES);
    all_are_driven(&cluster, &load.end());
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_replica_that_stood_still_wakes_up_and_does_no_harm() {
    let mut cluster = Cluster::start(2, Outside::shared());
    let load = Load::start(cluster.gateway, RIDERS);
    load.goes_on_for(RIDES);
    for role in ROLES {
        // Of those who tell the topic, the one whose turn it is: it sleeps past its end, with events on their way.
        let tells = role != "view";
        let still = if tells { cluster.teller(role) } else { 0 };
        cluster.freeze(role, still);
        if tells {
            until(&format!("the other {role} to have the turn"), || {
                (cluster.figure(role, 1 - still, "taxisvc_relay_holds") > 0.0).then_some(())
            });
        }
        load.goes_on_for(RIDES);
        cluster.thaw(role, still);
        load.goes_on_for(RIDES / 4);
    }
    all_are_driven(&cluster, &load.end());
}

/// Nothing is lost, nothing is doubled: each call is there once, was driven to its end and is paid.
pub(super) fn all_are_driven(cluster: &Cluster, calls: &[u64]) {
    let distinct: BTreeSet<u64> = calls.iter().copied().collect();
    assert_eq!(distinct.len(), calls.len(), "no number was given twice");
    cluster.comes_to_rest();
    assert_eq!(cluster.count("calls"), calls.len() as u64);
    for call in distinct {
        cluster.comes_to(call, ["driveComplete", "paid", "end"]);
    }
    let told = cluster.outside().messages();
    assert!(told.len() >= calls.len() * 5, "{} messages of {} calls", told.len(), calls.len());
    println!("{} rides, {} messages on the topic", calls.len(), told.len());
}
