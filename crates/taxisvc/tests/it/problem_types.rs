//! The types of problems: what the services and the gateway answer with is what docs/api.md tells, no more and no less.

use language::Language;
use language::problem::Kind;
use std::collections::BTreeMap;

/// Name, status and title of each.
fn answered() -> BTreeMap<&'static str, (u16, &'static str)> {
    let facts = |kind: &Kind| (kind.name(), (kind.status(), kind.title().of(Language::English)));
    Kind::ALL.iter().map(facts).collect()
}

#[test]
fn the_document_tells_every_type_with_its_status_and_no_other() {
    let document = include_str!("../../../../docs/api.md");
    let (_, problems) = document.split_once("\n## Problems\n").expect("there is such a chapter");
    let chapter = problems.split("\n## ").next().unwrap_or_default();
    let told: BTreeMap<&str, u16> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| {
            let (name, rest) = row.split_once("` | ")?;
            Some((name, rest.split(' ').next()?.parse().ok()?))
        })
        .collect();
    let answered: BTreeMap<&str, u16> =
        answered().into_iter().map(|(name, (status, _))| (name, status)).collect();
    assert_eq!(told, answered);
}

/// A program may have any of these in its code: none changes its name, its status or its title.
#[test]
fn what_a_type_is_called_stays() {
    let lines: Vec<String> =
        answered().iter().map(|(name, (status, title))| format!("{status} {name}: {title}")).collect();
    let golden = "\
409 another-log: The position is one of another log
422 idempotency-key-reused: The idempotency key came with another body before
422 impossible: This cannot be done
500 internal: The fault is ours
400 malformed: The request is malformed
405 method-not-allowed: This method is not allowed
406 not-acceptable: No such form of it can be given
409 not-allowed-now: This is not allowed in this state
404 not-found: There is nothing here
503 not-read-yet: What was asked for is not read yet
409 other-fare: The fare is another
504 outcome-unknown: Whether this was done is not known
413 payload-too-large: The body is too large
504 payment-given-up: The payment is given up for good
402 payment-refused: The payment is refused
429 rate-limited: Too many requests from this client
408 request-timeout: The request did not arrive in time
503 storage-full: There is no room for anything new; nothing was stored
503 too-busy: Too much at once; nothing was stored
401 unauthorized: This is for operators
503 unavailable: The store is not to be had just now; nothing was stored
415 unsupported-media-type: The body is not JSON
502 upstream-broken: The service broke off its answer
504 upstream-timeout: The service did not answer in time
503 upstream-unavailable: The service cannot be reached";
    assert_eq!(lines.join("\n"), golden);
}
