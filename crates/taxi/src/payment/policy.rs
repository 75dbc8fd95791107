//! What another service's event makes the payment do.

use super::{Ask, Command};
use crate::event::{CallEvent, DriveEvent, Event};
use crate::id::CallId;

pub fn policy(event: &Event) -> Option<Command> {
    match event {
        Event::Call(event) => on_call(event),
        Event::Payment(_) => None,
        Event::Drive(drive) => on_drive(drive, event.call_id()),
    }
}

fn on_call(event: &CallEvent) -> Option<Command> {
    match event {
        CallEvent::CallRequested(body) => Some(Command::Ask(Ask {
            call_id: body.call_id,
            fare: body.fare,
            payment_method: body.payment_method.clone(),
        })),
        CallEvent::CallPlaced(body) => Some(Command::NotePlaced(body.call_id)),
        CallEvent::CallCancelled(body) => Some(Command::CallOff(body.call_id)),
        CallEvent::CancelRequested(_)
        | CallEvent::CallUnderWay(_)
        | CallEvent::CallUnpaid(_)
        | CallEvent::CallCompleted(_)
        | CallEvent::CallOverdue(_) => None,
    }
}

fn on_drive(event: &DriveEvent, call_id: CallId) -> Option<Command> {
    match event {
        DriveEvent::DriveEnded(_) => Some(Command::RideOver(call_id)),
        DriveEvent::DriveStarted(_)
        | DriveEvent::DriveNotAvailable(_)
        | DriveEvent::DriveCancelled(_)
        | DriveEvent::DriveOverdue(_) => None,
    }
}
