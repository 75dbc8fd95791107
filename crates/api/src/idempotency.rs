//! `Idempotency-Key`: a request said twice is carried out once.

use bytes::Bytes;
use engine::idempotency::{Idempotency, RequestKey};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::detail::Detail;
use crate::problem::Problem;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks the answer to a repeat.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const KEY_LENGTH_MAX: usize = 255;

/// The key that came with a request to `route`, and a digest of its body.
pub(crate) fn read(
    headers: &HeaderMap,
    route: &'static str,
    body: &Bytes,
) -> Result<Option<Idempotency>, Problem> {
    let mut given = headers.get_all(KEY).iter();
    let value = match (given.next(), given.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(malformed()),
    };
    let key = unquoted(value).ok_or_else(malformed)?;
    let digest = Sha256::digest(body);
    let fingerprint = *digest.first_chunk().expect("SHA-256 has 32 bytes");
    Ok(Some(Idempotency { request: RequestKey { route, key }, fingerprint }))
}

fn malformed() -> Problem {
    Problem::malformed(Detail::KeyIsNone).of_field("Idempotency-Key")
}

/// The text of a structured field's string, or of a bare key.
fn unquoted(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    let key = match text.strip_prefix('"') {
        None if text.contains('"') => return None,
        None => text.to_owned(),
        Some(rest) => unescaped(rest.strip_suffix('"')?)?,
    };
    let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    (is_visible && (1..=KEY_LENGTH_MAX).contains(&key.len())).then_some(key)
}

fn unescaped(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => key.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            plain => key.push(plain),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        let check = |given: &str, expected: Option<&str>| {
            let value = HeaderValue::from_str(given).unwrap();
            assert_eq!(unquoted(&value).as_deref(), expected, "{given}");
        };
        check("8e03978e-40d5", Some("8e03978e-40d5"));
        check("\"8e03978e-40d5\"", Some("8e03978e-40d5"));
        check(r#""a\"b\\c""#, Some(r#"a"b\c"#));
        for wrong in ["", "\"\"", "\"", "a\"b", "\"a", "a b", "\"a\";b=1", r#""a\b""#, "\"a b\""] {
            check(wrong, None);
        }
        check(&"k".repeat(255), Some(&"k".repeat(255)));
        check(&"k".repeat(256), None);
    }
}
