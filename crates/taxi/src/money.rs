//! Money in whole won.

use std::fmt;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;

/// Whole won; negative where an account owes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Won(pub i64);

/// Why a text is no fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FareError {
    NotANumber,
    NotWhole,
    Negative,
    TooMuch,
}

impl Won {
    pub const ZERO: Self = Self(0);

    /// Reads a fare as JSON may write it: `100000`, `100000.0` and `1e5` are one.
    pub fn parse_fare(text: &str) -> Result<Self, FareError> {
        let number = Decimal::parse(text).ok_or(FareError::NotANumber)?;
        if number.is_negative() {
            return Err(FareError::Negative);
        }
        if !number.is_whole() {
            return Err(FareError::NotWhole);
        }
        let won = number.rounded_half_up(0).and_then(|won| i64::try_from(won).ok());
        won.map(Self).ok_or(FareError::TooMuch)
    }
}

impl Add for Won {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Won {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Won {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Won {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for FareError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotANumber => "the fare is not a number",
            Self::NotWhole => "a fare is in whole won",
            Self::Negative => "a fare is not negative",
            Self::TooMuch => "the fare has too many digits",
        })
    }
}

impl std::error::Error for FareError {}

#[cfg(test)]
mod tests {
    use super::{FareError, Won};

    #[test]
    fn fares_are_whole_and_not_negative() {
        let check = |text: &str, expected: Result<i64, FareError>| {
            assert_eq!(Won::parse_fare(text), expected.map(Won), "{text:?}");
        };
        check("100000", Ok(100_000));
        check("100000.0", Ok(100_000));
        check("1e5", Ok(100_000));
        check("0", Ok(0));
        check("0.5", Err(FareError::NotWhole));
        check("-1", Err(FareError::Negative));
        check("1e400", Err(FareError::TooMuch));
        check("lots", Err(FareError::NotANumber));
    }
}
