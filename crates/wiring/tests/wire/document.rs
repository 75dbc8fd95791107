//! docs/events.md: its examples are the bytes that are written, and its tables have every event and every field.

use crate::desk::{message, published, read, recorded, write};
use crate::golden::text;
use std::fs;
use std::path::PathBuf;
use wiring::wire::Profile;

fn document() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    fs::read_to_string(path).unwrap()
}

/// The blocks of code behind a mark, with what the mark says of them.
fn blocks<'d>(document: &'d str, mark: &str) -> Vec<(&'d str, &'d str)> {
    let opening = format!("<!-- {mark}");
    let block = |rest: &'d str| {
        let (says, rest) = rest.split_once("-->\n```\n").unwrap();
        let (block, _) = rest.split_once("\n```\n").unwrap();
        (says.trim(), block)
    };
    document.split(opening.as_str()).skip(1).map(block).collect()
}

#[test]
fn the_messages_are_what_is_written() {
    let document = document();
    let shown = blocks(&document, "message");
    for (says, block) in &shown {
        let (name, profile) = says.split_once(' ').unwrap();
        let event = published().into_iter().find(|event| event.type_name() == name).unwrap();
        let packet = write(profile.parse::<Profile>().unwrap(), &recorded(&event));
        assert_eq!(format!("{block}\n"), text(&packet), "{says}");
    }
    assert_eq!(shown.len(), 3);
}

#[test]
fn the_values_are_what_is_written() {
    let document = document();
    let [(_, shown)] = blocks(&document, "values")[..] else { panic!("there is one block of values") };
    let written: Vec<String> = published()
        .iter()
        .map(|event| write(Profile::CloudEvents, &recorded(event)).payload.unwrap())
        .map(|value| String::from_utf8(value).unwrap())
        .collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), written);
}

#[test]
fn the_events_are_all_there_with_their_fields() {
    let document = document();
    let table = document.split("<!-- events -->").nth(1).unwrap();
    let rows: Vec<&str> = table.trim().lines().skip(2).collect();
    assert_eq!(rows.len(), published().len());
    for (row, event) in rows.iter().zip(published()) {
        let value = write(Profile::CloudEvents, &recorded(&event)).payload.unwrap();
        let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells[0], format!("`{}`", event.type_name()));
        assert_eq!(cells[1], recorded(&event).source.service);
        let mut fields: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        let mut written: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        written.retain(|field| !["eventType", "timestamp"].contains(field));
        fields.sort_unstable();
        written.sort_unstable();
        assert_eq!(fields, written, "{row}");
    }
}

/// Headers that the document tells of, and no other.
#[test]
fn the_headers_are_all_there() {
    let document = document();
    let event = recorded(&published()[0]);
    for (name, _) in write(Profile::SpringCloudStream, &event).headers {
        assert!(document.contains(&format!("\n{name}: ")), "{name} is in no example");
        let is_explained = document.contains(&format!("| `{name}` |"));
        assert!(is_explained || name == "spring_json_header_types", "{name} is not explained");
    }
}

#[test]
fn the_reason_of_a_dead_letter_is_what_is_said() {
    let document = document();
    let [(_, shown)] = blocks(&document, "fault")[..] else { panic!("there is one reason") };
    let negative = r#"{"eventType":"FarePaid","callId":1,"fare":-50000.0}"#;
    let fault = wiring::decode(&read(&message(&[], negative)).unwrap()).unwrap_err();
    assert_eq!(shown, fault.to_string());
}
