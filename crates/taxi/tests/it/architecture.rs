//! ARCHITECTURE.md's flow table is what the policies say.

use std::fmt::Write;
use taxi::flow::{Row, flow};

const SERVICES: [&str; 4] = ["call", "payment", "drive", "view"];

fn table(rows: &[Row]) -> String {
    let mut events: Vec<&str> = rows.iter().map(|row| row.event).collect();
    events.dedup();
    let mut text = String::from("| event | call | payment | drive | view |\n|---|---|---|---|---|\n");
    for event in events {
        write!(text, "| `{event}` |").unwrap();
        for service in SERVICES {
            let row = rows.iter().find(|row| row.event == event && row.service == service);
            write!(text, " {} |", row.map_or("", |row| row.command)).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_flow_table_is_what_the_policies_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md");
    let document = std::fs::read_to_string(path).expect("ARCHITECTURE.md stands at the root");
    let written = document.split("<!-- flow -->\n").nth(1).expect("the table stands between two marks");
    let computed = table(&flow());
    assert_eq!(written, computed, "put this into ARCHITECTURE.md:\n{computed}");
}
