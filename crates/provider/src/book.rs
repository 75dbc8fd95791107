//! The provider's book: one account for each payment, which answers alike for ever.

use serde::{Deserialize, Serialize};

use crate::chance::{Draw, happens};
use crate::settings::Settings;
use crate::wish::{Wish, wish};

/// What the provider knows of one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The answer to its take, once there is one.
    pub take: Option<TakeAnswer>,
    /// Whether it was ordered back; nothing is taken after that.
    pub back: bool,
    /// The amount of its first take, in won.
    pub fare: i64,
    /// How often its take was heard.
    pub takes_heard: u32,
    /// How often its back was heard.
    pub backs_heard: u32,
}

/// The answer to a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakeAnswer {
    Taken,
    Refused,
}

/// What is asked of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// The payment; together with the kind it names one errand, done once however often it is asked.
    pub key: u64,
    pub kind: Kind,
    /// In won.
    pub amount: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// 1 for the first time it is asked.
    pub attempt: u32,
}

/// The two errands of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Take,
    Back,
}

/// The provider's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    Taken,
    Refused,
    /// Nothing of it is with us, whether or not it ever was.
    Back,
}

/// Enters an errand that was heard into the book, and answers it.
pub fn ask(account: Option<Account>, ask: &Ask, settings: &Settings) -> (Account, Answer) {
    let account = account.unwrap_or_default();
    match ask.kind {
        Kind::Take => take(account, ask, settings),
        Kind::Back => back(account),
    }
}

/// What the rider is out of pocket, in won.
pub fn balance(account: &Account) -> i64 {
    match account.take {
        Some(TakeAnswer::Taken) if !account.back => account.fare,
        Some(TakeAnswer::Taken | TakeAnswer::Refused) | None => 0,
    }
}

fn take(mut account: Account, ask: &Ask, settings: &Settings) -> (Account, Answer) {
    account.takes_heard = account.takes_heard.saturating_add(1);
    let answer = match account.take {
        Some(answer) => answer,
        None => {
            account.fare = ask.amount;
            if account.back || refuses(ask, settings) { TakeAnswer::Refused } else { TakeAnswer::Taken }
        }
    };
    account.take = Some(answer);
    match answer {
        TakeAnswer::Taken => (account, Answer::Taken),
        TakeAnswer::Refused => (account, Answer::Refused),
    }
}

fn back(mut account: Account) -> (Account, Answer) {
    account.backs_heard = account.backs_heard.saturating_add(1);
    account.back = true;
    (account, Answer::Back)
}

fn refuses(ask: &Ask, settings: &Settings) -> bool {
    match wish(ask, settings) {
        Some(Wish::Refused) => true,
        Some(Wish::Silent | Wish::Late { .. } | Wish::Lost | Wish::Doubled) => false,
        None => happens(settings.refuse_per_mille, Draw::Refuse.of_key(ask, settings)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Answer, Ask, Kind, TakeAnswer, ask, balance};
    use crate::settings::Settings;

    fn errand(kind: Kind) -> Ask {
        Ask { key: 7, kind, amount: 100_000, payment_method: None, attempt: 1 }
    }

    /// Asks one errand after the other and tells the answers and what the rider is out of pocket in the end.
    fn run(kinds: &[Kind], settings: &Settings) -> (Vec<Answer>, i64) {
        let mut account = None;
        let mut answers = Vec::new();
        for kind in kinds {
            let (next, answer) = ask(account, &errand(*kind), settings);
            account = Some(next);
            answers.push(answer);
        }
        (answers, account.map_or(0, |account| balance(&account)))
    }

    #[test]
    fn each_errand_is_done_once_and_answered_alike_for_ever() {
        let check = |kinds: &[Kind], answers: &[Answer], out_of_pocket: i64| {
            assert_eq!(run(kinds, &Settings::default()), (answers.to_vec(), out_of_pocket), "{kinds:?}");
        };
        check(&[Kind::Take], &[Answer::Taken], 100_000);
        check(&[Kind::Take, Kind::Take], &[Answer::Taken, Answer::Taken], 100_000);
        check(&[Kind::Take, Kind::Back], &[Answer::Taken, Answer::Back], 0);
        check(&[Kind::Take, Kind::Back, Kind::Back], &[Answer::Taken, Answer::Back, Answer::Back], 0);
        check(&[Kind::Take, Kind::Back, Kind::Take], &[Answer::Taken, Answer::Back, Answer::Taken], 0);
        check(&[Kind::Back, Kind::Take], &[Answer::Back, Answer::Refused], 0);
        check(
            &[Kind::Back, Kind::Take, Kind::Back, Kind::Take],
            &[Answer::Back, Answer::Refused, Answer::Back, Answer::Refused],
            0,
        );
    }

    #[test]
    fn a_refusal_stands_when_the_settings_change() {
        let strict = Settings { refuse_per_mille: 1_000, ..Settings::default() };
        let (account, first) = ask(None, &errand(Kind::Take), &strict);
        let (account, again) = ask(Some(account), &errand(Kind::Take), &Settings::default());
        assert_eq!((first, again, balance(&account)), (Answer::Refused, Answer::Refused, 0));
    }

    #[test]
    fn the_first_amount_is_the_one_that_counts() {
        let (account, _) = ask(None, &errand(Kind::Take), &Settings::default());
        let other = Ask { amount: 5, ..errand(Kind::Take) };
        let (account, answer) = ask(Some(account), &other, &Settings::default());
        assert_eq!((answer, balance(&account), account.takes_heard), (Answer::Taken, 100_000, 2));
    }

    #[test]
    fn a_payment_method_may_ask_to_be_refused_where_that_is_allowed() {
        let refused = Ask { payment_method: Some("test:refused".to_owned()), ..errand(Kind::Take) };
        let obeying = Settings { obey_test_methods: true, ..Settings::default() };
        assert_eq!(ask(None, &refused, &obeying).1, Answer::Refused);
        assert_eq!(ask(None, &refused, &Settings::default()).1, Answer::Taken);
    }

    #[test]
    fn about_as_many_are_refused_as_the_settings_say() {
        let settings = Settings { seed: 3, refuse_per_mille: 100, ..Settings::default() };
        let refused = (1..=10_000)
            .filter(|key| ask(None, &Ask { key: *key, ..errand(Kind::Take) }, &settings).1 == Answer::Refused)
            .count();
        assert!((900..=1_100).contains(&refused), "{refused} of 10,000");
    }

    #[test]
    fn the_book_is_stored_as_plain_json() {
        let (account, _) = ask(None, &errand(Kind::Take), &Settings::default());
        let json = r#"{"take":"taken","back":false,"fare":100000,"takesHeard":1,"backsHeard":0}"#;
        assert_eq!(serde_json::to_string(&account).unwrap(), json);
        assert_eq!(serde_json::from_str::<Account>(json).unwrap(), account);
        assert_eq!(account.take, Some(TakeAnswer::Taken));
    }
}
