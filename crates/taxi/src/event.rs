//! Everything that can happen: the published language between the services, and each service's own notes beside it.

#[cfg(feature = "next")]
pub mod next;
mod stored;
mod wire;

use serde::{Deserialize, Serialize};

use crate::distance::Meters;
use crate::id::{CallId, DriveId, PaymentId};
use crate::money::Won;
use crate::rider::Rider;
use crate::status::{CallStatus, DriveStatus, PayStatus};

pub use stored::{SCHEMA, Unreadable, is_known};

/// Something that happened to a call, told by the service that owns it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Call(CallEvent),
    Payment(PaymentEvent),
    Drive(DriveEvent),
}

/// Declares a service's events: `published` ones are told to everyone, `private` ones never leave its log.
macro_rules! events {
    ($service:ident: $name:ident { $($(#[$meaning:meta])* $reach:ident $variant:ident($body:ty),)+ }) => {
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name { $($(#[$meaning])* $variant($body),)+ }

        impl $name {
            /// Every name that one of these can have.
            pub const TYPE_NAMES: &[&str] = &[$(stringify!($variant),)+];

            /// The name it has on the wire, in the log and in every text.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($variant),)+ }
            }

            pub fn is_published(&self) -> bool {
                match self { $(Self::$variant(_) => events!(@$reach),)+ }
            }

            pub fn call_id(&self) -> CallId {
                match self { $(Self::$variant(body) => body.call_id,)+ }
            }

            pub(in crate::event) fn body_json(&self) -> serde_json::Result<String> {
                match self { $(Self::$variant(body) => serde_json::to_string(body),)+ }
            }

            /// Nothing when the type is not one of this service's.
            pub(in crate::event) fn read(type_name: &str, body: &str) -> Option<serde_json::Result<Self>> {
                $(if type_name == stringify!($variant) {
                    return Some(serde_json::from_str(body).map(Self::$variant));
                })+
                None
            }
        }

        impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$service(event)
            }
        }
    };
    (@published) => { true };
    (@private) => { false };
}

events!(Call: CallEvent {
    /// A rider asks; payment is due.
    published CallRequested(CallRequested),
    /// Paid and placed.
    published CallPlaced(CallBody),
    /// The rider, or the call's deadline, wants it off.
    published CancelRequested(CancelRequested),
    /// The call is off; money goes back.
    published CallCancelled(CallBody),
    /// A taxi was heard to be on its way.
    private CallUnderWay(CallNote),
    /// The fare was heard not to be had.
    private CallUnpaid(CallNote),
    /// The ride was heard to be over.
    private CallCompleted(CallNote),
    /// Nobody gave the word that is waited for; an operator should look.
    private CallOverdue(CallNote),
});

events!(Payment: PaymentEvent {
    /// The provider is being asked for the fare.
    private FareAsked(FareAsked),
    /// The fare is taken.
    published FarePaid(PaymentBody),
    /// The fare is not to be had.
    published PaymentFailed(PaymentFailed),
    /// The call was cancelled while the provider was being asked.
    private FareUnwanted(PaymentBody),
    /// The fare was taken after all, though nobody wants it now; it is ordered back.
    private FareSurfaced(PaymentBody),
    /// The fare was held and is ordered back.
    private FareReturning(PaymentBody),
    /// The fare is back with the rider.
    published FareRefunded(PaymentBody),
    /// The fare was never taken and never will be.
    private FareVoided(PaymentBody),
    /// The provider refused at last what had failed before by its silence.
    private TakeClosed(PaymentBody),
    /// The call was heard to be placed, beside a call service that must say so.
    private FarePlaced(PaymentBody),
    /// The ride is over before the provider has answered: what it takes is ours.
    private FareDue(PaymentBody),
    /// The ride is over; the fare is ours.
    private FareEarned(PaymentBody),
    /// Nobody gave the word that is waited for; an operator should look.
    private PaymentOverdue(PaymentBody),
});

events!(Drive: DriveEvent {
    /// A taxi is on its way.
    published DriveStarted(DriveBody),
    /// No taxi takes this call.
    published DriveNotAvailable(DriveBody),
    /// The ride is over.
    published DriveEnded(DriveBody),
    /// There is and will be no ride.
    published DriveCancelled(DriveBody),
    /// The ride takes very long; an operator should look.
    private DriveOverdue(DriveBody),
});

/// A new call, with what payment needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRequested {
    pub call_id: CallId,
    #[serde(flatten)]
    pub rider: Rider,
    pub call_status: CallStatus,
    pub meters: Meters,
    pub fare: Won,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}

/// The call, as the contract names its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallBody {
    pub call_id: CallId,
    #[serde(flatten)]
    pub rider: Rider,
    pub call_status: CallStatus,
    pub meters: Meters,
}

/// The call, and why it is to be cancelled where nobody asked for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelRequested {
    pub call_id: CallId,
    #[serde(flatten)]
    pub rider: Rider,
    pub call_status: CallStatus,
    pub meters: Meters,
    /// Nothing where a rider or an operator asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CancelReason>,
}

/// Which of the call's deadlines has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CancelReason {
    /// Payment said nothing.
    Unpaid,
    /// It was paid, and no drive was heard of.
    Undriven,
}

/// The call without its rider, for the call's own log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallNote {
    pub call_id: CallId,
    pub call_status: CallStatus,
}

/// The payment, with what the provider needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FareAsked {
    pub pay_id: PaymentId,
    pub call_id: CallId,
    pub fare: Won,
    pub pay_status: PayStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}

/// The payment, as the contract names its fields; the fare is 0 where it is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentBody {
    pub pay_id: PaymentId,
    pub call_id: CallId,
    pub fare: Won,
    pub pay_status: PayStatus,
}

/// The payment, and why it failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentFailed {
    pub pay_id: PaymentId,
    pub call_id: CallId,
    pub fare: Won,
    pub pay_status: PayStatus,
    pub reason: FailReason,
}

/// Why a fare is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FailReason {
    #[serde(rename = "refused")]
    Refused,
    #[serde(rename = "provider silent")]
    ProviderSilent,
    #[serde(rename = "given up")]
    GivenUp,
}

/// The drive, as the contract names its fields; the fare is 0 where it is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveBody {
    pub drive_id: DriveId,
    pub driver_name: String,
    pub call_id: CallId,
    pub drive_status: DriveStatus,
    pub taxi_num: String,
    pub fare: Won,
}

impl Event {
    /// The name it has on the wire, in the log and in every text.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Call(event) => event.type_name(),
            Self::Payment(event) => event.type_name(),
            Self::Drive(event) => event.type_name(),
        }
    }

    /// Whether others hear of it; else it never leaves its service's log.
    pub fn is_published(&self) -> bool {
        match self {
            Self::Call(event) => event.is_published(),
            Self::Payment(event) => event.is_published(),
            Self::Drive(event) => event.is_published(),
        }
    }

    /// The call it is about, and the key under which it travels.
    pub fn call_id(&self) -> CallId {
        match self {
            Self::Call(event) => event.call_id(),
            Self::Payment(event) => event.call_id(),
            Self::Drive(event) => event.call_id(),
        }
    }
}

impl CancelRequested {
    pub fn of(call: CallBody, reason: Option<CancelReason>) -> Self {
        let CallBody { call_id, rider, call_status, meters } = call;
        Self { call_id, rider, call_status, meters, reason }
    }
}

impl CancelReason {
    pub const ALL: [Self; 2] = [Self::Unpaid, Self::Undriven];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Undriven => "undriven",
        }
    }
}

impl FailReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::ProviderSilent => "provider silent",
            Self::GivenUp => "given up",
        }
    }
}
