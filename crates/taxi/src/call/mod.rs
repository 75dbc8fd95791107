//! A rider's call: it asks, listens, and shows how far it has come; it never decides about money or rides.

pub mod policy;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::distance::Meters;
use crate::event::{CallBody, CallEvent, CallNote, CallRequested, CancelReason, CancelRequested, Event};
use crate::id::CallId;
use crate::money::Won;
use crate::rider::Rider;
use crate::rules::Context;
use crate::status::CallStatus;
use crate::time::Timestamp;

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    pub call_id: CallId,
    #[serde(flatten)]
    pub rider: Rider,
    pub call_status: CallStatus,
    pub meters: Meters,
    pub fare: Won,
    pub payment_method: Option<String>,
    /// `CallPlaced` was said.
    pub placed: bool,
    /// `CallCancelled` was said.
    pub cancelled: bool,
    /// A deadline asked for the cancellation, and nobody else so far: a taxi that is on its way goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lapsed: bool,
    /// The first status after `payRequest`: what the rider who waits for an answer is told.
    pub settled: Option<CallStatus>,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a call can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A rider asks.
    Request(Request),
    /// The rider, or an operator, wants it off.
    Cancel(CallId),
    /// It is paid.
    Place(CallId),
    /// It is not to be paid.
    GiveUp(CallId),
    /// A taxi is on its way.
    GoUnderWay(CallId),
    /// The ride is over.
    Complete(CallId),
    /// There will be no ride.
    CallOff(CallId),
    /// Its timer rang.
    TimerDue { call_id: CallId, timer: String },
}

/// A new call; its id, its fare and its time were fixed at the edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub call_id: CallId,
    pub rider: Rider,
    pub meters: Meters,
    pub fare: Won,
    pub payment_method: Option<String>,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such call.
    Unknown,
    /// It is over, and cannot be cancelled any more.
    Over { status: CallStatus },
}

/// What an open call waits for; the names of its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For payment's word.
    Unpaid,
    /// For a drive.
    Undriven,
    /// For the end of the ride.
    Overdue,
    /// For drive's word on the cancellation.
    Cancelling,
}

pub fn decide(state: Option<&Call>, command: &Command, ctx: &Context<'_>) -> Result<Decision, Refusal> {
    match (state, command) {
        (None, Command::Request(request)) => Ok(open(request, ctx)),
        (None, Command::Cancel(_)) => Err(Refusal::Unknown),
        (Some(call), Command::Cancel(_)) => call.cancel(ctx),
        (Some(call), Command::Place(_)) => Ok(call.place(ctx)),
        (Some(call), Command::GiveUp(_)) => Ok(call.give_up()),
        (Some(call), Command::GoUnderWay(_)) => Ok(call.go_under_way(ctx)),
        (Some(call), Command::Complete(_)) => Ok(call.complete()),
        (Some(call), Command::CallOff(_)) => Ok(call.call_off()),
        (Some(call), Command::TimerDue { timer, .. }) => Ok(call.timer_due(timer, ctx)),
        (Some(_), Command::Request(_))
        | (
            None,
            Command::Place(_)
            | Command::GiveUp(_)
            | Command::GoUnderWay(_)
            | Command::Complete(_)
            | Command::CallOff(_)
            | Command::TimerDue { .. },
        ) => Ok(Decision::nothing()),
    }
}

pub fn evolve(state: Option<Call>, event: &Event, at: Timestamp) -> Option<Call> {
    let event = match event {
        Event::Call(event) => event,
        Event::Payment(_) | Event::Drive(_) => return state,
    };
    if let CallEvent::CallRequested(body) = event {
        return state.or_else(|| Some(opened(body, at)));
    }
    let mut call = state?;
    call.updated_at = at;
    match event {
        CallEvent::CallRequested(_) | CallEvent::CallOverdue(_) => {}
        CallEvent::CallPlaced(_) => {
            call.placed = true;
            call.rise_to(CallStatus::DriveRequest);
        }
        CallEvent::CallUnderWay(_) => call.rise_to(CallStatus::DriveStart),
        CallEvent::CallUnpaid(_) => call.rise_to(CallStatus::PayFail),
        CallEvent::CancelRequested(body) => {
            call.lapsed = body.reason.is_some();
            call.rise_to(CallStatus::RequestCancel);
        }
        CallEvent::CallCancelled(_) => {
            call.cancelled = true;
            call.rise_to(CallStatus::RequestCancel);
        }
        CallEvent::CallCompleted(_) => call.rise_to(CallStatus::DriveComplete),
    }
    Some(call)
}

/// The status, in the word that clients read.
pub fn tag(call: &Call) -> &'static str {
    call.call_status.as_str()
}

/// Whether something is still waited for; an open call has an armed timer, a closed one has none.
pub fn is_open(call: &Call) -> bool {
    call.wait().is_some()
}

fn open(request: &Request, ctx: &Context<'_>) -> Decision {
    let requested = CallRequested {
        call_id: request.call_id,
        rider: request.rider.clone(),
        call_status: CallStatus::PayRequest,
        meters: request.meters,
        fare: request.fare,
        payment_method: request.payment_method.clone(),
    };
    Decision::say(CallEvent::CallRequested(requested)).arm(
        Wait::Unpaid.name(),
        ctx.now,
        ctx.rules.deadlines.call_unpaid,
    )
}

fn opened(body: &CallRequested, at: Timestamp) -> Call {
    Call {
        call_id: body.call_id,
        rider: body.rider.clone(),
        call_status: CallStatus::PayRequest,
        meters: body.meters,
        fare: body.fare,
        payment_method: body.payment_method.clone(),
        placed: false,
        cancelled: false,
        lapsed: false,
        settled: None,
        requested_at: at,
        updated_at: at,
    }
}

impl Call {
    fn cancel(&self, ctx: &Context<'_>) -> Result<Decision, Refusal> {
        match self.call_status {
            CallStatus::PayRequest | CallStatus::DriveRequest | CallStatus::DriveStart => {
                Ok(self.ask_to_cancel(None, ctx))
            }
            CallStatus::RequestCancel if self.lapsed && !self.cancelled => Ok(self.ask_to_cancel(None, ctx)),
            CallStatus::RequestCancel => Ok(Decision::nothing()),
            CallStatus::PayFail | CallStatus::DriveComplete => {
                Err(Refusal::Over { status: self.call_status })
            }
        }
    }

    fn place(&self, ctx: &Context<'_>) -> Decision {
        match self.call_status {
            CallStatus::PayRequest => Decision::say(CallEvent::CallPlaced(
                self.body(CallStatus::DriveRequest),
            ))
            .arm(Wait::Undriven.name(), ctx.now, ctx.rules.deadlines.call_undriven),
            // Payment takes what it has forgotten to have failed, once its database was restored: nobody wants it any more.
            CallStatus::PayFail => self.ask_to_cancel(None, ctx),
            CallStatus::DriveRequest
            | CallStatus::DriveStart
            | CallStatus::RequestCancel
            | CallStatus::DriveComplete => Decision::nothing(),
        }
    }

    fn give_up(&self) -> Decision {
        match self.call_status {
            CallStatus::PayRequest => {
                Decision::say(CallEvent::CallUnpaid(self.note(CallStatus::PayFail))).disarm()
            }
            CallStatus::DriveRequest
            | CallStatus::DriveStart
            | CallStatus::PayFail
            | CallStatus::RequestCancel
            | CallStatus::DriveComplete => Decision::nothing(),
        }
    }

    fn go_under_way(&self, ctx: &Context<'_>) -> Decision {
        match self.call_status {
            CallStatus::PayRequest | CallStatus::DriveRequest => self
                .placed_first()
                .and_say(CallEvent::CallUnderWay(self.note(CallStatus::DriveStart)))
                .arm(Wait::Overdue.name(), ctx.now, ctx.rules.deadlines.report_after),
            CallStatus::DriveStart
            | CallStatus::PayFail
            | CallStatus::RequestCancel
            | CallStatus::DriveComplete => Decision::nothing(),
        }
    }

    /// A ride that ended stands, also while the call is being cancelled.
    fn complete(&self) -> Decision {
        if !is_open(self) {
            return Decision::nothing();
        }
        self.placed_first().and_say(CallEvent::CallCompleted(self.note(CallStatus::DriveComplete))).disarm()
    }

    fn call_off(&self) -> Decision {
        if !is_open(self) {
            return Decision::nothing();
        }
        Decision::say(CallEvent::CallCancelled(self.body(CallStatus::RequestCancel))).disarm()
    }

    fn timer_due(&self, timer: &str, ctx: &Context<'_>) -> Decision {
        match self.wait().filter(|wait| wait.name() == timer) {
            None => Decision::nothing(),
            Some(Wait::Unpaid) => self.ask_to_cancel(Some(CancelReason::Unpaid), ctx),
            Some(Wait::Undriven) => self.ask_to_cancel(Some(CancelReason::Undriven), ctx),
            Some(wait @ (Wait::Overdue | Wait::Cancelling)) => Decision::say(CallEvent::CallOverdue(
                self.note(self.call_status),
            ))
            .arm(wait.name(), ctx.now, ctx.rules.deadlines.report_after),
        }
    }

    fn ask_to_cancel(&self, reason: Option<CancelReason>, ctx: &Context<'_>) -> Decision {
        let call = self.body(CallStatus::RequestCancel);
        Decision::say(CallEvent::CancelRequested(CancelRequested::of(call, reason))).arm(
            Wait::Cancelling.name(),
            ctx.now,
            ctx.rules.deadlines.report_after,
        )
    }

    /// A ride tells that the call was paid, also when that is heard later.
    fn placed_first(&self) -> Decision {
        if self.placed {
            return Decision::nothing();
        }
        Decision::say(CallEvent::CallPlaced(self.body(CallStatus::DriveRequest)))
    }

    /// The timer that is armed in this state.
    fn wait(&self) -> Option<Wait> {
        match self.call_status {
            CallStatus::PayRequest => Some(Wait::Unpaid),
            CallStatus::DriveRequest => Some(Wait::Undriven),
            CallStatus::DriveStart => Some(Wait::Overdue),
            CallStatus::RequestCancel if !self.cancelled => Some(Wait::Cancelling),
            CallStatus::RequestCancel | CallStatus::PayFail | CallStatus::DriveComplete => None,
        }
    }

    fn rise_to(&mut self, status: CallStatus) {
        self.settled = self.settled.or(Some(status));
        self.call_status = self.call_status.max(status);
    }

    fn body(&self, call_status: CallStatus) -> CallBody {
        CallBody { call_id: self.call_id, rider: self.rider.clone(), call_status, meters: self.meters }
    }

    fn note(&self, call_status: CallStatus) -> CallNote {
        CallNote { call_id: self.call_id, call_status }
    }
}

impl Wait {
    pub const ALL: [Self; 4] = [Self::Unpaid, Self::Undriven, Self::Overdue, Self::Cancelling];

    /// Those that a clock ends, each by a timer of its own: the call is to be cancelled then.
    pub const DEADLINES: [&str; 2] = [Self::Unpaid.name(), Self::Undriven.name()];

    pub fn of_timer(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Undriven => "undriven",
            Self::Overdue => "overdue",
            Self::Cancelling => "cancelling",
        }
    }
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "Request",
            Self::Cancel(_) => "Cancel",
            Self::Place(_) => "Place",
            Self::GiveUp(_) => "GiveUp",
            Self::GoUnderWay(_) => "GoUnderWay",
            Self::Complete(_) => "Complete",
            Self::CallOff(_) => "CallOff",
            Self::TimerDue { .. } => "TimerDue",
        }
    }

    pub fn call_id(&self) -> CallId {
        match self {
            Self::Request(request) => request.call_id,
            Self::Cancel(call_id)
            | Self::Place(call_id)
            | Self::GiveUp(call_id)
            | Self::GoUnderWay(call_id)
            | Self::Complete(call_id)
            | Self::CallOff(call_id)
            | Self::TimerDue { call_id, .. } => *call_id,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.write_str("there is no such call"),
            Self::Over { status } => write!(formatter, "the call is over: {status}"),
        }
    }
}

impl std::error::Error for Refusal {}
