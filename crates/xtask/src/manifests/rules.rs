//! What the objects of one overlay must be to each other, which no schema says.

use super::network;
use super::objects::{Object, list, variables};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is not as it should be. The document is the one in which every key of the Secret stands.
pub(super) fn faults(objects: &[Object], document: &str) -> Vec<String> {
    let workloads: Vec<&Object> = objects.iter().filter(|object| object.is_workload()).collect();
    let mut faults = Vec::new();
    if workloads.is_empty() {
        faults.push("there is nothing to run".to_owned());
    }
    faults.extend(images(&workloads));
    for workload in &workloads {
        let found = pod(workload).into_iter().chain(secret_keys(workload, objects, document));
        faults.extend(found.map(|fault| format!("{}: {fault}", workload.title())));
    }
    faults.extend(scaling(objects, &workloads));
    faults.extend(selections(objects, &workloads));
    faults.extend(network::faults(objects, &workloads));
    faults
}

/// One image for every role.
fn images(workloads: &[&Object]) -> Option<String> {
    let containers = workloads.iter().flat_map(|workload| workload.containers());
    let images: BTreeSet<_> = containers.map(|container| container["image"].to_string()).collect();
    (images.len() > 1).then(|| format!("there is more than one image: {images:?}"))
}

/// What the `restricted` standard asks of a pod, which the API server says of Deployments by a warning only, and what we ask.
fn pod(workload: &Object) -> Vec<String> {
    let spec = workload.at("/spec/template/spec");
    let wanted = [
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/automountServiceAccountToken", json!(false)),
        ("/enableServiceLinks", json!(false)),
    ];
    let mut faults = differing(spec, &wanted, "its pods");
    for container in workload.containers() {
        let wanted = [
            ("/securityContext/allowPrivilegeEscalation", json!(false)),
            ("/securityContext/readOnlyRootFilesystem", json!(true)),
            ("/securityContext/capabilities/drop", json!(["ALL"])),
            ("/startupProbe/httpGet/path", json!("/health/live")),
            ("/livenessProbe/httpGet/path", json!("/health/live")),
        ];
        let name = format!("container {}", container["name"]);
        faults.extend(differing(container, &wanted, &name));
        for there in ["/readinessProbe/httpGet", "/resources/requests/cpu", "/resources/limits/memory"] {
            if container.pointer(there).is_none() {
                faults.push(format!("{name} has no {there}"));
            }
        }
        // A change of the ConfigMap never comes to a single file that is mounted.
        if list(&container["volumeMounts"]).iter().any(|mount| mount.get("subPath").is_some()) {
            faults.push(format!("{name} mounts a single file"));
        }
    }
    faults
}

fn differing(value: &Value, wanted: &[(&str, Value)], whose: &str) -> Vec<String> {
    let differs = |(pointer, wanted): &&(&str, Value)| value.pointer(pointer) != Some(wanted);
    let fault = |(pointer, wanted): &(&str, Value)| format!("{whose}: {pointer} must be {wanted}");
    wanted.iter().filter(differs).map(fault).collect()
}

/// Every key of the Secret that is asked for is told of, and is there where the overlay brings the Secret itself.
fn secret_keys(workload: &Object, objects: &[Object], document: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let variables = workload.containers().iter().flat_map(variables);
    for reference in variables.filter_map(|variable| variable.pointer("/valueFrom/secretKeyRef")) {
        let (name, key) = (reference["name"].as_str(), reference["key"].as_str().unwrap_or_default());
        if !document.contains(&format!("`{key}`")) {
            faults.push(format!("the key {key} of the Secret is not in docs/kubernetes.md"));
        }
        let brought = objects.iter().find(|object| object.kind() == "Secret" && Some(object.name()) == name);
        let is_there = brought.is_none_or(|secret| secret.at("/data").get(key).is_some());
        if !is_there && reference["optional"] != json!(true) {
            faults.push(format!("the Secret has no {key}"));
        }
    }
    faults
}

/// Each Deployment is scaled by exactly one, and says itself of how many nothing.
fn scaling(objects: &[Object], workloads: &[&Object]) -> Vec<String> {
    let scalers = objects.iter().filter(|object| SCALERS.contains(&object.kind()));
    let targets: Vec<(&Object, &str)> =
        scalers.map(|scaler| (scaler, scaler.text("/spec/scaleTargetRef/name"))).collect();
    let deployments = || workloads.iter().filter(|workload| workload.kind() == "Deployment");
    let mut faults = Vec::new();
    for deployment in deployments() {
        let count = targets.iter().filter(|(_, target)| *target == deployment.name()).count();
        if count != 1 {
            faults.push(format!("{} is scaled by {count}, not by one", deployment.title()));
        }
        if !deployment.at("/spec/replicas").is_null() {
            faults.push(format!("{} has `replicas` beside what scales it", deployment.title()));
        }
    }
    for (scaler, target) in targets {
        if !deployments().any(|deployment| deployment.name() == target) {
            faults.push(format!("{} scales {target}, which is not there", scaler.title()));
        }
    }
    faults
}

const SCALERS: [&str; 2] = ["HorizontalPodAutoscaler", "ScaledObject"];

/// Services and budgets are of pods that there are, and Services lead to ports that they have.
fn selections(objects: &[Object], workloads: &[&Object]) -> Vec<String> {
    let mut faults = Vec::new();
    for object in objects {
        let labels = match object.kind() {
            "Service" => object.at("/spec/selector"),
            "PodDisruptionBudget" => object.at("/spec/selector/matchLabels"),
            _ => continue,
        };
        let Some(workload) = workloads.iter().find(|workload| workload.is_selected_by(labels)) else {
            faults.push(format!("{} selects no pod", object.title()));
            continue;
        };
        let containers = workload.containers();
        let ports: Vec<&Value> = containers.iter().flat_map(|container| list(&container["ports"])).collect();
        for port in list(object.at("/spec/ports")) {
            let target = &port["targetPort"];
            if !ports.iter().any(|open| open["name"] == *target || open["containerPort"] == *target) {
                faults.push(format!("{} leads to port {target}, which nobody has", object.title()));
            }
        }
    }
    faults
}
