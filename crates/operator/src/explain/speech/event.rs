//! What each event means, and why it was said.

use crate::explain::steps::Cause;
use crate::explain::story::Story;
use crate::words::{Words, kilometers, span, won};
use taxi::distance::Meters;
use taxi::event::{CallEvent, CallRequested, DriveEvent, Event, FailReason, PaymentEvent};
use taxi::money::Won;
use taxi::tariff::Tariff;

/// Why something was said, as far as the words for it depend on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::explain) enum Why {
    /// A rider asked.
    Rider,
    /// An operator, or somebody else, asked.
    Operator,
    /// A deadline ran out.
    Deadline,
    /// The provider answered.
    Answer,
    /// No taxi takes the call.
    NoTaxi,
    /// The fare went back.
    Refunded,
    /// Anything else that another service said.
    Heard,
}

impl Why {
    #[cfg(test)]
    const ALL: [Self; 7] = [
        Self::Rider,
        Self::Operator,
        Self::Deadline,
        Self::Answer,
        Self::NoTaxi,
        Self::Refunded,
        Self::Heard,
    ];
}

/// What the words for an event depend on besides the event itself.
pub(in crate::explain) struct Around {
    pub(in crate::explain) why: Why,
    /// An operator's word started it.
    pub(in crate::explain) by_operator: bool,
    /// How long the service had waited before.
    pub(in crate::explain) waited: Words,
    /// Something had been said before by the same service.
    pub(in crate::explain) has_begun: bool,
    pub(in crate::explain) tariff: Tariff,
}

pub(in crate::explain) fn event_words(story: &Story, place: usize) -> Words {
    match &story.told[place].event {
        Some(event) => words(event, &story.around(place)),
        None => {
            let name = &story.told[place].recorded.event_type;
            Words::new(
                format!("{name} cannot be read by this version."),
                format!("{name}: 이 버전에서 읽을 수 없는 이벤트입니다."),
            )
        }
    }
}

impl Story {
    pub(in crate::explain) fn around(&self, place: usize) -> Around {
        let recorded = &self.told[place].recorded;
        let before =
            self.told[..place].iter().filter(|told| told.recorded.source.service == recorded.source.service);
        let armed = before.clone().rfind(|told| !told.is_reminder());
        Around {
            why: self.why(place),
            by_operator: recorded.actor == taxi::actor::Actor::Operator.as_str(),
            waited: span(armed.map_or(recorded.at, |told| told.recorded.at), recorded.at),
            has_begun: before.count() > 0,
            tariff: self.rules.tariff,
        }
    }

    fn why(&self, place: usize) -> Why {
        let recorded = &self.told[place].recorded;
        let by_rider = recorded.actor == taxi::actor::Actor::Rider.as_str();
        match self.cause(&recorded.cause) {
            Cause::Request { .. } if by_rider => Why::Rider,
            Cause::Request { .. } | Cause::Other { .. } => Why::Operator,
            Cause::Timer { .. } => Why::Deadline,
            Cause::Effect { .. } => Why::Answer,
            Cause::Event { step, .. } => {
                let cause = step.and_then(|step| self.told[step - 1].event.as_ref());
                cause.map_or(Why::Heard, why_of)
            }
        }
    }
}

fn why_of(cause: &Event) -> Why {
    match cause {
        Event::Drive(DriveEvent::DriveNotAvailable(_)) => Why::NoTaxi,
        Event::Payment(PaymentEvent::FareRefunded(_)) => Why::Refunded,
        Event::Call(_) | Event::Payment(_) | Event::Drive(_) => Why::Heard,
    }
}

fn words(event: &Event, around: &Around) -> Words {
    match event {
        Event::Call(event) => of_call(event, around),
        Event::Payment(event) => of_payment(event, around),
        Event::Drive(event) => of_drive(event, around),
    }
}

fn of_call(event: &CallEvent, around: &Around) -> Words {
    match event {
        CallEvent::CallRequested(body) => requested(body),
        CallEvent::CallPlaced(_) => {
            Words::new("It is paid, so the call is placed.", "결제가 확인되어 호출이 접수되었습니다.")
        }
        CallEvent::CancelRequested(_) => cancel(around),
        CallEvent::CallCancelled(_) => match around.why {
            Why::NoTaxi => Words::new(
                "No taxi takes it, so the call is off; nobody is to be charged for it.",
                "운행할 택시가 없어 호출이 취소되었습니다. 요금을 받지 않습니다.",
            ),
            Why::Rider | Why::Operator | Why::Deadline | Why::Answer | Why::Refunded | Why::Heard => {
                Words::new(
                    "There will be no ride, so the call is off; nobody is to be charged for it.",
                    "운행이 없는 것으로 확정되어 호출이 취소되었습니다. 요금을 받지 않습니다.",
                )
            }
        },
        CallEvent::CallUnderWay(_) => Words::new(
            "The call hears that the taxi is on its way.",
            "호출 서비스가 택시 출발을 확인했습니다.",
        ),
        CallEvent::CallUnpaid(_) => Words::new(
            "The call hears that it is not paid, and is over.",
            "호출 서비스가 결제 실패를 확인했고, 호출은 끝났습니다.",
        ),
        CallEvent::CallCompleted(_) => Words::new(
            "The call hears that the ride is over, and is completed.",
            "호출 서비스가 운행 종료를 확인했고, 호출은 완료되었습니다.",
        ),
        CallEvent::CallOverdue(_) => overdue(around, ("The call", "호출")),
    }
}

fn of_payment(event: &PaymentEvent, around: &Around) -> Words {
    match event {
        PaymentEvent::FareAsked(body) => about(body.fare, |fare| {
            Words::new(
                format!("Payment asks the payment provider for {}.", fare.english),
                format!("결제 서비스가 결제사에 {} 결제를 요청합니다.", fare.korean),
            )
        }),
        PaymentEvent::FarePaid(body) => about(body.fare, |fare| {
            Words::new(
                format!("The payment provider took {}; they are held until the ride is over.", fare.english),
                format!("결제사가 {}을 결제했습니다. 운행이 끝날 때까지 보관합니다.", fare.korean),
            )
        }),
        PaymentEvent::PaymentFailed(body) => failed(body.reason, around),
        PaymentEvent::FareUnwanted(_) => Words::new(
            "The call is off while the payment provider is still being asked: whatever it takes goes back.",
            "결제사의 응답을 기다리는 중에 호출이 취소되었습니다. 결제되더라도 전액 돌려줍니다.",
        ),
        PaymentEvent::FareSurfaced(body) => about(body.fare, |fare| {
            Words::new(
                format!(
                    "The payment provider took {} late, when nobody wanted them any more: they are ordered back.",
                    fare.english
                ),
                format!(
                    "결제사가 뒤늦게 {}을 결제했습니다. 이미 필요 없는 결제이므로 환불을 요청합니다.",
                    fare.korean
                ),
            )
        }),
        PaymentEvent::FareReturning(body) => returning(body.fare, around),
        PaymentEvent::FareRefunded(body) => about(body.fare, |fare| {
            Words::new(
                format!(
                    "The payment provider gave {} back: the whole fare is with the rider again.",
                    fare.english
                ),
                format!("결제사가 {}을 환불했습니다. 요금 전액이 승객에게 돌아갔습니다.", fare.korean),
            )
        }),
        PaymentEvent::FareVoided(_) if !around.has_begun => Words::new(
            "The call is off before payment heard of it: nothing is asked for.",
            "결제 서비스가 호출을 알기 전에 취소되어 결제를 요청하지 않습니다.",
        ),
        PaymentEvent::FareVoided(_) => Words::new(
            "The payment provider refused: nothing was taken, and nothing will be.",
            "결제사가 결제를 거절했습니다. 결제된 금액이 없고 앞으로도 없습니다.",
        ),
        PaymentEvent::TakeClosed(_) => Words::new(
            "The payment provider refused at last: nothing was taken, and nothing will be.",
            "결제사가 뒤늦게 결제를 거절했습니다. 결제된 금액이 없고 앞으로도 없습니다.",
        ),
        PaymentEvent::FarePlaced(_) => {
            Words::new("Payment hears that the call is placed.", "결제 서비스가 호출 접수를 확인했습니다.")
        }
        PaymentEvent::FareDue(_) => Words::new(
            "The ride is over, and the payment provider has not answered yet: what it takes is earned.",
            "운행이 끝났지만 결제사의 응답이 아직 없습니다. 결제되는 대로 매출로 확정됩니다.",
        ),
        PaymentEvent::FareEarned(body) => about(body.fare, |fare| {
            Words::new(
                format!("The ride is over: {} are earned.", fare.english),
                format!("운행이 끝나 {}이 매출로 확정되었습니다.", fare.korean),
            )
        }),
        PaymentEvent::PaymentOverdue(_) => overdue(around, ("Payment", "결제")),
    }
}

fn of_drive(event: &DriveEvent, around: &Around) -> Words {
    match event {
        DriveEvent::DriveStarted(body) => Words::new(
            format!("Taxi {} is on its way.", body.taxi_num),
            format!("{}번 택시가 출발했습니다.", body.taxi_num),
        ),
        DriveEvent::DriveNotAvailable(body) => not_available(body.fare, &around.tariff),
        DriveEvent::DriveEnded(_) if around.by_operator => {
            Words::new("The ride is over: an operator has ended it.", "운영자가 운행을 종료했습니다.")
        }
        DriveEvent::DriveEnded(_) => Words::new("The ride is over.", "운행이 끝났습니다."),
        DriveEvent::DriveCancelled(_) => match around.why {
            Why::Refunded => Words::new(
                "The fare went back, so the taxi is called off: there will be no ride.",
                "요금이 환불되어 택시를 돌려보냈습니다. 운행은 없습니다.",
            ),
            Why::Rider | Why::Operator | Why::Deadline | Why::Answer | Why::NoTaxi | Why::Heard
                if around.has_begun =>
            {
                Words::new(
                    "The taxi is called off: there will be no ride.",
                    "택시를 돌려보냈습니다. 운행은 없습니다.",
                )
            }
            Why::Rider | Why::Operator | Why::Deadline | Why::Answer | Why::NoTaxi | Why::Heard => {
                Words::new(
                    "No taxi was sent yet, and none will be: there will be no ride.",
                    "아직 배차되지 않았고 앞으로도 배차하지 않습니다. 운행은 없습니다.",
                )
            }
        },
        DriveEvent::DriveOverdue(_) => Words::new(
            format!(
                "The ride has been under way for {}, and no clock ends it: an operator should look.",
                around.waited.english
            ),
            format!(
                "운행이 {}째 이어지고 있습니다. 저절로 끝나지 않으므로 운영자가 확인해야 합니다.",
                around.waited.korean
            ),
        ),
    }
}

fn requested(body: &CallRequested) -> Words {
    let (far, fare) = (kilometers(body.meters), won(body.fare));
    Words::new(
        format!("The rider asks for a taxi for a ride of {}; the fare is {}.", far.english, fare.english),
        format!("승객이 {} 거리의 택시를 부릅니다. 요금은 {}입니다.", far.korean, fare.korean),
    )
}

fn cancel(around: &Around) -> Words {
    match around.why {
        Why::Rider => Words::new("The rider wants the call off.", "승객이 호출 취소를 요청했습니다."),
        Why::Deadline if around.has_begun => Words::new(
            format!("Nothing was heard for {}, so the call is to be cancelled.", around.waited.english),
            format!("{} 동안 소식이 없어 호출을 취소하기로 합니다.", around.waited.korean),
        ),
        Why::Operator | Why::Deadline | Why::Answer | Why::NoTaxi | Why::Refunded | Why::Heard => {
            Words::new("An operator wants the call off.", "운영자가 호출 취소를 요청했습니다.")
        }
    }
}

fn failed(reason: FailReason, around: &Around) -> Words {
    match reason {
        FailReason::Refused => Words::new(
            "The payment provider refuses: nothing is taken, and the payment has failed.",
            "결제사가 결제를 거절했습니다. 결제된 금액은 없으며 결제는 실패했습니다.",
        ),
        FailReason::ProviderSilent => Words::new(
            format!(
                "The payment provider said nothing for {}, so the payment has failed; whatever it takes later goes back.",
                around.waited.english
            ),
            format!(
                "결제사가 {} 동안 응답하지 않아 결제가 실패했습니다. 나중에 결제되더라도 전액 돌려줍니다.",
                around.waited.korean
            ),
        ),
        FailReason::GivenUp => Words::new(
            "Whoever asked for the payment waits no longer, so it has failed; whatever is taken later goes back.",
            "결제를 요청한 쪽이 더 기다리지 않아 결제가 실패했습니다. 나중에 결제되더라도 전액 돌려줍니다.",
        ),
    }
}

fn returning(fare: Won, around: &Around) -> Words {
    let fare = won(fare);
    match around.why {
        Why::Deadline => Words::new(
            format!(
                "The call was not placed within {}, so {} are ordered back.",
                around.waited.english, fare.english
            ),
            format!("{} 안에 호출이 접수되지 않아 {} 환불을 요청합니다.", around.waited.korean, fare.korean),
        ),
        Why::Rider | Why::Operator | Why::Answer | Why::NoTaxi | Why::Refunded | Why::Heard => Words::new(
            format!("The call is off, so {} are ordered back.", fare.english),
            format!("호출이 취소되어 {} 환불을 요청합니다.", fare.korean),
        ),
    }
}

fn not_available(fare: Won, tariff: &Tariff) -> Words {
    if !tariff.is_too_far(fare) {
        let fare = won(fare);
        return Words::new(
            format!("No taxi takes it: the fare of {} was above the limit of that time.", fare.english),
            format!("운행할 택시가 없습니다. 요금 {}이 당시의 한도를 넘었습니다.", fare.korean),
        );
    }
    let (fare, limit, far) = (won(fare), won(tariff.too_far_above), limit_distance(tariff));
    let english = far.as_ref().map(|far| format!(" (over {})", far.english)).unwrap_or_default();
    let korean = far.map(|far| format!("(거리 {})", far.korean)).unwrap_or_default();
    Words::new(
        format!(
            "No taxi takes it: the fare of {} is above the limit of {}{english}.",
            fare.english, limit.english
        ),
        format!("운행할 택시가 없습니다. 요금 {}이 한도 {}{korean}을 넘습니다.", fare.korean, limit.korean),
    )
}

/// How far the highest fare goes; nothing where that is no distance.
pub(in crate::explain) fn limit_distance(tariff: &Tariff) -> Option<Words> {
    let meters =
        i128::from(tariff.too_far_above.0).checked_mul(1_000)?.checked_div(tariff.won_per_km.0.into())?;
    Meters::new(u32::try_from(meters).ok()?).ok().map(kilometers)
}

fn overdue(around: &Around, (english, korean): (&str, &str)) -> Words {
    Words::new(
        format!(
            "{english} has waited for {}, and no clock may end that: an operator should look.",
            around.waited.english
        ),
        format!(
            "{korean} 서비스가 {} 동안 기다리고 있습니다. 저절로 끝나지 않으므로 운영자가 확인해야 합니다.",
            around.waited.korean
        ),
    )
}

fn about(fare: Won, said: impl FnOnce(&Words) -> Words) -> Words {
    said(&won(fare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;
    use taxi::sample;

    /// With every reason there is, since the sample has but one of each.
    fn every_event() -> Vec<Event> {
        let mut events = sample::every_event();
        for event in sample::every_event() {
            if let Event::Payment(PaymentEvent::PaymentFailed(body)) = event {
                for reason in [FailReason::Refused, FailReason::ProviderSilent, FailReason::GivenUp] {
                    let failed = taxi::event::PaymentFailed { reason, ..body.clone() };
                    events.push(PaymentEvent::PaymentFailed(failed).into());
                }
            }
        }
        events
    }

    #[test]
    fn every_event_has_words_whatever_led_to_it() {
        for event in every_event() {
            for why in Why::ALL {
                for has_begun in [false, true] {
                    let waited = Words::new("1 minute", "1분");
                    let around =
                        Around { why, by_operator: has_begun, waited, has_begun, tariff: Tariff::default() };
                    assert_said(&words(&event, &around));
                }
            }
        }
    }

    #[test]
    fn why_no_taxi_comes_is_said_with_its_limit() {
        let said = not_available(Won(1_500_000), &Tariff::default());
        assert_eq!(
            said.english,
            "No taxi takes it: the fare of 1,500,000 won is above the limit of 1,000,000 won (over 100 km)."
        );
        let cheaper = Tariff { too_far_above: Won(2_000_000), ..Tariff::default() };
        assert!(not_available(Won(1_500_000), &cheaper).english.ends_with("above the limit of that time."));
        let free = Tariff { won_per_km: Won(0), too_far_above: Won(-1) };
        assert!(not_available(Won(0), &free).english.ends_with("above the limit of -1 won."));
    }
}
