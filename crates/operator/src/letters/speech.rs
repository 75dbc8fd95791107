//! What a dead letter is, and what taking it up again or leaving it out would do.

use super::Message;
use crate::explain::speech::service;
use crate::time::At;
use crate::words::Words;
use wiring::{call, drive, payment};

pub(super) fn words(to: &str, message: &Message, waits_behind: Option<u64>) -> Words {
    let (to, what) = (service(to), what(message));
    match waits_behind {
        None => Words::new(
            format!("{} could not be carried out: {} has put it aside.", what.english, to.english),
            format!("{}을(를) {} 서비스가 처리하지 못해 보류했습니다.", what.korean, to.korean),
        ),
        Some(first) => Words::new(
            format!("{} waits in {} behind dead letter {first}.", what.english, to.english),
            format!(
                "{}이(가) {} 서비스에서 보류 메시지 {first}번 뒤에서 기다립니다.",
                what.korean, to.korean
            ),
        ),
    }
}

fn what(message: &Message) -> Words {
    match message {
        Message::Event { event, service: from, .. } => {
            let from = service(from);
            Words::new(format!("{event} from {}", from.english), format!("{} 서비스의 {event}", from.korean))
        }
        Message::Timer { name, .. } => {
            Words::new(format!("The end of the deadline {name:?}"), format!("기한 {name:?} 만료"))
        }
        Message::Answer { errand, outcome, .. } => Words::new(
            format!("The payment provider's answer {outcome:?} to {errand:?}"),
            format!("결제사의 {errand:?} 응답 {outcome:?}"),
        ),
    }
}

pub(super) fn retry(waits_behind: Option<u64>, behind: usize) -> Words {
    if let Some(first) = waits_behind {
        return Words::new(
            format!("Retrying takes up dead letter {first} first, then the others in order."),
            format!("다시 시도하면 보류 메시지 {first}번부터 순서대로 처리합니다."),
        );
    }
    let (english, korean) = match behind {
        0 => (String::new(), String::new()),
        1 => (", then the one behind it".to_owned(), " 그 뒤의 1개도 이어서 처리합니다.".to_owned()),
        more => (format!(", then the {more} behind it"), format!(" 그 뒤의 {more}개도 이어서 처리합니다.")),
    };
    Words::new(
        format!("Retrying carries it out as if it had come now{english}; if it fails again, it stays here."),
        format!("다시 시도하면 지금 도착한 것처럼 처리합니다.{korean} 또 실패하면 그대로 남습니다."),
    )
}

pub(super) fn skip(to: &str, message: &Message, behind: usize) -> Words {
    let loss = match message {
        Message::Event { event, .. } => loss(to, event),
        Message::Timer { .. } | Message::Answer { .. } => None,
    };
    let to = service(to);
    let lost = match message {
        Message::Event { event, .. } => Words::new(
            format!("{} never acts on this {event}", to.english),
            format!("{} 서비스는 이 {event}에 따른 처리를 하지 않습니다", to.korean),
        ),
        Message::Timer { .. } => Words::new(
            format!(
                "nothing is done about this deadline in {} now, and it runs out again an hour later",
                to.english
            ),
            format!(
                "{} 서비스는 지금 이 기한 만료에 따른 처리를 하지 않으며, 한 시간 뒤에 다시 만료됩니다",
                to.korean
            ),
        ),
        Message::Answer { .. } => Words::new(
            format!("{} throws this answer away, and the payment provider is asked again", to.english),
            format!("{} 서비스는 이 응답을 버리고 결제사에 다시 묻습니다", to.korean),
        ),
    };
    let (english, korean) = match behind {
        0 => (String::new(), String::new()),
        more => (
            format!("; what waits behind it ({more}) goes on"),
            format!(" 그 뒤에서 기다리던 {more}개는 이어서 처리됩니다."),
        ),
    };
    let said = Words::new(
        format!("Skipping passes it over: {}{english}.", lost.english),
        format!("건너뛰면 {}.{korean}", lost.korean),
    );
    loss.map_or(said.clone(), |loss| said.and(&loss))
}

/// What skipping an event costs where nothing makes up for it, to be read before it is done.
fn loss(to: &str, event: &str) -> Option<Words> {
    let (english, korean) = match (to, event) {
        (payment::NAME, "CallCancelled") => (
            "A fare that is taken, or is taken yet, then stays held for ever: it does not go back, and nothing here can order it back afterwards. All that is left is to give it back by hand, with the payment provider.",
            "그러면 이미 결제되었거나 앞으로 결제될 요금이 계속 보관 상태로 남아 자동으로 환불되지 않으며, 나중에 이 시스템에서 환불을 요청할 수도 없습니다. 결제사를 통해 직접 환불하는 방법만 남습니다.",
        ),
        (payment::NAME, "DriveEnded") => (
            "The fare then stays held for ever: it is never earned, and nothing here can book it afterwards. All that is left is to book it by hand, outside.",
            "그러면 요금이 계속 보관 상태로 남아 매출로 확정되지 않으며, 나중에 이 시스템에서 바로잡을 수도 없습니다. 외부에서 직접 정산하는 방법만 남습니다.",
        ),
        (call::NAME, "DriveEnded") => (
            "A call that is still open then stays open for ever, though the ride is over; the fare does not depend on it.",
            "그러면 아직 진행 중인 호출은 운행이 끝났어도 끝나지 않은 상태로 남습니다. 요금에는 영향이 없습니다.",
        ),
        (call::NAME, "DriveCancelled" | "DriveNotAvailable") => (
            "A call that is still open then never ends, though there is no ride, and a fare that is taken does not go back: all that is left is to give it back by hand, with the payment provider.",
            "그러면 아직 진행 중인 호출은 운행이 없어도 끝나지 않고, 결제된 요금도 자동으로 환불되지 않습니다. 결제사를 통해 직접 환불하는 방법만 남습니다.",
        ),
        (drive::NAME, "CancelRequested") => (
            "A ride that is under way then goes on until it is ended, and its fare is earned; where there is none, the call waits for ever, and a fare that is taken does not go back by itself.",
            "그러면 진행 중인 운행은 누군가 끝낼 때까지 계속되고 요금은 매출로 확정됩니다. 운행이 없으면 호출은 계속 답을 기다리고, 결제된 요금은 자동으로 환불되지 않습니다.",
        ),
        _ => return None,
    };
    Some(Words::new(english, korean))
}

pub(super) fn skipped(by: &str, reason: &str, at: At) -> Words {
    let at = at.precise();
    Words::new(
        format!("Passed over on {at} by {by}: {reason:?}."),
        format!("{at}에 {by}이(가) 건너뜀: {reason:?}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;
    use engine::clock::Timestamp;

    /// An operator who skips is told first where that leaves the money.
    #[test]
    fn what_is_never_made_up_for_is_said_before_it_is_skipped() {
        let said = |to: &str, event: &str| {
            let message =
                Message::Event { event: event.into(), service: "call".into(), shard: 0, position: 1 };
            skip(to, &message, 0)
        };
        for event in ["CallCancelled", "DriveEnded"] {
            let said = said("payment", event);
            assert!(
                said.english.contains("stays held for ever") && said.english.contains("by hand"),
                "{said:?}"
            );
            assert!(said.korean.contains("계속 보관 상태") && said.korean.contains("직접"), "{said:?}");
        }
        for (to, event) in [("call", "DriveEnded"), ("call", "DriveCancelled"), ("drive", "CancelRequested")]
        {
            assert_ne!(loss(to, event), None, "{to} without {event}");
        }
        assert_eq!(loss("payment", "CallPlaced"), None);
    }

    #[test]
    fn every_message_has_words_wherever_it_waits() {
        let at = At(Timestamp(0));
        let messages = [
            Message::Event { event: "FarePaid".into(), service: "payment".into(), shard: 0, position: 1 },
            Message::Timer { name: "provider".into(), due: at },
            Message::Answer { errand: "take".into(), sequence: 256, outcome: "taken".into() },
        ];
        for message in &messages {
            for waits_behind in [None, Some(3)] {
                assert_said(&words("drive", message, waits_behind));
            }
            for behind in 0..3 {
                assert_said(&retry(None, behind));
                assert_said(&skip("drive", message, behind));
            }
        }
        assert_said(&retry(Some(3), 0));
        assert_said(&skipped("operator", "known bug", at));
    }
}
