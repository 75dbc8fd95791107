//! The numbers that name a call, its payment and its drive; one call has one of each, all equal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names a call: 1 or more, and small enough for a store's signed 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct CallId(u64);

/// Names the payment of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentId(CallId);

/// Names the drive of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DriveId(CallId);

/// The text or number names nothing: it is not a whole number from 1 to 9,223,372,036,854,775,807.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl CallId {
    pub const MAX: u64 = i64::MAX as u64;

    pub fn new(number: u64) -> Result<Self, NotAnId> {
        if (1..=Self::MAX).contains(&number) { Ok(Self(number)) } else { Err(NotAnId) }
    }

    pub fn get(self) -> u64 {
        self.0
    }
}

impl PaymentId {
    pub fn of(call_id: CallId) -> Self {
        Self(call_id)
    }

    pub fn call(self) -> CallId {
        self.0
    }
}

impl DriveId {
    pub fn of(call_id: CallId) -> Self {
        Self(call_id)
    }

    pub fn call(self) -> CallId {
        self.0
    }
}

/// Plain digits only, without sign or leading zero: one call has one spelling.
impl FromStr for CallId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('0') {
            return Err(NotAnId);
        }
        text.parse().map_err(|_| NotAnId).and_then(Self::new)
    }
}

impl FromStr for PaymentId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.parse().map(Self)
    }
}

impl FromStr for DriveId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.parse().map(Self)
    }
}

impl TryFrom<u64> for CallId {
    type Error = NotAnId;

    fn try_from(number: u64) -> Result<Self, NotAnId> {
        Self::new(number)
    }
}

impl From<CallId> for u64 {
    fn from(call_id: CallId) -> Self {
        call_id.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for DriveId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for NotAnId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an id is a whole number from 1 to {}", CallId::MAX)
    }
}

impl std::error::Error for NotAnId {}

#[cfg(test)]
mod tests {
    use super::{CallId, DriveId, NotAnId, PaymentId};

    #[test]
    fn ids_are_read_from_plain_digits_only() {
        let check = |text: &str, expected: Result<u64, NotAnId>| {
            assert_eq!(text.parse::<CallId>().map(CallId::get), expected, "{text:?}");
        };
        check("1", Ok(1));
        check("9223372036854775807", Ok(CallId::MAX));
        for text in [
            "",
            "0",
            "01",
            "-1",
            "+1",
            "1.0",
            "1e3",
            " 1",
            "x",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            check(text, Err(NotAnId));
        }
    }

    #[test]
    fn ids_are_integers_in_json_and_zero_is_none() {
        let call_id = CallId::new(7).unwrap();
        assert_eq!(serde_json::to_string(&PaymentId::of(call_id)).unwrap(), "7");
        assert_eq!(serde_json::from_str::<DriveId>("7").unwrap().call(), call_id);
        assert!(serde_json::from_str::<PaymentId>("0").is_err());
    }
}
