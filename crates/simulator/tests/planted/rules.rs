//! The business with one rule broken.

use taxi::call::{self, Call};
use taxi::decision::{Decision, TimerChange};
use taxi::drive::{self, Drive};
use taxi::event::{CallBody, CallEvent, DriveBody, DriveEvent, Event, PaymentBody, PaymentEvent};
use taxi::payment::{self, Effect, Payment, Stage, TakeAnswer, Terms};
use taxi::rules::Context;
use taxi::status::{CallStatus, DriveStatus, PayStatus};

type OfCall = Result<Decision, call::Refusal>;
type OfPayment = Result<Decision<Effect>, payment::Refusal>;
type OfDrive = Result<Decision, drive::Refusal>;

pub(crate) fn give_back_again(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> OfPayment {
    match (state, command) {
        (Some(payment), payment::Command::CallOff(_)) if payment.stage == Stage::Returning => {
            let terms = Terms { pay_id: payment.pay_id, fare: payment.fare, payment_method: None };
            Ok(Decision::say(PaymentEvent::FareReturning(body(payment, PayStatus::Refunding)))
                .order(Effect::Back(terms)))
        }
        (Some(payment), payment::Command::CallOff(_)) if payment.stage == Stage::Refunded => {
            Ok(Decision::say(PaymentEvent::FareRefunded(body(payment, PayStatus::Refunded))))
        }
        _ => payment::decide(state, command, ctx),
    }
}

pub(crate) fn pay_after_all(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> OfPayment {
    match (state, command) {
        (Some(payment), payment::Command::TakeAnswered { answer: TakeAnswer::Taken, .. })
            if payment.stage == Stage::Late =>
        {
            Ok(Decision::say(PaymentEvent::FarePaid(body(payment, PayStatus::Paid))).arm(
                "held",
                ctx.now,
                ctx.rules.deadlines.report_after,
            ))
        }
        _ => payment::decide(state, command, ctx),
    }
}

pub(crate) fn keep_the_fare(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> OfPayment {
    match (state, command) {
        (Some(_), payment::Command::CallOff(_)) => Ok(Decision::nothing()),
        _ => payment::decide(state, command, ctx),
    }
}

pub(crate) fn forget_late_money(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> OfPayment {
    match (state, command) {
        (Some(payment), payment::Command::TakeAnswered { .. }) if payment.stage == Stage::Late => {
            Ok(Decision::nothing())
        }
        _ => payment::decide(state, command, ctx),
    }
}

pub(crate) fn place_again(state: Option<&Call>, command: &call::Command, ctx: &Context<'_>) -> OfCall {
    match (state, command) {
        (Some(call), call::Command::Place(_)) if call.placed => {
            Ok(Decision::say(CallEvent::CallPlaced(CallBody {
                call_id: call.call_id,
                rider: call.rider.clone(),
                call_status: CallStatus::DriveRequest,
                meters: call.meters,
            })))
        }
        _ => call::decide(state, command, ctx),
    }
}

pub(crate) fn wait_for_ever(state: Option<&Call>, command: &call::Command, ctx: &Context<'_>) -> OfCall {
    let mut decided = call::decide(state, command, ctx)?;
    if state.is_none() {
        decided.timer = TimerChange::Keep;
    }
    Ok(decided)
}

pub(crate) fn cancel_what_is_over(
    state: Option<&Call>,
    command: &call::Command,
    ctx: &Context<'_>,
) -> OfCall {
    match (state, command) {
        (Some(call), call::Command::Cancel(_)) if call.call_status == CallStatus::DriveComplete => {
            Ok(Decision::say(CallEvent::CallCancelled(CallBody {
                call_id: call.call_id,
                rider: call.rider.clone(),
                call_status: CallStatus::RequestCancel,
                meters: call.meters,
            })))
        }
        _ => call::decide(state, command, ctx),
    }
}

pub(crate) fn ignore_unheard_cancels(
    state: Option<&Drive>,
    command: &drive::Command,
    ctx: &Context<'_>,
) -> OfDrive {
    match (state, command) {
        (None, drive::Command::Cancel(_)) => Ok(Decision::nothing()),
        _ => drive::decide(state, command, ctx),
    }
}

pub(crate) fn start_again(state: Option<&Drive>, command: &drive::Command, ctx: &Context<'_>) -> OfDrive {
    match (state, command) {
        (Some(drive), drive::Command::Start { fare, .. }) if drive.drive_status == DriveStatus::Start => {
            let again = DriveEvent::DriveStarted(DriveBody {
                drive_id: drive.drive_id,
                driver_name: drive.driver_name.clone(),
                call_id: drive.call_id,
                drive_status: DriveStatus::Start,
                taxi_num: drive.taxi_num.clone(),
                fare: *fare,
            });
            Ok(Decision::say(Event::from(again)))
        }
        _ => drive::decide(state, command, ctx),
    }
}

fn body(payment: &Payment, pay_status: PayStatus) -> PaymentBody {
    PaymentBody { pay_id: payment.pay_id, call_id: payment.call_id, fare: payment.fare, pay_status }
}
