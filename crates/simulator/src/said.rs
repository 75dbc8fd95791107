//! What may be said of one call: most of it once, nothing against itself, and nothing without what leads to it.

use crate::failure::{Breach, Kind, must};
use std::collections::{BTreeMap, BTreeSet};
use taxi::event::{CallEvent, Event};

/// Said again and again, on purpose: an operator should look.
const REPORTS: [&str; 3] = ["CallOverdue", "PaymentOverdue", "DriveOverdue"];

/// A deadline asks to cancel, before or without a rider.
const LAPSED: &str = "CancelRequested by a deadline";

/// At most one of each group is ever said of a call.
const EXCLUSIVE: [&[&str]; 6] = [
    &["DriveEnded", "DriveCancelled", "DriveNotAvailable"],
    &["FarePaid", "PaymentFailed", "FareUnwanted"],
    &["FareEarned", "FareReturning", "FareSurfaced", "FareVoided", "TakeClosed"],
    &["FareEarned", "CallCancelled"],
    &["CallCompleted", "CallCancelled"],
    &["DriveStarted", "DriveNotAvailable"],
];

/// What must have been said before, at least one of it.
fn leads_to(event: &str) -> &'static [&'static str] {
    match event {
        "CallPlaced" => &["FarePaid"],
        "CallUnderWay" => &["DriveStarted"],
        "CallCompleted" => &["DriveEnded"],
        "CallUnpaid" => &["PaymentFailed"],
        "CallCancelled" => &["DriveCancelled", "DriveNotAvailable"],
        "FareAsked" => &["CallRequested"],
        "FarePaid" | "PaymentFailed" => &["FareAsked"],
        "FareUnwanted" | "FareReturning" | "FareVoided" => &["CallCancelled"],
        "FareSurfaced" => &["PaymentFailed", "FareUnwanted"],
        "FareRefunded" => &["FareReturning", "FareSurfaced"],
        "FareEarned" | "FareDue" => &["DriveEnded"],
        "TakeClosed" => &["PaymentFailed"],
        "DriveStarted" | "DriveNotAvailable" => &["FarePaid"],
        "DriveEnded" => &["DriveStarted"],
        "DriveCancelled" => &["CancelRequested", LAPSED],
        _ => &[],
    }
}

/// What an event is called here: its name, but for what says two things.
pub(crate) fn name(event: &Event) -> &'static str {
    match event {
        Event::Call(CallEvent::CancelRequested(body)) if body.reason.is_some() => LAPSED,
        Event::Call(_) | Event::Payment(_) | Event::Drive(_) => event.type_name(),
    }
}

#[derive(Default)]
pub(crate) struct Said(BTreeMap<u64, BTreeSet<&'static str>>);

impl Said {
    pub(crate) fn hear(&mut self, call: u64, event: &'static str) -> Result<(), Breach> {
        let said = self.0.entry(call).or_default();
        let is_new = said.insert(event);
        must(is_new || REPORTS.contains(&event), Kind::SaidTwice, || {
            format!("{event} of call {call} was said again")
        })?;
        let was_ridden = event == "DriveCancelled" && said.contains("DriveStarted");
        must(!was_ridden || said.contains("CancelRequested"), Kind::Contradiction, || {
            format!("of call {call} a ride was ended that nobody wanted to end")
        })?;
        for group in EXCLUSIVE.iter().filter(|group| group.contains(&event)) {
            let together: Vec<&&str> = group.iter().filter(|other| said.contains(**other)).collect();
            must(together.len() < 2, Kind::Contradiction, || {
                format!("of call {call} were said {together:?}")
            })?;
        }
        Ok(())
    }

    /// Looked at once everything of a step is heard: a cause and what it led to may come in one.
    pub(crate) fn was_led_to(&self, call: u64, event: &'static str) -> Result<(), Breach> {
        let causes = leads_to(event);
        let is_caused = causes.is_empty() || causes.iter().any(|cause| self.has(call, cause));
        must(is_caused, Kind::Uncaused, || {
            format!("{event} of call {call} was said without any of {causes:?}")
        })
    }

    pub(crate) fn has(&self, call: u64, event: &str) -> bool {
        self.0.get(&call).is_some_and(|said| said.contains(event))
    }
}
