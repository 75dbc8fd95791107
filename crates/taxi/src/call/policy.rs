//! What another service's event makes the call do.

use super::Command;
use crate::event::{DriveEvent, Event, PaymentEvent};
use crate::id::CallId;

pub fn policy(event: &Event) -> Option<Command> {
    let call_id = event.call_id();
    match event {
        Event::Call(_) => None,
        Event::Payment(event) => on_payment(event, call_id),
        Event::Drive(event) => on_drive(event, call_id),
    }
}

fn on_payment(event: &PaymentEvent, call_id: CallId) -> Option<Command> {
    match event {
        PaymentEvent::FarePaid(_) => Some(Command::Place(call_id)),
        PaymentEvent::PaymentFailed(_) => Some(Command::GiveUp(call_id)),
        PaymentEvent::FareRefunded(_)
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

fn on_drive(event: &DriveEvent, call_id: CallId) -> Option<Command> {
    match event {
        DriveEvent::DriveStarted(_) => Some(Command::GoUnderWay(call_id)),
        DriveEvent::DriveEnded(_) => Some(Command::Complete(call_id)),
        DriveEvent::DriveNotAvailable(_) | DriveEvent::DriveCancelled(_) => Some(Command::CallOff(call_id)),
        DriveEvent::DriveOverdue(_) => None,
    }
}
