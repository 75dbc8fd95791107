//! Every figure is named by Prometheus's rules, and stands in the document.

use super::*;
use crate::config::sources::InForce;
use crate::disk::Marks;
use crate::live::Live;
use ::gateway::settings::Settings;
use api::Exposition;
use engine::clock::SystemClock;
use engine::clock::steady::SteadyClock;
use engine::lane::LaneSettings;
use engine::log::LogId;
use engine::memory::MemoryStore;
use engine::runner::{Runner, Stats};
use engine_kafka::stats::{PartitionStats, ShardStats, Stats as KafkaStats};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use wiring::{Assembly, Layout};

fn text(exposition: Exposition) -> String {
    let stats: [Arc<Stats>; 2] = Default::default();
    stats[0].commits.store(3, Ordering::Relaxed);
    stats[0].parked.store(2, Ordering::Relaxed);
    stats[0].events.expect(&["CallRequested"]);
    stats[0].deadlines.expect(&["unpaid"]);
    let [call, drive] = stats;
    let (_stopping, stopped) = watch::channel(false);
    let gateway = Gateway::new(Settings::default(), Vec::new());
    let engines = vec![("call", call), ("drive", drive)];
    let health = Health {
        engines,
        gateway: Some(gateway),
        services: Some(services()),
        looking: None,
        live: Live::new(&InForce::of_defaults(), |_| Ok(())),
        traces: None,
        stopping: stopped,
    };
    api::Health::metrics(&health, exposition)
}

/// Over a store in memory, whose services nobody turns.
fn services() -> Services {
    assembled().0
}

fn assembled() -> (Services, Vec<Runner>) {
    let [(_, services)]: [(&str, Vec<&'static str>); 1] = Layout::Together.groups().try_into().unwrap();
    let schemas: Vec<_> = services.iter().map(|service| wiring::schema(service, 1)).collect();
    let store = MemoryStore::new(&schemas, LogId(1));
    let database = wiring::Database { services, store: store.writer(), reader: store.reader() };
    let options = wiring::Options {
        rules: taxi::rules::Rules::default(),
        provider: provider::settings::Settings::default(),
        lane: LaneSettings::default(),
        shards: 1,
        first_call: 1,
        replica: 1,
        clock: Arc::new(SystemClock),
        delay: Arc::new(Never),
    };
    let Assembly { handles, readers, runners, .. } = wiring::assemble(vec![database], &options).unwrap();
    let (clock, _) = SteadyClock::begin(None, || Duration::ZERO);
    let clock = Arc::new(clock);
    let files = vec![("taxisvc", "taxisvc.db".into())];
    let figures = Figures::new(&readers, &wiring::SERVICES, files, clock.clone());
    let disk = Disk::new(Path::new("."), Vec::new(), Marks { warn: 0, min: 0 }, Arc::default()).unwrap();
    let disk = Some(disk);
    let requests = Requests::default();
    requests.count(("/calls", "POST"), "2xx", Duration::from_millis(3));
    let bus = Some(Bus::told(stats_of_kafka()));
    let connections = Some(("call", Arc::default()));
    (Services { requests: Arc::new(requests), handles, figures, disk, clock, bus, connections }, runners)
}

fn stats_of_kafka() -> KafkaStats {
    KafkaStats {
        connected: true,
        partitions: vec![
            PartitionStats { partition: 3, assigned: true, next: Some(40), end: Some(42) },
            PartitionStats { partition: 4, assigned: false, next: None, end: Some(7) },
        ],
        shards: vec![ShardStats { holds: true, told: 9, age_ms: Some(1_500), ..ShardStats::default() }],
        told: 5,
        rebalances: 1,
        ..KafkaStats::default()
    }
}

/// Requests are served meanwhile, but for reads of the view.
#[test]
fn a_view_that_is_made_anew_is_warned_of() {
    let (services, mut runners) = assembled();
    let view = services.handles.view.clone();
    let (_stopping, stopped) = watch::channel(false);
    let health = Health {
        engines: Vec::new(),
        gateway: None,
        services: Some(services),
        looking: None,
        live: Live::new(&InForce::of_defaults(), |_| Ok(())),
        traces: None,
        stopping: stopped,
    };
    assert_eq!(api::Health::warnings(&health), Vec::<String>::new());
    view.rebuild(|_| {});
    while view.rebuilding().is_none() {
        runners[0].turn().unwrap();
    }
    let warnings = api::Health::warnings(&health);
    assert!(warnings.len() == 1 && warnings[0].contains("the view is being made anew"), "{warnings:?}");
    while view.rebuilding().is_some() {
        runners[0].turn().unwrap();
    }
    assert_eq!(api::Health::warnings(&health), Vec::<String>::new());
}

/// Nobody is asked anything.
struct Never;

impl wiring::provider::Delay for Never {
    fn after(&self, _: u64, _: Box<dyn FnOnce() + Send>) {}
}

/// Name and kind of every metric, as the older format describes them.
fn described(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, kind)| (name.into(), kind.into())).collect()
}

/// The name of a sample without what a histogram adds to it.
fn metric_of<'a>(sample: &'a str, metrics: &BTreeMap<String, String>) -> &'a str {
    let name = sample.split(['{', ' ']).next().unwrap();
    let is_histogram = |name: &str| metrics.get(name).is_some_and(|kind| kind == "histogram");
    let base = ["_bucket", "_sum", "_count"].into_iter().filter_map(|suffix| name.strip_suffix(suffix));
    base.into_iter().find(|base| is_histogram(base)).unwrap_or(name)
}

/// As `promtool check metrics` has it: each is described once and before its samples, a counter ends in `_total` and
/// nothing else does, units are base units and stand at the end, and every sample is a number.
#[test]
fn every_metric_is_named_as_prometheus_wants_it() {
    let text = text(Exposition::Text);
    let metrics = described(&text);
    let mut helped = BTreeSet::new();
    let mut told = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name) && !help.is_empty() && metrics.contains_key(name), "{line}");
        } else if !line.starts_with("# TYPE ") {
            let name = metric_of(line, &metrics);
            let kind = metrics.get(name).unwrap_or_else(|| panic!("{line} is not described in {text}"));
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(name.starts_with("taxisvc_") || name.starts_with("process_"), "{line}");
            let wrong = ["_ms", "_millis", "_micros", "_kb", "_percent", "_count", "_ms_total"];
            assert!(wrong.iter().all(|unit| !name.ends_with(unit)), "{line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
            assert!(told.insert(line.rsplit_once(' ').unwrap().0), "twice: {line}");
        }
    }
    assert_eq!(helped.len(), metrics.len());
}

#[test]
fn figures_are_told_as_they_are() {
    let text = text(Exposition::Text);
    for sample in [
        "taxisvc_commits_total{database=\"call\"} 3",
        "taxisvc_commits_total{database=\"drive\"} 0",
        "taxisvc_commit_duration_seconds_count{database=\"call\"} 0",
        "taxisvc_events_total{database=\"call\",type=\"CallRequested\"} 0",
        "taxisvc_commit_duration_seconds_bucket{le=\"+Inf\",database=\"call\"} 0",
        "taxisvc_time_to_drive_seconds_count{database=\"call\"} 0",
        "taxisvc_ledger_payments_wrong 0",
        "taxisvc_ledger_won{account=\"taken\"} 0",
        "taxisvc_entities_parked{database=\"call\"} 2.0",
        "taxisvc_overdue_total{database=\"call\"} 0",
        "taxisvc_deadlines_passed_total{database=\"call\",timer=\"unpaid\"} 0",
        "taxisvc_call_cancelling_age_seconds{asked_by=\"person\"} 0.0",
        "taxisvc_calls{status=\"driveStart\"} 0",
        "taxisvc_gateway_answers_total{route=\"none\",class=\"2xx\"} 0",
        "taxisvc_gateway_rate_limited_total 0",
        "taxisvc_gateway_in_flight 0",
        "taxisvc_kafka_connected 1",
        "taxisvc_database_connections{database=\"call\"} 0",
        "taxisvc_kafka_partition_lag{partition=\"3\"} 2",
        "taxisvc_kafka_partitions_read 1",
        "taxisvc_relay_age_seconds{shard=\"0\"} 1.5",
        "taxisvc_kafka_rebalances_total 1",
        "taxisvc_http_requests_total{route=\"/calls\",method=\"POST\",class=\"2xx\"} 1",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is not in {text}");
    }
}

/// Both ways: what is told is explained, and what is explained is told.
#[test]
fn the_document_has_every_metric_and_no_other() {
    let document = include_str!("../../../../docs/observability.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name);
    let is_metric = |name: &&str| {
        let is_ours = name.starts_with("taxisvc_") || name.starts_with("process_");
        is_ours && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let metrics = names.filter(is_metric);
    let explained: Vec<&str> = metrics.collect();
    let told = described(&text(Exposition::Text));
    let mut sorted = explained.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, told.keys().map(String::as_str).collect::<Vec<_>>());
}
