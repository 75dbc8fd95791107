//! Settings in a ConfigMap that is changed while everything runs.

use super::cluster::until;
use super::steps::{Pod, SERVICES, Stage};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::time::Duration;

/// The kubelet brings a change to the files within a minute or so.
const PATIENCE: Duration = Duration::from_secs(180);
const CHANGES: [&str; 3] = ["info", "debug", "info"];
const KEY: &str = "taxisvc.toml";

/// DEBUG → INFO → DEBUG as in the original, and a level that is none; no pod starts anew.
pub(super) fn change(stage: &Stage<'_>) -> anyhow::Result<String> {
    let pods =
        || -> anyhow::Result<Vec<Vec<Pod>>> { SERVICES.iter().map(|service| stage.pods(service)).collect() };
    let before = pods()?;
    let first = said(stage)?;
    let original = level_of(&first)?;
    let with = |level: &str| first.replace(&line(&original), &line(level));
    for level in CHANGES {
        write(stage, &with(level))?;
        for service in SERVICES {
            until(&format!("every {service} to log {level}"), PATIENCE, || {
                every_pod_logs(stage, service, level)
            })?;
        }
    }
    write(stage, &with("loud"))?;
    let refused = until("the level to be refused", PATIENCE, || refusals(stage, true))?;
    every_pod_logs(stage, "call", CHANGES[CHANGES.len() - 1]).context("what was in force stays")?;
    write(stage, &first)?;
    until("what was wrong to be forgotten", PATIENCE, || refusals(stage, false))?;
    until("the first level to be back", PATIENCE, || every_pod_logs(stage, "call", &original))?;
    ensure!(pods()? == before, "pods were started anew");
    Ok(format!(
        "{original} → {} in every pod; \"loud\" refused by {refused} pods of call, reported and kept out; then {original} \
         again; no pod started anew",
        CHANGES.join(" → ")
    ))
}

/// Each is asked itself: a command in its pod would read the file, and refuse it as well.
fn every_pod_logs(stage: &Stage<'_>, service: &str, level: &str) -> anyhow::Result<()> {
    let token = [
        "get",
        "secret",
        "taxisvc",
        "--output",
        "go-template={{.data.TAXISVC_OPERATOR_TOKEN | base64decode}}",
    ];
    let token = stage.kubectl(&token)?;
    for pod in stage.pods(service)? {
        let url = format!("http://{}:{}/operator/log", pod.address, port(service));
        let told = stage.client.run(&format!("curl -sS --fail -H 'authorization: Bearer {token}' {url}"))?;
        let told: Value = serde_json::from_str(&told).context("an answer is JSON")?;
        ensure!(told["level"] == level, "{} logs {told}", pod.name);
    }
    Ok(())
}

/// How many pods of call have a file that they refuse; an error unless all or none of them do, as is wanted.
fn refusals(stage: &Stage<'_>, wanted: bool) -> anyhow::Result<usize> {
    let pods = stage.pods("call")?;
    for pod in &pods {
        let figures = stage.client.get(&format!("http://{}:8082/metrics", pod.address))?;
        let line = figures.lines().find(|line| line.starts_with("taxisvc_config_refused "));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let value = value.context("there is such a figure")?;
        ensure!((value > 0.0) == wanted, "{}: {value}", pod.name);
    }
    Ok(pods.len())
}

fn port(service: &str) -> u16 {
    match service {
        "call" => 8082,
        "payment" => 8083,
        "drive" => 8084,
        "view" => 8085,
        _ => 8088,
    }
}

fn line(level: &str) -> String {
    format!("log = \"{level}\"")
}

fn level_of(file: &str) -> anyhow::Result<String> {
    let level = file.lines().find_map(|line| line.strip_prefix("log = \"")?.strip_suffix('"'));
    level.map(str::to_owned).context("the file says a level")
}

fn said(stage: &Stage<'_>) -> anyhow::Result<String> {
    let map = object(stage)?;
    let Some(text) = map["data"][KEY].as_str() else { bail!("the ConfigMap has no {KEY}") };
    Ok(text.to_owned())
}

fn write(stage: &Stage<'_>, text: &str) -> anyhow::Result<()> {
    let mut map = object(stage)?;
    map["data"][KEY] = text.into();
    stage.cluster.give(&["replace", "--filename", "-"], &map.to_string())?;
    Ok(())
}

fn object(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let told = stage.kubectl(&["get", "configmap", "taxisvc", "--output", "json"])?;
    serde_json::from_str(&told).context("kubectl tells JSON")
}
