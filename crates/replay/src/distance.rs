//! Miles into kilometres, exactly: both are decimals, and so is their product.

use std::fmt;
use std::str::FromStr;

/// One statute mile is 1.609344 km by definition (international yard and pound agreement, 1959).
const KM_PER_MILE_MILLIONTHS: u128 = 1_609_344;
const KM_PER_MILE_DECIMALS: i32 = 6;

const EXPONENT_MAX: i32 = 40;
const DECIMALS_MAX: i32 = 40;

/// A distance in statute miles, kept as the decimal the file wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Miles {
    negative: bool,
    digits: u64,
    decimals: i32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotADecimal;

impl Miles {
    /// The same distance in kilometres, in plain decimal notation without needless zeros.
    pub(crate) fn to_kilometres(self) -> String {
        let digits = u128::from(self.digits) * KM_PER_MILE_MILLIONTHS;
        if digits == 0 {
            return "0".to_owned();
        }
        let text = plain_decimal(digits, self.decimals + KM_PER_MILE_DECIMALS);
        if self.negative { format!("-{text}") } else { text }
    }
}

fn plain_decimal(digits: u128, decimals: i32) -> String {
    let Ok(decimals) = usize::try_from(decimals) else {
        let zeros = decimals.unsigned_abs() as usize;
        return format!("{digits}{:0<zeros$}", "");
    };
    let width = decimals + 1;
    let padded = format!("{digits:0>width$}");
    let (whole, part) = padded.split_at(padded.len() - decimals);
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

impl FromStr for Miles {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NotADecimal)?),
            None => (text, 0),
        };
        if exponent.abs() > EXPONENT_MAX {
            return Err(NotADecimal);
        }
        let unsigned = mantissa.strip_prefix('-');
        let negative = unsigned.is_some();
        let (whole, part) =
            unsigned.unwrap_or(mantissa).split_once('.').unwrap_or((unsigned.unwrap_or(mantissa), ""));
        if whole.is_empty() && part.is_empty() {
            return Err(NotADecimal);
        }
        let digits = whole.bytes().chain(part.bytes()).try_fold(0_u64, push_digit).ok_or(NotADecimal)?;
        let decimals = i32::try_from(part.len()).map_err(|_| NotADecimal)? - exponent;
        if decimals.abs() > DECIMALS_MAX {
            return Err(NotADecimal);
        }
        Ok(Self { negative, digits, decimals })
    }
}

fn push_digit(digits: u64, byte: u8) -> Option<u64> {
    if !byte.is_ascii_digit() {
        return None;
    }
    digits.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
}

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no decimal number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn miles_become_kilometres_exactly() {
        for (miles, kilometres) in [
            ("1", "1.609344"),
            ("1.0", "1.609344"),
            ("0.1", "0.1609344"),
            ("7.94", "12.77819136"),
            ("62.13711922", "99.99999999399168"),
            ("214.1", "344.5605504"),
            ("0.01", "0.01609344"),
            ("1000000", "1609344"),
            ("625", "1005.84"),
            ("3.4000000000000004", "5.4717696000000006437376"),
            (".5", "0.804672"),
            ("5.", "8.04672"),
            ("0", "0"),
            ("0.00", "0"),
            ("-0.0", "0"),
            ("-1.5", "-2.414016"),
            ("1e-05", "0.00001609344"),
            ("1E+3", "1609.344"),
            ("1e10", "16093440000"),
        ] {
            assert_eq!(miles.parse::<Miles>().unwrap().to_kilometres(), kilometres, "{miles}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_said_to_be_none() {
        for text in [
            "",
            ".",
            "-",
            "abc",
            "1,5",
            " 1",
            "nan",
            "inf",
            "--1",
            "+1",
            "1e",
            "1e99",
            "1.2.3",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Miles>(), Err(NotADecimal), "{text:?}");
        }
    }
}
