//! How far a rider wants to go, in whole metres.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;

/// A distance of 1 m to 20,000 km.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Meters(u32);

/// Why something is no distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistanceError {
    /// The text is not a decimal number.
    NotANumber,
    /// Zero, negative, or nothing once rounded to metres.
    NotPositive,
    /// Above half the way around the Earth.
    TooLong,
}

impl Meters {
    pub const MAX: Self = Self(20_000_000);

    pub fn new(meters: u32) -> Result<Self, DistanceError> {
        match meters {
            0 => Err(DistanceError::NotPositive),
            meters if meters > Self::MAX.0 => Err(DistanceError::TooLong),
            meters => Ok(Self(meters)),
        }
    }

    /// Reads kilometres in decimal text, exactly, and rounds them half up to metres.
    pub fn parse(kilometers: &str) -> Result<Self, DistanceError> {
        let number = Decimal::parse(kilometers).ok_or(DistanceError::NotANumber)?;
        if number.is_negative() {
            return Err(DistanceError::NotPositive);
        }
        let meters = number.rounded_half_up(3).ok_or(DistanceError::TooLong)?;
        Self::new(u32::try_from(meters).unwrap_or(u32::MAX))
    }

    pub fn get(self) -> u32 {
        self.0
    }

    /// As a JSON number: 10 km is `10.0`, 1234 m is `1.234`.
    pub fn kilometers(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

impl TryFrom<u32> for Meters {
    type Error = DistanceError;

    fn try_from(meters: u32) -> Result<Self, DistanceError> {
        Self::new(meters)
    }
}

impl From<Meters> for u32 {
    fn from(meters: Meters) -> Self {
        meters.0
    }
}

impl fmt::Display for DistanceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotANumber => "the distance is not a number",
            Self::NotPositive => "a distance is at least one metre",
            Self::TooLong => "a distance is at most 20,000 km",
        })
    }
}

impl std::error::Error for DistanceError {}

#[cfg(test)]
mod tests {
    use super::{DistanceError, Meters};

    fn check(text: &str, expected: Result<u32, DistanceError>) {
        assert_eq!(Meters::parse(text).map(Meters::get), expected, "{text:?}");
    }

    #[test]
    fn kilometers_are_rounded_half_up_to_meters() {
        check("10", Ok(10_000));
        check("10.0", Ok(10_000));
        check("1.2345", Ok(1_235));
        check("1.2344999999999999999999999999999999999999", Ok(1_234));
        check("0.0005", Ok(1));
        check("1e1", Ok(10_000));
        check("2E-3", Ok(2));
        check("20000", Ok(20_000_000));
        check("20000.0004", Ok(20_000_000));
    }

    #[test]
    fn what_is_no_distance_is_refused_by_its_reason() {
        for text in ["", "ten", "NaN", "Infinity", "10km", "1,5", "0x1"] {
            check(text, Err(DistanceError::NotANumber));
        }
        for text in ["0", "-0.0", "-5", "-1e400", "0.000499999999999999999999999999999999", "1e-400", "0e400"]
        {
            check(text, Err(DistanceError::NotPositive));
        }
        for text in ["20000.0005", "20001", "4294967.297", "1e400", "99999999999999999999999999999999999"] {
            check(text, Err(DistanceError::TooLong));
        }
    }

    #[test]
    fn kilometers_are_written_without_loss() {
        let json = |meters: u32| serde_json::to_string(&Meters::new(meters).unwrap().kilometers()).unwrap();
        assert_eq!(json(10_000), "10.0");
        assert_eq!(json(1_234), "1.234");
        assert_eq!(json(1), "0.001");
        for meters in (1..=Meters::MAX.0).step_by(997) {
            check(&json(meters), Ok(meters));
        }
    }
}
