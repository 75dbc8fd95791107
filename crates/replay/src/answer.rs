//! The parts of the contract's answers that a rider or a driver looks at.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CallStatus {
    PayRequest,
    DriveRequest,
    DriveStart,
    PayFail,
    RequestCancel,
    DriveComplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PayStatus {
    Asked,
    Paid,
    Failed,
    Refunding,
    Refunded,
    Voided,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DriveStatus {
    Start,
    RequestCancel,
    Cancel,
    End,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    pub(crate) call_id: u64,
    pub(crate) call_status: CallStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Drive {
    pub(crate) drive_status: DriveStatus,
}

/// A trip as the read model shows it; what it has not heard of yet is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    pub(crate) call_status: Option<CallStatus>,
    pub(crate) pay_status: Option<PayStatus>,
    pub(crate) drive_status: Option<DriveStatus>,
    pub(crate) fare: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// How a trip that the system took on came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    /// No taxi took it, and the fare is back.
    Compensated,
    Cancelled,
    PaymentFailed,
}

impl View {
    /// How the trip came out, once nothing more will change: its call over, its drive over, its money where it stays.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.call_status? {
            CallStatus::DriveComplete => {
                let over =
                    self.drive_status == Some(DriveStatus::End) && self.pay_status == Some(PayStatus::Paid);
                over.then_some(Outcome::Completed)
            }
            CallStatus::RequestCancel if !self.money_is_back() => None,
            CallStatus::RequestCancel => match self.drive_status? {
                DriveStatus::RequestCancel => Some(Outcome::Compensated),
                DriveStatus::Cancel => Some(Outcome::Cancelled),
                DriveStatus::Start | DriveStatus::End => None,
            },
            CallStatus::PayFail => self.money_is_back().then_some(Outcome::PaymentFailed),
            CallStatus::PayRequest | CallStatus::DriveRequest | CallStatus::DriveStart => None,
        }
    }

    fn money_is_back(&self) -> bool {
        self.pay_status.is_some_and(|status| match status {
            PayStatus::Failed | PayStatus::Refunded | PayStatus::Voided => true,
            PayStatus::Asked | PayStatus::Paid | PayStatus::Refunding => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_tells_an_outcome_only_when_nothing_more_will_change() {
        for (json, outcome) in [
            ("{}", None),
            (r#"{"callStatus":"driveStart","payStatus":"paid","driveStatus":"start"}"#, None),
            (r#"{"callStatus":"driveStart","payStatus":"paid","driveStatus":"end"}"#, None),
            (r#"{"callStatus":"driveComplete","payStatus":"paid","driveStatus":"start"}"#, None),
            (
                r#"{"callStatus":"driveComplete","payStatus":"paid","driveStatus":"end"}"#,
                Some(Outcome::Completed),
            ),
            (r#"{"callStatus":"requestCancel","payStatus":"paid","driveStatus":"requestCancel"}"#, None),
            (r#"{"callStatus":"requestCancel","payStatus":"refunding","driveStatus":"requestCancel"}"#, None),
            (
                r#"{"callStatus":"requestCancel","payStatus":"refunded","driveStatus":"requestCancel"}"#,
                Some(Outcome::Compensated),
            ),
            (
                r#"{"callStatus":"requestCancel","payStatus":"voided","driveStatus":"cancel"}"#,
                Some(Outcome::Cancelled),
            ),
            (r#"{"callStatus":"requestCancel","payStatus":"voided","driveStatus":null}"#, None),
            (r#"{"callStatus":"payFail","payStatus":"failed"}"#, Some(Outcome::PaymentFailed)),
        ] {
            let view: View = serde_json::from_str(json).unwrap();
            assert_eq!(view.outcome(), outcome, "{json}");
        }
    }
}
