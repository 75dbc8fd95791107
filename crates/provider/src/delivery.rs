//! What becomes of one attempt on its way: whether it is heard, and when and how often its answer arrives.

use crate::book::Ask;
use crate::chance::{Draw, happens};
use crate::settings::Settings;
use crate::wish::{Wish, wish};

/// The fate of one attempt; the same for the same key, kind, attempt and seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whether the attempt is heard, and so entered into the book.
    pub done: bool,
    /// How often its answer arrives: 0, 1 or 2 times.
    pub copies: u8,
    /// How long its answer takes.
    pub delay_ms: u64,
}

const IGNORED: Delivery = Delivery { done: false, copies: 0, delay_ms: 0 };

pub fn delivery(ask: &Ask, settings: &Settings) -> Delivery {
    let plain = Delivery { done: true, copies: 1, delay_ms: delay_ms(ask, settings) };
    match wish(ask, settings) {
        Some(Wish::Silent) if ask.attempt <= settings.silent_attempts => IGNORED,
        Some(Wish::Lost) if ask.attempt <= 1 => Delivery { copies: 0, ..plain },
        Some(Wish::Late { delay_ms }) => Delivery { delay_ms, ..plain },
        Some(Wish::Doubled) => Delivery { copies: 2, ..plain },
        Some(Wish::Refused | Wish::Silent | Wish::Lost) => plain,
        None => by_chance(ask, settings, plain),
    }
}

fn by_chance(ask: &Ask, settings: &Settings, plain: Delivery) -> Delivery {
    let is_silent = happens(settings.silent_per_mille, Draw::Silent.of_errand(ask, settings));
    if is_silent && ask.attempt <= settings.silent_attempts {
        return IGNORED;
    }
    if happens(settings.lost_per_mille, Draw::Lost.of_attempt(ask, settings)) {
        return Delivery { copies: 0, ..plain };
    }
    if happens(settings.double_per_mille, Draw::Double.of_attempt(ask, settings)) {
        return Delivery { copies: 2, ..plain };
    }
    plain
}

fn delay_ms(ask: &Ask, settings: &Settings) -> u64 {
    let choices = settings.delay_ms_max.saturating_sub(settings.delay_ms_min).saturating_add(1);
    settings.delay_ms_min.saturating_add(Draw::Delay.of_attempt(ask, settings) % choices)
}

#[cfg(test)]
mod tests {
    use super::{Delivery, IGNORED, delivery};
    use crate::book::{Ask, Kind};
    use crate::settings::Settings;

    const PLAIN: Delivery = Delivery { done: true, copies: 1, delay_ms: 0 };

    fn attempt(key: u64, attempt: u32) -> Ask {
        Ask { key, kind: Kind::Take, amount: 100_000, payment_method: None, attempt }
    }

    #[test]
    fn by_default_every_attempt_is_answered_at_once() {
        for key in 1..=1_000 {
            assert_eq!(delivery(&attempt(key, 1), &Settings::default()), PLAIN);
        }
    }

    #[test]
    fn a_payment_method_may_ask_for_a_vice_where_that_is_allowed() {
        let settings = Settings { obey_test_methods: true, silent_attempts: 2, ..Settings::default() };
        let check = |method: &str, number: u32, expected: Delivery| {
            let ask = Ask { payment_method: Some(method.to_owned()), ..attempt(1, number) };
            assert_eq!(delivery(&ask, &settings), expected, "{method}, attempt {number}");
            let honest = Settings { obey_test_methods: false, ..settings.clone() };
            assert_eq!(delivery(&ask, &honest), PLAIN, "{method}, attempt {number}, not obeyed");
        };
        check("test:silent", 1, IGNORED);
        check("test:silent", 2, IGNORED);
        check("test:silent", 3, PLAIN);
        check("test:lost", 1, Delivery { copies: 0, ..PLAIN });
        check("test:lost", 2, PLAIN);
        check("test:late=15000", 1, Delivery { delay_ms: 15_000, ..PLAIN });
        check("test:late=99999999999", 1, Delivery { delay_ms: 86_400_000, ..PLAIN });
        check("test:doubled", 1, Delivery { copies: 2, ..PLAIN });
        check("test:refused", 1, PLAIN);
        check("test:late=soon", 1, PLAIN);
        check("card", 1, PLAIN);
    }

    #[test]
    fn the_seed_decides_and_decides_alike() {
        let settings = Settings {
            seed: 1,
            silent_per_mille: 100,
            lost_per_mille: 100,
            double_per_mille: 100,
            delay_ms_min: 5,
            delay_ms_max: 9,
            ..Settings::default()
        };
        let other = Settings { seed: 2, ..settings };
        let fates = |settings: &Settings| -> Vec<Delivery> {
            (1..=1_000).map(|key| delivery(&attempt(key, 1), settings)).collect()
        };
        assert_eq!(fates(&settings), fates(&settings));
        assert_ne!(fates(&settings), fates(&other));
        let heard: Vec<Delivery> = fates(&settings).into_iter().filter(|fate| fate.done).collect();
        assert!(heard.len() < 1_000);
        assert!(heard.iter().all(|fate| (5..=9).contains(&fate.delay_ms)));
        for copies in [0, 1, 2] {
            assert!(heard.iter().any(|fate| fate.copies == copies), "{copies} copies");
        }
    }

    #[test]
    fn silence_ends_after_its_attempts() {
        let settings = Settings { silent_per_mille: 1_000, silent_attempts: 3, ..Settings::default() };
        let is_done = |number: u32| delivery(&attempt(1, number), &settings).done;
        assert_eq!([1, 2, 3, 4].map(is_done), [false, false, false, true]);
    }

    #[test]
    fn odd_delays_are_no_fault() {
        let backwards = Settings { delay_ms_min: 9, delay_ms_max: 5, ..Settings::default() };
        assert_eq!(delivery(&attempt(1, 1), &backwards).delay_ms, 9);
        let endless = Settings { delay_ms_max: u64::MAX, ..Settings::default() };
        assert!(delivery(&attempt(1, 1), &endless).done);
    }
}
