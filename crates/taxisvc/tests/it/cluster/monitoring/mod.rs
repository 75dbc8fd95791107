//! What watches the system, over the system: a real Prometheus scrapes one process and several of each service under load, and
//! every panel of every dashboard and every alert finds its figures.

mod panels;
mod prometheus;
mod provoke;
mod riders;

use self::panels::{Panel, of_dashboards};
use self::prometheus::{Alert, Job, Prometheus};
use self::riders::Riders;
use crate::world::World;
use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};
use crate::world::until;
use std::path::PathBuf;

const RIDERS: usize = 4;
/// So that there are figures of spans, and nobody has to take any.
const TRACES: [(&str, &str); 2] = [("TRACES_ENDPOINT", "http://127.0.0.1:9"), ("TRACES_SAMPLE_RATIO", "0")];
const SINGLE: &str = "taxisvc";
const FLEET: &str = "call|payment|drive|view|gateway";

/// What somebody would only be told of after longer than this test takes, and why that may be so here.
const MAY_BE_PENDING: [(&str, &str); 4] = [
    ("TaxisvcCommitsSlow", "a machine on which all of this runs at once is slow by itself"),
    ("TaxisvcLatencyBudgetBurnsFast", "as above"),
    ("TaxisvcLatencyBudgetBurnsSlowly", "as above"),
    ("TaxisvcDiskFilling", "what a minute of load writes is held against three days"),
];

fn root() -> PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("a crate lies in the workspace").to_owned()
}

fn rules() -> String {
    std::fs::read_to_string(root().join("deploy/monitoring/alerts.yaml")).unwrap()
}

fn jobs(cluster: &mut Cluster, replicas: usize, more: &[Job]) -> Vec<Job> {
    let mut jobs: Vec<Job> = ROLES
        .into_iter()
        .map(|role| (role, (0..replicas).map(|index| cluster.address(role, index)).collect()))
        .collect();
    jobs.push(("gateway", vec![cluster.gateway]));
    jobs.extend_from_slice(more);
    jobs
}

#[test]
#[ignore = "wants Kafka, PostgreSQL and Prometheus: cargo xtask monitoring live"]
fn every_panel_and_alert_finds_its_figures() {
    let mut cluster = Cluster::with(2, Outside::shared(), &TRACES);
    let world = World::with(&TRACES);
    // Without one there is no time of the last one.
    let (copy, data) =
        (world.folder().join("copy").display().to_string(), world.data().display().to_string());
    assert_eq!(world.run(&["backup", &copy, "--data", &data]).code, Some(0));
    let single = (SINGLE, vec![world.address("gateway")]);
    let jobs = jobs(&mut cluster, 2, &[single]);
    let processes: usize = jobs.iter().map(|(_, addresses)| addresses.len()).sum();
    let Some(prometheus) = Prometheus::start(&rules(), &jobs) else { return };
    let riders = [Riders::start(cluster.gateway, RIDERS), Riders::start(world.gateway, RIDERS)];
    until("every process to be scraped", || {
        let found = prometheus.query("count(up == 1)").unwrap();
        let count = found.first().and_then(|sample| sample["value"][1].as_str()?.parse().ok());
        (count == Some(processes)).then_some(())
    });
    let panels = of_dashboards(&root().join("deploy/monitoring/grafana"));
    let mut found = 0;
    for panel in &panels {
        for job in [(!panel.is_of_fleet).then_some(SINGLE), (!panel.is_of_one_process).then_some(FLEET)] {
            let Some(job) = job else { continue };
            found += finds(&prometheus, panel, job);
        }
    }
    println!("{} panels of {processes} processes: {found} expressions found their figures", panels.len());
    let rules = prometheus.rules();
    for (name, expression) in &rules {
        let compared = panels::without_comparisons(expression);
        until(&format!("{name} to find its figures: {compared}"), || {
            prometheus.finds(&compared).then_some(())
        });
    }
    let alerts = becomes_quiet(&prometheus);
    println!(
        "{} alerts found what they compare; {} calls, and not quiet: {alerts:?}",
        rules.len(),
        riders.iter().map(Riders::rides).sum::<u64>()
    );
    riders.into_iter().for_each(Riders::end);
}

/// Nothing is amiss: nothing fires, and what is on its way to firing when everything has just started ends by itself. What goes on
/// being pending would have fired if this test took as long as the rule waits.
fn becomes_quiet(prometheus: &Prometheus) -> Vec<Alert> {
    let mut last = Vec::new();
    until("nothing to be pending that may not be", || {
        let alerts = prometheus.alerts();
        assert!(!alerts.iter().any(|alert| alert.is_firing), "nothing is amiss, and yet {alerts:?}");
        if alerts != last {
            println!("not quiet: {alerts:?}");
            last.clone_from(&alerts);
        }
        let may_be = |alert: &Alert| MAY_BE_PENDING.iter().any(|(name, _)| *name == alert.name);
        alerts.iter().all(may_be).then_some(alerts)
    })
}

/// Until each of a panel's curves has a number, as Grafana would draw it for these jobs.
fn finds(prometheus: &Prometheus, panel: &Panel, job: &str) -> usize {
    for expression in &panel.expressions {
        let expression = panels::filled_in(expression, job);
        let what = format!("{} to have a number: {expression}", panel.title);
        until(&what, || prometheus.finds(&expression).then_some(()));
    }
    panel.expressions.len()
}
