//! The body of a request: its type, its size, and its fields, each named when it is no good.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use std::borrow::Cow;
use taxi::id::CallId;

use crate::detail::Detail;
use crate::json::{Fault, Fields, Value, read_object};
use crate::problem::{Kind, Problem};
use crate::settings::Settings;

/// Reads a whole JSON body, if it says that it is one.
pub(crate) async fn read(headers: &HeaderMap, body: Body, settings: &Settings) -> Result<Bytes, Problem> {
    check_type(headers)?;
    let too_large = || Problem::new(Kind::PayloadTooLarge, Detail::BodyTooLarge(settings.body_bytes_max));
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > settings.body_bytes_max) {
        return Err(too_large());
    }
    match tokio::time::timeout(settings.body_wait, gather(body, settings.body_bytes_max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a body broke off");
            Err(Problem::malformed(Detail::BodyBrokeOff))
        }
        Err(_) => Err(Problem::new(Kind::RequestTimeout, Detail::BodyLate)),
    }
}

/// All of it, or nothing when it has more bytes than it may. A body of one piece, the usual one, is not copied.
async fn gather(mut body: Body, bytes_max: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > bytes_max {
            return Ok(None);
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(Some(if all.is_empty() { first } else { all.freeze() }))
}

/// `application/json` or a type of its family, in UTF-8.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let wrong = |detail| Problem::new(Kind::UnsupportedMediaType, detail);
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(wrong(Detail::TypeMissing));
    };
    if value == "application/json" {
        return Ok(());
    }
    let text = value.to_str().map_err(|_| wrong(Detail::TypeUnreadable))?;
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !is_json {
        return Err(wrong(Detail::TypeNotJson));
    }
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        let is_utf8 = value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8");
        if name.trim().eq_ignore_ascii_case("charset") && !is_utf8 {
            return Err(wrong(Detail::NotUtf8));
        }
    }
    Ok(())
}

/// The fields of a body.
pub(crate) fn fields(bytes: &Bytes) -> Result<Fields<'_>, Problem> {
    read_object(bytes).map_err(|fault| {
        let Fault { offset, flaw, key } = fault;
        let problem = Problem::malformed(Detail::Json(offset, flaw));
        match key {
            Some(key) => problem.of_field(key),
            None => problem,
        }
    })
}

/// A field that is a number or a text, as it was written; nothing when it is missing or null.
pub(crate) fn scalar<'f>(fields: &'f Fields<'_>, name: &'static str) -> Result<Option<&'f str>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(text)) => Ok(Some(text)),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(Value::Bool | Value::Nested) => Err(Problem::malformed(Detail::NotScalar(name)).of_field(name)),
    }
}

pub(crate) fn required<'f>(fields: &'f Fields<'_>, name: &'static str) -> Result<&'f str, Problem> {
    scalar(fields, name)?.ok_or_else(|| Problem::malformed(Detail::Missing(name)).of_field(name))
}

/// A field that is a text and nothing else.
pub(crate) fn text<'f>(fields: &'f Fields<'_>, name: &'static str) -> Result<Option<&'f str>, Problem> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(Cow::Borrowed(text))) => Ok(Some(text)),
        Some(Value::Text(Cow::Owned(text))) => Ok(Some(text)),
        Some(Value::Number(_) | Value::Bool | Value::Nested) => {
            Err(Problem::malformed(Detail::NotText(name)).of_field(name))
        }
    }
}

pub(crate) fn call_id(fields: &Fields<'_>, name: &'static str) -> Result<CallId, Problem> {
    let text = match fields.get(name) {
        // Some write every number with a fraction; 1.0 is 1.
        Some(Value::Number(text)) => whole(text),
        None | Some(Value::Null | Value::Bool | Value::Text(_) | Value::Nested) => required(fields, name)?,
    };
    text.parse::<CallId>().map_err(|error| Problem::malformed(Detail::not_an_id(name, error)).of_field(name))
}

fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) | None => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_body_must_say_that_it_is_json_in_utf8() {
        let is_taken = |given: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(given));
            check_type(&headers).is_ok()
        };
        for right in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/merge-patch+json",
            "application/json; odata=verbose",
        ] {
            assert!(is_taken(right), "{right}");
        }
        for wrong in [
            "",
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "application/json; charset=latin-1",
            "application/json, text/plain",
        ] {
            assert!(!is_taken(wrong), "{wrong}");
        }
        assert!(check_type(&HeaderMap::new()).is_err());
    }
}
