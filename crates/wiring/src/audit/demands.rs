//! What must have followed where an event was heard, and what must have come before it was said.

use super::case::{Case, Facts};
use crate::{call, drive, payment};
use taxi::event::{CallEvent, DriveEvent, Event, PaymentEvent};
use taxi::payment::Stage;
use taxi::rules::CallpayBeside;

/// What a service that has heard an event must have done.
pub(super) struct Demand {
    pub(super) hearer: &'static str,
    pub(super) is_met: fn(&Case) -> bool,
    pub(super) otherwise: &'static str,
}

const ASK: Demand = Demand {
    hearer: payment::NAME,
    is_met: |case| !case.payment.is_empty(),
    otherwise: "there is no payment",
};
const CHARGE_NOBODY: Demand = Demand {
    hearer: payment::NAME,
    is_met: |case| {
        !case.payment.is_empty() && case.payment_row.as_ref().is_none_or(|row| is_off(row.1.stage))
    },
    otherwise: "the payment goes on as if the call were not off",
};
const EARN: Demand = Demand {
    hearer: payment::NAME,
    is_met: |case| case.facts.earned > 0 || case.facts.refunded > 0 || is_going_back(case) || is_due(case),
    otherwise: "the fare is not earned",
};
/// That no taxi takes the call may be heard before that it is paid.
const PLACE: Demand = Demand {
    hearer: call::NAME,
    is_met: |case| case.facts.call_placed > 0 || case.facts.cancel_requested > 0 || case.facts.cancelled > 0,
    otherwise: "the call is neither placed nor being cancelled",
};
const GIVE_UP: Demand = Demand {
    hearer: call::NAME,
    is_met: |case| case.facts.unpaid > 0 || case.facts.cancel_requested > 0,
    otherwise: "the call is neither unpaid nor being cancelled",
};
const GO_UNDER_WAY: Demand = Demand {
    hearer: call::NAME,
    is_met: |case| case.facts.under_way > 0 || case.facts.cancel_requested > 0 || case.facts.completed > 0,
    otherwise: "the call is neither under way nor being cancelled",
};
const COMPLETE: Demand = Demand {
    hearer: call::NAME,
    is_met: |case| case.facts.completed > 0,
    otherwise: "the call is not completed",
};
const CALL_OFF: Demand = Demand {
    hearer: call::NAME,
    is_met: |case| case.facts.cancelled > 0,
    otherwise: "the call is not cancelled",
};
const START: Demand =
    Demand { hearer: drive::NAME, is_met: |case| !case.drive.is_empty(), otherwise: "there is no drive" };
const CANCEL: Demand = Demand {
    hearer: drive::NAME,
    is_met: |case| case.facts.drive_ends() > 0,
    otherwise: "the drive goes on",
};
/// A taxi that is on its way goes on.
const LAPSE: Demand = Demand {
    hearer: drive::NAME,
    is_met: |case| !case.drive.is_empty(),
    otherwise: "drive does not know of the call",
};
const STAND_DOWN: Demand = Demand {
    hearer: drive::NAME,
    is_met: |case| case.drive.is_empty() || case.facts.drive_ends() > 0,
    otherwise: "the drive goes on, and nobody pays for it",
};

fn is_off(stage: Stage) -> bool {
    match stage {
        Stage::Asked | Stage::Due | Stage::Paid | Stage::Placed | Stage::Earned => false,
        Stage::Late
        | Stage::Failed
        | Stage::Unwanted
        | Stage::Returning
        | Stage::Refunded
        | Stage::Voided => true,
    }
}

/// The provider has not answered yet, and what it takes is earned.
fn is_due(case: &Case) -> bool {
    case.payment_row.as_ref().is_some_and(|row| row.1.stage == Stage::Due)
}

/// Beside another call service a fare may be on its way back when the ride ends.
fn is_going_back(case: &Case) -> bool {
    case.payment_row.as_ref().is_some_and(|row| row.1.stage == Stage::Returning)
}

/// What an event demands of those who hear it. The view is not here: it is rebuilt.
pub(super) fn demands(event: &Event) -> &'static [Demand] {
    match event {
        Event::Call(event) => match event {
            CallEvent::CallRequested(_) => &[ASK],
            CallEvent::CancelRequested(body) if body.reason.is_some() => &[LAPSE],
            CallEvent::CancelRequested(_) => &[CANCEL],
            CallEvent::CallCancelled(_) => &[CHARGE_NOBODY],
            CallEvent::CallPlaced(_)
            | CallEvent::CallUnderWay(_)
            | CallEvent::CallUnpaid(_)
            | CallEvent::CallCompleted(_)
            | CallEvent::CallOverdue(_) => &[],
        },
        Event::Payment(event) => match event {
            PaymentEvent::FarePaid(_) => &[PLACE, START],
            PaymentEvent::PaymentFailed(_) => &[GIVE_UP],
            PaymentEvent::FareRefunded(_) => &[STAND_DOWN],
            PaymentEvent::FareAsked(_)
            | PaymentEvent::FareUnwanted(_)
            | PaymentEvent::FareSurfaced(_)
            | PaymentEvent::FareReturning(_)
            | PaymentEvent::FareVoided(_)
            | PaymentEvent::TakeClosed(_)
            | PaymentEvent::FarePlaced(_)
            | PaymentEvent::FareDue(_)
            | PaymentEvent::FareEarned(_)
            | PaymentEvent::PaymentOverdue(_) => &[],
        },
        Event::Drive(event) => match event {
            DriveEvent::DriveStarted(_) => &[GO_UNDER_WAY],
            DriveEvent::DriveNotAvailable(_) | DriveEvent::DriveCancelled(_) => &[CALL_OFF],
            DriveEvent::DriveEnded(_) => &[COMPLETE, EARN],
            DriveEvent::DriveOverdue(_) => &[],
        },
    }
}

/// What a service has said, and whether somebody else has said what it follows from.
pub(super) type Cause = (bool, bool, &'static str);

/// What call says follows from what payment and drive say.
pub(super) fn causes_of_call(facts: &Facts) -> [Cause; 5] {
    [
        (
            facts.call_placed > 0,
            facts.paid + facts.started + facts.ended > 0,
            "CallPlaced without FarePaid or a drive",
        ),
        (facts.under_way > 0, facts.started > 0, "CallUnderWay without DriveStarted"),
        (facts.unpaid > 0, facts.failed > 0, "CallUnpaid without PaymentFailed"),
        (facts.completed > 0, facts.ended > 0, "CallCompleted without DriveEnded"),
        (
            facts.cancelled > 0,
            facts.unavailable + facts.drive_cancelled > 0,
            "CallCancelled without DriveCancelled or DriveNotAvailable",
        ),
    ]
}

pub(super) fn causes_of_payment(facts: &Facts) -> [Cause; 3] {
    [
        (facts.asked > 0, facts.requested > 0, "FareAsked without CallRequested"),
        (facts.voided > 0, facts.cancelled > 0, "FareVoided without CallCancelled"),
        (facts.earned > 0, facts.ended > 0, "FareEarned without DriveEnded"),
    ]
}

pub(super) fn causes_of_drive(facts: &Facts) -> [Cause; 2] {
    [
        (facts.started + facts.unavailable > 0, facts.paid > 0, "a drive without FarePaid"),
        (
            facts.drive_cancelled > 0,
            facts.cancel_requested + facts.refunded > 0,
            "DriveCancelled without CancelRequested or FareRefunded",
        ),
    ]
}

/// What is said at most once about a call, by whom.
pub(super) fn said_once(facts: &Facts) -> [(&'static str, u32, &'static str); 14] {
    [
        (call::NAME, facts.requested, "CallRequested"),
        (call::NAME, facts.call_placed, "CallPlaced"),
        (call::NAME, facts.cancel_requested - facts.lapsed, "CancelRequested"),
        (call::NAME, facts.lapsed, "CancelRequested by a deadline"),
        (call::NAME, facts.cancelled, "CallCancelled"),
        (call::NAME, facts.unpaid, "CallUnpaid"),
        (call::NAME, facts.completed, "CallCompleted"),
        (payment::NAME, facts.asked, "FareAsked"),
        (payment::NAME, facts.paid + facts.surfaced, "that the fare was taken"),
        (payment::NAME, facts.failed, "PaymentFailed"),
        (payment::NAME, facts.refunded, "FareRefunded"),
        (payment::NAME, facts.earned, "FareEarned"),
        (drive::NAME, facts.started, "DriveStarted"),
        (drive::NAME, facts.drive_ends(), "how the drive came out"),
    ]
}

/// What can never be true of one call at the same time, and of whose making it would be.
pub(super) fn contradictions(
    facts: &Facts,
    beside: CallpayBeside,
) -> [(&'static str, bool, &'static str); 8] {
    // Beside another call service a fare goes back when that one is silent, whatever the drive does.
    let ours = beside == CallpayBeside::Ours;
    [
        (payment::NAME, facts.paid > 0 && facts.failed > 0, "both FarePaid and PaymentFailed"),
        (payment::NAME, facts.earned > 0 && facts.refunded > 0, "the fare is both earned and given back"),
        (
            payment::NAME,
            ours && facts.ended > 0 && facts.surfaced + facts.returning + facts.refunded > 0,
            "the ride was completed, and its fare goes back",
        ),
        (
            payment::NAME,
            facts.cancelled > 0 && facts.earned > 0,
            "the call was cancelled, and its fare earned",
        ),
        (call::NAME, facts.cancelled > 0 && facts.completed > 0, "both CallCancelled and CallCompleted"),
        (
            call::NAME,
            facts.unpaid > 0 && facts.completed + facts.call_placed > 0,
            "it is unpaid, and placed or completed",
        ),
        (drive::NAME, facts.ended > 0 && facts.started == 0, "DriveEnded without DriveStarted"),
        (drive::NAME, facts.overdue_drives > 0 && facts.started == 0, "DriveOverdue without DriveStarted"),
    ]
}
