//! How a call stands, in one word.

use super::story::Story;
use crate::words::Words;
use serde::Serialize;
use taxi::event::{Event, PaymentEvent};
use taxi::payment::Stage;
use taxi::status::{CallStatus, DriveStatus};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// A message about it was put aside; an operator must look.
    HeldUp,
    /// A message was passed over that it cannot do without; an operator must settle it by hand.
    LeftOut,
    /// Payment's word is out.
    AwaitingPayment,
    /// Paid, and no word of a taxi yet.
    AwaitingTaxi,
    UnderWay,
    /// To be cancelled, and drive's word is out.
    Cancelling,
    /// Decided, and the last messages or the provider's answer are on their way.
    Settling,
    Completed,
    PaymentFailed,
    /// Off, and nothing was ever taken.
    Cancelled,
    /// Off, or failed, and what was taken went back.
    Compensated,
}

impl Standing {
    pub const ALL: [Self; 11] = [
        Self::HeldUp,
        Self::LeftOut,
        Self::AwaitingPayment,
        Self::AwaitingTaxi,
        Self::UnderWay,
        Self::Cancelling,
        Self::Settling,
        Self::Completed,
        Self::PaymentFailed,
        Self::Cancelled,
        Self::Compensated,
    ];

    pub fn words(self) -> Words {
        let (english, korean) = match self {
            Self::HeldUp => ("held up; an operator must look", "막혀 있음, 운영자 확인 필요"),
            Self::LeftOut => {
                ("a step was passed over; an operator must settle it", "단계 건너뜀, 운영자 직접 처리 필요")
            }
            Self::AwaitingPayment => ("waiting for the payment", "결제 대기 중"),
            Self::AwaitingTaxi => ("paid, waiting for a taxi", "결제 완료, 택시 대기 중"),
            Self::UnderWay => ("the taxi is under way", "운행 중"),
            Self::Cancelling => ("being cancelled", "취소 처리 중"),
            Self::Settling => ("decided, being settled", "결과 확정, 마무리 중"),
            Self::Completed => ("completed", "운행 완료"),
            Self::PaymentFailed => ("not paid", "결제 실패"),
            Self::Cancelled => ("cancelled, nothing was taken", "취소, 결제된 금액 없음"),
            Self::Compensated => ("not driven, the fare went back", "미운행, 요금 환불 완료"),
        };
        Words::new(english, korean)
    }
}

/// What became of a call, as far as anybody knows.
enum Outcome {
    Open(Standing),
    Completed,
    Failed,
    Off,
}

impl Story {
    pub(super) fn standing(&self) -> Standing {
        if self.letters.iter().any(|letter| letter.holds_up()) {
            return Standing::HeldUp;
        }
        if self.left_out().next().is_some() {
            return Standing::LeftOut;
        }
        let is_over = self.waits_of_the_call().is_empty();
        match self.outcome() {
            Outcome::Open(standing) => standing,
            Outcome::Completed | Outcome::Failed | Outcome::Off if !is_over => Standing::Settling,
            Outcome::Completed => Standing::Completed,
            Outcome::Failed | Outcome::Off if self.has_refunded() => Standing::Compensated,
            Outcome::Failed => Standing::PaymentFailed,
            Outcome::Off => Standing::Cancelled,
        }
    }

    /// As call says; where it has not heard of the call, as drive and payment do.
    fn outcome(&self) -> Outcome {
        if let Some(call) = &self.call {
            return match call.state.call_status {
                CallStatus::PayRequest => Outcome::Open(Standing::AwaitingPayment),
                CallStatus::DriveRequest => Outcome::Open(Standing::AwaitingTaxi),
                CallStatus::DriveStart => Outcome::Open(Standing::UnderWay),
                CallStatus::RequestCancel if !call.state.cancelled => Outcome::Open(Standing::Cancelling),
                CallStatus::RequestCancel => Outcome::Off,
                CallStatus::PayFail => Outcome::Failed,
                CallStatus::DriveComplete => Outcome::Completed,
            };
        }
        if let Some(drive) = &self.drive {
            return match drive.state.drive_status {
                DriveStatus::Start => Outcome::Open(Standing::UnderWay),
                DriveStatus::RequestCancel | DriveStatus::Cancel => Outcome::Off,
                DriveStatus::End => Outcome::Completed,
            };
        }
        match self.payment.as_ref().map(|payment| payment.state.stage) {
            None | Some(Stage::Asked) => Outcome::Open(Standing::AwaitingPayment),
            Some(Stage::Paid | Stage::Placed) => Outcome::Open(Standing::AwaitingTaxi),
            Some(Stage::Earned) => Outcome::Completed,
            Some(Stage::Late | Stage::Failed) => Outcome::Failed,
            Some(Stage::Unwanted | Stage::Returning | Stage::Refunded | Stage::Voided) => Outcome::Off,
        }
    }

    fn has_refunded(&self) -> bool {
        self.told.iter().any(|told| {
            matches!(&told.event, Some(Event::Payment(PaymentEvent::FareRefunded(body))) if body.fare.0 > 0)
        })
    }
}
