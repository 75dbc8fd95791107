//! Where a payment can stand, what it then waits for, and what that means to others.

use serde::{Deserialize, Serialize};

use crate::status::PayStatus;

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The provider is being asked.
    Asked,
    /// The ride is over, and the provider still has to answer: a service that was restored hears of both at once.
    Due,
    /// Taken and held.
    Paid,
    /// Taken and held, and the call was heard to be placed.
    Placed,
    /// Failed by a deadline, while the provider still has to answer.
    Late,
    /// Failed for good.
    Failed,
    /// The call is off, while the provider still has to answer.
    Unwanted,
    /// The provider is giving it back.
    Returning,
    /// Back with the rider.
    Refunded,
    /// Never taken, and never will be.
    Voided,
    /// Ours.
    Earned,
}

/// What an open payment waits for; the names of its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For the provider's word, within its deadline.
    Provider,
    /// For the provider's word, after its deadline.
    Overdue,
    /// For `CallPlaced`.
    Placed,
    /// For the end of the ride.
    Held,
    /// For the provider to give back.
    Returning,
}

impl Stage {
    pub(super) fn status(self) -> PayStatus {
        match self {
            Self::Asked | Self::Due => PayStatus::Asked,
            Self::Paid | Self::Placed | Self::Earned => PayStatus::Paid,
            Self::Late | Self::Failed => PayStatus::Failed,
            Self::Unwanted | Self::Returning => PayStatus::Refunding,
            Self::Refunded => PayStatus::Refunded,
            Self::Voided => PayStatus::Voided,
        }
    }

    /// The timers one of which is armed in this stage; beside whose call service it began decides between two.
    pub(super) fn waits(self) -> &'static [Wait] {
        match self {
            Self::Asked => &[Wait::Provider],
            Self::Paid => &[Wait::Held, Wait::Placed],
            Self::Placed => &[Wait::Held],
            Self::Due | Self::Late | Self::Unwanted => &[Wait::Overdue],
            Self::Returning => &[Wait::Returning],
            Self::Failed | Self::Refunded | Self::Voided | Self::Earned => &[],
        }
    }

    pub(super) fn is_open(self) -> bool {
        !self.waits().is_empty()
    }

    /// Whether the fare is in our hands but not ours.
    pub(super) fn holds(self) -> bool {
        match self {
            Self::Paid | Self::Placed | Self::Returning => true,
            Self::Asked
            | Self::Due
            | Self::Late
            | Self::Failed
            | Self::Unwanted
            | Self::Refunded
            | Self::Voided
            | Self::Earned => false,
        }
    }

    /// Whether the provider still has to answer the take.
    pub(super) fn asks(self) -> bool {
        match self {
            Self::Asked | Self::Due | Self::Late | Self::Unwanted => true,
            Self::Paid
            | Self::Placed
            | Self::Failed
            | Self::Returning
            | Self::Refunded
            | Self::Voided
            | Self::Earned => false,
        }
    }
}

impl Wait {
    pub const ALL: [Self; 5] = [Self::Provider, Self::Overdue, Self::Placed, Self::Held, Self::Returning];

    pub fn of_timer(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Overdue => "overdue",
            Self::Placed => "placed",
            Self::Held => "held",
            Self::Returning => "returning",
        }
    }
}
