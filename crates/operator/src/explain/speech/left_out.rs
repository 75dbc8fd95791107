//! What an operator has passed over and what it means for ride and money, in plain words.

use super::service;
use crate::explain::left_out::{Fare, Loss};
use crate::explain::story::Story;
use crate::letters::{Letter, Message};
use crate::words::{Words, won};
use taxi::money::Won;

/// What the rider is told.
pub(in crate::explain) fn closing(story: &Story, loss: Loss) -> Words {
    let fare = won(story.fare().unwrap_or(Won::ZERO));
    told(loss).and(&money_of_rider(loss, story.unmoved(), &fare))
}

/// What the operator is told.
pub(in crate::explain) fn wait(story: &Story, letter: &Letter, loss: Loss) -> Words {
    let (to, fare) = (service(letter.service), won(story.fare().unwrap_or(Won::ZERO)));
    let event = match &letter.message {
        Message::Event { event, .. } => event.as_str(),
        Message::Timer { name, .. } | Message::Answer { errand: name, .. } => name.as_str(),
    };
    let number = letter.number;
    let head = Words::new(
        format!("Waits for an operator: dead letter {number} of {} ({event}) was passed over.", to.english),
        format!(
            "운영자의 조치를 기다립니다. {} 서비스의 보류 메시지 {number}번({event})을 건너뛰었습니다.",
            to.korean
        ),
    );
    head.and(&meant(loss)).and(&money_of_operator(loss, story.unmoved(), &fare))
}

fn told(loss: Loss) -> Words {
    match loss {
        Loss::Refund => Words::new(
            "The call is off, but an operator has passed over a step of it.",
            "호출은 취소되었으나, 운영자가 처리 단계 하나를 건너뛰었습니다.",
        ),
        Loss::Earning => Words::new(
            "The ride is over, but an operator has passed over a step of it.",
            "운행은 끝났으나, 운영자가 처리 단계 하나를 건너뛰었습니다.",
        ),
        Loss::Ending => Words::new(
            "The ride is over, but an operator has passed over the word of it, so the call is still shown as open.",
            "운행은 끝났으나, 운영자가 운행 종료 알림을 건너뛰어 호출이 아직 진행 중으로 표시됩니다.",
        ),
        Loss::CallingOff => Words::new(
            "There is no ride, but an operator has passed over the word of it, so the call is still shown as open.",
            "운행은 없으나, 운영자가 이를 알리는 메시지를 건너뛰어 호출이 아직 진행 중으로 표시됩니다.",
        ),
        Loss::Stop => Words::new(
            "An operator has passed over the cancellation, so the ride goes on, and ends when the driver says so.",
            "운영자가 취소 요청을 건너뛰어 운행이 계속되며, 기사님이 운행을 마치면 끝납니다.",
        ),
        Loss::Word => Words::new(
            "An operator has passed over the cancellation, and it is not decided by itself any more.",
            "운영자가 취소 요청을 건너뛰어, 취소 여부가 더는 자동으로 결정되지 않습니다.",
        ),
    }
}

fn meant(loss: Loss) -> Words {
    match loss {
        Loss::Refund => Words::new(
            "Payment does not learn that the call is off.",
            "결제 서비스는 호출이 취소된 사실을 알지 못합니다.",
        ),
        Loss::Earning => Words::new(
            "Payment does not learn that the ride is over.",
            "결제 서비스는 운행이 끝난 사실을 알지 못합니다.",
        ),
        Loss::Ending => Words::new(
            "The ride is over, and the call does not learn so: it stays open for ever. The fare does not depend on it; payment hears of the end of the ride by itself.",
            "운행은 끝났지만 호출 서비스는 이를 알지 못해 호출이 끝나지 않은 상태로 남습니다. 결제 서비스는 운행 종료를 따로 전달받으므로 요금에는 영향이 없습니다.",
        ),
        Loss::CallingOff => Words::new(
            "There is no ride, and the call does not learn so: it stays open for ever and never says to payment that it is off.",
            "운행은 없지만 호출 서비스는 이를 알지 못해 호출이 끝나지 않은 상태로 남고, 결제 서비스에 취소를 알리지도 않습니다.",
        ),
        Loss::Stop => Words::new(
            "Drive does not learn of the cancellation: the ride goes on until the driver or an operator ends it. Then the call is complete and the fare is earned.",
            "운행 서비스가 취소 요청을 알지 못해, 기사나 운영자가 끝낼 때까지 운행이 계속됩니다. 운행이 끝나면 호출은 완료되고 요금은 매출로 확정됩니다.",
        ),
        Loss::Word => Words::new(
            "Drive does not learn of the cancellation, so the call waits for its word for ever. No taxi was sent; if drive hears yet that the fare is paid, it sends one all the same.",
            "운행 서비스가 취소 요청을 알지 못해, 호출 서비스는 그 답을 끝내 받지 못합니다. 배차된 택시는 없지만, 나중에라도 결제 완료를 전달받으면 운행 서비스가 그대로 배차합니다.",
        ),
    }
}

fn money_of_rider(loss: Loss, unmoved: Fare, fare: &Words) -> Words {
    let (english, korean) = (&fare.english, &fare.korean);
    match (loss, unmoved) {
        (Loss::Ending | Loss::Stop, _) | (_, Fare::Nowhere) => Words::new("", ""),
        (Loss::Earning, Fare::Held | Fare::Asked) => Words::new(
            format!(
                "Nothing more is taken from you: the {english} that you paid are still held, and an operator has to book them by hand."
            ),
            format!(
                "추가로 결제되는 금액은 없습니다. 결제하신 {korean}은 아직 보관 중이며, 운영자가 직접 정산해야 합니다."
            ),
        ),
        (Loss::Refund | Loss::CallingOff | Loss::Word, Fare::Held) => Words::new(
            format!(
                "The {english} that you paid are still held and do not go back to you by themselves: an operator has to give them back by hand."
            ),
            format!(
                "결제하신 {korean}은 아직 보관 중이고 자동으로 환불되지 않으므로, 운영자가 직접 환불해 드려야 합니다."
            ),
        ),
        (Loss::Word, Fare::Asked) => Words::new(
            format!("If the payment provider takes the {english} yet, a taxi comes all the same."),
            format!("앞으로 {korean}이 결제되면 택시가 그대로 배차됩니다."),
        ),
        (Loss::Refund | Loss::CallingOff, Fare::Asked) => Words::new(
            format!(
                "If the payment provider takes the {english} yet, they do not go back to you by themselves: an operator has to give them back by hand."
            ),
            format!(
                "앞으로 {korean}이 결제되면 자동으로 환불되지 않으므로, 운영자가 직접 환불해 드려야 합니다."
            ),
        ),
    }
}

fn money_of_operator(loss: Loss, unmoved: Fare, fare: &Words) -> Words {
    let (english, korean) = (&fare.english, &fare.korean);
    match (loss, unmoved) {
        // What is taken later sends a taxi, as was said.
        (Loss::Word, Fare::Asked) | (Loss::Ending | Loss::Stop, _) | (_, Fare::Nowhere) => Words::new("", ""),
        (Loss::Earning, Fare::Held | Fare::Asked) => Words::new(
            format!(
                "{english} stay held for ever and are never earned. Nothing here can change that: book them by hand, outside; the books here go on saying that they are held."
            ),
            format!(
                "{korean}은 계속 보관 상태로 남고 매출로 확정되지 않습니다. 이 시스템에서는 바로잡을 수 없으니 외부에서 직접 정산하십시오. 이 시스템의 장부에는 계속 보관 중으로 남습니다."
            ),
        ),
        (Loss::Refund | Loss::CallingOff | Loss::Word, Fare::Held) => Words::new(
            format!(
                "{english} stay held and do not go back by themselves. Nothing here can order them back: give them back by hand, with the payment provider; the books here go on saying that they are held."
            ),
            format!(
                "{korean}은 계속 보관 상태로 남고 자동으로 환불되지 않습니다. 이 시스템에서는 환불을 요청할 수 없으니 결제사를 통해 직접 환불하십시오. 이 시스템의 장부에는 계속 보관 중으로 남습니다."
            ),
        ),
        (Loss::Refund | Loss::CallingOff, Fare::Asked) => Words::new(
            format!(
                "If the payment provider takes {english} yet, they stay held: then give them back by hand, with the payment provider; nothing here can order them back."
            ),
            format!(
                "앞으로 결제사가 {korean}을 결제하면 보관 상태로 남습니다. 이 시스템에서는 환불을 요청할 수 없으니, 그때 결제사를 통해 직접 환불하십시오."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;

    #[test]
    fn every_loss_has_words_wherever_the_money_is() {
        let fare = won(Won(50_000));
        for loss in Loss::ALL {
            for unmoved in [Fare::Held, Fare::Asked, Fare::Nowhere] {
                assert_said(&told(loss).and(&money_of_rider(loss, unmoved, &fare)));
                assert_said(&meant(loss).and(&money_of_operator(loss, unmoved, &fare)));
                let is_told = money_of_operator(loss, unmoved, &fare).english.contains("50,000 won");
                let concerns_money = match loss {
                    Loss::Ending | Loss::Stop => false,
                    Loss::Word => unmoved == Fare::Held,
                    Loss::Refund | Loss::Earning | Loss::CallingOff => unmoved != Fare::Nowhere,
                };
                assert_eq!(is_told, concerns_money, "{loss:?}, {unmoved:?}");
            }
        }
    }
}
