//! Chance without a generator: every draw is a hash of what it is about and the seed.

use crate::book::{Ask, Kind};
use crate::settings::Settings;

/// What is drawn; draws about the same thing do not follow from each other.
#[derive(Clone, Copy)]
pub(crate) enum Draw {
    Refuse,
    Silent,
    Lost,
    Double,
    Delay,
}

impl Draw {
    /// The same for all that is asked about a payment.
    pub(crate) fn of_key(self, ask: &Ask, settings: &Settings) -> u64 {
        mix(&[settings.seed, self.number(), ask.key])
    }

    /// The same for all attempts of an errand.
    pub(crate) fn of_errand(self, ask: &Ask, settings: &Settings) -> u64 {
        mix(&[settings.seed, self.number(), ask.key, kind(ask)])
    }

    pub(crate) fn of_attempt(self, ask: &Ask, settings: &Settings) -> u64 {
        mix(&[settings.seed, self.number(), ask.key, kind(ask), u64::from(ask.attempt)])
    }

    fn number(self) -> u64 {
        match self {
            Self::Refuse => 1,
            Self::Silent => 2,
            Self::Lost => 3,
            Self::Double => 4,
            Self::Delay => 5,
        }
    }
}

pub(crate) fn happens(per_mille: u16, draw: u64) -> bool {
    draw % 1_000 < u64::from(per_mille)
}

fn kind(ask: &Ask) -> u64 {
    match ask.kind {
        Kind::Take => 1,
        Kind::Back => 2,
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014) over each word in turn.
fn mix(words: &[u64]) -> u64 {
    let mut hash: u64 = 0;
    for word in words {
        hash = hash.wrapping_add(*word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        hash ^= hash >> 31;
    }
    hash
}
