//! What happens when a deadline runs out.

use crate::explain::story::Story;
use crate::words::{Words, clock};
use engine::timer::Timer;
use taxi::{call, drive, payment};

/// What runs out.
#[derive(Clone, Copy)]
enum Deadline {
    Call(call::Wait),
    Payment(payment::Wait),
    /// The only one of a drive.
    Drive,
}

pub(in crate::explain) fn words(story: &Story, service: &str, timer: &Timer) -> Words {
    let due = clock(timer.due, story.now);
    let then = match story.held_up_by(service) {
        Some(number) => Words::new(
            format!("it runs out, and waits behind dead letter {number}"),
            format!("만료되어도 보류 메시지 {number}번 뒤에서 기다립니다"),
        ),
        None => named(service, &timer.name).map_or_else(|| unknown(&timer.name), then),
    };
    Words::new(format!("at {}: {}.", due.english, then.english), format!("{}: {}.", due.korean, then.korean))
}

fn named(service: &str, name: &str) -> Option<Deadline> {
    match service {
        wiring::call::NAME => call::Wait::of_timer(name).map(Deadline::Call),
        wiring::payment::NAME => payment::Wait::of_timer(name).map(Deadline::Payment),
        wiring::drive::NAME => (name == drive::OVERDUE).then_some(Deadline::Drive),
        _ => None,
    }
}

fn then(deadline: Deadline) -> Words {
    let (english, korean) = match deadline {
        Deadline::Call(call::Wait::Unpaid) => {
            ("without word from payment the call is cancelled", "결제 결과가 없으면 호출을 취소합니다")
        }
        Deadline::Call(call::Wait::Undriven) => {
            ("without a taxi the call is cancelled", "배차되지 않으면 호출을 취소합니다")
        }
        Deadline::Call(call::Wait::Overdue) | Deadline::Drive => (
            "a ride that is still under way is reported to the operator; no clock ends it",
            "아직 운행 중이면 운영자에게 알립니다. 저절로 끝나지는 않습니다",
        ),
        Deadline::Call(call::Wait::Cancelling) => (
            "a cancellation that is still undecided is reported to the operator",
            "취소가 아직 확정되지 않았으면 운영자에게 알립니다",
        ),
        Deadline::Payment(payment::Wait::Provider) => (
            "without the payment provider's word the payment fails",
            "결제사의 응답이 없으면 결제가 실패합니다",
        ),
        Deadline::Payment(payment::Wait::Overdue) => (
            "a payment provider that is still silent is reported to the operator",
            "결제사의 응답이 여전히 없으면 운영자에게 알립니다",
        ),
        Deadline::Payment(payment::Wait::Placed) => {
            ("the fare of a call that was not placed goes back", "호출이 접수되지 않았으면 요금을 돌려줍니다")
        }
        Deadline::Payment(payment::Wait::Held) => (
            "a fare that is still held is reported to the operator",
            "요금을 아직 보관 중이면 운영자에게 알립니다",
        ),
        Deadline::Payment(payment::Wait::Returning) => (
            "a fare that has not gone back is reported to the operator",
            "요금이 아직 환불되지 않았으면 운영자에게 알립니다",
        ),
    };
    Words::new(english, korean)
}

fn unknown(name: &str) -> Words {
    Words::new(format!("the deadline {name:?} runs out"), format!("기한 {name:?}이(가) 끝납니다"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;

    #[test]
    fn every_deadline_has_words() {
        let of_call = call::Wait::ALL.map(|wait| (wiring::call::NAME, wait.name()));
        let of_payment = payment::Wait::ALL.map(|wait| (wiring::payment::NAME, wait.name()));
        let of_drive = [(wiring::drive::NAME, drive::OVERDUE)];
        for (service, name) in of_call.into_iter().chain(of_payment).chain(of_drive) {
            let known = named(service, name).unwrap_or_else(|| panic!("{service} {name}"));
            assert_said(&then(known));
        }
        assert!(named(wiring::drive::NAME, "unpaid").is_none());
        assert_said(&unknown("later"));
    }
}
