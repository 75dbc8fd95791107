//! What the payment provider is being asked.

use crate::explain::story::Story;
use crate::words::{Words, clock, thousands, won};
use engine::effect::Effect;
use taxi::money::Won;

/// `take` and `back`, as payment names them.
const TAKE: &str = "take";
const BACK: &str = "back";

pub(in crate::explain) fn words(story: &Story, effect: &Effect, amount: Option<Won>) -> Words {
    let amount = amount.map_or_else(|| Words::new("the fare", "요금"), won);
    let what = what(&effect.name, &amount);
    let asked = attempts(story, effect);
    Words::new(format!("{}; {}.", what.english, asked.english), format!("{}. {}.", what.korean, asked.korean))
}

fn what(name: &str, amount: &Words) -> Words {
    match name {
        TAKE => Words::new(
            format!("The payment provider is asked to take {}", amount.english),
            format!("결제사에 {} 결제를 요청했습니다", amount.korean),
        ),
        BACK => Words::new(
            format!("The payment provider is asked to give {} back", amount.english),
            format!("결제사에 {} 환불을 요청했습니다", amount.korean),
        ),
        other => Words::new(
            format!("The payment provider is asked: {other}"),
            format!("결제사에 요청했습니다: {other}"),
        ),
    }
}

/// How often it was asked, and when it is asked again.
pub(super) fn attempts(story: &Story, effect: &Effect) -> Words {
    if effect.attempts == 0 {
        return Words::new(
            "not asked yet, what comes before it is out",
            "앞선 요청이 끝나지 않아 아직 묻지 않았습니다",
        );
    }
    let english = match effect.attempts {
        1 => "asked once".to_owned(),
        2 => "asked twice".to_owned(),
        more => format!("asked {} times", thousands(i64::from(more))),
    };
    let korean = format!("지금까지 {}번 물었습니다", thousands(i64::from(effect.attempts)));
    if effect.claimed_until <= story.now {
        return Words::new(format!("{english}, next at once"), format!("{korean}. 곧 다시 묻습니다"));
    }
    let next = clock(effect.claimed_until, story.now);
    Words::new(
        format!("{english}, next at {}", next.english),
        format!("{korean}. 다음은 {}입니다", next.korean),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;
    use taxi::payment::{Effect as Wanted, Terms};

    fn next(wanted: &Wanted) -> Option<Wanted> {
        match wanted {
            Wanted::Take(terms) => Some(Wanted::Back(terms.clone())),
            Wanted::Back(_) => None,
        }
    }

    #[test]
    fn every_errand_has_words() {
        let pay_id = taxi::id::PaymentId::of(taxi::id::CallId::new(7).unwrap());
        let first = Wanted::Take(Terms { pay_id, fare: Won(5), payment_method: None });
        let all = std::iter::successors(Some(first), next);
        for wanted in all {
            let said = what(wanted.name(), &won(Won(5)));
            assert_said(&said);
            assert!(!said.english.contains(':'), "{said:?}");
        }
        assert_said(&what("weigh", &won(Won(5))));
    }
}
