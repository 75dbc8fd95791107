//! How a published event is told to the world: the value on the topic.

use serde::Serialize;

use super::{
    CallBody, CallEvent, CallRequested, CancelReason, CancelRequested, DriveEvent, Event, PaymentEvent,
};
use crate::distance::Meters;
use crate::id::CallId;
use crate::money::Won;
use crate::rider::Rider;
use crate::status::CallStatus;
use crate::time::Timestamp;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<B> {
    event_type: &'static str,
    timestamp: Timestamp,
    #[serde(flatten)]
    body: B,
}

/// The world reads the rider in plain text, and the distance in kilometres.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldCall<'a> {
    call_id: CallId,
    user_id: &'a str,
    user_name: &'a str,
    call_status: CallStatus,
    distance: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fare: Option<Won>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CancelReason>,
}

impl Event {
    /// The value on the topic, for a published event; nothing for a private one.
    pub fn to_wire(&self, at: Timestamp) -> Option<String> {
        match self {
            Self::Call(event) => self.tell(at, call(event)?),
            Self::Payment(event) => self.tell_payment(event, at),
            Self::Drive(event) => self.tell_drive(event, at),
        }
    }

    fn tell_payment(&self, event: &PaymentEvent, at: Timestamp) -> Option<String> {
        match event {
            PaymentEvent::FarePaid(body) | PaymentEvent::FareRefunded(body) => self.tell(at, body),
            PaymentEvent::PaymentFailed(body) => self.tell(at, body),
            PaymentEvent::FareAsked(_)
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

    fn tell_drive(&self, event: &DriveEvent, at: Timestamp) -> Option<String> {
        match event {
            DriveEvent::DriveStarted(body)
            | DriveEvent::DriveNotAvailable(body)
            | DriveEvent::DriveEnded(body)
            | DriveEvent::DriveCancelled(body) => self.tell(at, body),
            DriveEvent::DriveOverdue(_) => None,
        }
    }

    fn tell(&self, at: Timestamp, body: impl Serialize) -> Option<String> {
        let told = Told { event_type: self.type_name(), timestamp: at, body };
        Some(serde_json::to_string(&told).expect("a body has only text keys and finite numbers"))
    }
}

fn call(event: &CallEvent) -> Option<ToldCall<'_>> {
    match event {
        CallEvent::CallRequested(body) => Some(requested(body)),
        CallEvent::CallPlaced(body) | CallEvent::CallCancelled(body) => Some(resource(body)),
        CallEvent::CancelRequested(body) => Some(to_cancel(body)),
        CallEvent::CallUnderWay(_)
        | CallEvent::CallUnpaid(_)
        | CallEvent::CallCompleted(_)
        | CallEvent::CallOverdue(_) => None,
    }
}

fn requested(body: &CallRequested) -> ToldCall<'_> {
    ToldCall {
        fare: Some(body.fare),
        payment_method: body.payment_method.as_deref(),
        ..told(body.call_id, &body.rider, body.call_status, body.meters)
    }
}

fn to_cancel(body: &CancelRequested) -> ToldCall<'_> {
    ToldCall { reason: body.reason, ..told(body.call_id, &body.rider, body.call_status, body.meters) }
}

fn resource(body: &CallBody) -> ToldCall<'_> {
    told(body.call_id, &body.rider, body.call_status, body.meters)
}

fn told(call_id: CallId, rider: &Rider, call_status: CallStatus, meters: Meters) -> ToldCall<'_> {
    ToldCall {
        call_id,
        user_id: rider.user_id.as_str(),
        user_name: rider.user_name.as_str(),
        call_status,
        distance: meters.kilometers(),
        fare: None,
        payment_method: None,
        reason: None,
    }
}
