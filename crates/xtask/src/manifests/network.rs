//! NetworkPolicies name pods and ports that there are: a rule about nobody is kept by every network, and lets nobody through.

use super::objects::{Object, list};
use serde_json::{Value, json};

/// Labels of pods that people start by hand.
const BY_HAND: [&str; 1] = ["taxisvc/client"];
/// By this label a Gateway of the Gateway API has pods, of an image and with ports of its own.
const OF_A_GATEWAY: &str = "gateway.networking.k8s.io/gateway-name";
/// By which a mesh without sidecars brings everything; no container has it.
const MESH_PORT: u64 = 15_008;

pub(super) fn faults(objects: &[Object], workloads: &[&Object]) -> Vec<String> {
    let policies = objects.iter().filter(|object| object.kind() == "NetworkPolicy");
    let pods = Pods { objects, workloads };
    let of_one = |policy: &Object| {
        let found = pods.of_policy(policy).into_iter();
        found.map(|fault| format!("{}: {fault}", policy.title())).collect::<Vec<_>>()
    };
    policies.flat_map(of_one).collect()
}

struct Pods<'a> {
    objects: &'a [Object],
    workloads: &'a [&'a Object],
}

impl Pods<'_> {
    fn of_policy(&self, policy: &Object) -> Vec<String> {
        let subject = policy.at("/spec/podSelector");
        let mut faults = self.nobody(subject);
        for rule in list(policy.at("/spec/ingress")) {
            let own_peers = own_peers(&rule["from"]);
            faults.extend(own_peers.iter().flat_map(|peer| self.nobody(peer)));
            // Who comes in comes to those whom the policy is about.
            faults.extend(self.closed(&rule["ports"], &[subject]));
        }
        for rule in list(policy.at("/spec/egress")) {
            let own_peers = own_peers(&rule["to"]);
            faults.extend(own_peers.iter().flat_map(|peer| self.nobody(peer)));
            faults.extend(self.closed(&rule["ports"], &own_peers));
        }
        faults
    }

    /// What of a selector is on no pod.
    fn nobody(&self, selector: &Value) -> Vec<String> {
        let Some(each) = alternatives(selector) else {
            return vec![format!("{selector} is not understood here")];
        };
        let is_nobody = |labels: &&Value| !self.is_elsewhere(labels) && self.workloads_of(labels).is_empty();
        each.iter().filter(is_nobody).map(|labels| format!("{labels} is on no pod")).collect()
    }

    /// Ports that nobody has of those who are asked there.
    fn closed(&self, ports: &Value, selectors: &[&Value]) -> Vec<String> {
        let mut faults = Vec::new();
        let each = selectors.iter().filter_map(|selector| alternatives(selector)).flatten();
        for labels in each.filter(|labels| !self.is_elsewhere(labels)) {
            let workloads = self.workloads_of(&labels);
            let open: Vec<&Value> = workloads
                .iter()
                .flat_map(|workload| workload.containers())
                .flat_map(|container| list(&container["ports"]))
                .collect();
            let is_closed = |port: &&Value| !open.iter().any(|open| leads_to(port, open));
            let closed = list(ports).iter().filter(|port| port["port"] != json!(MESH_PORT)).filter(is_closed);
            faults.extend(closed.map(|port| format!("{labels} has no port {}", port["port"])));
        }
        faults
    }

    fn workloads_of(&self, labels: &Value) -> Vec<&Object> {
        let is_all = labels.as_object().is_some_and(serde_json::Map::is_empty);
        let selected = |workload: &&&Object| is_all || workload.is_selected_by(labels);
        self.workloads.iter().filter(selected).copied().collect()
    }

    /// Whether these labels are of pods that no workload here has.
    fn is_elsewhere(&self, labels: &Value) -> bool {
        let gateway = |name: &Value| {
            self.objects.iter().any(|object| object.kind() == "Gateway" && *name == json!(object.name()))
        };
        BY_HAND.iter().any(|label| labels.get(label).is_some())
            || labels.get(OF_A_GATEWAY).is_some_and(gateway)
    }
}

/// The selectors of pods of this namespace.
fn own_peers(peers: &Value) -> Vec<&Value> {
    let own = list(peers).iter().filter(|peer| peer.get("namespaceSelector").is_none());
    own.filter_map(|peer| peer.get("podSelector")).collect()
}

/// Of a selector that names several values of a label one of each, so that none of them may be nobody's; nothing when it
/// selects by anything else than values.
fn alternatives(selector: &Value) -> Option<Vec<Value>> {
    let labels = selector.get("matchLabels").cloned().unwrap_or_else(|| json!({}));
    let mut found = vec![labels];
    for expression in list(&selector["matchExpressions"]) {
        let key = expression["key"].as_str().filter(|_| expression["operator"] == "In")?;
        let with = |labels: &Value, value: &Value| {
            let mut labels = labels.clone();
            labels[key] = value.clone();
            labels
        };
        let values = list(&expression["values"]);
        found = found.iter().flat_map(|labels| values.iter().map(move |value| with(labels, value))).collect();
    }
    Some(found)
}

/// Whether a port of a rule, or one of its range, is this one of a container.
fn leads_to(port: &Value, open: &Value) -> bool {
    let Some(first) = port["port"].as_u64() else { return port["port"] == open["name"] };
    let last = port["endPort"].as_u64().unwrap_or(first);
    open["containerPort"].as_u64().is_some_and(|open| (first..=last).contains(&open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_selector_is_looked_at() {
        let selector = json!({
            "matchLabels": { "part": "taxisvc" },
            "matchExpressions": [{ "key": "name", "operator": "In", "values": ["call", "view"] }],
        });
        let expected =
            [json!({ "part": "taxisvc", "name": "call" }), json!({ "part": "taxisvc", "name": "view" })];
        assert_eq!(alternatives(&selector).unwrap(), expected);
        assert_eq!(alternatives(&json!({})).unwrap(), [json!({})]);
        let other = json!({ "matchExpressions": [{ "key": "name", "operator": "Exists" }] });
        assert_eq!(alternatives(&other), None);
    }

    #[test]
    fn a_port_is_one_by_name_by_number_or_of_a_range() {
        let open = json!({ "name": "http", "containerPort": 8083 });
        let check = |port: Value, expected: bool| assert_eq!(leads_to(&port, &open), expected, "{port}");
        check(json!({ "port": "http" }), true);
        check(json!({ "port": "web" }), false);
        check(json!({ "port": 8083 }), true);
        check(json!({ "port": 8082 }), false);
        check(json!({ "port": 8082, "endPort": 8085 }), true);
    }
}
