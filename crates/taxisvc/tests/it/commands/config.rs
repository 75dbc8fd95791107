//! `taxisvc config`: what is in force and who said it; and where the data is when nobody says.

use super::assert_says;
use crate::world::process::{run, settings};
use serde_json::{Value, json};
use std::path::Path;

fn shown(folder: &Path, pairs: &[(&str, &str)], arguments: &[&str]) -> Value {
    let ended = run(folder, &settings(pairs), &[&["config", "--json"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn of<'t>(told: &'t Value, path: &str) -> &'t Value {
    let settings = told["settings"].as_array().unwrap();
    settings.iter().find(|setting| setting["path"] == path).unwrap()
}

#[test]
fn every_setting_tells_its_source_and_what_it_overrides() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taxisvc.toml"), "log = \"warn\"\n[ports]\ngateway = 9000\n").unwrap();
    let told = shown(folder.path(), &[("PORTS_GATEWAY", "9100")], &["--log", "error"]);
    assert_eq!(told["file"], "taxisvc.toml");
    assert_eq!(
        *of(&told, "ports.gateway"),
        json!({"path": "ports.gateway", "live": false, "value": 9100, "from": "environment", "name": "TAXISVC_PORTS_GATEWAY",
               "overrides": [{"value": 9000, "from": "file", "name": "taxisvc.toml"}]})
    );
    assert_eq!((&of(&told, "log")["from"], &of(&told, "log")["name"]), (&json!("flag"), &json!("--log")));
    assert_eq!(
        *of(&told, "ports.web"),
        json!({"path": "ports.web", "live": false, "value": 8080, "from": "default"})
    );
    let text = run(folder.path(), &settings(&[("PORTS_GATEWAY", "9100")]), &["config", "--set"]).stdout;
    assert_says(&text, &["settings file: taxisvc.toml", "environment TAXISVC_PORTS_GATEWAY"]);
    assert_says(&text, &["9000", "file taxisvc.toml, not this"]);
    assert!(!text.contains("ports.web"), "{text}");
}

#[test]
fn a_secret_is_not_shown_wherever_it_was_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taxisvc.toml"), "[operator]\ntoken = \"secret-of-the-file\"\n")
        .unwrap();
    let pairs = [("OPERATOR_TOKEN", "secret-of-the-environment")];
    let told = shown(folder.path(), &pairs, &[]);
    assert_eq!(of(&told, "operator.token")["value"], "(set)");
    let text = run(folder.path(), &settings(&pairs), &["config"]).stdout;
    let wrong = run(folder.path(), &settings(&[("OPERATOR_TOKEN", "secret-one")]), &["config"]);
    assert_eq!(wrong.code, Some(1));
    assert_says(&wrong.stderr, &["operator.token", "16"]);
    for said in [told.to_string(), text, wrong.stderr] {
        assert!(!said.contains("secret-"), "{said}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(of(&shown(nothing.path(), &[], &[]), "operator.token")["value"], "(not set)");
}

#[test]
fn the_data_is_where_it_was_and_else_where_the_platform_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let told = shown(folder.path(), &[], &[]);
    let data = of(&told, "data");
    assert_says(data["value"].as_str().unwrap(), &[folder.path().to_str().unwrap(), "taxisvc"]);
    assert_eq!((&data["from"], &data["why"]), (&json!("default"), &json!("the platform's place for data")));
    std::fs::create_dir(folder.path().join("taxisvc-data")).unwrap();
    let told = shown(folder.path(), &[], &[]);
    assert_eq!(of(&told, "data")["value"], "taxisvc-data");
    assert_eq!(of(&told, "data")["why"], "it is there already");
    let told = shown(folder.path(), &[], &["--data", "elsewhere"]);
    assert_eq!(of(&told, "data")["value"], "elsewhere");
}
