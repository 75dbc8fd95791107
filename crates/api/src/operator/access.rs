//! Who is let in: whoever shows the token.

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::fmt;

use crate::Api;
use crate::detail::Detail;
use crate::problem::{Kind, Problem};

const SCHEME: &str = "bearer";

/// What operators show. Only its digest is kept, so that it cannot come to light by accident.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// In a time that tells nothing about where two tokens differ.
    fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differing, (own, other)| differing | (own ^ other)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Lets a request pass that shows the token.
pub(crate) fn admit(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    check(headers, api.operator.token.as_ref())
}

fn check(headers: &HeaderMap, token: Option<&Token>) -> Result<(), Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let shown = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().ok().and_then(bearer),
        (None, _) | (Some(_), Some(_)) => None,
    };
    let Some(shown) = shown else { return Err(Problem::new(Kind::Unauthorized, Detail::WantsToken)) };
    if token.is_some_and(|token| token.is(&Token::new(shown))) {
        return Ok(());
    }
    Err(Problem::new(Kind::Unauthorized, Detail::OtherToken))
}

fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn is_let_in(token: Option<&str>, headers: &[&str]) -> bool {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        check(&map, token.map(Token::new).as_ref()).is_ok()
    }

    #[test]
    fn only_the_token_opens() {
        let token = Some("correct-horse");
        assert!(is_let_in(token, &["Bearer correct-horse"]));
        assert!(is_let_in(token, &["bearer  correct-horse"]));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "correct-horse",
            "Basic correct-horse",
            "Bearer correct-hors",
            "Bearer correct-horse2",
            "Bearer Correct-horse",
            "Bearer correct horse",
        ] {
            assert!(!is_let_in(token, &[wrong]), "{wrong}");
        }
        assert!(!is_let_in(token, &[]));
        assert!(!is_let_in(token, &["Bearer correct-horse", "Bearer correct-horse"]));
    }

    #[test]
    fn without_a_token_nobody_is_let_in() {
        for shown in ["Bearer x", "Bearer", ""] {
            assert!(!is_let_in(None, &[shown]), "{shown}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new("correct-horse")), "Token(…)");
    }
}
