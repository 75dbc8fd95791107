//! What riders and pages read about a call: built from the published events alone, the same in every order of them.

mod facts;

use serde::{Deserialize, Serialize};

use crate::distance::Meters;
use crate::event::{Event, FailReason};
use crate::id::{CallId, DriveId};
use crate::money::Won;
use crate::rider::Personal;
use crate::status::{CallStatus, DriveStatus, PayStatus};
use crate::time::Timestamp;

/// Everything that was heard about a call; a field is nothing until it is heard, and then only rises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    pub id: CallId,
    pub call_id: CallId,
    pub drive_id: Option<DriveId>,
    pub call_status: Option<CallStatus>,
    pub user_id: Option<Personal>,
    pub user_name: Option<Personal>,
    pub meters: Option<Meters>,
    pub fare: Option<Won>,
    pub pay_status: Option<PayStatus>,
    pub pay_reason: Option<FailReason>,
    pub driver_name: Option<String>,
    pub taxi_num: Option<String>,
    pub drive_status: Option<DriveStatus>,
    pub requested_at: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
    pub refunded_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// Adds what an event tells. The order of the events does not matter, nor how often each is told: every field keeps the
/// greatest value it was given.
pub fn project(state: Option<CallView>, event: &Event, at: Timestamp) -> Option<CallView> {
    if !event.is_published() {
        return state;
    }
    let mut view = state.unwrap_or_else(|| unheard(event.call_id(), at));
    view.updated_at = view.updated_at.max(at);
    match event {
        Event::Call(event) => view.hear_call(event, at),
        Event::Payment(event) => view.hear_payment(event, at),
        Event::Drive(event) => view.hear_drive(event, at),
    }
    view.settle_pay_status();
    Some(view)
}

/// The status, in the word that clients read; `unknown` until something tells it.
pub fn tag(view: &CallView) -> &'static str {
    view.call_status.map_or("unknown", CallStatus::as_str)
}

/// A view waits for nothing: it has no timer.
pub fn is_open(_view: &CallView) -> bool {
    false
}

fn unheard(call_id: CallId, at: Timestamp) -> CallView {
    CallView {
        id: call_id,
        call_id,
        drive_id: None,
        call_status: None,
        user_id: None,
        user_name: None,
        meters: None,
        fare: None,
        pay_status: None,
        pay_reason: None,
        driver_name: None,
        taxi_num: None,
        drive_status: None,
        requested_at: None,
        paid_at: None,
        started_at: None,
        ended_at: None,
        cancelled_at: None,
        refunded_at: None,
        updated_at: at,
    }
}

/// Keeps the greater of what is known and what is told.
fn raise<T: Ord>(known: &mut Option<T>, told: T) {
    if known.as_ref().is_none_or(|known| *known < told) {
        *known = Some(told);
    }
}
