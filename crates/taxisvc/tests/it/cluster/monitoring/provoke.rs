//! Every alert is brought about on a running system, until a real Prometheus says that it fires; and what can be undone is undone,
//! until it says that it does not.

mod scenes;
mod stage;

use self::stage::Stage;
use super::prometheus::Prometheus;
use super::rules;
use crate::world::pause;
use engine::clock::Stopwatch;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What has not fired by then never will.
const FIRES_WITHIN: Duration = Duration::from_secs(180);
/// As long as it takes Kafka to share out partitions anew, and then some.
const RESOLVES_WITHIN: Duration = Duration::from_secs(90);

/// What the rules are turned into, so that it takes minutes and not days; the expressions are the shipped ones but for these
/// numbers. What somebody would wait for is not waited for: `for` is a second, always.
const SHORTER: [(&str, &str); 5] = [
    // TaxisvcCommitsSlow: a machine on which all of this runs at once is slow by itself.
    (
        "(taxisvc_commit_duration_seconds_bucket[5m]))) > 0.1",
        "(taxisvc_commit_duration_seconds_bucket[5m]))) > 1",
    ),
    // TaxisvcCallsStuckUnpaid, whose deadline is a minute.
    ("{status=\"payRequest\"}) > 120", "{status=\"payRequest\"}) > 30"),
    // TaxisvcCallsStuckUndriven, whose deadline is ten.
    ("{status=\"driveRequest\"}) > 720", "{status=\"driveRequest\"}) > 30"),
    // TaxisvcLedgerNotCompared.
    ("(taxisvc_ledger_round_age_seconds) > 86400", "(taxisvc_ledger_round_age_seconds) > 20"),
    // TaxisvcKafkaLag.
    ("(taxisvc_kafka_partition_lag) > 1000", "(taxisvc_kafka_partition_lag) > 100"),
];

fn shortened() -> String {
    let mut text = rules();
    for (from, to) in SHORTER {
        assert!(text.contains(from), "the rules do not have {from}");
        text = text.replace(from, to);
    }
    let lines = text.lines().map(|line| match line.split_once("for: ") {
        Some((before, _)) if before.trim().is_empty() => format!("{before}for: 1s\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// What looks back over so long that it does not end within minutes.
const LOOKS_BACK: [&str; 11] = [
    "TaxisvcErrorBudgetBurnsFast",
    "TaxisvcErrorBudgetBurnsSlowly",
    "TaxisvcLatencyBudgetBurnsFast",
    "TaxisvcLatencyBudgetBurnsSlowly",
    "TaxisvcCommitsSlow",
    "TaxisvcRideOverdue",
    "TaxisvcTopicReset",
    "TaxisvcMessagesLost",
    "TaxisvcEventsRefused",
    "TaxisvcLogLinesLost",
    "TaxisvcDiskFilling",
];

/// One thing that goes wrong, the alerts that it is to bring about, and how it is undone.
pub(super) struct Scene {
    pub(super) how: &'static str,
    pub(super) alerts: &'static [&'static str],
    pub(super) begin: fn(&mut Stage),
    pub(super) end: fn(&mut Stage),
}

/// What came of one alert.
struct Seen {
    how: &'static str,
    fired: Duration,
    /// After it was undone.
    resolved: Option<Duration>,
}

#[test]
#[ignore = "takes a Kafka, a PostgreSQL and a quarter of an hour: cargo xtask monitoring provoke"]
fn every_alert_fires_when_it_should() {
    let mut stage = Stage::set();
    let Some(prometheus) = Prometheus::start(&shortened(), &stage.jobs()) else { return };
    stage.prometheus = Some(prometheus);
    stage.comes_to_life();
    let mut seen: BTreeMap<&'static str, Seen> = BTreeMap::new();
    let mut amiss = Vec::new();
    for scene in scenes::ALL {
        play(&mut stage, scene, (&mut seen, &mut amiss));
    }
    tell(&stage, &seen);
    let all: BTreeSet<String> = stage.prometheus().rules().into_iter().map(|(name, _)| name).collect();
    let missing: Vec<&String> = all.iter().filter(|name| !seen.contains_key(name.as_str())).collect();
    stage.clear();
    assert!(missing.is_empty() && amiss.is_empty(), "never fired: {missing:?}; {amiss:?}");
}

fn play(
    stage: &mut Stage,
    scene: &Scene,
    (seen, amiss): (&mut BTreeMap<&'static str, Seen>, &mut Vec<String>),
) {
    println!("== {}", scene.how);
    let before = stage.firing();
    let stopwatch = Stopwatch::start();
    (scene.begin)(stage);
    let mut left: Vec<&'static str> = scene.alerts.to_vec();
    while !left.is_empty() && stopwatch.elapsed() < FIRES_WITHIN {
        let firing = stage.firing();
        for name in left.extract_if(.., |name| firing.contains(*name)) {
            let fired = if before.contains(name) { Duration::ZERO } else { stopwatch.elapsed() };
            println!("   {name} fires after {} s", fired.as_secs());
            seen.entry(name).or_insert(Seen { how: scene.how, fired, resolved: None });
        }
        pause();
    }
    amiss.extend(left.iter().map(|name| format!("{name} does not fire: {}", scene.how)));
    for name in &left {
        println!("   {name} DOES NOT FIRE");
    }
    (scene.end)(stage);
    let stopwatch = Stopwatch::start();
    let mut left: Vec<&'static str> =
        scene.alerts.iter().copied().filter(|name| !LOOKS_BACK.contains(name)).collect();
    while !left.is_empty() && stopwatch.elapsed() < RESOLVES_WITHIN {
        let firing = stage.firing();
        for name in left.extract_if(.., |name| !firing.contains(*name)) {
            if let Some(seen) = seen.get_mut(name) {
                seen.resolved.get_or_insert(stopwatch.elapsed());
            }
        }
        pause();
    }
    amiss.extend(left.iter().map(|name| format!("{name} goes on firing: {}", scene.how)));
    for name in left {
        println!("   {name} GOES ON FIRING");
    }
}

/// As it stands in docs/runbook/README.md.
fn tell(stage: &Stage, seen: &BTreeMap<&'static str, Seen>) {
    println!("| alert | brought about by | fired after | over after |\n|---|---|---|---|");
    for (name, _) in stage.prometheus().rules() {
        let Some((name, Seen { how, fired, resolved })) = seen.get_key_value(name.as_str()) else { continue };
        let over = match resolved {
            Some(resolved) => format!("{} s", resolved.as_secs()),
            None if LOOKS_BACK.contains(name) => "its window".to_owned(),
            None => "it was not".to_owned(),
        };
        println!("| {name} | {how} | {} s | {over} |", fired.as_secs());
    }
}
