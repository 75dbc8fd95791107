//! What is done to the system on the cluster, and what has to be seen of it.

use super::client::Client;
use super::cluster::{Cluster, until};
use super::riders::{Riders, Tally};
use crate::image::Image;
use crate::shell::ask;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const SERVICES: [&str; 5] = ["call", "payment", "drive", "view", "gateway"];
const MINUTES: Duration = Duration::from_secs(300);
/// A pod whose port is dead is started anew after a minute.
const AWAY: Duration = Duration::from_secs(90);
const TIMEOUT: &str = "--timeout=300s";

/// A namespace with the system in it.
pub(super) struct Stage<'c> {
    pub(super) cluster: &'c Cluster,
    pub(super) namespace: &'c str,
    pub(super) client: &'c Client<'c>,
}

impl Stage<'_> {
    pub(super) fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.cluster.ask(&[&["--namespace", self.namespace], arguments].concat())
    }

    /// Waits until the deployment is what it was told to be, and nothing else runs.
    pub(super) fn settle(&self, service: &str) -> anyhow::Result<()> {
        self.kubectl(&["rollout", "status", &format!("deployment/{service}"), TIMEOUT])?;
        until(&format!("the old pods of {service} to go"), MINUTES, || {
            let pods = self.pods(service)?;
            let wanted =
                self.kubectl(&["get", "deployment", service, "-o", "jsonpath={.status.replicas}"])?;
            let wanted: usize = wanted.parse().context("replicas are a number")?;
            ensure!(pods.len() == wanted, "{} pods for {wanted}", pods.len());
            ensure!(pods.iter().all(Pod::is_ready), "{pods:?}");
            Ok(())
        })
    }

    pub(super) fn pods(&self, service: &str) -> anyhow::Result<Vec<Pod>> {
        let label = format!("app.kubernetes.io/name={service}");
        let told = self.kubectl(&["get", "pods", "--selector", &label, "--output", "json"])?;
        let told: Value = serde_json::from_str(&told).context("kubectl tells JSON")?;
        let pods = told["items"].as_array().context("pods are a list")?;
        pods.iter().map(Pod::of).collect()
    }

    /// What an operator asks the whole of, from where the four databases are known.
    pub(super) fn audit(&self) -> anyhow::Result<String> {
        let report = until("everything said to be heard", MINUTES, || {
            let command = ["taxisvc", "audit", "--json", "--config", "/etc/taxisvc/taxisvc.toml"];
            let told = self.kubectl(
                &[&["exec", "deployment/gateway", "--container", "taxisvc", "--"], &command[..]].concat(),
            );
            // It ends with 1 where something is wrong; and what is on its way is waited for.
            let report: Value = serde_json::from_str(&told?).context("an audit is JSON")?;
            let on_the_way = sum(&report, "checks", "inFlight") + sum(&report, "transit", "events");
            ensure!(on_the_way == 0, "{on_the_way} on the way");
            ensure!(sum(&report, "services", "deadLetters") == 0, "messages were put aside");
            Ok(report)
        })?;
        let checks = report["checks"].as_array().map_or(0, Vec::len);
        let entities = sum(&report, "services", "entities");
        Ok(format!("clean: {checks} checks, {entities} entities, 0 dead letters, nothing on the way"))
    }
}

fn sum(report: &Value, part: &str, field: &str) -> u64 {
    let rows = report[part].as_array().into_iter().flatten();
    rows.filter_map(|row| row[field].as_u64()).sum()
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) image: String,
    pub(super) restarts: u64,
    ready: Vec<bool>,
}

impl Pod {
    fn of(pod: &Value) -> anyhow::Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let states: Vec<Value> = ["containerStatuses", "initContainerStatuses"]
            .iter()
            .flat_map(|part| pod["status"][part].as_array().cloned().unwrap_or_default())
            .collect();
        let own = states.iter().find(|state| state["name"] == "taxisvc");
        let containers = pod["spec"]["containers"].as_array().context("a pod has containers")?;
        let image = containers.iter().find(|container| container["name"] == "taxisvc");
        let serving = states.iter().filter(|state| state["state"]["terminated"].is_null());
        Ok(Self {
            name: text(&pod["metadata"]["name"]),
            address: text(&pod["status"]["podIP"]),
            image: image.map(|container| text(&container["image"])).unwrap_or_default(),
            restarts: own.and_then(|state| state["restartCount"].as_u64()).unwrap_or(0),
            ready: serving.map(|state| state["ready"] == true).collect(),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty() && self.ready.iter().all(|ready| *ready)
    }

    pub(super) fn containers(&self) -> usize {
        self.ready.len()
    }
}

pub(super) fn come_up(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut containers = BTreeMap::new();
    for service in SERVICES {
        stage.settle(service)?;
        for pod in stage.pods(service)? {
            *containers.entry(pod.containers()).or_insert(0_u32) += 1;
        }
    }
    let counts: Vec<String> =
        containers.iter().map(|(of, pods)| format!("{pods} pods {of}/{of} ready")).collect();
    Ok(counts.join(", "))
}

/// The original's commands, by the gateway's Service.
pub(super) fn the_originals_commands(client: &Client<'_>) -> anyhow::Result<String> {
    let gateway = "http://gateway:8088";
    let call = json!({"userId": "1", "userName": "eojin", "distance": 10});
    let (status, placed) = client.post(&format!("{gateway}/calls"), &call)?;
    ensure!(status == 201 || status == 202, "POST /calls was answered {status}");
    let id = placed["callId"].as_u64().context("a call has an id")?;
    client.until(&format!("{gateway}/calls/{id}"), |call| call["callStatus"] == "driveStart")?;
    let (ended, _) = client.post(&format!("{gateway}/drives/end"), &json!({"driveId": id}))?;
    ensure!(ended == 200, "POST /drives/end was answered {ended}");
    client.until(&format!("{gateway}/calls/{id}"), |call| call["callStatus"] == "driveComplete")?;
    let far = json!({"userId": "1", "userName": "eojin", "distance": 150});
    let (_, far) = client.post(&format!("{gateway}/calls"), &far)?;
    let far = far["callId"].as_u64().context("a call has an id")?;
    client.until(&format!("{gateway}/callViews/{far}"), |view| {
        view["callStatus"] == "requestCancel" && view["payStatus"] == "refunded"
    })?;
    let (_, third) = client.post(&format!("{gateway}/calls"), &call)?;
    let third = third["callId"].as_u64().context("a call has an id")?;
    let (cancelled, _) = client.post(&format!("{gateway}/calls/cancel"), &json!({"callId": third}))?;
    ensure!(cancelled == 200 || cancelled == 202, "POST /calls/cancel was answered {cancelled}");
    client.until(&format!("{gateway}/calls/{third}"), |call| call["callStatus"] == "requestCancel")?;
    let pages = client.status(&format!("{gateway}/console"))?;
    ensure!(pages == 200, "the console was answered {pages}");
    Ok(format!(
        "call {id} {status} and driven to its end, {far} too far and refunded, {third} cancelled, pages 200"
    ))
}

/// `siege -c20 -t40S -v http://call:8080/calls`, and how many pods there are meanwhile and after.
pub(super) fn scale_by_load(stage: &Stage<'_>) -> anyhow::Result<String> {
    let few = stage.pods("call")?.len();
    let mut siege = stage.client.command("siege -c20 -t40S -v http://call:8080/calls 2>&1 | tail -25");
    let siege = std::thread::spawn(move || ask(&mut siege));
    let mut most = few;
    let mut hottest = 0;
    while !siege.is_finished() {
        most = most.max(stage.pods("call")?.iter().filter(|pod| pod.is_ready()).count());
        hottest = hottest.max(load_of(stage).unwrap_or(0));
        std::thread::park_timeout(Duration::from_secs(1));
    }
    let said = siege.join().map_err(|_| anyhow::anyhow!("siege could not be run"))??;
    let availability = figure(&said, "vailability")?;
    let failed = figure(&said, "ailed")?;
    let rate = figure(&said, "ransaction")?;
    // New pods are counted as ready only some seconds after they are.
    let out = until("more pods of call", MINUTES, || {
        most = most.max(stage.pods("call")?.iter().filter(|pod| pod.is_ready()).count());
        ensure!(most > few, "{most} pods of call");
        Ok(most)
    })?;
    until("fewer pods of call again", MINUTES, || {
        let now = stage.pods("call")?.len();
        ensure!(now == few, "{now} pods of call");
        Ok(())
    })?;
    ensure!(failed == "0" && availability.starts_with("100"), "{said}");
    Ok(format!(
        "{few} → {out} → {few} pods at up to {hottest} % of what was asked for; siege: {rate} transactions, availability {availability} %, {failed} failed"
    ))
}

fn load_of(stage: &Stage<'_>) -> anyhow::Result<u64> {
    let path = "jsonpath={.status.currentMetrics[0].containerResource.current.averageUtilization}";
    Ok(stage.kubectl(&["get", "hpa", "call", "--output", path])?.parse()?)
}

/// Siege tells its figures as `Availability:  100.00 %` or as JSON, by its version.
fn figure(said: &str, name: &str) -> anyhow::Result<String> {
    let line = said.lines().find(|line| line.contains(name));
    let value = line.and_then(|line| line.split(':').nth(1));
    let value =
        value.map(|value| value.trim().trim_end_matches(',').split_whitespace().next().unwrap_or_default());
    value.map(str::to_owned).with_context(|| format!("siege says nothing of {name}: {said}"))
}

/// Another version of each service, one after the other, while people ride.
pub(super) fn roll(stage: &Stage<'_>, (to, name): (&Image, &str)) -> anyhow::Result<String> {
    under_load(stage, name, |riders| {
        SERVICES.iter().try_for_each(|service| replace(stage, (service, to), riders))
    })
}

/// The same of one service.
pub(super) fn roll_one(stage: &Stage<'_>, (service, to): (&str, &Image)) -> anyhow::Result<String> {
    under_load(stage, "one", |riders| replace(stage, (service, to), riders))
}

fn replace(stage: &Stage<'_>, (service, to): (&str, &Image), riders: &Riders<'_>) -> anyhow::Result<()> {
    let image = format!("taxisvc={}", to.name());
    stage.kubectl(&["set", "image", &format!("deployment/{service}"), &image])?;
    stage.settle(service)?;
    let pods = stage.pods(service)?;
    ensure!(pods.iter().all(|pod| pod.image == to.name()), "{pods:?}");
    riders.ride_on()
}

/// Environment of each service, which makes new pods.
pub(super) fn roll_with(stage: &Stage<'_>, (setting, name): (&str, &str)) -> anyhow::Result<String> {
    under_load(stage, name, |riders| {
        for service in SERVICES {
            stage.kubectl(&["set", "env", &format!("deployment/{service}"), setting])?;
            stage.settle(service)?;
            riders.ride_on()?;
        }
        Ok(())
    })
}

/// One more of each, and one fewer again.
pub(super) fn add_and_remove(stage: &Stage<'_>) -> anyhow::Result<String> {
    under_load(stage, "scaled", |riders| {
        for service in SERVICES {
            let few = stage.pods(service)?.len();
            for count in [few + 1, few] {
                // The autoscaler itself would keep those that a load has called for a while.
                let wanted = json!({"spec": {"minReplicas": count, "maxReplicas": count}}).to_string();
                stage.kubectl(&["patch", "hpa", service, "--patch", &wanted])?;
                until(&format!("{count} pods of {service}"), MINUTES, || {
                    let pods = stage.pods(service)?;
                    ensure!(pods.len() == count && pods.iter().all(Pod::is_ready), "{pods:?}");
                    Ok(())
                })?;
                riders.ride_on()?;
            }
        }
        Ok(())
    })
}

/// Every pod of each service is asked to leave, as when its node is emptied.
pub(super) fn evict(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut evicted = 0;
    let rides = under_load(stage, "evicted", |riders| {
        for service in SERVICES {
            for pod in stage.pods(service)? {
                let eviction = json!({
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": pod.name, "namespace": stage.namespace},
                });
                let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", stage.namespace, pod.name);
                // A budget may say not yet.
                until("the budget to allow it", MINUTES, || {
                    stage.cluster.give(&["create", "--raw", &path, "--filename", "-"], &eviction.to_string())
                })?;
                evicted += 1;
                until("the pod to be gone", MINUTES, || {
                    ensure!(stage.pods(service)?.iter().all(|other| other.name != pod.name), "it is there");
                    Ok(())
                })?;
                stage.settle(service)?;
            }
            riders.ride_on()?;
        }
        Ok(())
    })?;
    Ok(format!("{evicted} pods evicted; {rides}"))
}

pub(super) fn under_load(
    stage: &Stage<'_>,
    name: &str,
    work: impl FnOnce(&Riders<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let riders = Riders::start(stage.client, name)?;
    work(&riders)?;
    Ok(riders.end()?.to_string())
}

/// PostgreSQL is gone for longer than it takes to be killed for not living; whoever needs it says so, is started anew by
/// nobody, and is back by itself.
pub(super) fn lose_the_database(stage: &Stage<'_>) -> anyhow::Result<String> {
    let pods = || SERVICES.iter().map(|service| stage.pods(service)).collect::<anyhow::Result<Vec<_>>>();
    let before = pods()?;
    stage.cluster.postgres("stop")?;
    let unready = until("call to be not ready", MINUTES, || {
        let pods = stage.pods("call")?;
        ensure!(pods.iter().all(|pod| !pod.is_ready()), "{pods:?}");
        Ok(pods.len())
    });
    std::thread::park_timeout(AWAY);
    stage.cluster.postgres("start")?;
    let unready = unready?;
    for service in SERVICES {
        stage.settle(service)?;
    }
    let after = pods()?;
    ensure!(before == after, "pods were started anew: {before:?} {after:?}");
    let answered = the_originals_commands(stage.client)?;
    Ok(format!(
        "{unready} of {unready} pods of call not ready; {} s later all pods ready again, 0 restarts; {answered}",
        AWAY.as_secs()
    ))
}

/// A system whose one pod is deleted while people ride has their rides again.
pub(super) fn lose_the_only_pod(stage: &Stage<'_>) -> anyhow::Result<String> {
    let call = json!({"userId": "7", "userName": "eojin", "distance": 10});
    let (_, placed) = stage.client.post("http://gateway:8088/calls", &call)?;
    let id = placed["callId"].as_u64().context("a call has an id")?;
    let url = format!("http://gateway:8088/calls/{id}");
    stage.client.until(&url, |call| call["callStatus"] == "driveStart")?;
    let before = stage.kubectl(&["get", "pod", "taxisvc-0", "--output", "jsonpath={.metadata.uid}"])?;
    let riders = Riders::start(stage.client, "single")?;
    stage.kubectl(&["delete", "pod", "taxisvc-0", "--wait=false"])?;
    until("another pod", MINUTES, || {
        let pod = [
            "get",
            "pod",
            "taxisvc-0",
            "--output",
            "jsonpath={.metadata.uid} {.status.conditions[?(@.type=='Ready')].status}",
        ];
        let now = stage.kubectl(&pod)?;
        ensure!(!now.starts_with(&before) && now.ends_with("True"), "{now}");
        Ok(())
    })?;
    riders.ride_on()?;
    // There is one pod: while it is away nobody answers, and riders ask again.
    let Tally { calls, failed, .. } = riders.end_after_outage()?;
    let rides = format!(
        "{calls} calls, all driven to their end; {failed} requests had no answer while there was no pod"
    );
    stage.client.until(&url, |call| call["callStatus"] == "driveStart")?;
    let (ended, _) = stage.client.post("http://gateway:8088/drives/end", &json!({"driveId": id}))?;
    if ended != 200 {
        bail!("the ride that was under way ended with {ended}");
    }
    let audit = [
        "exec",
        "taxisvc-0",
        "--container",
        "taxisvc",
        "--",
        "taxisvc",
        "audit",
        "--config",
        "/etc/taxisvc/taxisvc.toml",
    ];
    let audit = stage.kubectl(&audit)?;
    let last = audit.lines().last().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(format!("call {id} was under way before and after, and ended; {rides}; audit: {last}"))
}
