//! Fares as the original reckons them: in floating point, so that 1.13 km come to 11299.999999999998 won.

use taxi::money::{FareError, Won};

/// How far from whole won a fare may be by the faults of floating point alone, as a part of it.
const FAULT_MAX: f64 = 1e-12;

/// A fare in whole won; one with a fraction is rounded half up.
pub(crate) fn rounded(text: &str) -> Result<Won, FareError> {
    match Won::parse_fare(text) {
        Err(FareError::NotWhole) => nearest(text).map(|(won, _)| won),
        read => read,
    }
}

/// A fare in whole won, but for the faults of floating point.
pub fn nearly_whole(text: &str) -> Result<Won, FareError> {
    match Won::parse_fare(text) {
        Err(FareError::NotWhole) => {
            let (won, is_near) = nearest(text)?;
            if is_near { Ok(won) } else { Err(FareError::NotWhole) }
        }
        read => read,
    }
}

/// The nearest whole won, and whether they are what is meant.
fn nearest(text: &str) -> Result<(Won, bool), FareError> {
    let number: f64 = text.parse().map_err(|_| FareError::NotANumber)?;
    let whole = number.round();
    Ok((Won::parse_fare(&format!("{whole:.0}"))?, (number - whole).abs() <= whole * FAULT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_floating_point_makes_of_a_fare_is_the_fare() {
        for meters in 1..=200_000 {
            let original = f64::from(meters) / 1_000.0 * 10_000.0;
            let fare = Ok(Won(i64::from(meters) * 10));
            for text in [original.to_string(), format!("{original:e}")] {
                assert_eq!((rounded(&text), nearly_whole(&text)), (fare, fare), "{text}");
            }
        }
    }

    #[test]
    fn a_fraction_that_is_meant_is_told_apart() {
        let check = |text: &str, rounds_to: i64| {
            assert_eq!(rounded(text), Ok(Won(rounds_to)), "{text}");
            assert_eq!(nearly_whole(text), Err(FareError::NotWhole), "{text}");
        };
        check("0.5", 1);
        check("100000.5000", 100_001);
        check("100000.4", 100_000);
        check("1e-300", 0);
        check("10000.00001", 10_000);
        for (text, error) in [
            ("-0.5", FareError::Negative),
            ("1.5.1", FareError::NotANumber),
            ("1e400", FareError::TooMuch),
            ("NaN", FareError::NotANumber),
        ] {
            assert_eq!((rounded(text), nearly_whole(text)), (Err(error), Err(error)), "{text}");
        }
    }
}
