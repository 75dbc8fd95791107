//! A real Prometheus that scrapes processes of a test every second, and what it is asked.

use crate::world::cluster::draw_port;
use crate::world::http::Ask;
use crate::world::until;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A service and where its processes are.
pub(super) type Job = (&'static str, Vec<SocketAddr>);

/// An alert that is not quiet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) is_firing: bool,
}

pub(super) struct Prometheus {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Prometheus {
    /// With these rules, which are a file's text; nothing where there is no such program.
    pub(super) fn start(rules: &str, jobs: &[Job]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], draw_port()));
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("alerts.yaml", rules);
        write(
            "prometheus.yml",
            "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n\
             rule_files: [alerts.yaml]\n\
             scrape_configs: [{ job_name: all, file_sd_configs: [{ files: [targets.json], refresh_interval: 1s }] }]\n",
        );
        tell(folder.path(), jobs);
        let mut command = Command::new("prometheus");
        command.current_dir(folder.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.args([&format!("--web.listen-address={address}"), "--log.level=warn"]);
        let child = match command.stdin(Stdio::null()).stdout(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) => {
                println!("\n*** NOT RUN: prometheus cannot be started: {error}\n");
                return None;
            }
        };
        let prometheus = Self { child, folder, address };
        until("Prometheus to answer", || {
            Ask::get("/-/ready").of(address).is_ok_and(|answer| answer.status == 200).then_some(())
        });
        Some(prometheus)
    }

    /// From now on it scrapes these.
    pub(super) fn scrape(&self, jobs: &[Job]) {
        tell(self.folder.path(), jobs);
    }

    /// What an expression comes to now, or why it cannot be evaluated.
    pub(super) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let body = format!("query={}", encoded(expression));
        let ask = Ask::new("POST", "/api/v1/query");
        let ask = ask.header("content-type", "application/x-www-form-urlencoded").body(body.as_bytes());
        let answer = ask.of(self.address).map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        match told["data"]["result"].as_array() {
            Some(result) => Ok(result.clone()),
            None => Err(format!("{expression}: {}", told["error"])),
        }
    }

    /// Whether it comes to at least one number.
    pub(super) fn finds(&self, expression: &str) -> bool {
        let found = self.query(expression).unwrap_or_else(|why| panic!("{why}"));
        found.iter().any(|sample| {
            let value = sample["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
            value.is_some_and(f64::is_finite)
        })
    }

    /// Names and expressions of all alerts, each of which must have been evaluated well.
    pub(super) fn rules(&self) -> Vec<(String, String)> {
        let groups = self.get("/api/v1/rules?type=alert");
        let groups = groups["groups"].as_array().expect("it has groups").clone();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("a group has rules"));
        let of = |rule: &Value, field: &str| rule[field].as_str().unwrap_or_default().to_owned();
        let rules = rules.map(|rule| {
            assert_ne!(of(rule, "health"), "err", "{rule}");
            (of(rule, "name"), of(rule, "query"))
        });
        rules.collect()
    }

    /// Those that are not quiet.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        let told = self.get("/api/v1/alerts");
        let mut alerts: Vec<Alert> = told["alerts"]
            .as_array()
            .expect("it tells of alerts")
            .iter()
            .map(|alert| Alert {
                name: alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned(),
                is_firing: alert["state"] == "firing",
            })
            .collect();
        alerts.sort();
        alerts.dedup();
        alerts
    }

    fn get(&self, path: &str) -> Value {
        let answer = Ask::get(path).of(self.address).expect("Prometheus answers").with(200);
        answer.json()["data"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // One that is gone already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whole at once, as it looks into the file whenever it changes.
fn tell(folder: &Path, jobs: &[Job]) {
    let groups = jobs.iter().map(|(job, addresses)| {
        let targets: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        json!({"targets": targets, "labels": {"job": job}})
    });
    let new = folder.join("targets.new");
    std::fs::write(&new, Value::Array(groups.collect()).to_string()).unwrap();
    std::fs::rename(&new, folder.join("targets.json")).unwrap();
}

/// As forms write it, every byte that could mean something else.
fn encoded(text: &str) -> String {
    let of = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(of).collect()
}
