//! The query of a request: each name at most once, what is unknown left alone.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

use crate::detail::Detail;
use crate::problem::Problem;

/// Names and values, decoded.
#[derive(Debug, Default)]
pub(crate) struct QueryText<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> QueryText<'a> {
    pub(crate) fn read(query: Option<&'a str>) -> Result<Self, Problem> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_plus(name)?, decode_plus(value)?))
        });
        decoded.collect::<Result<_, Problem>>().map(Self)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) => Ok(Some(value)),
            (Some(_), Some(_)) => Err(Problem::malformed(Detail::GivenTwice(name)).of_field(name)),
        }
    }
}

fn decode_plus(text: &str) -> Result<Cow<'_, str>, Problem> {
    if text.contains('+') {
        return decode(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    decode(text)
}

/// Percent-decoding that takes no `%` for granted.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        if *byte == b'%' && !(is_hex(bytes.get(place + 1)) && is_hex(bytes.get(place + 2))) {
            return Err(Problem::malformed(Detail::PercentOfNothing));
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_err(|_| Problem::malformed(Detail::AddressNotUtf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_each_name_comes_once() {
        let query = QueryText::read(Some("page=1&sort=callId%2Cdesc&a+b=c+d&flag&&page2=x")).unwrap();
        assert_eq!(query.get("page").unwrap(), Some("1"));
        assert_eq!(query.get("sort").unwrap(), Some("callId,desc"));
        assert_eq!(query.get("a b").unwrap(), Some("c d"));
        assert_eq!(query.get("flag").unwrap(), Some(""));
        assert_eq!(query.get("size").unwrap(), None);
        assert!(QueryText::read(Some("page=1&page=1")).unwrap().get("page").is_err());
        for wrong in ["page=%", "page=%1", "page=%zz", "page=%ff", "%c3=1"] {
            assert!(QueryText::read(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
