//! Rules, dashboards and documents name the same things: figures that there are, a page for each alert, commands that exist.

use super::rules::{alerts, figures};
use super::{RULES, TESTS_OF_RULES, lint, read};
use anyhow::Context;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FIGURES: &str = "docs/observability.md";
const COMMANDS: &str = "docs/commands.md";
const RUNBOOK: &str = "docs/runbook";
/// The page that has a line for each of the others.
const INDEX: &str = "README";

/// What each page tells, in this order.
const PARTS: [&str; 4] =
    ["**What riders notice.**", "## How to look", "## What to do", "**When to wake somebody.**"];

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let rules = read(root, RULES)?;
    let tests = TESTS_OF_RULES.iter().map(|tests| read(root, tests)).collect::<anyhow::Result<String>>()?;
    let pages = pages(root)?;
    let index = read(root, &format!("{RUNBOOK}/{INDEX}.md"))?;
    let mut faults = of_alerts(&rules, &tests);
    let names: BTreeSet<String> = alerts(&rules).into_iter().map(|alert| alert.name).collect();
    for (name, text) in &pages {
        if !names.contains(name) {
            faults.push(format!("{RUNBOOK}/{name}.md is about no alert"));
        }
        faults.extend(of_page(name, text, &read(root, COMMANDS)?));
    }
    for name in &names {
        if !pages.iter().any(|(page, _)| page == name) {
            faults.push(format!("{name} has no page in {RUNBOOK}"));
        }
        if !index.contains(&format!("({name}.md)")) {
            faults.push(format!("{RUNBOOK}/{INDEX}.md does not name {name}"));
        }
    }
    let expressions = lint::expressions(root)?.join("\n");
    let runbook: String = pages.iter().map(|(_, text)| text.as_str()).collect();
    let there = read(root, FIGURES)?;
    for (place, text) in [("rules", &rules), ("dashboards", &expressions), ("runbook", &runbook)] {
        faults.extend(unknown(text, &there, &rules).map(|name| format!("{place}: there is no {name}")));
    }
    Ok(faults)
}

fn pages(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let folder = root.join(RUNBOOK);
    let mut pages = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {RUNBOOK}"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name != INDEX {
            pages.push((
                name,
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
            ));
        }
    }
    pages.sort();
    Ok(pages)
}

/// Each says what it must, and was seen to fire and to be quiet.
fn of_alerts(rules: &str, tests: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for alert in alerts(rules) {
        let name = &alert.name;
        let page = format!("runbook_url: {RUNBOOK}/{name}.md");
        for wanted in ["labels: { severity: ", "summary: ", "description: ", page.as_str()] {
            if !alert.text.contains(wanted) {
                faults.push(format!("{name} has no {wanted}"));
            }
        }
        let start = format!("        alertname: {name}\n");
        let cases = tests.split(&start).skip(1);
        let is_quiet = |case: &str| case.trim_start().starts_with("exp_alerts: []");
        let (quiet, firing): (Vec<&str>, Vec<&str>) = cases.partition(|case| is_quiet(case));
        if quiet.is_empty() || firing.is_empty() {
            faults.push(format!("{name} is not tested both firing and quiet"));
        }
    }
    faults
}

fn of_page(name: &str, text: &str, commands: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with(&format!("# {name}\n")) {
        faults.push(format!("{RUNBOOK}/{name}.md does not begin with its name"));
    }
    let places: Vec<Option<usize>> = PARTS.iter().map(|part| text.find(part)).collect();
    if places.contains(&None) || !places.is_sorted() {
        faults.push(format!("{RUNBOOK}/{name}.md does not have {}, in this order", PARTS.join(", ")));
    }
    let asked = text.lines().filter_map(|line| line.strip_prefix("$ taxisvc "));
    for command in asked.filter_map(|line| line.split(' ').next()) {
        if !commands.contains(&format!("| [`{command}")) {
            faults.push(format!(
                "{RUNBOOK}/{name}.md asks for `taxisvc {command}`, which is not in {COMMANDS}"
            ));
        }
    }
    faults
}

/// What is neither a figure of ours nor recorded by a rule.
fn unknown<'a>(text: &'a str, there: &str, rules: &str) -> impl Iterator<Item = &'a str> {
    figures(text).into_iter().filter(move |name| {
        let is_told = there.contains(&format!("| `{name}` |"));
        !is_told && !rules.contains(&format!("- record: {name}\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_belong_together_is_found() {
        let rules = "      - alert: One\n        labels: { severity: x }\n          summary: a\n          \
                     description: b\n          runbook_url: docs/runbook/One.md\n";
        let firing = "        alertname: One\n        exp_alerts:\n          - exp_labels:\n";
        let quiet = "        alertname: One\n        exp_alerts: []\n";
        assert_eq!(of_alerts(rules, &format!("{firing}{quiet}")), [""; 0]);
        assert_eq!(of_alerts(rules, firing), ["One is not tested both firing and quiet"]);
        assert_eq!(
            of_alerts(&rules.replace("summary", "title"), &format!("{firing}{quiet}")),
            ["One has no summary: "]
        );
        let page = format!("# One\n{}\n$ taxisvc undo\n", PARTS.join("\n"));
        assert!(of_page("One", &page, "| [`doctor`]")[0].contains("taxisvc undo"));
        assert_eq!(of_page("One", &page, "| [`undo`]"), [""; 0]);
        let named = "taxisvc_a + taxisvc:b + taxisvc_c_bucket";
        let missing: Vec<&str> = unknown(named, "| `taxisvc_c` |", "- record: taxisvc:b\n").collect();
        assert_eq!(missing, ["taxisvc_a"]);
    }
}
