//! What each published event tells about a call.

use super::{CallView, raise};
use crate::distance::Meters;
use crate::event::{CallEvent, DriveBody, DriveEvent, PaymentEvent};
use crate::rider::Rider;
use crate::status::{CallStatus, DriveStatus, PayStatus};
use crate::time::Timestamp;

impl CallView {
    pub(super) fn hear_call(&mut self, event: &CallEvent, at: Timestamp) {
        match event {
            CallEvent::CallRequested(body) => {
                self.hear_rider(&body.rider);
                raise(&mut self.meters, body.meters);
                raise(&mut self.fare, body.fare);
                raise(&mut self.call_status, CallStatus::PayRequest);
                raise(&mut self.requested_at, at);
            }
            CallEvent::CallPlaced(body) => self.hear_body(&body.rider, body.meters, CallStatus::DriveRequest),
            CallEvent::CancelRequested(body) => {
                self.hear_body(&body.rider, body.meters, CallStatus::RequestCancel);
            }
            CallEvent::CallCancelled(body) => {
                self.hear_body(&body.rider, body.meters, CallStatus::RequestCancel);
                raise(&mut self.cancelled_at, at);
            }
            CallEvent::CallUnderWay(_)
            | CallEvent::CallUnpaid(_)
            | CallEvent::CallCompleted(_)
            | CallEvent::CallOverdue(_) => {}
        }
    }

    pub(super) fn hear_payment(&mut self, event: &PaymentEvent, at: Timestamp) {
        match event {
            PaymentEvent::FarePaid(body) => {
                raise(&mut self.fare, body.fare);
                raise(&mut self.call_status, CallStatus::DriveRequest);
                raise(&mut self.paid_at, at);
            }
            PaymentEvent::PaymentFailed(body) => {
                raise(&mut self.fare, body.fare);
                raise(&mut self.pay_reason, body.reason);
                raise(&mut self.call_status, CallStatus::PayFail);
            }
            PaymentEvent::FareRefunded(body) => {
                raise(&mut self.fare, body.fare);
                raise(&mut self.refunded_at, at);
            }
            PaymentEvent::FareAsked(_)
            | PaymentEvent::FareUnwanted(_)
            | PaymentEvent::FareSurfaced(_)
            | PaymentEvent::FareReturning(_)
            | PaymentEvent::FareVoided(_)
            | PaymentEvent::TakeClosed(_)
            | PaymentEvent::FarePlaced(_)
            | PaymentEvent::FareDue(_)
            | PaymentEvent::FareEarned(_)
            | PaymentEvent::PaymentOverdue(_) => {}
        }
    }

    pub(super) fn hear_drive(&mut self, event: &DriveEvent, at: Timestamp) {
        match event {
            DriveEvent::DriveStarted(body) => {
                self.hear_ride(body, DriveStatus::Start, CallStatus::DriveStart);
                raise(&mut self.started_at, at);
            }
            DriveEvent::DriveNotAvailable(body) => {
                self.hear_ride(body, DriveStatus::RequestCancel, CallStatus::RequestCancel);
            }
            DriveEvent::DriveEnded(body) => {
                self.hear_ride(body, DriveStatus::End, CallStatus::DriveComplete);
                raise(&mut self.ended_at, at);
            }
            DriveEvent::DriveCancelled(body) => {
                self.hear_ride(body, DriveStatus::Cancel, CallStatus::RequestCancel);
            }
            DriveEvent::DriveOverdue(_) => {}
        }
    }

    /// Follows from what was heard, in whatever order: a call that is off is not charged in the end, so its fare is on
    /// its way back if it was paid, and void if it was not.
    pub(super) fn settle_pay_status(&mut self) {
        let is_paid = self.paid_at.is_some();
        let is_off = self.cancelled_at.is_some();
        self.pay_status = match (self.refunded_at, self.pay_reason) {
            (Some(_), _) => Some(PayStatus::Refunded),
            (None, Some(_)) => Some(PayStatus::Failed),
            (None, None) if is_paid && is_off => Some(PayStatus::Refunding),
            (None, None) if is_paid => Some(PayStatus::Paid),
            (None, None) if is_off => Some(PayStatus::Voided),
            (None, None) => self.requested_at.map(|_| PayStatus::Asked),
        };
    }

    fn hear_body(&mut self, rider: &Rider, meters: Meters, call_status: CallStatus) {
        self.hear_rider(rider);
        raise(&mut self.meters, meters);
        raise(&mut self.call_status, call_status);
    }

    fn hear_rider(&mut self, rider: &Rider) {
        raise(&mut self.user_id, rider.user_id.clone());
        raise(&mut self.user_name, rider.user_name.clone());
    }

    fn hear_ride(&mut self, body: &DriveBody, drive_status: DriveStatus, call_status: CallStatus) {
        raise(&mut self.drive_id, body.drive_id);
        raise(&mut self.driver_name, body.driver_name.clone());
        raise(&mut self.taxi_num, body.taxi_num.clone());
        raise(&mut self.drive_status, drive_status);
        raise(&mut self.call_status, call_status);
        if body.fare.0 > 0 {
            raise(&mut self.fare, body.fare);
        }
    }
}
