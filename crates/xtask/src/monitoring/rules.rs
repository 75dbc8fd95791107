//! The file of rules, as far as our checks have to understand it.

use std::collections::BTreeSet;

/// What stands before the rules where Kubernetes has them; made, so that they are written once.
const HEAD: &str = "\
# Made of deploy/monitoring/alerts.yaml by `cargo xtask monitoring write`; the alerts and why they are as they are stand there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: taxisvc
  labels:
    app.kubernetes.io/part-of: taxisvc
spec:
";

/// One alert.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) name: String,
    /// Its lines.
    pub(super) text: String,
}

pub(super) fn alerts(rules: &str) -> Vec<Alert> {
    let parts = rules.split("      - alert: ").skip(1);
    let alert = |part: &str| {
        let name = part.lines().next().unwrap_or_default().trim().to_owned();
        let end = part.find("\n      - ").unwrap_or(part.len());
        Alert { name, text: part[..end].to_owned() }
    };
    parts.map(alert).collect()
}

/// The same rules as an object of prometheus-operator.
pub(super) fn of_kubernetes(rules: &str) -> String {
    let from = rules.find("groups:").unwrap_or_default();
    let lines = rules[from..].lines();
    let indented = lines.map(|line| if line.is_empty() { String::from("\n") } else { format!("  {line}\n") });
    format!("{HEAD}{}", indented.collect::<String>())
}

/// The figures that a text names, histograms without what is added to them, and what rules record.
pub(super) fn figures(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = text.split(|letter| !is_part(letter));
    let ours = words.filter(|word| {
        let is_ours = ["taxisvc_", "taxisvc:", "process_"].iter().any(|start| word.starts_with(start));
        is_ours
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte))
    });
    ours.map(|word| {
        let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| word.strip_suffix(suffix));
        histogram.unwrap_or(word)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "groups:\n  - name: a\n    rules:\n      - alert: One\n        expr: taxisvc_a > 1\n\n  - name: b\n    \
                       rules:\n      - alert: Two\n        expr: rate(taxisvc_b_seconds_bucket[5m])\n";

    #[test]
    fn alerts_and_figures_are_found() {
        let found = alerts(TWO);
        assert_eq!(found.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["One", "Two"]);
        assert!(found[0].text.contains("taxisvc_a") && !found[0].text.contains("Two"), "{found:?}");
        assert_eq!(figures(TWO).into_iter().collect::<Vec<_>>(), ["taxisvc_a", "taxisvc_b_seconds"]);
    }

    #[test]
    fn kubernetes_has_the_same_rules() {
        let made = of_kubernetes(&format!("# About.\n{TWO}"));
        assert!(made.contains("spec:\n  groups:\n    - name: a\n"), "{made}");
        assert!(!made.contains("About") && made.contains("        - alert: Two\n"), "{made}");
    }
}
