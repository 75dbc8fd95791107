//! What is waited for, in plain words.

use super::{errand, service};
use crate::explain::story::{Story, Told, Way};
use crate::explain::waits::Kind;
use crate::letters::Letter;
use crate::words::{Words, clock, span, won};
use engine::clock::Timestamp;
use taxi::money::Won;

/// Past this, it is said what to look at.
const LONG_MS: i64 = 10_000;

/// A message that was said and not heard.
pub(in crate::explain) fn message(told: &Told, hearer: &str, now: Timestamp) -> Words {
    let (from, to) = (service(&told.recorded.source.service), service(hearer));
    let event = &told.recorded.event_type;
    let where_it_is = match told.way {
        Way::Within => Words::new(
            format!(
                "{event} is on its way: {} has said it, {} has not heard it yet.",
                from.english, to.english
            ),
            format!(
                "{event} 전달 중: {} 서비스가 알렸고 {} 서비스는 아직 받지 못했습니다.",
                from.korean, to.korean
            ),
        ),
        Way::Untold => Words::new(
            format!(
                "{event} waits for Kafka: {} has stored it and not told the topic yet, so {} cannot have heard it.",
                from.english, to.english
            ),
            format!(
                "{event} 전달 대기: {} 서비스가 저장했으나 아직 Kafka 토픽에 올리지 못해, {} 서비스가 받을 수 없습니다.",
                from.korean, to.korean
            ),
        ),
        Way::Topic => Words::new(
            format!("{event} is on its way: it is in the topic, {} has not heard it yet.", to.english),
            format!("{event} 전달 중: 토픽에 올라와 있고 {} 서비스는 아직 받지 못했습니다.", to.korean),
        ),
    };
    where_it_is.and(&long(told, &to, now))
}

/// What to look at where a message over a topic takes longer than it should.
fn long(told: &Told, to: &Words, now: Timestamp) -> Words {
    let since = told.recorded.at;
    if now.0.saturating_sub(since.0) <= LONG_MS {
        return Words::new("", "");
    }
    let lasts = span(since, now);
    match told.way {
        Way::Within => Words::new("", ""),
        Way::Untold => Words::new(
            format!("It has waited for {}: `taxisvc doctor` says whether Kafka answers.", lasts.english),
            format!(
                "{}째 기다리고 있습니다. Kafka가 응답하는지 `taxisvc doctor`로 확인하십시오.",
                lasts.korean
            ),
        ),
        Way::Topic => Words::new(
            format!(
                "It has been on its way for {}: `taxisvc doctor` says whether {} runs.",
                lasts.english, to.english
            ),
            format!(
                "{}째 전달되지 않았습니다. {} 서비스가 실행 중인지 `taxisvc doctor`로 확인하십시오.",
                lasts.korean, to.korean
            ),
        ),
    }
}

/// A message that was put aside.
pub(in crate::explain) fn operator(letter: &Letter) -> Words {
    let to = service(letter.service);
    Words::new(
        format!(
            "Waits for an operator: dead letter {} of {} was put aside, and whatever {} hears about this call waits behind it. Retry it, or skip it.",
            letter.number, to.english, to.english
        ),
        format!(
            "운영자의 조치를 기다립니다. {} 서비스가 보류 메시지 {}번을 처리하지 못해, 이 호출에 관해 {} 서비스가 받는 메시지는 모두 그 뒤에서 기다립니다. 다시 시도하거나 건너뛰십시오.",
            to.korean, letter.number, to.korean
        ),
    )
}

/// An event that cannot be read.
pub(in crate::explain) fn unread(event: &Words) -> Words {
    Words::new(
        format!(
            "Waits for an operator: {} cannot be read, so what it did is not told here. Run `taxisvc audit`.",
            event.english
        ),
        format!(
            "운영자의 조치를 기다립니다. {} 이벤트를 읽을 수 없어 그 내용이 여기에 나오지 않습니다. `taxisvc audit`을 실행하십시오.",
            event.korean
        ),
    )
}

/// What a service waits for by its own state; `due` is when that ends, or is reported.
pub(in crate::explain) fn own(story: &Story, kind: Kind, due: Option<Timestamp>) -> Words {
    let what = what(kind, &won(story.fare().unwrap_or(Won::ZERO)));
    let asked = story.effects.first().filter(|_| asks(kind)).map(|effect| errand::attempts(story, effect));
    let what = match asked {
        Some(asked) => Words::new(
            format!("{}; {}", what.english, asked.english),
            format!("{}. {}", what.korean, asked.korean),
        ),
        None => what,
    };
    let Some(due) = due else {
        return Words::new(format!("{}.", what.english), format!("{}.", what.korean));
    };
    let (due, then) = (clock(due, story.now), then(kind));
    Words::new(
        format!("{}; {}.", what.english, then.english.replace("{due}", &due.english)),
        format!("{}. {}.", what.korean, then.korean.replace("{due}", &due.korean)),
    )
}

/// Whether the payment provider is being asked meanwhile.
fn asks(kind: Kind) -> bool {
    match kind {
        Kind::Provider | Kind::LateProvider | Kind::DueFare | Kind::Refund => true,
        Kind::Operator
        | Kind::Message
        | Kind::Placed
        | Kind::Fare
        | Kind::Driver
        | Kind::Payment
        | Kind::Taxi
        | Kind::Ride
        | Kind::Cancellation => false,
    }
}

fn what(kind: Kind, fare: &Words) -> Words {
    match kind {
        Kind::Operator => Words::new("Waits for an operator", "운영자를 기다립니다"),
        Kind::Message => {
            Words::new("Waits for a message that is on its way", "전달 중인 메시지를 기다립니다")
        }
        Kind::Provider => Words::new(
            format!("Payment waits for the payment provider's word on {}", fare.english),
            format!("결제 서비스가 {} 결제에 대한 결제사의 응답을 기다립니다", fare.korean),
        ),
        Kind::DueFare => Words::new(
            format!("The ride is over; payment waits for the payment provider's word on {}", fare.english),
            format!("운행이 끝났고, 결제 서비스가 {} 결제에 대한 결제사의 응답을 기다립니다", fare.korean),
        ),
        Kind::LateProvider => Words::new(
            format!(
                "Payment waits for the payment provider's late word on {}, to give back what it took",
                fare.english
            ),
            format!(
                "결제 서비스가 {} 결제에 대한 결제사의 늦은 응답을 기다립니다. 결제되었다면 돌려줍니다",
                fare.korean
            ),
        ),
        Kind::Refund => Words::new(
            format!("Payment waits for the payment provider to give {} back", fare.english),
            format!("결제 서비스가 결제사의 {} 환불을 기다립니다", fare.korean),
        ),
        Kind::Placed => Words::new(
            format!("Payment holds {} and waits for word that the call is placed", fare.english),
            format!("결제 서비스가 {}을 보관하고 호출 접수 소식을 기다립니다", fare.korean),
        ),
        Kind::Fare => Words::new(
            format!("Payment holds {} until the ride is over or the call is off", fare.english),
            format!("결제 서비스가 운행이 끝나거나 호출이 취소될 때까지 {}을 보관합니다", fare.korean),
        ),
        Kind::Driver => Words::new(
            "Drive waits for the driver to end the ride",
            "운행 서비스가 기사의 운행 종료를 기다립니다",
        ),
        Kind::Payment => {
            Words::new("The call waits for payment's word", "호출 서비스가 결제 결과를 기다립니다")
        }
        Kind::Taxi => Words::new("The call waits for word of a taxi", "호출 서비스가 배차 결과를 기다립니다"),
        Kind::Ride => {
            Words::new("The call waits for the end of the ride", "호출 서비스가 운행 종료를 기다립니다")
        }
        Kind::Cancellation => Words::new(
            "The call waits for drive's word on whether the ride can still be called off",
            "호출 서비스가 운행을 취소할 수 있는지에 대한 운행 서비스의 답을 기다립니다",
        ),
    }
}

/// What happens at `{due}` when nothing comes.
fn then(kind: Kind) -> Words {
    let (english, korean) = match kind {
        Kind::Provider => {
            ("if there is none by {due} the payment fails", "{due}까지 응답이 없으면 결제가 실패합니다")
        }
        Kind::Placed => ("if there is none by {due} they go back", "{due}까지 소식이 없으면 환불합니다"),
        Kind::Payment | Kind::Taxi => {
            ("if there is none by {due} the call is cancelled", "{due}까지 소식이 없으면 호출을 취소합니다")
        }
        Kind::Driver | Kind::Ride => {
            ("no clock ends it, it is reported at {due}", "저절로 끝나지 않으며, {due}에 운영자에게 알립니다")
        }
        Kind::LateProvider
        | Kind::DueFare
        | Kind::Refund
        | Kind::Fare
        | Kind::Cancellation
        | Kind::Operator
        | Kind::Message => {
            ("it is reported at {due} if nothing has come", "{due}까지 진전이 없으면 운영자에게 알립니다")
        }
    };
    Words::new(english, korean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;

    #[test]
    fn every_wait_has_words_and_an_end() {
        for kind in Kind::ALL {
            let said = what(kind, &won(Won(50_000)));
            assert_said(&said);
            let end = then(kind);
            assert_said(&end);
            assert!(end.english.contains("{due}") && end.korean.contains("{due}"), "{kind:?}");
        }
    }
}
