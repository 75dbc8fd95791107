//! The rider: the only place for personal data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who calls, as the rider gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rider {
    pub user_id: Personal,
    pub user_name: Personal,
}

/// A personal text, stored under the tag of how it is kept, so that it can be kept another way and forgotten.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Personal {
    Plain(String),
}

/// Which of the rider's fields is no good, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiderError {
    pub field: &'static str,
    pub fault: TextFault,
}

/// Why a text is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// Empty, or nothing but blanks.
    Empty,
    /// More than [`TEXT_CHARS_MAX`] characters.
    TooLong,
    ControlCharacter,
}

pub const TEXT_CHARS_MAX: usize = 100;

impl Rider {
    pub fn new(user_id: &str, user_name: &str) -> Result<Self, RiderError> {
        check_text(user_id).map_err(|fault| RiderError { field: "userId", fault })?;
        check_text(user_name).map_err(|fault| RiderError { field: "userName", fault })?;
        Ok(Self {
            user_id: Personal::Plain(user_id.to_owned()),
            user_name: Personal::Plain(user_name.to_owned()),
        })
    }
}

impl Personal {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
        }
    }
}

/// What every short text from outside must keep to: not empty, not long, no control characters.
pub fn check_text(text: &str) -> Result<(), TextFault> {
    if text.chars().any(char::is_control) {
        return Err(TextFault::ControlCharacter);
    }
    if text.trim().is_empty() {
        return Err(TextFault::Empty);
    }
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        return Err(TextFault::TooLong);
    }
    Ok(())
}

/// Personal data does not belong into logs.
impl fmt::Debug for Personal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Personal(…)")
    }
}

impl fmt::Display for RiderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.field, self.fault)
    }
}

impl std::error::Error for RiderError {}

impl fmt::Display for TextFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("is empty"),
            Self::TooLong => write!(formatter, "is longer than {TEXT_CHARS_MAX} characters"),
            Self::ControlCharacter => formatter.write_str("has a control character"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rider, RiderError, TextFault};

    #[test]
    fn riders_are_checked_field_by_field() {
        let check = |user_id: &str, user_name: &str, field: &'static str, fault: TextFault| {
            assert_eq!(Rider::new(user_id, user_name), Err(RiderError { field, fault }));
        };
        check("", "eojin", "userId", TextFault::Empty);
        check("1", " \u{3000}", "userName", TextFault::Empty);
        check("1", &"어".repeat(101), "userName", TextFault::TooLong);
        check("1\0", "eojin", "userId", TextFault::ControlCharacter);
        check("1", "a\nb", "userName", TextFault::ControlCharacter);
        assert!(Rider::new("1", &"어".repeat(100)).is_ok());
    }

    #[test]
    fn personal_data_is_stored_tagged_and_never_shown_in_debug_text() {
        let rider = Rider::new("1", "eojin").unwrap();
        let json = r#"{"userId":{"plain":"1"},"userName":{"plain":"eojin"}}"#;
        assert_eq!(serde_json::to_string(&rider).unwrap(), json);
        assert_eq!(serde_json::from_str::<Rider>(json).unwrap(), rider);
        assert!(!format!("{rider:?}").contains("eojin"));
    }
}
