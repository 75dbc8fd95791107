//! The topic itself changes while calls flow: it is deleted, or gets more partitions.

use super::scaling::all_are_driven;
use crate::world::cluster::load::Load;
use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};

const RIDERS: usize = 8;
/// So many rides have to end before the next change.
const RIDES: u64 = 100;
/// Of those that a topic begins with, no multiple: nearly all calls move to another partition.
const PARTITIONS: [usize; 2] = [17, 23];

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn it_is_deleted_and_made_anew() {
    let cluster = Cluster::start(2, Outside::shared());
    let load = Load::start(cluster.gateway, RIDERS);
    for _ in 0..2 {
        load.goes_on_for(RIDES);
        assert!(cluster.outside().remove_topic(), "there is a topic to remove");
    }
    load.goes_on_for(RIDES);
    all_are_driven(&cluster, &load.end());
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn it_gets_more_partitions_while_replicas_are_killed() {
    let mut cluster = Cluster::start(2, Outside::shared());
    let load = Load::start(cluster.gateway, RIDERS);
    load.goes_on_for(RIDES);
    for partitions in PARTITIONS {
        cluster.outside().raise_partitions(partitions);
        for role in ROLES {
            // Of those who tell it, the one that tells.
            let index = if role == "view" { 0 } else { cluster.teller(role) };
            cluster.kill(role, index);
            load.goes_on_for(RIDES / 4);
            cluster.start_again(role, index);
            cluster.wait_until_ready();
        }
        load.goes_on_for(RIDES);
    }
    all_are_driven(&cluster, &load.end());
}
