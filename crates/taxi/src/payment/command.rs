//! What a payment can be told, what it asks of the provider, and why it refuses.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{CallId, PaymentId};
use crate::money::Won;

/// What a payment can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A call was requested.
    Ask(Ask),
    /// A call service asks directly, and waits.
    PayNow { call_id: CallId, fare: Won },
    /// The one who waits directly waits no longer.
    GiveUp(CallId),
    /// The provider answered the take.
    TakeAnswered { call_id: CallId, answer: TakeAnswer },
    /// The provider answered the back; there is but one answer.
    BackAnswered(CallId),
    /// The call was placed.
    NotePlaced(CallId),
    /// The call is off; nobody is to be charged.
    CallOff(CallId),
    /// The ride is over; the fare is earned.
    RideOver(CallId),
    /// Its timer rang.
    TimerDue { call_id: CallId, timer: String },
}

/// A fare to be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub call_id: CallId,
    pub fare: Won,
    pub payment_method: Option<String>,
}

/// The provider's word on a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeAnswer {
    Taken,
    Refused,
}

/// What the provider is asked to do; done once for each payment, however often it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    Take(Terms),
    /// Void and refund are one.
    Back(Terms),
}

/// Whose money, how much, and from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    pub pay_id: PaymentId,
    pub fare: Won,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Payment has not heard of the call.
    Unknown,
    /// The call costs something else.
    OtherFare { fare: Won },
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ask(_) => "Ask",
            Self::PayNow { .. } => "PayNow",
            Self::GiveUp(_) => "GiveUp",
            Self::TakeAnswered { .. } => "TakeAnswered",
            Self::BackAnswered(_) => "BackAnswered",
            Self::NotePlaced(_) => "NotePlaced",
            Self::CallOff(_) => "CallOff",
            Self::RideOver(_) => "RideOver",
            Self::TimerDue { .. } => "TimerDue",
        }
    }

    pub fn call_id(&self) -> CallId {
        match self {
            Self::Ask(ask) => ask.call_id,
            Self::GiveUp(call_id)
            | Self::BackAnswered(call_id)
            | Self::NotePlaced(call_id)
            | Self::CallOff(call_id)
            | Self::RideOver(call_id)
            | Self::PayNow { call_id, .. }
            | Self::TakeAnswered { call_id, .. }
            | Self::TimerDue { call_id, .. } => *call_id,
        }
    }
}

impl Effect {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Take(_) => "take",
            Self::Back(_) => "back",
        }
    }

    pub fn terms(&self) -> &Terms {
        match self {
            Self::Take(terms) | Self::Back(terms) => terms,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.write_str("payment has not heard of this call"),
            Self::OtherFare { fare } => write!(formatter, "the fare of this call is {fare} won"),
        }
    }
}

impl std::error::Error for Refusal {}
