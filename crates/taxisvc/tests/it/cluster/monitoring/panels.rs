//! The panels of the dashboards as they lie in their files, and what Grafana and these tests make of an expression.

use serde_json::Value;
use std::path::Path;

pub(super) struct Panel {
    pub(super) title: String,
    pub(super) expressions: Vec<String>,
    pub(super) is_of_fleet: bool,
    pub(super) is_of_one_process: bool,
}

pub(super) fn of_dashboards(folder: &Path) -> Vec<Panel> {
    let mut panels = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let all = dashboard["panels"].as_array().expect("a dashboard has panels");
            panels
                .extend(all.iter().filter(|panel| panel["type"] != "row").map(|panel| of(panel, &dashboard)));
        }
    }
    assert!(!panels.is_empty(), "there are no dashboards in {}", folder.display());
    panels
}

fn of(panel: &Value, dashboard: &Value) -> Panel {
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    let about = text(&panel["description"]);
    let targets = panel["targets"].as_array().expect("a panel has targets");
    Panel {
        title: format!("{}, {}", text(&dashboard["title"]), text(&panel["title"])),
        expressions: targets.iter().map(|target| text(&target["expr"])).collect(),
        is_of_fleet: about.ends_with("Of services by themselves."),
        is_of_one_process: about.ends_with("Where everything is one process."),
    }
}

/// With the variables as Grafana puts them in; `$__rate_interval` is four times the interval of scraping, at least.
pub(super) fn filled_in(expression: &str, job: &str) -> String {
    let expression = expression.replace("$__rate_interval", "4s").replace("$namespace", ".*");
    expression.replace("$job", job).replace("$instance", ".+")
}

/// What an alert compares: a quiet one comes to nothing, and so would one that asks for what there is not.
pub(super) fn without_comparisons(expression: &str) -> String {
    let mut text = expression.replace('\n', " ");
    // What must not be there is asked for, too, and what is less than another is added to it.
    text = text
        .replace(" unless ", " and ")
        // Nothing is a day old in a test.
        .replace(" offset 1d", "")
        .replace("< on (namespace) group_left", "+ on (namespace) group_left");
    for operator in [" == ", " >= ", " > ", " < "] {
        while let Some(place) = text.find(operator) {
            let rest = &text[place + operator.len()..];
            let end =
                if rest.starts_with('(') { rest.find(')').map(|end| end + 1) } else { rest.find([' ', ')']) };
            let end = end.unwrap_or(rest.len());
            text = format!("{}{}", &text[..place], &rest[end..]);
        }
    }
    text
}

#[test]
fn comparisons_are_taken_out_of_what_is_compared() {
    let check = |expression: &str, expected: &str| assert_eq!(without_comparisons(expression), expected);
    check("up == 0 and on (job) x", "up and on (job) x");
    check("max by (a) (b{c=\"d\"}) > 60", "max by (a) (b{c=\"d\"})");
    check("((a > (14.4 * 0.001) and b > (14.4 * 0.001)) or c > 1) and (d >= 5)", "((a and b) or c) and (d)");
    check(
        "sum by (a) ( (b and on (c) (time() - d < 900)) or increase(b[15m]) ) > 0",
        "sum by (a) ( (b and on (c) (time() - d)) or increase(b[15m]) )",
    );
    check("a unless on (job) (up == 1)", "a and on (job) (up)");
    check("a == 0 and on (job) group by (job) (b offset 1d)", "a and on (job) group by (job) (b)");
}
