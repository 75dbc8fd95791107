//! Values on their way into the tables and back.

use crate::failure::{Answer, Failure};
use bytes::BytesMut;
use engine::idempotency::RequestKey;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A text as it is stored. PostgreSQL knows no NUL in a text; so it is written as 1 1 there, and 1 as 1 2, which keeps
/// texts apart and in their order. JSON, and nearly all else, has neither and stands as it is.
pub(crate) fn stored_text(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte <= 1) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
}

/// The text that was stored.
pub(crate) fn read_text(stored: String) -> String {
    if !stored.contains('\u{1}') {
        return stored;
    }
    stored.replace("\u{1}\u{1}", "\0").replace("\u{1}\u{2}", "\u{1}")
}

/// A number as PostgreSQL keeps it.
pub(crate) fn integer(number: u64) -> Answer<i64> {
    i64::try_from(number).map_err(|_| Failure::Refused(format!("{number} is above what can be stored")))
}

/// Sixteen bytes that stand for an idempotency key: a hash that nobody can make meet another, so that keys of any length
/// have an index of the same small size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest([u8; 16]);

impl Digest {
    /// Before all that stand for a key.
    pub(crate) const FIRST: Self = Self([0; 16]);

    pub(crate) fn of(request: &RequestKey) -> Self {
        let mut hash = Sha256::new();
        hash.update((request.route.len() as u64).to_be_bytes());
        hash.update(request.route);
        hash.update(&request.key);
        let whole = hash.finalize();
        let mut digest = [0; 16];
        digest.copy_from_slice(&whole[..16]);
        Self(digest)
    }
}

impl ToSql for Digest {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Digest {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// A column of a row, as a type of Rust's.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, place: usize) -> Answer<T> {
    Ok(row.try_get(place)?)
}

/// A text column, as it was before it was stored.
pub(crate) fn text(row: &Row, place: usize) -> Answer<String> {
    Ok(read_text(column(row, place)?))
}

pub(crate) fn text_if_any(row: &Row, place: usize) -> Answer<Option<String>> {
    Ok(column::<Option<String>>(row, place)?.map(read_text))
}

/// A number as it was kept.
pub(crate) fn number(row: &Row, place: usize) -> Answer<u64> {
    let stored: i64 = column(row, place)?;
    u64::try_from(stored).map_err(|_| Failure::Broken(format!("a negative number is stored: {stored}")))
}

/// A small number as it was kept, in four bytes.
pub(crate) fn small<T: TryFrom<i32>>(row: &Row, place: usize) -> Answer<T> {
    let stored: i32 = column(row, place)?;
    T::try_from(stored).map_err(|_| Failure::Broken(format!("a number out of range is stored: {stored}")))
}

/// A 32-bit number as it was kept, in eight bytes.
pub(crate) fn unsigned(row: &Row, place: usize) -> Answer<u32> {
    let stored: i64 = column(row, place)?;
    u32::try_from(stored).map_err(|_| Failure::Broken(format!("a number out of range is stored: {stored}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_stored_and_stays_in_its_order() {
        let texts = [
            "",
            "\0",
            "\0\0",
            "\0\u{1}",
            "\u{1}",
            "\u{1}\0",
            "\u{1}\u{1}",
            "\u{1}\u{2}",
            "\u{2}",
            "a",
            "a\0",
            "a\u{1}",
            "a\u{2}",
            "ab",
        ];
        let stored: Vec<_> = texts.iter().map(|text| stored_text(text).into_owned()).collect();
        assert!(stored.is_sorted());
        for (text, stored) in texts.iter().zip(stored) {
            assert!(!stored.contains('\0'));
            assert_eq!(read_text(stored), *text);
        }
    }
}
