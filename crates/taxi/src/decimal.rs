//! Decimal text, read digit by digit: no float stands between what a rider writes and what a rider pays.

/// A decimal number of any size: 0.d₁d₂d₃… × 10^point, its first digit not zero; no digits for zero.
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

/// More integer digits than this are refused, so that every result fits 64 bits.
const INTEGER_DIGITS_MAX: i64 = 18;

/// Farther exponents are as good as this one: beyond every limit, or nothing at all.
const EXPONENT_LIMIT: i64 = 1_000_000_000;

impl Decimal {
    /// Digits with an optional sign, point and exponent; nothing else, blanks neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = split_sign(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let written: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if written.is_empty() || !written.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = written.iter().take_while(|digit| **digit == b'0').count();
        let point = exponent + length(whole.len()) - length(zeros);
        Some(Self { negative, digits: written[zeros..].to_vec(), point })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.negative && !self.is_zero()
    }

    pub(crate) fn is_whole(&self) -> bool {
        let fraction = usize::try_from(self.point.max(0)).unwrap_or(usize::MAX);
        self.digits.iter().skip(fraction).all(|digit| *digit == b'0')
    }

    /// The magnitude × 10^shift as a whole number, rounded half up; nothing when it has too many digits.
    pub(crate) fn rounded_half_up(&self, shift: i64) -> Option<u64> {
        let integer_digits = self.point + shift;
        if self.is_zero() || integer_digits < 0 {
            return Some(0);
        }
        if integer_digits > INTEGER_DIGITS_MAX {
            return None;
        }
        let mut digits = self.digits.iter().map(|digit| u64::from(digit - b'0')).chain(std::iter::repeat(0));
        let mut number = 0;
        for _ in 0..integer_digits {
            number = number * 10 + digits.next().unwrap_or(0);
        }
        let rounds_up = digits.next().unwrap_or(0) >= 5;
        Some(number + u64::from(rounds_up))
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().map_or(EXPONENT_LIMIT, |size| size.min(EXPONENT_LIMIT));
    Some(if negative { -size } else { size })
}

fn length(count: usize) -> i64 {
    i64::try_from(count).expect("a text in memory is shorter than 2^63 bytes")
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_are_rounded_half_up_by_their_digits() {
        let check = |text: &str, shift: i64, expected: Option<u64>| {
            assert_eq!(Decimal::parse(text).unwrap().rounded_half_up(shift), expected, "{text} × 10^{shift}");
        };
        check("0", 3, Some(0));
        check("0.5", 0, Some(1));
        check("0.49999999999999999999999999999999999999999999", 0, Some(0));
        check("12.345", 2, Some(1_235));
        check("1.5e3", 0, Some(1_500));
        check("15e-1", 0, Some(2));
        check("0.05", 0, Some(0));
        check("999999999999999999.4", 0, Some(999_999_999_999_999_999));
        check("1e18", 0, None);
        check("1e99999999999999999999", 0, None);
        check("1e-99999999999999999999", 3, Some(0));
        check("0e99999999999999999999", 3, Some(0));
    }

    #[test]
    fn only_numbers_are_read() {
        for text in
            ["", ".", "-", "e5", "1e", "1e+", "1.2.3", "0x10", "1_000", "1,5", " 1", "1 ", "NaN", "inf", "١"]
        {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
        for text in ["1", "+1", ".5", "5.", "-0", "007", "1E+3"] {
            assert!(Decimal::parse(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn signs_and_fractions_are_seen() {
        let is_whole = |text: &str| Decimal::parse(text).unwrap().is_whole();
        assert!(is_whole("100000.0") && is_whole("1.5e1") && is_whole("0"));
        assert!(!is_whole("1.5") && !is_whole("1e-1"));
        assert!(Decimal::parse("-1").unwrap().is_negative());
        assert!(!Decimal::parse("-0.0").unwrap().is_negative());
    }
}
