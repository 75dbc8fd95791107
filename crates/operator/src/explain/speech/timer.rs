//! What happens when a deadline runs out.

use crate::explain::story::Story;
use crate::words::{Words, clock};
use engine::timer::Timer;
use wiring::{call, drive, payment};

/// The timer of a payment that waits for another call service's word.
pub(in crate::explain) const PLACED: &str = "placed";

pub(in crate::explain) fn words(story: &Story, service: &str, timer: &Timer) -> Words {
    let due = clock(timer.due, story.now);
    let then = then(service, &timer.name);
    Words::new(format!("At {}: {}.", due.english, then.english), format!("{}: {}.", due.korean, then.korean))
}

fn then(service: &str, name: &str) -> Words {
    let (english, korean) = match (service, name) {
        (call::NAME, "unpaid") => {
            ("without word from payment the call is cancelled", "결제 결과가 없으면 호출을 취소합니다")
        }
        (call::NAME, "undriven") => {
            ("without a taxi the call is cancelled", "택시가 없으면 호출을 취소합니다")
        }
        (call::NAME, "overdue") | (drive::NAME, "overdue") => (
            "a ride that is still under way is reported to the operator; no clock ends it",
            "아직 운행 중이면 운영자에게 알립니다. 저절로 끝나지는 않습니다",
        ),
        (call::NAME, "cancelling") => (
            "a cancellation that is still undecided is reported to the operator",
            "취소가 아직 확정되지 않았으면 운영자에게 알립니다",
        ),
        (payment::NAME, "provider") => (
            "without the payment provider's word the payment fails",
            "결제사의 응답이 없으면 결제가 실패합니다",
        ),
        (payment::NAME, "overdue") => (
            "a payment provider that is still silent is reported to the operator",
            "결제사의 응답이 여전히 없으면 운영자에게 알립니다",
        ),
        (payment::NAME, PLACED) => {
            ("a fare whose call was not placed goes back", "호출이 접수되지 않았으면 요금을 돌려줍니다")
        }
        (payment::NAME, "held") => (
            "a fare that is still held is reported to the operator",
            "요금을 아직 보관 중이면 운영자에게 알립니다",
        ),
        (payment::NAME, "returning") => (
            "a fare that has not gone back is reported to the operator",
            "요금이 아직 환불되지 않았으면 운영자에게 알립니다",
        ),
        (_, name) => return unknown(name),
    };
    Words::new(english, korean)
}

fn unknown(name: &str) -> Words {
    Words::new(format!("the deadline {name:?} runs out"), format!("기한 {name:?}이(가) 끝납니다"))
}
