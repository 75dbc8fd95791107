//! Rendered objects, and how the checks look into them.

use anyhow::Context;
use serde_json::Value;
use std::fs;
use std::path::Path;

pub(super) struct Object(pub(super) Value);

impl Object {
    pub(super) fn read_all(path: &Path) -> anyhow::Result<Vec<Object>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let values: Vec<Value> = serde_json::from_str(&text).context("what was rendered is no JSON")?;
        Ok(values.into_iter().map(Object).collect())
    }

    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// How it is called in a fault.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }

    /// What stands there, or nothing.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub(super) fn is_workload(&self) -> bool {
        ["Deployment", "StatefulSet"].contains(&self.kind())
    }

    /// The containers of a workload's pods.
    pub(super) fn containers(&self) -> &[Value] {
        list(self.at("/spec/template/spec/containers"))
    }

    /// Whether these labels, all of them, are on a workload's pods.
    pub(super) fn is_selected_by(&self, labels: &Value) -> bool {
        let wanted = labels.as_object().filter(|wanted| !wanted.is_empty());
        let own = self.at("/spec/template/metadata/labels");
        wanted.is_some_and(|wanted| wanted.iter().all(|(name, value)| own.get(name) == Some(value)))
    }
}

/// The variables of a container.
pub(super) fn variables(container: &Value) -> &[Value] {
    list(&container["env"])
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
