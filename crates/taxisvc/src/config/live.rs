//! Which settings may change while the process runs, and what a file that was read anew changes.

use super::sources::{InForce, Setting, place, read_types};
use super::{Config, Kind};
use anyhow::Context;
use std::path::PathBuf;
use toml::Table;

/// Those that count as soon as the file says otherwise; all others count at the start only.
const LIVE: [&str; 22] = [
    "answers.callpay_wait_ms",
    "answers.wait_ms",
    "gateway.body_bytes_max",
    "gateway.cors_credentials",
    "gateway.cors_origins",
    "gateway.rate_limit_burst",
    "gateway.rate_limit_per_second",
    "gateway.request_timeout_ms",
    "gateway.trusted_proxies",
    "limits.calls_per_rider_burst",
    "limits.calls_per_rider_per_minute",
    "limits.streams_max",
    "limits.streams_per_client_max",
    LOG,
    "store.room_min_bytes",
    "store.room_warn_bytes",
    "traces.sample_ratio",
    "upstreams.call",
    "upstreams.drive",
    "upstreams.payment",
    "upstreams.view",
    WEB,
];
pub(crate) const LOG: &str = "log";
const WEB: &str = "upstreams.web";

/// Whether a change of it counts while the process runs.
pub(crate) fn is_live(path: &str) -> bool {
    LIVE.contains(&path)
}

/// What a file that was read anew comes to.
#[derive(Debug)]
pub(crate) struct Change {
    /// What is in force from now on.
    pub(crate) in_force: InForce,
    /// The paths of what is otherwise now than it was.
    pub(crate) changed: Vec<String>,
    /// What will be otherwise after a restart.
    pub(crate) later: Vec<Setting>,
}

/// What is in force `now`, beside what was read anew.
pub(crate) fn change(now: &InForce, wanted: &InForce) -> anyhow::Result<Change> {
    let mut table = table(&now.config)?;
    let (mut settings, mut changed, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for wanted_setting in &wanted.settings {
        let path = wanted_setting.path.as_str();
        let known = now.settings.iter().find(|setting| setting.path == path);
        let known = known.with_context(|| format!("{path} was no setting"))?;
        let is_changed = !is_same(known, wanted_setting);
        if !counts_now(path, &now.config, &wanted.config) {
            settings.push(known.clone());
            later.extend(is_changed.then(|| wanted_setting.clone()));
            continue;
        }
        settings.push(wanted_setting.clone());
        if is_changed {
            *place(&mut table, path).with_context(|| format!("{path} has no place"))? =
                wanted_setting.value.clone();
            changed.push(path.to_owned());
        }
    }
    let mut config = read_types(&table)?;
    config.data.clone_from(&now.config.data);
    config.validate()?;
    Ok(Change { in_force: InForce { config, settings, ..now.clone() }, changed, later })
}

/// Without the directory, whose path need not be text.
fn table(config: &Config) -> anyhow::Result<Table> {
    let config = Config { data: PathBuf::new(), ..config.clone() };
    Table::try_from(config).context("what is in force cannot be written as TOML")
}

/// Where the data is when nobody says may look otherwise once it is there.
fn is_same(known: &Setting, wanted: &Setting) -> bool {
    known.value == wanted.value || (known.why.is_some() && wanted.why.is_some())
}

/// The gateway answers what is everything else by itself or asks replicas; which of the two is settled at the start.
fn counts_now(path: &str, now: &Config, wanted: &Config) -> bool {
    let is_asked_elsewhere =
        |config: &Config| now.store.kind == Kind::Sqlite || !config.upstreams.web.is_empty();
    is_live(path) && (path != WEB || is_asked_elsewhere(now) == is_asked_elsewhere(wanted))
}

#[cfg(test)]
mod tests {
    use super::super::sources::paths;
    use super::*;
    use toml::Value;

    fn said(pairs: &[(&str, Value)]) -> InForce {
        let mut table = Table::try_from(Config::default()).unwrap();
        for (path, value) in pairs {
            *place(&mut table, path).unwrap() = value.clone();
        }
        let mut known = paths(&table, "");
        known.sort();
        let setting = |path: String| {
            let value = place(&mut table, &path).unwrap().clone();
            Setting {
                value,
                path,
                source: super::super::sources::Source::Default,
                why: None,
                overridden: Vec::new(),
            }
        };
        let settings = known.into_iter().map(setting).collect();
        InForce { config: read_types(&table).unwrap(), settings, ..InForce::of_defaults() }
    }

    fn paths_of(settings: &[Setting]) -> Vec<&str> {
        settings.iter().map(|setting| setting.path.as_str()).collect()
    }

    #[test]
    fn every_one_of_them_is_a_setting() {
        let known = paths(&Table::try_from(Config::default()).unwrap(), "");
        for path in LIVE {
            assert!(known.iter().any(|known| known == path), "{path}");
        }
    }

    #[test]
    fn what_may_change_does_and_the_rest_waits() {
        let now = said(&[]);
        let wanted = said(&[
            ("log", "debug".into()),
            ("limits.streams_max", 7.into()),
            ("ports.web", 9_000.into()),
            ("store.shards", 2.into()),
        ]);
        let change = change(&now, &wanted).unwrap();
        assert_eq!(change.changed, ["limits.streams_max", "log"]);
        assert_eq!(paths_of(&change.later), ["ports.web", "store.shards"]);
        let expected = said(&[("log", "debug".into()), ("limits.streams_max", 7.into())]);
        assert_eq!(change.in_force.config, expected.config);
        assert_eq!(change.in_force.settings, expected.settings);
    }

    /// From then on it is compared with what is in force, not with how it began.
    #[test]
    fn what_is_taken_back_is_in_force_again() {
        let begun = said(&[]);
        let first = change(&begun, &said(&[("log", "debug".into()), ("ports.web", 1.into())])).unwrap();
        let same =
            change(&first.in_force, &said(&[("log", "debug".into()), ("ports.web", 1.into())])).unwrap();
        assert_eq!((same.changed.len(), paths_of(&same.later)), (0, vec!["ports.web"]));
        let back = change(&first.in_force, &begun).unwrap();
        assert_eq!((back.changed, back.later.len()), (vec!["log".to_owned()], 0));
        assert_eq!(back.in_force.config, begun.config);
    }

    #[test]
    fn what_the_process_has_settled_for_itself_stays() {
        let mut now = said(&[]);
        now.config.data = "somewhere".into();
        now.config.store.kind = Kind::Postgres;
        let change = change(&now, &said(&[("log", "debug".into())])).unwrap();
        assert_eq!(
            (change.in_force.config.data, change.in_force.config.store.kind),
            ("somewhere".into(), Kind::Postgres)
        );
    }

    #[test]
    fn whether_the_gateway_has_the_pages_itself_is_settled_at_the_start() {
        let web = |kind: &str, replicas: &[&str]| {
            let replicas = replicas.iter().map(|replica| Value::from(*replica)).collect();
            said(&[("store.kind", kind.into()), (WEB, Value::Array(replicas))])
        };
        let check = |kind: &str, (now, wanted): (&[&str], &[&str]), is_now: bool| {
            let change = change(&web(kind, now), &web(kind, wanted)).unwrap();
            assert_eq!(
                (change.changed.len(), change.later.len()),
                if is_now { (1, 0) } else { (0, 1) },
                "{kind} {wanted:?}"
            );
        };
        check("sqlite", (&[], &["one:1"]), true);
        check("postgres", (&[], &["one:1"]), false);
        check("postgres", (&["one:1"], &[]), false);
        check("postgres", (&["one:1"], &["two:1"]), true);
    }
}
