//! One of every event, all about one imagined call: for the flow table and the golden files.

use crate::distance::Meters;
use crate::event::{
    CallBody, CallEvent, CallNote, CallRequested, CancelRequested, DriveBody, DriveEvent, Event, FailReason,
    FareAsked, PaymentBody, PaymentEvent, PaymentFailed,
};
use crate::id::{CallId, DriveId, PaymentId};
use crate::money::Won;
use crate::rider::Rider;
use crate::status::{CallStatus, DriveStatus, PayStatus};
use crate::time::Timestamp;

/// When the imagined events happened.
pub const AT: Timestamp = Timestamp(1_795_472_466_964);

/// One of every event, in the order of their declaration.
pub fn every_event() -> Vec<Event> {
    [call_events(), payment_events(), drive_events()].concat()
}

fn call_id() -> CallId {
    CallId::new(1).expect("1 is an id")
}

fn call_events() -> Vec<Event> {
    vec![
        CallEvent::CallRequested(requested()).into(),
        CallEvent::CallPlaced(call(CallStatus::DriveRequest)).into(),
        CallEvent::CancelRequested(CancelRequested::of(call(CallStatus::RequestCancel), None)).into(),
        CallEvent::CallCancelled(call(CallStatus::RequestCancel)).into(),
        CallEvent::CallUnderWay(note(CallStatus::DriveStart)).into(),
        CallEvent::CallUnpaid(note(CallStatus::PayFail)).into(),
        CallEvent::CallCompleted(note(CallStatus::DriveComplete)).into(),
        CallEvent::CallOverdue(note(CallStatus::DriveStart)).into(),
    ]
}

fn payment_events() -> Vec<Event> {
    vec![
        PaymentEvent::FareAsked(asked()).into(),
        PaymentEvent::FarePaid(payment(PayStatus::Paid)).into(),
        PaymentEvent::PaymentFailed(failed()).into(),
        PaymentEvent::FareUnwanted(payment(PayStatus::Refunding)).into(),
        PaymentEvent::FareSurfaced(payment(PayStatus::Refunding)).into(),
        PaymentEvent::FareReturning(payment(PayStatus::Refunding)).into(),
        PaymentEvent::FareRefunded(payment(PayStatus::Refunded)).into(),
        PaymentEvent::FareVoided(payment(PayStatus::Voided)).into(),
        PaymentEvent::TakeClosed(payment(PayStatus::Failed)).into(),
        PaymentEvent::FarePlaced(payment(PayStatus::Paid)).into(),
        PaymentEvent::FareDue(payment(PayStatus::Asked)).into(),
        PaymentEvent::FareEarned(payment(PayStatus::Paid)).into(),
        PaymentEvent::PaymentOverdue(payment(PayStatus::Paid)).into(),
    ]
}

fn drive_events() -> Vec<Event> {
    vec![
        DriveEvent::DriveStarted(drive(DriveStatus::Start)).into(),
        DriveEvent::DriveNotAvailable(drive(DriveStatus::RequestCancel)).into(),
        DriveEvent::DriveEnded(drive(DriveStatus::End)).into(),
        DriveEvent::DriveCancelled(drive(DriveStatus::Cancel)).into(),
        DriveEvent::DriveOverdue(drive(DriveStatus::Start)).into(),
    ]
}

fn rider() -> Rider {
    Rider::new("1", "eojin").expect("both texts are short and plain")
}

fn distance() -> Meters {
    Meters::new(10_000).expect("10 km is a distance")
}

fn requested() -> CallRequested {
    CallRequested {
        call_id: call_id(),
        rider: rider(),
        call_status: CallStatus::PayRequest,
        meters: distance(),
        fare: Won(100_000),
        payment_method: Some("card".to_owned()),
    }
}

fn call(call_status: CallStatus) -> CallBody {
    CallBody { call_id: call_id(), rider: rider(), call_status, meters: distance() }
}

fn note(call_status: CallStatus) -> CallNote {
    CallNote { call_id: call_id(), call_status }
}

fn asked() -> FareAsked {
    FareAsked {
        pay_id: PaymentId::of(call_id()),
        call_id: call_id(),
        fare: Won(100_000),
        pay_status: PayStatus::Asked,
        payment_method: Some("card".to_owned()),
    }
}

fn payment(pay_status: PayStatus) -> PaymentBody {
    PaymentBody { pay_id: PaymentId::of(call_id()), call_id: call_id(), fare: Won(100_000), pay_status }
}

fn failed() -> PaymentFailed {
    PaymentFailed {
        pay_id: PaymentId::of(call_id()),
        call_id: call_id(),
        fare: Won(100_000),
        pay_status: PayStatus::Failed,
        reason: FailReason::Refused,
    }
}

fn drive(drive_status: DriveStatus) -> DriveBody {
    DriveBody {
        drive_id: DriveId::of(call_id()),
        driver_name: "driver1111".to_owned(),
        call_id: call_id(),
        drive_status,
        taxi_num: "1111".to_owned(),
        fare: Won(100_000),
    }
}
