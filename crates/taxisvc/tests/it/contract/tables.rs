//! The tables of docs/integrating.md: each row is asked, and comes to what it says.

use super::document::Document;
use crate::world::http::{Answer, Ask};
use crate::world::{World, number, until};

const TEXT: &str = include_str!("../../../../../docs/integrating.md");

/// A row: the words of its first cell, and its request.
struct Row {
    said: String,
    method: String,
    path: String,
    ask: Ask,
}

/// Runs of code in a cell.
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn rows(name: &str) -> Vec<Row> {
    let mark = format!("<!-- {name} -->");
    let table = TEXT.split(mark.as_str()).nth(1).expect("the table stands between two marks");
    let lines = table.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            let [said, _, request] = cells[..] else { panic!("three cells: {line}") };
            let codes = codes(request);
            let (target, body) = match codes[0].split_once(" {") {
                Some((target, body)) => (target, format!("{{{body}")),
                None => (codes[0], String::new()),
            };
            let (method, path) = target.split_once(' ').expect("a method and a path");
            let mut ask = Ask::new(method, path).body(body.as_bytes());
            let headers: Vec<(&str, &str)> =
                codes[1..].iter().map(|header| header.split_once(": ").expect("a header")).collect();
            if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
                ask = ask.header("Content-Type", "application/json");
            }
            for (name, value) in headers {
                ask = ask.header(name, value);
            }
            Row { said: said.trim().to_owned(), method: method.to_owned(), path: path.to_owned(), ask }
        })
        .collect()
}

fn ask(world: &World, row: &Row) -> Answer {
    let port = if row.path == "/callpay" { "payment" } else { "gateway" };
    row.ask.of(world.address(port)).unwrap_or_else(|error| panic!("{error}: {}", row.said))
}

/// What a good answer says of its state, or the type of a problem.
fn word(answer: &Answer) -> String {
    if answer.status >= 400 {
        return answer.problem();
    }
    let body = answer.json();
    let state = ["callStatus", "driveStatus"].iter().find_map(|field| body[field].as_str());
    state.unwrap_or_default().to_owned()
}

#[test]
fn every_refusal_comes_of_what_is_said() {
    let world = World::with(&[("ANSWERS_WAIT_MS", "5000")]);
    let document = Document::read(api::OPENAPI);
    let rows = rows("refusals");
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in &rows {
        let (status, rest) = row.said.split_once(' ').expect("a status and a word");
        let status: u16 = status.parse().expect("a status is a number");
        let wanted = (status, codes(rest)[0]);
        let answer = until(&row.said, || {
            let answer = ask(&world, row);
            // A ride is ended, and a fare is paid, once the service has heard of it.
            let is_early = answer.status == 404 && status != 404;
            (!is_early).then_some(answer)
        });
        assert_eq!((answer.status, word(&answer).as_str()), wanted, "{}: {answer:?}", row.said);
        document.hold((&row.method, &row.path), &answer);
    }
}

#[test]
fn every_outcome_comes_of_what_is_said() {
    let world = World::with(&[("ANSWERS_WAIT_MS", "1")]);
    let rows = rows("outcomes");
    assert!(rows.len() > 5, "{} rows", rows.len());
    let calls: Vec<(u64, &Row)> = rows.iter().map(|row| (number(&ask(&world, row)), row)).collect();
    for (call, row) in calls {
        let wanted = codes(&row.said);
        until(&row.said, || {
            let [call_status, pay_status, _] = world.view(call);
            (wanted == [call_status.as_str(), pay_status.as_str()]).then_some(())
        });
    }
}
