//! The dashboards, described in a line for each curve, and the JSON of Grafana that is made of them.

mod business;
mod engine;
mod kafka;
mod services;

use serde_json::{Value, json};

/// One dashboard: a file of its own.
pub(super) struct Dashboard {
    pub(super) name: &'static str,
    title: &'static str,
    about: &'static str,
    rows: &'static [Row],
}

struct Row {
    title: &'static str,
    panels: &'static [Panel],
}

struct Panel {
    title: &'static str,
    about: &'static str,
    kind: Kind,
    unit: &'static str,
    /// Of 24 columns.
    width: u64,
    curves: &'static [Curve],
    /// From where on it is yellow, and red.
    limits: Option<(f64, f64)>,
    /// Who has these figures.
    whose: Whose,
}

/// An expression, in which `@` stands for the namespaces, jobs and instances that were chosen, and what its curves are called.
struct Curve(&'static str, &'static str);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Curves,
    /// One number each, now.
    Number,
    /// A needle, now.
    Gauge,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Everybody,
    OneProcess,
    Fleet,
}

/// What the descriptions of panels end in that not everybody can fill; the trial over a running system reads it.
const ONE_PROCESS: &str = " Where everything is one process.";
const FLEET: &str = " Of services by themselves.";

/// What the variables choose.
pub(super) const CHOSEN: &str = "namespace=~\"$namespace\", job=~\"$job\", instance=~\"$instance\"";

const HEIGHT: u64 = 8;
const COLUMNS: u64 = 24;
/// What all of them have in common; each is found from each.
const TAG: &str = "taxisvc";

pub(super) const ALL: [&Dashboard; 4] =
    [&services::DASHBOARD, &business::DASHBOARD, &engine::DASHBOARD, &kafka::DASHBOARD];

/// A panel as most are.
const PANEL: Panel = Panel {
    title: "",
    about: "",
    kind: Kind::Curves,
    unit: "short",
    width: 8,
    curves: &[],
    limits: None,
    whose: Whose::Everybody,
};

impl Dashboard {
    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(&self.json()).expect("JSON that was put together is JSON");
        text.push('\n');
        text
    }

    fn json(&self) -> Value {
        json!({
            "annotations": {"list": []},
            "description": self.about,
            "editable": false,
            "graphTooltip": 1,
            "links": [{
                "asDropdown": false, "icon": "dashboard", "includeVars": true, "keepTime": true, "tags": [TAG],
                "targetBlank": false, "title": "taxisvc", "tooltip": "", "type": "dashboards", "url": "",
            }],
            "panels": self.panels(),
            "refresh": "10s",
            "schemaVersion": 39,
            "tags": [TAG],
            "templating": {"list": [
                datasource(),
                // Where there are no namespaces, all that have none are meant.
                variable(("namespace", "namespace"), ".*", "label_values(taxisvc_build_info, namespace)"),
                variable(("job", "service"), ".+", "label_values(taxisvc_build_info{namespace=~\"$namespace\"}, job)"),
                variable(
                    ("instance", "process"),
                    ".+",
                    "label_values(taxisvc_build_info{namespace=~\"$namespace\", job=~\"$job\"}, instance)",
                ),
            ]},
            "time": {"from": "now-1h", "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": format!("taxisvc-{}", self.name),
            "version": 1,
        })
    }

    /// From left to right, and a new line where the next one does not fit.
    fn panels(&self) -> Vec<Value> {
        let (mut panels, mut y) = (Vec::new(), 0);
        for row in self.rows {
            let place = json!({"h": 1, "w": COLUMNS, "x": 0, "y": y});
            panels.push(json!({
                "collapsed": false, "gridPos": place, "id": panels.len() + 1, "panels": [], "title": row.title, "type": "row",
            }));
            (y, _) = row.panels.iter().fold((y + 1, 0), |(y, x), panel| {
                let (y, x) = if x + panel.width > COLUMNS { (y + HEIGHT, 0) } else { (y, x) };
                let place = json!({"h": HEIGHT, "w": panel.width, "x": x, "y": y});
                panels.push(panel.json(panels.len() + 1, &place));
                (y, x + panel.width)
            });
            y += HEIGHT;
        }
        panels
    }
}

impl Panel {
    fn json(&self, id: usize, place: &Value) -> Value {
        let kind = match self.kind {
            Kind::Curves => "timeseries",
            Kind::Number => "stat",
            Kind::Gauge => "gauge",
        };
        let whose = match self.whose {
            Whose::Everybody => "",
            Whose::OneProcess => ONE_PROCESS,
            Whose::Fleet => FLEET,
        };
        let targets: Vec<Value> =
            self.curves.iter().zip('A'..).map(|(curve, letter)| curve.json(letter, self.kind)).collect();
        json!({
            "datasource": datasource_of_all(),
            "description": format!("{}{whose}", self.about),
            "fieldConfig": {"defaults": self.field(), "overrides": []},
            "gridPos": place,
            "id": id,
            "options": self.options(),
            "targets": targets,
            "title": self.title,
            "type": kind,
        })
    }

    fn field(&self) -> Value {
        let mut steps = vec![json!({"color": "green", "value": null})];
        if let Some((yellow, red)) = self.limits {
            steps.push(json!({"color": "yellow", "value": yellow}));
            steps.push(json!({"color": "red", "value": red}));
        }
        let mut field = json!({
            "color": {"mode": if self.kind == Kind::Curves { "palette-classic" } else { "thresholds" }},
            "min": 0,
            "thresholds": {"mode": "absolute", "steps": steps},
            "unit": self.unit,
        });
        if self.kind == Kind::Curves {
            let shown = if self.limits.is_some() { "dashed" } else { "off" };
            field["custom"] = json!({
                "fillOpacity": 10, "lineWidth": 1, "showPoints": "never", "spanNulls": false,
                "thresholdsStyle": {"mode": shown},
            });
        }
        if let (Kind::Gauge, Some((_, red))) = (self.kind, self.limits) {
            field["max"] = json!(red * 1.25);
        }
        field
    }

    /// All of them, also those that are as Grafana would have them: its schema wants each to be said.
    fn options(&self) -> Value {
        let now = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
        match self.kind {
            Kind::Curves => json!({
                "legend": {
                    "calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": true,
                },
                "tooltip": {"mode": "multi", "sort": "desc"},
            }),
            Kind::Number => json!({
                "colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto",
                "percentChangeColorMode": "standard", "reduceOptions": now, "showPercentChange": false, "textMode": "auto",
                "wideLayout": true,
            }),
            Kind::Gauge => json!({
                "minVizHeight": 75, "minVizWidth": 75, "orientation": "auto", "reduceOptions": now,
                "showThresholdLabels": false, "showThresholdMarkers": true, "sizing": "auto",
            }),
        }
    }
}

impl Curve {
    fn json(&self, letter: char, kind: Kind) -> Value {
        let Self(expression, legend) = self;
        json!({
            "datasource": datasource_of_all(),
            "editorMode": "code",
            "expr": expression.replace('@', CHOSEN),
            "instant": kind != Kind::Curves,
            "legendFormat": legend,
            "range": kind == Kind::Curves,
            "refId": letter.to_string(),
        })
    }
}

fn datasource_of_all() -> Value {
    json!({"type": "prometheus", "uid": "$datasource"})
}

fn datasource() -> Value {
    json!({
        "current": {"selected": false, "text": "default", "value": "default"}, "hide": 0, "includeAll": false, "label": "Data source",
        "multi": false, "name": "datasource", "options": [], "query": "prometheus", "refresh": 1, "regex": "", "type": "datasource",
    })
}

fn variable((name, label): (&str, &str), all: &str, query: &str) -> Value {
    json!({
        "allValue": all, "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        "datasource": datasource_of_all(), "definition": query, "hide": 0, "includeAll": true, "label": label, "multi": true,
        "name": name, "options": [], "query": {"query": query, "refId": "Variable"}, "refresh": 2, "regex": "", "sort": 1,
        "type": "query",
    })
}
