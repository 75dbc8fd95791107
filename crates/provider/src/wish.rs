//! The vice that a payment method asks for, where tests are allowed to.

use crate::book::Ask;
use crate::settings::Settings;

/// One vice, for this errand alone, in place of chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// `test:refused`: the take is refused.
    Refused,
    /// `test:silent`: the first attempts are not heard.
    Silent,
    /// `test:late=MS`: done at once, answered after so many milliseconds.
    Late { delay_ms: u64 },
    /// `test:lost`: the first answer is lost.
    Lost,
    /// `test:doubled`: every answer arrives twice.
    Doubled,
}

/// Nobody waits longer for an answer.
const LATE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

pub(crate) fn wish(ask: &Ask, settings: &Settings) -> Option<Wish> {
    if !settings.obey_test_methods {
        return None;
    }
    read(ask.payment_method.as_deref()?)
}

/// Whether a payment method asks for a vice that there is.
pub fn is_test_method(payment_method: &str) -> bool {
    read(payment_method).is_some()
}

fn read(payment_method: &str) -> Option<Wish> {
    match payment_method.strip_prefix("test:")? {
        "refused" => Some(Wish::Refused),
        "silent" => Some(Wish::Silent),
        "lost" => Some(Wish::Lost),
        "doubled" => Some(Wish::Doubled),
        other => {
            let delay_ms: u64 = other.strip_prefix("late=")?.parse().ok()?;
            Some(Wish::Late { delay_ms: delay_ms.min(LATE_MS_MAX) })
        }
    }
}
