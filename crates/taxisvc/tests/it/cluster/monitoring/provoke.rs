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
const FIRES_WITHIN: Duration = Duration::from_secs(100);
/// As long as it takes Kafka to share out partitions anew, and then some.
const RESOLVES_WITHIN: Duration = Duration::from_secs(90);

/// What the rules are turned into, so that it takes minutes and not days; the expressions are the shipped ones but for these
/// numbers. What somebody would wait for is not waited for: `for` is a second, always.
const SHORTER: [(&str, &str); 9] = [
    // TaxisvcCommitsSlow: a machine on which all of this runs at once is slow by itself.
    (
        "(taxisvc_commit_duration_seconds_bucket[5m]))) > 0.1",
        "(taxisvc_commit_duration_seconds_bucket[5m]))) > 1",
    ),
    // TaxisvcCallsStuckUndriven: before the deadline as ever, which is ten minutes.
    ("{status=\"driveRequest\"}) > 480", "{status=\"driveRequest\"}) > 30"),
    // TaxisvcRidersWait, which is half of that.
    ("{status=\"driveRequest\"}) > 300", "{status=\"driveRequest\"}) > 30"),
    // TaxisvcCancellationsWait.
    ("{asked_by=\"person\"}) > 120", "{asked_by=\"person\"}) > 30"),
    // TaxisvcPaymentsFail, twice: riders elsewhere call and pay all the while.
    ("{type=\"PaymentFailed\"}[15m]", "{type=\"PaymentFailed\"}[20s]"),
    ("{type=\"CallRequested\"}[15m]", "{type=\"CallRequested\"}[20s]"),
    // TaxisvcLedgerNotCompared.
    ("(taxisvc_ledger_rounds_total[1d])", "(taxisvc_ledger_rounds_total[20s])"),
    ("(taxisvc_ledger_rounds_total offset 1d)", "(taxisvc_ledger_rounds_total offset 20s)"),
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
const LOOKS_BACK: [&str; 13] = [
    "TaxisvcCallsGivenUp",
    "TaxisvcSpansLost",
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
    /// What brought it about: what was meant to, or what did so before, if it went on until then.
    how: &'static str,
    fired: Duration,
    /// After it was undone.
    resolved: Option<Duration>,
}

/// All that has fired so far.
#[derive(Default)]
struct Record {
    /// When it was looked last.
    firing: BTreeSet<String>,
    seen: BTreeMap<String, Seen>,
    amiss: Vec<String>,
}

impl Record {
    /// Notes what fires now and did not before; whether all of these do.
    fn note(&mut self, firing: &BTreeSet<String>, scene: &Scene, since: Duration) -> bool {
        for name in firing {
            if self.firing.insert(name.clone()) {
                println!("   {name} fires after {} s", since.as_secs());
                let is_meant = scene.alerts.contains(&name.as_str());
                if is_meant || !self.seen.contains_key(name) {
                    self.seen.insert(name.clone(), Seen { how: scene.how, fired: since, resolved: None });
                }
            }
        }
        self.firing.retain(|name| firing.contains(name));
        scene.alerts.iter().all(|name| firing.contains(*name))
    }
}

#[test]
#[ignore = "takes a Kafka, a PostgreSQL and a quarter of an hour: cargo xtask monitoring provoke"]
fn every_alert_fires_when_it_should() {
    let mut stage = Stage::set();
    let Some(prometheus) = Prometheus::start(&shortened(), &stage.jobs()) else { return };
    stage.prometheus = Some(prometheus);
    stage.comes_to_life();
    let mut record = Record::default();
    let wanted = wanted();
    let is_wanted = |scene: &&Scene| scene.alerts.iter().any(|name| name.contains(&wanted));
    let scenes: Vec<&Scene> = scenes::ALL.iter().filter(is_wanted).collect();
    scenes.iter().for_each(|scene| play(&mut stage, scene, &mut record));
    tell(&stage, &record.seen);
    let all = stage.prometheus().rules().into_iter().map(|(name, _)| name);
    let missing: Vec<String> =
        all.filter(|name| name.contains(&wanted) && !record.seen.contains_key(name)).collect();
    stage.clear();
    assert!(missing.is_empty() && record.amiss.is_empty(), "never fired: {missing:?}; {:?}", record.amiss);
}

/// A part of the name of those alerts that are to be brought about; all of them where nobody says.
#[expect(clippy::disallowed_methods, reason = "whoever runs the test says so")]
fn wanted() -> String {
    std::env::var("TAXISVC_ALERT").unwrap_or_default()
}

/// Until what is meant to fire does, and once it is undone, until it does not any more.
fn play(stage: &mut Stage, scene: &Scene, record: &mut Record) {
    println!("== {}", scene.how);
    let stopwatch = Stopwatch::start();
    (scene.begin)(stage);
    // To begin may take minutes by itself.
    let begun = Stopwatch::start();
    let mut firing = stage.firing();
    while !record.note(&firing, scene, stopwatch.elapsed()) && begun.elapsed() < FIRES_WITHIN {
        pause();
        firing = stage.firing();
    }
    for name in scene.alerts.iter().filter(|name| !firing.contains(**name)) {
        println!("   {name} DOES NOT FIRE");
        record.amiss.push(format!("{name} does not fire: {}", scene.how));
    }
    (scene.end)(stage);
    let stopwatch = Stopwatch::start();
    let ends = scene.alerts.iter().filter(|name| !LOOKS_BACK.contains(name));
    let mut left: BTreeSet<&str> = ends.copied().collect();
    while !left.is_empty() && stopwatch.elapsed() < RESOLVES_WITHIN {
        let firing = stage.firing();
        for name in left.iter().filter(|name| !firing.contains(**name)) {
            if let Some(seen) = record.seen.get_mut(*name) {
                seen.resolved.get_or_insert(stopwatch.elapsed());
            }
        }
        left.retain(|name| firing.contains(*name));
        pause();
    }
    for name in left {
        println!("   {name} GOES ON FIRING");
        record.amiss.push(format!("{name} goes on firing: {}", scene.how));
    }
}

/// As it stands in docs/runbook/README.md.
fn tell(stage: &Stage, seen: &BTreeMap<String, Seen>) {
    println!("The shipped rules, but for `for: 1s` in place of what they wait, and:");
    SHORTER.iter().for_each(|(from, to)| println!("  {from}  =>  {to}"));
    println!("| alert | brought about by | fired after | over after |\n|---|---|---|---|");
    for (name, _) in stage.prometheus().rules() {
        let Some(Seen { how, fired, resolved }) = seen.get(&name) else { continue };
        let over = match resolved {
            Some(resolved) => format!("{} s", resolved.as_secs()),
            None if LOOKS_BACK.contains(&name.as_str()) => "its window".to_owned(),
            None => "it was not".to_owned(),
        };
        println!("| {name} | {how} | {} s | {over} |", fired.as_secs());
    }
}
