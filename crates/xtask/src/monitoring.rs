//! Holds what watches a running system: the rules of Prometheus, their tests, the pages of the runbook, the dashboards; and tries
//! them on one.

mod dashboards;
mod documents;
mod lint;
mod rules;

use crate::shell::{ask, call};
use crate::{ci, packages};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Clone, Subcommand)]
enum Part {
    /// Checks the rules and runs their tests, reads the dashboards, and holds both against the documents
    Check,
    /// Writes what is made of others: the dashboards' JSON, and the rules as Kubernetes has them
    Write,
    /// Reads the dashboards as Grafana's own types have them, strictly; wants Go
    Schema,
    /// Has a real Prometheus scrape one process and several of each service under load: every panel and every alert must find
    /// its figures
    Live,
    /// Brings about what each alert tells of, on a running system, until Prometheus says that it fires; takes half an hour
    Provoke {
        /// Those alone in whose names this stands
        #[arg(value_name = "ALERT", default_value = "")]
        alert: String,
    },
}

pub(crate) const RULES: &str = "deploy/monitoring/alerts.yaml";
const TESTS_OF_RULES: [&str; 2] =
    ["deploy/monitoring/alerts.test.yaml", "deploy/monitoring/alerts.long.test.yaml"];
const DASHBOARDS: &str = "deploy/monitoring/grafana";
/// A program of Go's.
const SCHEMA: &str = "crates/xtask/monitoring";
const RULES_OF_KUBERNETES: &str = "deploy/kubernetes/components/prometheus/alerts.yaml";
const CONFIGURATION: &str = "deploy/compose/prometheus.yaml";

/// The tests that do it.
const LIVE: &str = "cluster::monitoring::every_panel_and_alert_finds_its_figures";
const PROVOKE: &str = "cluster::monitoring::provoke::every_alert_fires_when_it_should";

/// Everything, or one part; what takes longest only when it is named.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.part {
        Some(Part::Check) => check(root),
        Some(Part::Write) => write(root),
        Some(Part::Schema) => schema(root),
        Some(Part::Live) => ci::monitoring(root, LIVE, ""),
        Some(Part::Provoke { alert }) => ci::monitoring(root, PROVOKE, alert),
        None => {
            check(root)?;
            schema(root)?;
            ci::monitoring(root, LIVE, "")
        }
    }
}

/// What takes seconds.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_monitoring())?;
    let faults = [documents::faults(root)?, lint::faults(root)?, made_of_others(root)?].concat();
    if !faults.is_empty() {
        bail!("{} fault(s) in what watches the system:\n  {}", faults.len(), faults.join("\n  "));
    }
    let work = root.join("target/monitoring");
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    promtool(&["check", "rules"], &[root.join(RULES)])?;
    promtool(&["test", "rules"], &TESTS_OF_RULES.map(|tests| root.join(tests)))?;
    let count = check_expressions(root, &work)?;
    check_configuration(root, &work)?;
    let alerts = rules::alerts(&read(root, RULES)?).len();
    println!("{alerts} alerts with a page and tests each; {count} expressions of dashboards can be read");
    Ok(())
}

fn promtool(words: &[&str], files: &[PathBuf]) -> anyhow::Result<()> {
    ask(Command::new("promtool").args(words).args(files)).map(drop)
}

/// By promtool as well: each stands as a rule of its own, with the variables as Grafana puts them in.
fn check_expressions(root: &Path, work: &Path) -> anyhow::Result<usize> {
    let expressions = lint::expressions(root)?;
    let mut text = String::from("groups:\n  - name: panels\n    rules:\n");
    for (place, expression) in expressions.iter().enumerate() {
        let expression = expression.replace("$__rate_interval", "1m").replace("$namespace", ".*");
        let expression = expression.replace("$job", ".+").replace("$instance", ".+");
        let quoted = serde_json::to_string(&expression).context("text is JSON")?;
        writeln!(text, "      - record: panel:{place}\n        expr: {quoted}")?;
    }
    let file = work.join("expressions.yaml");
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    promtool(&["check", "rules"], &[file])?;
    Ok(expressions.len())
}

/// Beside the rules, as both lie in the container.
fn check_configuration(root: &Path, work: &Path) -> anyhow::Result<()> {
    let file = work.join("prometheus.yml");
    fs::copy(root.join(CONFIGURATION), &file).with_context(|| format!("cannot copy {CONFIGURATION}"))?;
    fs::copy(root.join(RULES), work.join("alerts.yaml")).with_context(|| format!("cannot copy {RULES}"))?;
    promtool(&["check", "config"], &[file])
}

/// By itself, since what it builds takes a minute where it was not built before.
fn schema(root: &Path) -> anyhow::Result<()> {
    let files =
        dashboards::ALL.map(|dashboard| root.join(DASHBOARDS).join(format!("{}.json", dashboard.name)));
    let mut go = Command::new("go");
    go.args(["run", "."]).args(files).current_dir(root.join(SCHEMA));
    call(&mut go).context("the dashboards are read by a program in Go, 1.24 or newer")
}

/// Files that are made of others, and what stands in them.
fn made(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let dashboards = dashboards::ALL.iter();
    let mut made: Vec<_> = dashboards
        .map(|dashboard| (format!("{DASHBOARDS}/{}.json", dashboard.name), dashboard.text()))
        .collect();
    made.push((RULES_OF_KUBERNETES.to_owned(), rules::of_kubernetes(&read(root, RULES)?)));
    Ok(made)
}

fn write(root: &Path) -> anyhow::Result<()> {
    for (name, text) in made(root)? {
        let path = root.join(&name);
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
        println!("{name}");
    }
    Ok(())
}

/// Those of them that are not as they would be made now.
fn made_of_others(root: &Path) -> anyhow::Result<Vec<String>> {
    let differs = |(name, text): &(String, String)| {
        let there = fs::read_to_string(root.join(name));
        there.map_or(true, |there| there != *text)
    };
    let fault = |(name, _)| format!("{name} is not as it is made: `cargo xtask monitoring write`");
    Ok(made(root)?.into_iter().filter(differs).map(fault).collect())
}

fn read(root: &Path, name: &str) -> anyhow::Result<String> {
    fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without promtool.
    #[test]
    fn rules_pages_tests_and_dashboards_belong_together() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the root");
        assert_eq!(documents::faults(root).expect("it can be read"), [""; 0]);
        assert_eq!(lint::faults(root).expect("it can be read"), [""; 0]);
        assert_eq!(made_of_others(root).expect("it can be read"), [""; 0]);
    }
}
