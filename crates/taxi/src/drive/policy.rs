//! What another service's event makes the drive do.

use super::Command;
use crate::event::{CallEvent, Event, PaymentEvent};

pub fn policy(event: &Event) -> Option<Command> {
    match event {
        Event::Call(event) => on_call(event),
        Event::Payment(event) => on_payment(event),
        Event::Drive(_) => None,
    }
}

fn on_call(event: &CallEvent) -> Option<Command> {
    match event {
        CallEvent::CancelRequested(body) => Some(match body.reason {
            None => Command::Cancel(body.call_id),
            Some(_) => Command::Lapse(body.call_id),
        }),
        CallEvent::CallRequested(_)
        | CallEvent::CallPlaced(_)
        | CallEvent::CallCancelled(_)
        | CallEvent::CallUnderWay(_)
        | CallEvent::CallUnpaid(_)
        | CallEvent::CallCompleted(_)
        | CallEvent::CallOverdue(_) => None,
    }
}

fn on_payment(event: &PaymentEvent) -> Option<Command> {
    match event {
        PaymentEvent::FarePaid(body) => Some(Command::Start { call_id: body.call_id, fare: body.fare }),
        PaymentEvent::FareRefunded(body) => Some(Command::StandDown(body.call_id)),
        PaymentEvent::PaymentFailed(_)
        | PaymentEvent::FareAsked(_)
        | PaymentEvent::FareUnwanted(_)
        | PaymentEvent::FareSurfaced(_)
        | PaymentEvent::FareReturning(_)
        | PaymentEvent::FareVoided(_)
        | PaymentEvent::TakeClosed(_)
        | PaymentEvent::FarePlaced(_)
        | PaymentEvent::FareDue(_)
        | PaymentEvent::FareEarned(_)
        | PaymentEvent::PaymentOverdue(_) => None,
    }
}
