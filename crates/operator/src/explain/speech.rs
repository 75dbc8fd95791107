//! What is said about a call, in every language: events, waits, deadlines, errands and money.

pub(super) mod errand;
pub(super) mod event;
pub(super) mod left_out;
pub(super) mod timer;
pub(super) mod wait;

use super::{Agreement, Figures};
use crate::words::{Words, won};
use taxi::actor::Actor;
use taxi::money::Won;
use wiring::{call, drive, payment, provider, view};

/// Whether the provider's book and the payment say the same.
pub(super) fn money(agrees: Agreement, (owed, at_provider): (Won, Won), is_known: bool) -> Words {
    let is_nothing = at_provider == Won::ZERO;
    let (owed, at_provider) = (won(owed), won(at_provider));
    match agrees {
        Agreement::Agrees if !is_known => Words::new(
            "The payment provider has no record of it, and nothing was taken.",
            "결제사에 기록이 없고 결제된 금액도 없습니다.",
        ),
        Agreement::Agrees if is_nothing => Words::new(
            "The payment provider's book says the same: the rider pays nothing.",
            "결제사 장부와 일치합니다. 승객이 부담한 금액은 없습니다.",
        ),
        Agreement::Agrees => Words::new(
            format!("The payment provider's book says the same: the rider has paid {}.", at_provider.english),
            format!("결제사 장부와 일치합니다. 승객이 부담한 금액은 {}입니다.", at_provider.korean),
        ),
        Agreement::OnTheWay => Words::new(
            format!(
                "The payment provider's book says {}, payment {}: its answer is on the way, or was lost and is asked for again.",
                at_provider.english, owed.english
            ),
            format!(
                "결제사 장부는 {}, 결제 서비스는 {}입니다. 결제사의 응답이 오는 중이거나 유실되어 다시 묻게 됩니다.",
                at_provider.korean, owed.korean
            ),
        ),
        Agreement::Differs => Words::new(
            format!(
                "The payment provider's book says {}, payment {}, and no answer is out that could explain it: run an audit.",
                at_provider.english, owed.english
            ),
            format!(
                "결제사 장부는 {}, 결제 서비스는 {}이며, 이를 설명할 미도착 응답이 없습니다. audit을 실행하십시오.",
                at_provider.korean, owed.korean
            ),
        ),
    }
}

/// Where events of the payment cannot be read.
pub(super) fn money_unread(unread: &[Words], figures: Figures, at_provider: Won) -> Words {
    let list = |of: fn(&Words) -> &str| unread.iter().map(of).collect::<Vec<_>>().join(", ");
    let (english, korean) = (list(|words| &words.english), list(|words| &words.korean));
    let said = Words::new(
        format!("Cannot be read: {english}. So the sums cannot be counted from what happened."),
        format!("읽을 수 없는 이벤트: {korean}. 따라서 경과에서 금액을 모두 합산할 수 없습니다."),
    );
    let record = match figures {
        Figures::Events | Figures::Record => Words::new(
            "The figures are those that payment has on record.",
            "위 금액은 결제 서비스에 기록된 값입니다.",
        ),
        Figures::None => Words::new(
            "What payment has on record cannot be read either.",
            "결제 서비스의 기록도 읽을 수 없습니다.",
        ),
    };
    let at_provider = won(at_provider);
    said.and(&record).and(&Words::new(
        format!(
            "The payment provider's book says {}. An operator must compare them: run `taxisvc audit`.",
            at_provider.english
        ),
        format!(
            "결제사 장부는 {}입니다. 운영자가 대조해야 합니다. `taxisvc audit`을 실행하십시오.",
            at_provider.korean
        ),
    ))
}

/// Whether the view shows what happened.
pub(super) fn view(agrees: Agreement, is_shown: bool, unheard: usize) -> Words {
    match agrees {
        Agreement::Agrees if !is_shown => Words::new(
            "There is no view of it, and nothing to show.",
            "조회 화면에 없으며 보여 줄 내용도 없습니다.",
        ),
        Agreement::Agrees => {
            Words::new("The view shows what the events tell.", "조회 화면이 이벤트 내용과 일치합니다.")
        }
        Agreement::OnTheWay if unheard == 0 => Words::new(
            "The view has put aside what one of the events tells: see its dead letters.",
            "조회 화면이 이벤트 하나를 처리하지 못해 보류했습니다. 보류 메시지를 확인하십시오.",
        ),
        Agreement::OnTheWay => Words::new(
            format!("The view has {unheard} more of its events to read; it follows by itself."),
            format!("조회 화면이 아직 읽지 않은 이벤트가 {unheard}개 있으며, 저절로 따라잡습니다."),
        ),
        Agreement::Differs => Words::new(
            "The view does not show what the events tell: rebuild it.",
            "조회 화면이 이벤트 내용과 다릅니다. 조회 화면을 다시 만드십시오.",
        ),
    }
}

/// Where the view cannot be compared with what happened.
pub(super) fn view_unread() -> Words {
    Words::new(
        "Whether the view shows what happened cannot be said, since an event cannot be read: run `taxisvc audit`.",
        "읽을 수 없는 이벤트가 있어 조회 화면이 이벤트 내용과 일치하는지 알 수 없습니다. `taxisvc audit`을 실행하십시오.",
    )
}

/// A service, as people call it.
pub(crate) fn service(name: &str) -> Words {
    match name {
        call::NAME => Words::new("call", "호출"),
        payment::NAME => Words::new("payment", "결제"),
        drive::NAME => Words::new("drive", "운행"),
        view::NAME => Words::new("view", "조회"),
        provider::NAME => Words::new("provider", "결제사"),
        unknown => Words::new(unknown, unknown),
    }
}

/// Which service decided, and whose word had started it.
pub(super) fn decided(by: &str, actor: &str) -> Words {
    let (service, started) = (service(by), started(actor));
    Words::new(
        format!("{} decided, {}", service.english, started.english),
        format!("{} 서비스가 결정({})", service.korean, started.korean),
    )
}

fn started(actor: &str) -> Words {
    match Actor::parse(actor) {
        Some(Actor::Rider) => Words::new("after the rider's word", "승객의 요청 이후"),
        Some(Actor::Driver) => Words::new("after the driver's word", "기사의 요청 이후"),
        Some(Actor::Operator) => Words::new("after an operator's word", "운영자의 요청 이후"),
        Some(Actor::Provider) => Words::new("after the payment provider's answer", "결제사의 응답 이후"),
        Some(Actor::System) => Words::new("without anybody's word", "누구의 요청도 없이"),
        None => Words::new(format!("after the word of {actor}"), format!("{actor}의 요청 이후")),
    }
}

#[cfg(test)]
pub(crate) fn assert_said(words: &Words) {
    assert!(words.english.is_ascii() && !words.english.trim().is_empty(), "{words:?}");
    assert!(words.korean.chars().any(|letter| ('가'..='힣').contains(&letter)), "{words:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_and_every_comparison_has_words() {
        for known in Actor::ALL {
            assert_said(&started(known.as_str()));
            assert_said(&decided(drive::NAME, known.as_str()));
        }
        assert_said(&view_unread());
        for known in wiring::SERVICES {
            assert_said(&service(known));
        }
        for agrees in [Agreement::Agrees, Agreement::OnTheWay, Agreement::Differs] {
            for figures in [Figures::Events, Figures::Record, Figures::None] {
                assert_said(&money_unread(&[service(payment::NAME)], figures, Won(5)));
            }
            for is_known in [false, true] {
                assert_said(&money(agrees, (Won(5), Won(0)), is_known));
                assert_said(&view(agrees, is_known, 2));
                assert_said(&view(agrees, is_known, 0));
                assert_said(&money(agrees, (Won(5), Won(5)), is_known));
            }
        }
    }
}
