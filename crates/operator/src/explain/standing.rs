//! How a call stands, in one word.

use super::story::Story;
use crate::words::Words;
use serde::Serialize;
use taxi::event::{CallEvent, DriveEvent, Event, PaymentEvent};
use taxi::money::Won;
use taxi::payment::{Payment, Stage};
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

    /// As the furthest of the services says, since they hear of each other a moment later.
    fn outcome(&self) -> Outcome {
        match self.furthest() {
            CallStatus::PayRequest => Outcome::Open(Standing::AwaitingPayment),
            CallStatus::DriveRequest => Outcome::Open(Standing::AwaitingTaxi),
            CallStatus::DriveStart => Outcome::Open(Standing::UnderWay),
            CallStatus::RequestCancel if self.is_off() => Outcome::Off,
            CallStatus::RequestCancel => Outcome::Open(Standing::Cancelling),
            CallStatus::PayFail => Outcome::Failed,
            CallStatus::DriveComplete => Outcome::Completed,
        }
    }

    /// By what happened, as the sentences are, and by what each service has on record where that cannot be read.
    fn furthest(&self) -> CallStatus {
        let happened = self.told.iter().filter_map(|told| of_event(told.event.as_ref()?));
        let records = [
            self.call.as_ref().map(|call| call.state.call_status),
            self.payment.as_ref().map(|payment| of_payment(&payment.state)),
            self.drive.as_ref().map(|drive| of_drive(drive.state.drive_status)),
        ];
        happened.chain(records.into_iter().flatten()).max().unwrap_or(CallStatus::PayRequest)
    }

    /// Whether it is decided that there is no ride.
    fn is_off(&self) -> bool {
        let by_call = self.call.as_ref().is_some_and(|call| call.state.cancelled);
        let by_drive = self.drive.as_ref().is_some_and(|drive| match drive.state.drive_status {
            DriveStatus::RequestCancel | DriveStatus::Cancel => true,
            DriveStatus::Start | DriveStatus::End => false,
        });
        let by_payment = self
            .payment
            .as_ref()
            .is_some_and(|payment| of_payment(&payment.state) == CallStatus::RequestCancel);
        by_call || by_drive || by_payment
    }

    fn has_refunded(&self) -> bool {
        self.payment
            .as_ref()
            .is_some_and(|payment| payment.state.stage == Stage::Refunded && payment.state.fare > Won::ZERO)
    }
}

fn of_event(event: &Event) -> Option<CallStatus> {
    match event {
        Event::Call(event) => match event {
            CallEvent::CallRequested(_) => Some(CallStatus::PayRequest),
            CallEvent::CallPlaced(_) => Some(CallStatus::DriveRequest),
            CallEvent::CallUnderWay(_) => Some(CallStatus::DriveStart),
            CallEvent::CallUnpaid(_) => Some(CallStatus::PayFail),
            CallEvent::CancelRequested(_) | CallEvent::CallCancelled(_) => Some(CallStatus::RequestCancel),
            CallEvent::CallCompleted(_) => Some(CallStatus::DriveComplete),
            CallEvent::CallOverdue(_) => None,
        },
        Event::Payment(event) => match event {
            PaymentEvent::FarePaid(_) => Some(CallStatus::DriveRequest),
            PaymentEvent::PaymentFailed(_) => Some(CallStatus::PayFail),
            PaymentEvent::FareEarned(_) => Some(CallStatus::DriveComplete),
            PaymentEvent::FareAsked(_)
            | PaymentEvent::FareUnwanted(_)
            | PaymentEvent::FareSurfaced(_)
            | PaymentEvent::FareReturning(_)
            | PaymentEvent::FareRefunded(_)
            | PaymentEvent::FareVoided(_)
            | PaymentEvent::TakeClosed(_)
            | PaymentEvent::FarePlaced(_)
            | PaymentEvent::FareDue(_)
            | PaymentEvent::PaymentOverdue(_) => None,
        },
        Event::Drive(event) => match event {
            DriveEvent::DriveStarted(_) => Some(CallStatus::DriveStart),
            DriveEvent::DriveNotAvailable(_) | DriveEvent::DriveCancelled(_) => {
                Some(CallStatus::RequestCancel)
            }
            DriveEvent::DriveEnded(_) => Some(CallStatus::DriveComplete),
            DriveEvent::DriveOverdue(_) => None,
        },
    }
}

fn of_payment(payment: &Payment) -> CallStatus {
    match payment.stage {
        Stage::Asked => CallStatus::PayRequest,
        Stage::Paid | Stage::Placed => CallStatus::DriveRequest,
        Stage::Due | Stage::Earned => CallStatus::DriveComplete,
        Stage::Late | Stage::Failed => CallStatus::PayFail,
        // What surfaced after the payment had failed goes back, and the payment has failed all the same.
        Stage::Unwanted | Stage::Returning | Stage::Refunded | Stage::Voided if payment.reason.is_some() => {
            CallStatus::PayFail
        }
        Stage::Unwanted | Stage::Returning | Stage::Refunded | Stage::Voided => CallStatus::RequestCancel,
    }
}

fn of_drive(status: DriveStatus) -> CallStatus {
    match status {
        DriveStatus::Start => CallStatus::DriveStart,
        DriveStatus::RequestCancel | DriveStatus::Cancel => CallStatus::RequestCancel,
        DriveStatus::End => CallStatus::DriveComplete,
    }
}
