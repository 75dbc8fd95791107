//! The settings in ConfigMaps: whether the program takes them, and whether they fit what stands around it.

use super::objects::{Object, variables};
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::process::Command;
use toml::Table;

/// What a process may still need once its requests are answered: 5 s for the engine, 5 s for leaving Kafka's group.
const AFTERWARDS_MS: i64 = 10_000;
/// As in docs/configuration.md.
const DRAIN_MS_DEFAULT: i64 = 10_000;
const PARTITIONS_DEFAULT: i64 = 12;

/// What is not as it should be; the folder is for files on the way.
pub(super) fn faults(objects: &[Object], binary: &Path, work: &Path) -> anyhow::Result<Vec<String>> {
    let map = objects.iter().find(|object| object.kind() == "ConfigMap" && object.name() == "taxisvc");
    let text = map.map(|map| map.text("/data/taxisvc.toml")).unwrap_or_default();
    if text.is_empty() {
        return Ok(vec!["there is no ConfigMap taxisvc with a taxisvc.toml".to_owned()]);
    }
    let Ok(settings) = text.parse::<Table>() else {
        return Ok(vec!["taxisvc.toml is no TOML".to_owned()]);
    };
    let file = work.join("taxisvc.toml");
    fs::write(&file, text).context("cannot write the settings")?;
    let mut faults = replicas(objects, &settings);
    faults.extend(upstreams(objects, &settings));
    for workload in objects.iter().filter(|object| object.is_workload()) {
        let environment = environment(workload, objects);
        let found = endings(workload, &settings, &environment);
        let found = found.into_iter().chain(refused(binary, &file, &environment)?);
        faults.extend(found.map(|fault| format!("{}: {fault}", workload.title())));
    }
    Ok(faults)
}

/// What the program says to its settings, when it does not take them.
fn refused(binary: &Path, file: &Path, environment: &[(String, String)]) -> anyhow::Result<Option<String>> {
    let mut command = Command::new(binary);
    // Nothing of whoever runs this counts.
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.arg("config").arg("--config").arg(file).output().context("cannot start taxisvc")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success()).then_some(said))
}

/// What a pod has in its environment; what is secret is made up, but for what the overlay's own Secret leaves out.
fn environment(workload: &Object, objects: &[Object]) -> Vec<(String, String)> {
    let secret = objects.iter().find(|object| object.kind() == "Secret");
    let value = |variable: &serde_json::Value| {
        let name = variable["name"].as_str()?;
        if let Some(value) = variable["value"].as_str() {
            return Some((name.to_owned(), value.to_owned()));
        }
        let key = variable.pointer("/valueFrom/secretKeyRef/key")?.as_str()?;
        let is_there = secret.is_none_or(|secret| secret.at("/data").get(key).is_some());
        let made_up = match key.strip_prefix("TAXISVC_POSTGRES_") {
            Some(database) => format!("postgres://taxisvc:made-up@postgres:5432/{database}"),
            None => "made-up-0123456789".to_owned(),
        };
        is_there.then(|| (name.to_owned(), made_up))
    };
    workload.containers().iter().flat_map(variables).filter_map(value).collect()
}

/// A process has the time that it wants for its end, and a sidecar beside it does not go first.
fn endings(workload: &Object, settings: &Table, environment: &[(String, String)]) -> Vec<String> {
    let deadline = |name: &str, default: i64| {
        let variable = format!("TAXISVC_DEADLINES_{}", name.to_uppercase());
        let told = environment.iter().find(|(name, _)| *name == variable);
        let told = told.and_then(|(_, value)| value.parse().ok());
        told.or_else(|| settings.get("deadlines")?.get(name)?.as_integer()).unwrap_or(default)
    };
    let grace_ms = deadline("drain_grace_ms", 0);
    let wanted_ms = grace_ms + deadline("drain_ms", DRAIN_MS_DEFAULT) + AFTERWARDS_MS;
    let given_s = workload.at("/spec/template/spec/terminationGracePeriodSeconds").as_i64().unwrap_or(30);
    let mut faults = Vec::new();
    // As much would be too little: the node's own work is in it.
    if given_s * 1_000 <= wanted_ms {
        faults.push(format!(
            "it is given {given_s} s for its end, and wants more than {wanted_ms} ms: deadlines.drain_grace_ms, deadlines.drain_ms \
             and {AFTERWARDS_MS} ms"
        ));
    }
    if let Some(sidecar_s) = sidecar_s(workload)
        && sidecar_s * 1_000 <= grace_ms
    {
        faults.push(format!(
            "its sidecar may be gone after {sidecar_s} s, while it takes requests for {grace_ms} ms"
        ));
    }
    faults
}

/// How long the mesh's sidecar stays at least.
fn sidecar_s(workload: &Object) -> Option<i64> {
    let config = workload.text("/spec/template/metadata/annotations/proxy.istio.io~1config");
    let (_, value) = config.split_once("MINIMUM_DRAIN_DURATION:")?;
    value.lines().next()?.trim().trim_matches('"').strip_suffix('s')?.parse().ok()
}

/// No more replicas of a service than there are partitions to read; the gateway reads none.
fn replicas(objects: &[Object], settings: &Table) -> Vec<String> {
    let kafka = settings.get("kafka");
    let partitions = kafka.and_then(|kafka| kafka.get("partitions")?.as_integer());
    let partitions = partitions.unwrap_or(PARTITIONS_DEFAULT);
    let max = |object: &Object| {
        let max = object.at("/spec/maxReplicas").as_i64();
        max.or_else(|| object.at("/spec/maxReplicaCount").as_i64())
    };
    let too_many = |object: &&Object| {
        object.text("/spec/scaleTargetRef/name") != "gateway" && max(object) > Some(partitions)
    };
    let fault = |object: &Object| format!("{}: more replicas than partitions ({partitions})", object.title());
    objects.iter().filter(too_many).map(fault).collect()
}

/// The gateway finds each replica by a Service that has their addresses, also of those that are not ready.
fn upstreams(objects: &[Object], settings: &Table) -> Vec<String> {
    let names = settings.get("upstreams").and_then(toml::Value::as_table).into_iter().flatten();
    let addresses = names.flat_map(|(_, list)| list.as_array().into_iter().flatten());
    let mut faults = Vec::new();
    for address in addresses.filter_map(toml::Value::as_str) {
        let (host, port) = address.split_once(':').unwrap_or((address, ""));
        let is_it = |object: &&Object| object.kind() == "Service" && object.name() == host;
        let port = port.parse::<u64>().ok();
        let has_port = |service: &Object| service.at("/spec/ports/0/port").as_u64() == port;
        let is_of_pods = |service: &Object| service.text("/spec/clusterIP") == "None";
        if !objects.iter().find(is_it).is_some_and(|service| has_port(service) && is_of_pods(service)) {
            faults.push(format!("upstreams: {address} is no headless Service with this port"));
        }
    }
    faults
}
