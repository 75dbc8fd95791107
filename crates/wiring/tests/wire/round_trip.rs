//! What was written and read again is what the log keeps, for everybody who hears it.

use crate::desk::{PLACE, published, reactions, read, recorded, write};
use engine::log::Recorded;
use taxi::distance::Meters;
use taxi::event::{
    CallBody, CallEvent, CallRequested, CancelReason, CancelRequested, DriveBody, DriveEvent, Event,
    FailReason, PaymentBody, PaymentEvent, PaymentFailed,
};
use taxi::id::{CallId, DriveId, PaymentId};
use taxi::money::Won;
use taxi::rider::Rider;
use taxi::status::{CallStatus, DriveStatus, PayStatus};
use wiring::wire::Profile;

/// Draws, the same in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn text(&mut self) -> String {
        const SOME: [char; 12] = ['a', 'Z', '0', ' ', '"', '\\', '어', 'é', '/', '🚕', ':', '<'];
        let length = self.below(99);
        let drawn = (0..length).map(|_| SOME[self.below(12) as usize]);
        std::iter::once('x').chain(drawn).collect()
    }

    fn call_id(&mut self) -> CallId {
        let id = if self.below(4) == 0 { CallId::MAX - self.below(9) } else { 1 + self.below(1 << 30) };
        CallId::new(id).unwrap()
    }

    fn fare(&mut self) -> Won {
        Won(self.below(1 << 31) as i64)
    }

    fn meters(&mut self) -> Meters {
        Meters::new(1 + self.below(20_000_000) as u32).unwrap()
    }

    fn event(&mut self) -> Event {
        let call_id = self.call_id();
        let rider = Rider::new(&self.text(), &self.text()).unwrap();
        let (meters, fare) = (self.meters(), self.fare());
        let call = |call_status| CallBody { call_id, rider: rider.clone(), call_status, meters };
        let (pay_id, of_call) = (PaymentId::of(self.call_id()), self.below(2) == 0);
        let pay_id = if of_call { PaymentId::of(call_id) } else { pay_id };
        let payment = |pay_status| PaymentBody { pay_id, call_id, fare, pay_status };
        let drive_id = DriveId::of(self.call_id());
        let (driver_name, taxi_num) = (self.text(), self.text());
        let drive = |drive_status| DriveBody {
            drive_id,
            driver_name: driver_name.clone(),
            call_id,
            drive_status,
            taxi_num: taxi_num.clone(),
            fare,
        };
        let reasons = [FailReason::Refused, FailReason::ProviderSilent, FailReason::GivenUp];
        let reason = reasons[self.below(3) as usize];
        let lapses = [None, Some(CancelReason::Unpaid), Some(CancelReason::Undriven)];
        let lapse = lapses[self.below(3) as usize];
        let payment_method = (self.below(2) == 0).then(|| self.text());
        match self.below(11) {
            0 => CallEvent::CallRequested(CallRequested {
                call_id,
                rider,
                call_status: CallStatus::PayRequest,
                meters,
                fare,
                payment_method,
            })
            .into(),
            1 => CallEvent::CallPlaced(call(CallStatus::DriveRequest)).into(),
            2 => {
                let call = call(CallStatus::RequestCancel);
                CallEvent::CancelRequested(CancelRequested::of(call, lapse)).into()
            }
            3 => CallEvent::CallCancelled(call(CallStatus::RequestCancel)).into(),
            4 => PaymentEvent::FarePaid(payment(PayStatus::Paid)).into(),
            5 => {
                let pay_status = PayStatus::Failed;
                PaymentEvent::PaymentFailed(PaymentFailed { pay_id, call_id, fare, pay_status, reason })
                    .into()
            }
            6 => PaymentEvent::FareRefunded(payment(PayStatus::Refunded)).into(),
            7 => DriveEvent::DriveStarted(drive(DriveStatus::Start)).into(),
            8 => DriveEvent::DriveNotAvailable(drive(DriveStatus::RequestCancel)).into(),
            9 => DriveEvent::DriveEnded(drive(DriveStatus::End)).into(),
            _ => DriveEvent::DriveCancelled(drive(DriveStatus::Cancel)).into(),
        }
    }
}

/// Everything comes back but for the version, which the topic does not tell.
fn check(stored: &Recorded) {
    for profile in Profile::ALL {
        let read = read(&write(profile, stored)).unwrap_or_else(|| panic!("{stored:?}"));
        assert_eq!(read, Recorded { version: 0, ..stored.clone() }, "{profile}");
        assert_eq!(reactions(&read), reactions(stored), "{profile}");
    }
}

#[test]
fn every_published_event_comes_back_as_its_log_keeps_it() {
    for event in published() {
        let stored = recorded(&event);
        check(&stored);
        assert!(reactions(&stored).iter().all(Result::is_ok), "{stored:?}");
    }
}

#[test]
fn so_does_every_event_that_may_be() {
    let mut draws = Draws(5);
    for _ in 0..4_000 {
        let mut stored = recorded(&draws.event());
        stored.position = 1 + draws.below(1 << 31);
        stored.at.0 = draws.below(1 << 31) as i64 * 1_000 + draws.below(1_000) as i64;
        stored.trace = stored.trace.filter(|_| draws.below(2) == 0);
        check(&stored);
    }
}

/// A distance goes through kilometres and back.
#[test]
fn every_distance_comes_back_to_the_metre() {
    let placed = published().into_iter().find(|event| event.type_name() == "CallPlaced").unwrap();
    let Event::Call(CallEvent::CallPlaced(body)) = placed else { unreachable!("it is a call's") };
    for meters in (1..=Meters::MAX.get()).step_by(4_999).chain([Meters::MAX.get()]) {
        let meters = Meters::new(meters).unwrap();
        let event: Event = CallEvent::CallPlaced(CallBody { meters, ..body.clone() }).into();
        let read = read(&write(Profile::CloudEvents, &recorded(&event))).unwrap();
        assert_eq!(wiring::decode(&read).unwrap(), event);
    }
}

/// Its place on the topic is nothing to an event that has a place of its own.
#[test]
fn an_event_of_ours_is_the_same_wherever_it_stands() {
    use engine::wire::{Place, Wire};
    let packet = write(Profile::CloudEvents, &recorded(&published()[1]));
    let elsewhere = Place { offset: 7, partition: 0, ..PLACE };
    assert_eq!(read(&packet), wiring::wire::TaxiWire::default().read(&packet, &elsewhere));
}
