//! Every published event in both profiles, byte by byte.

use crate::desk::{PLACE, published, read, recorded, write};
use engine::wire::{Packet, Wire};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use wiring::wire::{Profile, TaxiWire};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/golden")
}

/// A message as text: its key and its headers, a line each, then its value.
pub(crate) fn text(packet: &Packet) -> String {
    let plain = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap()).unwrap();
    let mut text = format!("key: {}\n", plain(&packet.key));
    for (name, value) in &packet.headers {
        writeln!(text, "{name}: {}", plain(value)).unwrap();
    }
    write!(text, "\n{}\n", plain(&packet.payload)).unwrap();
    text
}

/// The other way.
pub(crate) fn packet(text: &str) -> Packet {
    let (head, value) = text.trim_end().split_once("\n\n").unwrap();
    let mut lines = head.lines().map(|line| line.split_once(": ").unwrap());
    let (_, key) = lines.next().unwrap();
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let headers = lines.map(|(name, value)| (name.to_owned(), bytes(value))).collect();
    Packet { key: bytes(key), headers, payload: bytes(value), at: None }
}

/// Every golden file's name and what belongs into it.
fn written() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for profile in Profile::ALL {
        for event in published() {
            let event = recorded(&event);
            let name = format!("{}.v{}.{profile}.txt", event.event_type, event.schema);
            files.push((name, text(&write(profile, &event))));
        }
    }
    files
}

#[test]
fn every_message_is_written_as_its_golden_file_says() {
    for (name, text) in written() {
        let golden =
            fs::read_to_string(folder().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text, golden, "{name}");
    }
    let known: Vec<String> = written().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "nothing is written as {name}");
    }
    assert_eq!(known.len(), 22);
}

#[test]
fn every_golden_message_is_read_back() {
    for entry in fs::read_dir(folder()).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let read = read(&packet(&text)).unwrap();
        let event = wiring::decode(&read).unwrap();
        assert!(published().contains(&event), "{text}");
    }
}

#[test]
fn no_private_event_becomes_a_message() {
    for event in taxi::sample::every_event() {
        let told = TaxiWire::default().write(&recorded(&event)).unwrap();
        assert_eq!(told.is_some(), event.is_published(), "{}", event.type_name());
    }
}

/// A log with a hole in it is not told: what comes after would come before.
#[test]
fn what_cannot_be_read_is_not_written() {
    let mut event = recorded(&published()[0]);
    event.body = "{}".into();
    assert!(TaxiWire::default().write(&event).is_err());
    event.schema = 9;
    assert!(TaxiWire::default().write(&event).is_err());
}

#[test]
fn a_message_without_a_trace_has_no_header_for_it() {
    let event = recorded(&published()[0]);
    let traced = write(Profile::CloudEvents, &event);
    let untraced = write(Profile::CloudEvents, &engine::log::Recorded { trace: None, ..event });
    let names = |packet: &Packet| packet.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let all: Vec<String> = names(&traced).into_iter().filter(|name| name != "traceparent").collect();
    assert_eq!(names(&untraced), all);
    assert_eq!(TaxiWire::default().read(&untraced, &PLACE).unwrap().trace, None);
}

/// Run by hand after a new event or version; an old file that changes here breaks whoever reads the topic.
#[test]
#[ignore = "writes the golden files"]
fn write_golden_files() {
    for (name, text) in written() {
        fs::write(folder().join(name), text).unwrap();
    }
}
