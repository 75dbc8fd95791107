//! What Grafana would show wrongly or not at all: panels over each other, without a unit or a word, variables that nobody set,
//! figures that are not asked of the processes that were chosen.

use super::DASHBOARDS;
use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const COLUMNS: u64 = 24;
/// Of a curve that asks for what the variables say.
const CHOSEN: &str = "{namespace=~\"$namespace\", job=~\"$job\", instance=~\"$instance\"";
/// What rules record is by namespace and job.
const CHOSEN_RECORDED: &str = "{namespace=~\"$namespace\", job=~\"$job\"";
const VARIABLES: [&str; 4] = ["datasource", "namespace", "job", "instance"];

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let (mut faults, mut ids) = (Vec::new(), BTreeSet::new());
    let dashboards = dashboards(root)?;
    let packed = fs::read_to_string(root.join(DASHBOARDS).join("kustomization.yaml"))
        .context("cannot read the kustomization of the dashboards")?;
    for (name, dashboard) in &dashboards {
        if !packed.contains(&format!("- {name}\n")) {
            faults.push(format!("{name} is not in the kustomization beside it"));
        }
        if !ids.insert(text(dashboard, "/uid")) {
            faults.push(format!("{name}: another one has the same uid"));
        }
        faults.extend(of_dashboard(dashboard).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    Ok(faults)
}

/// Every expression of every panel.
pub(super) fn expressions(root: &Path) -> anyhow::Result<Vec<String>> {
    let dashboards = dashboards(root)?;
    let panels = dashboards.iter().flat_map(|(_, dashboard)| list(dashboard, "/panels"));
    let curves = panels.flat_map(|panel| list(panel, "/targets"));
    Ok(curves.map(|curve| text(curve, "/expr").to_owned()).collect())
}

fn dashboards(root: &Path) -> anyhow::Result<Vec<(String, Value)>> {
    let folder = root.join(DASHBOARDS);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {DASHBOARDS}"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            found.push((
                name.clone(),
                serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?,
            ));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn of_dashboard(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for wanted in ["/uid", "/title", "/description", "/refresh", "/time/from"] {
        if text(dashboard, wanted).is_empty() {
            faults.push(format!("it has no {wanted}"));
        }
    }
    if dashboard["editable"] != Value::Bool(false) {
        faults.push("it may be edited, and what is provisioned may not".to_owned());
    }
    let variables = list(dashboard, "/templating/list");
    let names: Vec<&str> = variables.iter().map(|variable| text(variable, "/name")).collect();
    if names != VARIABLES {
        faults.push(format!("its variables are {names:?}"));
    }
    let panels = list(dashboard, "/panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    if ids.len() != panels.len() {
        faults.push("two panels have the same id".to_owned());
    }
    for (place, panel) in panels.iter().enumerate() {
        let title = text(panel, "/title");
        let own = of_panel(panel, &names).into_iter();
        let over = panels[..place].iter().filter(|other| overlap(panel, other));
        let over = over.map(|other| format!("it lies over {}", text(other, "/title")));
        faults.extend(own.chain(over).map(|fault| format!("{title}: {fault}")));
    }
    faults
}

fn of_panel(panel: &Value, variables: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let [x, _, width, height] = place(panel);
    if width == 0 || height == 0 || x + width > COLUMNS {
        faults.push(format!("its place is outside of {COLUMNS} columns"));
    }
    if text(panel, "/title").is_empty() {
        faults.push("it has no title".to_owned());
    }
    if panel["type"] == "row" {
        return faults;
    }
    for wanted in ["/description", "/fieldConfig/defaults/unit"] {
        if text(panel, wanted).is_empty() {
            faults.push(format!("it has no {wanted}"));
        }
    }
    let curves = list(panel, "/targets");
    let letters: BTreeSet<&str> = curves.iter().map(|curve| text(curve, "/refId")).collect();
    if curves.is_empty() || letters.len() != curves.len() {
        faults.push("it has no curves, or two of one letter".to_owned());
    }
    for asked in std::iter::once(panel).chain(curves) {
        if text(asked, "/datasource/uid") != "$datasource" {
            faults.push("it does not ask the data source that was chosen".to_owned());
        }
    }
    faults.extend(curves.iter().flat_map(|curve| of_expression(text(curve, "/expr"), variables)));
    faults
}

fn of_expression(expression: &str, variables: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for named in expression.split('$').skip(1) {
        let end = named.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let name = &named[..end.unwrap_or(named.len())];
        if name != "__rate_interval" && !variables.contains(&name) {
            faults.push(format!("there is no variable {name}"));
        }
    }
    let starts =
        ["taxisvc_", "taxisvc:", "process_"].iter().flat_map(|start| expression.match_indices(start));
    for (place, start) in starts {
        let (before, rest) = expression.split_at(place);
        let end = rest.find('{').unwrap_or(rest.len());
        let (name, selector) = rest.split_at(end);
        let chosen = if start == "taxisvc:" { CHOSEN_RECORDED } else { CHOSEN };
        if !selector.starts_with(chosen) {
            faults.push(format!("{name} is not asked of what was chosen"));
        }
        let is_counter = name.ends_with("_total") || name.ends_with("_bucket");
        if is_counter && !before.ends_with("rate(") && !before.ends_with("increase(") {
            faults.push(format!("{name} only ever grows, and is shown as it is"));
        }
    }
    let windows = expression.split("rate(").skip(1).filter_map(|rate| rate.split(']').next());
    if windows.into_iter().any(|window| !window.ends_with("[$__rate_interval")) {
        faults.push("a rate is over a window of its own, and not over $__rate_interval".to_owned());
    }
    faults
}

fn place(panel: &Value) -> [u64; 4] {
    ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap_or_default())
}

fn overlap(one: &Value, other: &Value) -> bool {
    let ([x, y, width, height], [other_x, other_y, other_width, other_height]) = (place(one), place(other));
    x < other_x + other_width && other_x < x + width && y < other_y + other_height && other_y < y + height
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_with_an_expression_is_found() {
        let check = |expression: &str, expected: &str| {
            let faults = of_expression(expression, &VARIABLES).join("; ");
            assert!(
                if expected.is_empty() { faults.is_empty() } else { faults.contains(expected) },
                "{expression}: {faults}"
            );
        };
        let chosen = |text: &str| text.replace('@', crate::monitoring::dashboards::CHOSEN);
        check(&chosen("sum(rate(taxisvc_a_total{@}[$__rate_interval]))"), "");
        check(&chosen("sum(rate(taxisvc_a_total{@}[5m]))"), "window of its own");
        check(&chosen("sum(taxisvc_a_total{@})"), "only ever grows");
        check("sum(taxisvc_a)", "not asked of what was chosen");
        check(&chosen("taxisvc_a{@, service=\"$service\"}"), "no variable service");
    }

    #[test]
    fn panels_that_lie_over_each_other_are_found() {
        let at = |x: u64, y: u64| json!({"gridPos": {"x": x, "y": y, "w": 8, "h": 8}});
        assert!(overlap(&at(0, 0), &at(7, 7)));
        assert!(!overlap(&at(0, 0), &at(8, 0)) && !overlap(&at(0, 0), &at(0, 8)));
    }
}
