//! A call's whole story: what happened, by whom and why, where the money is, and what is waited for now.
//!
//! [`Explanation`] is data, and as JSON a stable shape: camelCase, times RFC 3339 in UTC, amounts whole won, and whatever
//! is said to people in every language beside each other (`{"en":…,"ko":…}`). [`Explanation::text`] says it all in one.

mod closing;
mod left_out;
mod money;
mod opening;
pub(crate) mod speech;
mod standing;
mod steps;
mod story;
mod text;
mod waits;

use crate::letters::Letter;
use crate::moment::Moment;
use crate::time::At;
use crate::words::Words;
use engine::clock::Timestamp;
use engine::store::Stored;
use serde::Serialize;
use story::Story;
use taxi::distance::Meters;
use taxi::id::CallId;
use taxi::money::Won;
use taxi::rules::Rules;
use wiring::Readers;

pub use standing::Standing;
pub use steps::{Account, Cause, Moved, Step};
pub use waits::{Kind, Wait};

/// Everything that the services know of one call, at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub call_id: u64,
    /// The moment that is told.
    pub at: At,
    pub standing: Standing,
    /// Everything in short, as it can be read aloud to the rider.
    pub story: Words,
    /// Nothing where the call service has not heard of the call.
    pub asked: Option<Asked>,
    pub statuses: Statuses,
    /// What happened, causes before what they led to.
    pub steps: Vec<Step>,
    pub money: Money,
    /// Deadlines that run.
    pub timers: Vec<Armed>,
    /// What the payment provider is being asked.
    pub effects: Vec<Errand>,
    /// What is still to come, what holds up the rest first; empty when the call is over.
    pub waits_for: Vec<Wait>,
    /// Messages about the call that were put aside, skipped ones too.
    pub dead_letters: Vec<Letter>,
    pub view: View,
}

/// What the rider asked for; the one place with personal data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    pub at: At,
    pub user_id: String,
    pub user_name: String,
    pub meters: Meters,
    pub fare: Won,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}

/// How each service says that it stands, in the contract's words; nothing where it has not heard of the call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statuses {
    pub call: Option<&'static str>,
    pub payment: Option<&'static str>,
    pub drive: Option<&'static str>,
}

/// Where the fare is: taken = held + earned + returned.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    pub fare: Option<Won>,
    pub figures: Figures,
    pub taken: Won,
    pub held: Won,
    pub earned: Won,
    pub returned: Won,
    /// Nothing where the provider has not heard of the payment.
    pub provider: Option<Book>,
    /// Whether payment and provider say the same, in words.
    pub agrees: Agreement,
    pub words: Words,
}

/// Where the sums come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Figures {
    /// From what happened, event by event.
    Events,
    /// From payment's own record, since one of its events cannot be read.
    Record,
    /// From nowhere: that record cannot be read either, and the sums mean nothing.
    None,
}

/// What the payment provider's book says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Book {
    /// `taken`, `refused`, or nothing while it was not asked.
    pub take: Option<&'static str>,
    /// Whether it was ordered back.
    pub back: bool,
    /// What the rider is out of pocket.
    pub balance: Won,
    pub takes_heard: u32,
    pub backs_heard: u32,
}

/// How two accounts of the same thing compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Agreement {
    /// Both say the same.
    Agrees,
    /// They differ by what is on its way.
    OnTheWay,
    /// They differ, and nothing is on its way that explains it: a fault.
    Differs,
}

/// A deadline that runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Armed {
    pub service: &'static str,
    pub name: String,
    pub due: At,
    /// What happens when it runs out.
    pub words: Words,
}

/// Something that the payment provider was asked and has not answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Errand {
    /// `take` or `back`.
    pub name: String,
    pub sequence: u64,
    pub won: Option<Won>,
    /// How often it was asked.
    pub attempts: u32,
    /// When it is asked again.
    pub next: At,
    pub words: Words,
}

/// What pages show, beside what the events tell.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    pub shown: Option<Statuses>,
    /// Published events of the call that the view has not heard yet.
    pub unheard: usize,
    pub agrees: Agreement,
    pub words: Words,
}

/// Tells the story of a call as it stands at `now`; nothing when no service has heard of it.
pub fn explain(
    readers: &Readers,
    call_id: CallId,
    now: Timestamp,
    rules: &Rules,
) -> Stored<Option<Explanation>> {
    let moment = Moment::take(readers)?;
    let story = Story::read(&moment, call_id, now, rules)?;
    Ok(story.map(|story| story.explain()))
}
