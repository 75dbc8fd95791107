//! A call in plain words, as it can be read aloud to its rider: what happened, in order, and how it stands.

use super::speech::event::{Why, limit_distance};
use super::story::Story;
use crate::words::{Words, kilometers, when, won};
use engine::clock::Timestamp;
use std::cell::Cell;
use taxi::event::{CallEvent, CallRequested, DriveEvent, Event, FailReason, PaymentEvent};
use taxi::money::Won;
use taxi::tariff::Tariff;

/// What a sentence depends on besides its event.
struct Said<'a> {
    at: Timestamp,
    now: Timestamp,
    /// The time that was said last.
    before: &'a Cell<Option<Timestamp>>,
    why: Why,
    by_operator: bool,
    has_begun: bool,
    /// The call was to be cancelled before.
    was_to_be_cancelled: bool,
    tariff: Tariff,
}

impl Said<'_> {
    fn when(&self) -> Words {
        when(self.at, self.before.replace(Some(self.at)), self.now)
    }
}

impl Story {
    pub(super) fn opening(&self) -> Words {
        let mut story = Words::new("", "");
        let before = Cell::new(None);
        let mut is_begun = false;
        for (place, told) in self.told.iter().enumerate() {
            let around = self.around(place);
            let (at, tariff) = (told.recorded.at, around.tariff);
            let was_to_be_cancelled = self.told[..place].iter().any(|told| is_cancel(told.event.as_ref()));
            let (why, by_operator, has_begun) = (around.why, around.by_operator, around.has_begun);
            let (now, before) = (self.now, &before);
            let said = Said { at, now, before, why, by_operator, has_begun, was_to_be_cancelled, tariff };
            let heard =
                (!is_begun && !is_request(told.event.as_ref())).then(|| heard_of(self.call_id.get(), &said));
            match told.event.as_ref().and_then(|event| sentence(event, &said)) {
                Some(sentence) => {
                    is_begun = true;
                    story = heard.into_iter().fold(story, |story, heard| story.and(&heard)).and(&sentence);
                }
                None if !is_begun => before.set(None),
                None => {}
            }
        }
        if !is_begun {
            story = nothing_told(self.call_id.get());
        }
        if self.unread().next().is_some() {
            story = story.and(&Words::new(
                "Something else that happened to this call cannot be read here, and an operator has to look.",
                "이 호출에 관한 기록 가운데 읽을 수 없는 부분이 있어 운영자가 확인해야 합니다.",
            ));
        }
        story.and(&self.closing())
    }
}

fn is_request(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::Call(CallEvent::CallRequested(_))))
}

fn is_cancel(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::Call(CallEvent::CancelRequested(_))))
}

/// For a call that somebody else's service took.
fn heard_of(call_id: u64, said: &Said<'_>) -> Words {
    let when = said.when();
    Words::new(
        format!("We first heard of call {call_id} {} (Korean time).", when.english),
        format!("{call_id}번 호출을 {}(한국 시간)에 처음 알게 되었습니다.", when.korean),
    )
}

fn nothing_told(call_id: u64) -> Words {
    Words::new(
        format!("Nothing that can be told has happened to call {call_id}."),
        format!("{call_id}번 호출에 대해 말씀드릴 수 있는 내용이 없습니다."),
    )
}

fn sentence(event: &Event, said: &Said<'_>) -> Option<Words> {
    match event {
        Event::Call(event) => of_call(event, said),
        Event::Payment(event) => of_payment(event, said),
        Event::Drive(event) => of_drive(event, said),
    }
}

fn of_call(event: &CallEvent, said: &Said<'_>) -> Option<Words> {
    match event {
        CallEvent::CallRequested(body) => Some(requested(body, said)),
        CallEvent::CancelRequested(_) => Some(cancel(said)),
        CallEvent::CallCancelled(_) if said.why == Why::NoTaxi => {
            Some(Words::new("So the call was cancelled.", "그래서 호출이 취소되었습니다."))
        }
        CallEvent::CallCompleted(_) if said.was_to_be_cancelled => Some(Words::new(
            "By then the ride was over, so it could not be cancelled any more, and the fare stays paid.",
            "그때는 이미 운행이 끝난 뒤여서 취소되지 않았고, 결제된 요금은 환불되지 않습니다.",
        )),
        CallEvent::CallPlaced(_)
        | CallEvent::CallCancelled(_)
        | CallEvent::CallUnderWay(_)
        | CallEvent::CallUnpaid(_)
        | CallEvent::CallCompleted(_)
        | CallEvent::CallOverdue(_) => None,
    }
}

fn requested(body: &CallRequested, said: &Said<'_>) -> Words {
    let (far, when) = (kilometers(body.meters), said.when());
    Words::new(
        format!("You asked for a taxi for a ride of {} {} (Korean time).", far.english, when.english),
        format!("고객님께서 {}(한국 시간)에 {} 거리의 택시를 부르셨습니다.", when.korean, far.korean),
    )
}

fn cancel(said: &Said<'_>) -> Words {
    let when = said.when();
    match said.why {
        Why::Rider => Words::new(
            format!("You cancelled {}.", when.english),
            format!("고객님께서 {}에 취소하셨습니다.", when.korean),
        ),
        Why::Deadline => Words::new(
            format!("Because it took too long, the call was cancelled {}.", when.english),
            format!("제시간에 진행되지 않아 {}에 호출을 취소했습니다.", when.korean),
        ),
        Why::Operator | Why::Answer | Why::NoTaxi | Why::Refunded | Why::Heard => Words::new(
            format!("An operator cancelled the call for you {}.", when.english),
            format!("{}에 운영자가 호출을 취소했습니다.", when.korean),
        ),
    }
}

fn of_payment(event: &PaymentEvent, said: &Said<'_>) -> Option<Words> {
    match event {
        PaymentEvent::FarePaid(body) => Some(taken(body.fare)),
        PaymentEvent::PaymentFailed(body) => Some(failed(body.reason)),
        PaymentEvent::FareSurfaced(body) => {
            let (fare, when) = (won(body.fare), said.when());
            Some(Words::new(
                format!(
                    "The fare of {} was charged late, {}, and we asked for all of it back at once.",
                    fare.english, when.english
                ),
                format!(
                    "{}에 요금 {}이 뒤늦게 결제되어 곧바로 전액 환불을 요청했습니다.",
                    when.korean, fare.korean
                ),
            ))
        }
        PaymentEvent::FareRefunded(body) => {
            let (fare, when) = (won(body.fare), said.when());
            Some(Words::new(
                format!("The whole fare of {} went back to you {}.", fare.english, when.english),
                format!("요금 {} 전액을 {}에 환불해 드렸습니다.", fare.korean, when.korean),
            ))
        }
        PaymentEvent::FareVoided(_) | PaymentEvent::TakeClosed(_) => {
            Some(Words::new("You were not charged.", "결제된 금액은 없습니다."))
        }
        PaymentEvent::FareUnwanted(_) => Some(Words::new(
            "At that time the payment provider had not answered yet.",
            "그때는 아직 결제사의 응답이 없었습니다.",
        )),
        PaymentEvent::FareAsked(_)
        | PaymentEvent::FareReturning(_)
        | PaymentEvent::FarePlaced(_)
        | PaymentEvent::FareDue(_)
        | PaymentEvent::FareEarned(_)
        | PaymentEvent::PaymentOverdue(_) => None,
    }
}

fn taken(fare: Won) -> Words {
    let fare = won(fare);
    Words::new(
        format!("The fare of {} was charged.", fare.english),
        format!("요금 {}이 결제되었습니다.", fare.korean),
    )
}

fn failed(reason: FailReason) -> Words {
    match reason {
        FailReason::Refused => Words::new(
            "The payment was refused, so nothing was charged and no taxi came.",
            "결제가 거절되어 결제된 금액이 없고 택시도 배차되지 않았습니다.",
        ),
        FailReason::ProviderSilent => Words::new(
            "The payment provider did not answer in time, so the payment failed and no taxi came.",
            "결제사가 제시간에 응답하지 않아 결제가 실패했고 택시도 배차되지 않았습니다.",
        ),
        FailReason::GivenUp => Words::new(
            "The payment took too long and was given up, so no taxi came.",
            "결제가 너무 오래 걸려 중단되었고 택시도 배차되지 않았습니다.",
        ),
    }
}

fn of_drive(event: &DriveEvent, said: &Said<'_>) -> Option<Words> {
    match event {
        DriveEvent::DriveStarted(body) => {
            let when = said.when();
            Some(Words::new(
                format!("Taxi {} set off {}.", body.taxi_num, when.english),
                format!("{}에 {}번 택시가 출발했습니다.", when.korean, body.taxi_num),
            ))
        }
        DriveEvent::DriveNotAvailable(body) => Some(too_far(body.fare, &said.tariff)),
        DriveEvent::DriveEnded(_) => {
            let when = said.when();
            if said.by_operator {
                return Some(Words::new(
                    format!("An operator ended the ride {}, and there is nothing more to pay.", when.english),
                    format!("{}에 운영자가 운행을 종료했으며, 더 내실 금액은 없습니다.", when.korean),
                ));
            }
            Some(Words::new(
                format!("The ride ended {}, and there is nothing more to pay.", when.english),
                format!("{}에 운행이 끝났으며, 더 내실 금액은 없습니다.", when.korean),
            ))
        }
        DriveEvent::DriveCancelled(_) if said.has_begun => {
            Some(Words::new("The taxi was called off.", "택시 배차가 취소되었습니다."))
        }
        DriveEvent::DriveCancelled(_) | DriveEvent::DriveOverdue(_) => None,
    }
}

fn too_far(fare: Won, tariff: &Tariff) -> Words {
    match limit_distance(tariff).filter(|_| tariff.is_too_far(fare)) {
        Some(far) => Words::new(
            format!("No taxi drives that far: the longest ride is {}.", far.english),
            format!("그렇게 먼 거리를 가는 택시는 없습니다. 최대 거리는 {}입니다.", far.korean),
        ),
        None => Words::new("No taxi drives that far.", "그렇게 먼 거리를 가는 택시는 없습니다."),
    }
}
