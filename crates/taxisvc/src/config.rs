//! What is configured: defaults, under a TOML file, under the environment, under flags; unknown names are refused.

pub(crate) mod bounds;
pub(crate) mod live;
mod mistake;
pub(crate) mod open_telemetry;
pub(crate) mod outside;
mod place;
pub(crate) mod secret;
pub(crate) mod sources;
pub(crate) mod upstreams;

use outside::{Kafka, Postgres};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The directory in which everything is stored; empty until it is known where that is on this machine.
    pub(crate) data: PathBuf,
    /// The address on which every port listens.
    pub(crate) listen: IpAddr,
    /// A level (`info`), or directives (`info,engine=debug`).
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) ports: Ports,
    pub(crate) store: Store,
    pub(crate) postgres: Postgres,
    pub(crate) kafka: Kafka,
    pub(crate) payment: Payment,
    pub(crate) tariff: Tariff,
    pub(crate) deadlines: Deadlines,
    pub(crate) answers: Answers,
    pub(crate) gateway: Gateway,
    pub(crate) limits: Limits,
    pub(crate) operator: Operator,
    pub(crate) upstreams: Upstreams,
    pub(crate) traces: Traces,
    pub(crate) provider: provider::settings::Settings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ports {
    pub(crate) gateway: u16,
    pub(crate) call: u16,
    pub(crate) payment: u16,
    pub(crate) drive: u16,
    pub(crate) view: u16,
    pub(crate) web: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    /// Where the data is, for commands that look and for the gateway: a service by itself is over PostgreSQL anyway.
    pub(crate) kind: Kind,
    /// Whether all services share one file, or have one each.
    pub(crate) layout: Layout,
    /// Of each service; fixed when the data directory is made.
    pub(crate) shards: u16,
    /// The first call's number in a new data directory.
    pub(crate) first_id: u64,
    /// Below this much room on the disk, an alert is shown.
    pub(crate) room_warn_bytes: u64,
    /// Below this much, new requests are refused; what is under way uses the rest to come to its end.
    pub(crate) room_min_bytes: u64,
    /// How long dead letters that were skipped are kept for whoever asks.
    pub(crate) keep_skipped_days: u32,
}

impl Store {
    pub(crate) fn keep_skipped_ms(&self) -> i64 {
        i64::from(self.keep_skipped_days) * 24 * 60 * 60 * 1_000
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// In the data directory.
    Sqlite,
    /// In a database of each service.
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    Together,
    Apart,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Payment {
    /// Whose call service asks by `POST /callpay`.
    pub(crate) call_service: CallService,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CallService {
    Ours,
    /// The one that this system takes over from.
    Original,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tariff {
    pub(crate) won_per_km: i64,
    pub(crate) too_far_above: i64,
}

/// In milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Deadlines {
    pub(crate) provider_ms: u64,
    pub(crate) call_unpaid_ms: u64,
    pub(crate) call_undriven_ms: u64,
    pub(crate) call_placed_ms: u64,
    pub(crate) report_after_ms: u64,
    /// How long the requests under way may take when the process is told to stop.
    pub(crate) drain_ms: u64,
    /// How long connections are still accepted after that; what a load balancer needs to notice.
    pub(crate) drain_grace_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Answers {
    /// How long `POST /calls` waits for payment before it answers 202.
    pub(crate) wait_ms: u64,
    /// How long `POST /callpay` waits before payment gives up.
    pub(crate) callpay_wait_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) request_timeout_ms: u64,
    pub(crate) body_bytes_max: usize,
    /// Requests a second that one client may make; 0 is no limit.
    pub(crate) rate_limit_per_second: u32,
    pub(crate) rate_limit_burst: u32,
    /// Whose `X-Forwarded-*` is believed: addresses, or blocks such as `10.0.0.0/8`.
    pub(crate) trusted_proxies: Vec<String>,
    /// Origins whose pages may read the answers; `*` is any.
    pub(crate) cors_origins: Vec<String>,
    /// Whether those pages may send credentials; not with `*`.
    pub(crate) cors_credentials: bool,
}

/// What one client, and what all of them, may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Calls that one rider may make in a minute; 0 is no limit.
    pub(crate) calls_per_rider_per_minute: u32,
    /// Calls that one rider may make at once, where there is a limit.
    pub(crate) calls_per_rider_burst: u32,
    /// Event streams that may be open at once.
    pub(crate) streams_max: usize,
    /// Event streams that one address may have open at once.
    pub(crate) streams_per_client_max: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Operator {
    /// What operators show; empty is the one that the first start draws and keeps in the data directory.
    pub(crate) token: String,
}

/// The replicas of each service, `host:port`, for a gateway that runs alone; empty is the one on this machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Upstreams {
    pub(crate) call: Vec<String>,
    pub(crate) payment: Vec<String>,
    pub(crate) drive: Vec<String>,
    pub(crate) view: Vec<String>,
    pub(crate) web: Vec<String>,
}

/// Where the spans of what is done are sent, by OTLP over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Traces {
    /// The collector; empty is nowhere.
    pub(crate) endpoint: String,
    /// Headers for the collector, `name=value` with commas between.
    pub(crate) headers: String,
    /// How many of the traces that begin here are sampled, of 1.
    pub(crate) sample_ratio: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: String::new(), headers: String::new(), sample_ratio: 1.0 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            listen: IpAddr::from([127, 0, 0, 1]),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            ports: Ports::default(),
            store: Store::default(),
            postgres: Postgres::default(),
            kafka: Kafka::default(),
            payment: Payment::default(),
            tariff: Tariff::default(),
            deadlines: Deadlines::default(),
            answers: Answers::default(),
            gateway: Gateway::default(),
            limits: Limits::default(),
            operator: Operator::default(),
            upstreams: Upstreams::default(),
            traces: Traces::default(),
            provider: provider::settings::Settings::default(),
        }
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self { gateway: 8088, call: 8082, payment: 8083, drive: 8084, view: 8085, web: 8080 }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: Kind::Sqlite,
            layout: Layout::Together,
            shards: 1,
            first_id: 1,
            room_warn_bytes: 1 << 30,
            room_min_bytes: 256 << 20,
            keep_skipped_days: 90,
        }
    }
}

impl Default for Payment {
    fn default() -> Self {
        Self { call_service: CallService::Ours }
    }
}

impl Default for Tariff {
    fn default() -> Self {
        let tariff = taxi::tariff::Tariff::default();
        Self { won_per_km: tariff.won_per_km.0, too_far_above: tariff.too_far_above.0 }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        let deadlines = taxi::rules::Deadlines::default();
        Self {
            provider_ms: deadlines.provider.0,
            call_unpaid_ms: deadlines.call_unpaid.0,
            call_undriven_ms: deadlines.call_undriven.0,
            call_placed_ms: deadlines.placed.0,
            report_after_ms: deadlines.report_after.0,
            drain_ms: 10_000,
            drain_grace_ms: 0,
        }
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self { wait_ms: 600, callpay_wait_ms: 500 }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            request_timeout_ms: 10_000,
            body_bytes_max: 64 * 1024,
            rate_limit_per_second: 0,
            rate_limit_burst: 20,
            trusted_proxies: Vec::new(),
            cors_origins: vec!["*".to_owned()],
            cors_credentials: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_rider_per_minute: 0,
            calls_per_rider_burst: 10,
            streams_max: 256,
            streams_per_client_max: 64,
        }
    }
}

impl Config {
    /// Once everything is said that is said: by itself, a setting may make no sense beside the defaults of others.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        bounds::check(self)
    }

    pub(crate) fn rules(&self) -> taxi::rules::Rules {
        let ms = taxi::time::Millis;
        taxi::rules::Rules {
            tariff: taxi::tariff::Tariff {
                won_per_km: taxi::money::Won(self.tariff.won_per_km),
                too_far_above: taxi::money::Won(self.tariff.too_far_above),
            },
            deadlines: taxi::rules::Deadlines {
                provider: ms(self.deadlines.provider_ms),
                call_unpaid: ms(self.deadlines.call_unpaid_ms),
                call_undriven: ms(self.deadlines.call_undriven_ms),
                report_after: ms(self.deadlines.report_after_ms),
                placed: ms(self.deadlines.call_placed_ms),
            },
            callpay_beside: match self.payment.call_service {
                CallService::Ours => taxi::rules::CallpayBeside::Ours,
                CallService::Original => taxi::rules::CallpayBeside::Original,
            },
        }
    }

    pub(crate) fn layout(&self) -> wiring::Layout {
        match self.store.layout {
            Layout::Together => wiring::Layout::Together,
            Layout::Apart => wiring::Layout::Apart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sources::{environment_name, paths, read_types, set};
    use super::*;
    use toml::{Table, Value};

    fn with(path: &str, text: &str) -> anyhow::Result<Config> {
        let mut table = Table::try_from(Config::default())?;
        set(&mut table, path, text)?;
        let config = read_types(&table)?;
        config.validate()?;
        Ok(config)
    }

    #[test]
    fn every_setting_can_be_said_in_the_environment() {
        let table = Table::try_from(Config::default()).unwrap();
        for path in paths(&table, "") {
            let name = environment_name(&path);
            assert!(name.starts_with("TAXISVC_") && !name.contains('.'), "{name}");
        }
        assert_eq!(with("ports.gateway", "9000").unwrap().ports.gateway, 9000);
        assert_eq!(
            with("gateway.cors_origins", "https://a, https://b").unwrap().gateway.cors_origins.len(),
            2
        );
        assert_eq!(with("store.layout", "apart").unwrap().store.layout, Layout::Apart);
    }

    /// As docs/configuration.md writes it.
    fn written(value: &Value) -> String {
        match value {
            Value::String(text) => format!("{text:?}"),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
            Value::Array(items) => {
                format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
            }
            Value::Datetime(_) | Value::Table(_) => panic!("no setting is of this kind: {value:?}"),
        }
    }

    fn default_of<'t>(table: &'t Table, path: &str) -> &'t Value {
        match path.split_once('.') {
            Some((part, rest)) => default_of(table[part].as_table().unwrap(), rest),
            None => &table[path],
        }
    }

    #[test]
    fn the_document_names_every_setting_with_its_default_and_whether_it_is_live_and_no_other() {
        let document = include_str!("../../../docs/configuration.md");
        let table = Table::try_from(Config::default()).unwrap();
        let mut expected: Vec<String> = paths(&table, "")
            .iter()
            .map(|path| {
                let default = written(default_of(&table, path));
                let live = if live::is_live(path) { " live " } else { " " };
                format!("| `{path}` | `{}` | `{default}` |{live}|", environment_name(path))
            })
            .collect();
        expected.sort();
        let rows = document.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.map(|row| row.splitn(6, '|').take(5).collect::<Vec<_>>().join("|") + "|");
        let mut told: Vec<String> = cells.collect();
        told.sort();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_not_understood_says_what_and_why() {
        let check = |path: &str, text: &str, expected: &str| {
            let error = format!("{:#}", with(path, text).unwrap_err());
            assert!(error.contains(expected), "{path}={text}: {error}");
        };
        check("ports.gateway", "many", "whole number");
        check("ports.gateway", "70000", "70000");
        check("store.shards", "0", "1 to 64");
        check("store.layout", "sideways", "sideways");
        check("tariff.won_per_km", "-1", "won_per_km");
        check("deadlines.call_unpaid_ms", "5", "longer");
        check("gateway.cors_credentials", "true", "credentials");
        let unknown: Table = "prots = 1".parse().unwrap();
        assert!(format!("{:#}", read_types(&unknown).unwrap_err()).contains("prots"));
    }

    /// Whichever of the two is read first makes no sense beside the other's default.
    #[test]
    fn settings_that_make_sense_together_may_be_said_in_any_order() {
        let mut table = Table::try_from(Config::default()).unwrap();
        for (path, text) in [("deadlines.provider_ms", "90000"), ("deadlines.call_unpaid_ms", "100000")] {
            set(&mut table, path, text).unwrap();
            assert!(read_types(&table).is_ok(), "{path}");
        }
        read_types(&table).unwrap().validate().unwrap();
    }
}
