//! Settings of the file that change while services run over PostgreSQL and Kafka: all of them follow, and so does the gateway.

use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};
use crate::world::until;

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_limit_of_the_file_begins_and_ends_without_a_restart() {
    let mut cluster = Cluster::start(1, Outside::shared());
    let file = cluster.folder().join("taxisvc.toml");
    let follow = |cluster: &mut Cluster, said: &str, reloads: f64| {
        std::fs::write(&file, said).unwrap();
        for role in ROLES {
            until(role, || {
                (cluster.figure(role, 0, "taxisvc_config_reloads_total") >= reloads).then_some(())
            });
        }
    };
    follow(&mut cluster, "[limits]\ncalls_per_rider_per_minute = 1\ncalls_per_rider_burst = 1\n", 1.0);
    assert_ne!(cluster.place(10.0).status, 429);
    assert_eq!(cluster.place(10.0).status, 429, "one call at once is all");
    follow(&mut cluster, "[answers]\nwait_ms = 700\n", 2.0);
    assert_ne!(cluster.place(10.0).status, 429);
}
