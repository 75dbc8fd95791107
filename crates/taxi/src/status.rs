//! How far a call, its payment and its drive have come; declared in rising order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A call shows the furthest of these that it has heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CallStatus {
    PayRequest,
    DriveRequest,
    DriveStart,
    PayFail,
    RequestCancel,
    DriveComplete,
}

/// What became of the fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PayStatus {
    Asked,
    Paid,
    Failed,
    Refunding,
    Refunded,
    Voided,
}

/// What became of the ride; `requestCancel` means that no taxi took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DriveStatus {
    Start,
    RequestCancel,
    Cancel,
    End,
}

impl CallStatus {
    pub const ALL: [Self; 6] = [
        Self::PayRequest,
        Self::DriveRequest,
        Self::DriveStart,
        Self::PayFail,
        Self::RequestCancel,
        Self::DriveComplete,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::PayRequest => "payRequest",
            Self::DriveRequest => "driveRequest",
            Self::DriveStart => "driveStart",
            Self::PayFail => "payFail",
            Self::RequestCancel => "requestCancel",
            Self::DriveComplete => "driveComplete",
        }
    }
}

impl PayStatus {
    pub const ALL: [Self; 6] =
        [Self::Asked, Self::Paid, Self::Failed, Self::Refunding, Self::Refunded, Self::Voided];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
        }
    }
}

impl DriveStatus {
    pub const ALL: [Self; 4] = [Self::Start, Self::RequestCancel, Self::Cancel, Self::End];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::RequestCancel => "requestCancel",
            Self::Cancel => "cancel",
            Self::End => "end",
        }
    }
}

impl fmt::Display for CallStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for PayStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for DriveStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{CallStatus, DriveStatus, PayStatus};

    fn json(status: impl serde::Serialize) -> String {
        serde_json::to_string(&status).unwrap()
    }

    #[test]
    fn stored_words_are_the_spoken_ones() {
        for status in CallStatus::ALL {
            assert_eq!(json(status), format!("\"{status}\""));
        }
        for status in PayStatus::ALL {
            assert_eq!(json(status), format!("\"{status}\""));
        }
        for status in DriveStatus::ALL {
            assert_eq!(json(status), format!("\"{status}\""));
        }
    }

    #[test]
    fn statuses_rise_as_the_contract_says() {
        assert!(CallStatus::ALL.is_sorted());
        assert!(DriveStatus::ALL.is_sorted());
    }
}
