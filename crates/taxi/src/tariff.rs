//! What a distance costs, and where no taxi goes any more.

use crate::distance::Meters;
use crate::money::Won;

/// A price per kilometre, and the fare above which a call is too far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    pub won_per_km: Won,
    pub too_far_above: Won,
}

impl Tariff {
    /// won = metres × won per km / 1000, rounded half up.
    pub fn fare(&self, distance: Meters) -> Won {
        let thousandths = i128::from(distance.get()) * i128::from(self.won_per_km.0);
        let won = (thousandths + 500).div_euclid(1_000);
        Won(i64::try_from(won).unwrap_or(i64::MAX))
    }

    pub fn is_too_far(&self, fare: Won) -> bool {
        fare > self.too_far_above
    }
}

impl Default for Tariff {
    fn default() -> Self {
        Self { won_per_km: Won(10_000), too_far_above: Won(1_000_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::Tariff;
    use crate::distance::Meters;
    use crate::money::Won;

    #[test]
    fn fares_are_whole_won_rounded_half_up() {
        let check = |won_per_km: i64, meters: u32, expected: i64| {
            let tariff = Tariff { won_per_km: Won(won_per_km), ..Tariff::default() };
            assert_eq!(tariff.fare(Meters::new(meters).unwrap()), Won(expected), "{won_per_km} × {meters} m");
        };
        check(10_000, 10_000, 100_000);
        check(10_000, 1, 10);
        check(1, 499, 0);
        check(1, 500, 1);
        check(333, 1_500, 500);
        check(i64::MAX, 20_000_000, i64::MAX);
    }

    #[test]
    fn only_above_the_limit_it_is_too_far() {
        let tariff = Tariff::default();
        assert!(!tariff.is_too_far(tariff.fare(Meters::parse("100").unwrap())));
        assert!(tariff.is_too_far(tariff.fare(Meters::parse("100.001").unwrap())));
    }
}
