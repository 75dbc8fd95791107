//! HAL: resources with links that are good from where the client stands.

use axum::body::Body;
use axum::response::Response;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use language::sentence::Forms;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt::Write;

use crate::detail::Detail;
use crate::problem::{Kind, Problem};

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The longest host, as in DNS, with a port.
const HOST_LENGTH_MAX: usize = 262;

pub(crate) const FORMS: &[&str] = &[HAL, JSON];
const HAL: &str = "application/hal+json";
const JSON: &str = "application/json";

/// The types under which the same body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Hal,
    Json,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Hal => HAL,
            Self::Json => JSON,
        }
    }

    /// What the client likes best of what we have; HAL when it does not mind.
    pub(crate) fn wanted(headers: &HeaderMap) -> Result<Self, Problem> {
        let hal = liking(headers, Self::Hal.media_type());
        let json = liking(headers, Self::Json.media_type());
        match (hal, json) {
            (None, None) => Err(not_acceptable(FORMS)),
            (hal, json) if json > hal => Ok(Self::Json),
            _ => Ok(Self::Hal),
        }
    }
}

/// Refuses a client that does not take plain JSON, where there is no other form.
pub(crate) fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    liking(headers, JSON).map(|_| ()).ok_or_else(|| not_acceptable(&[JSON]))
}

pub(crate) fn not_acceptable(forms: &'static [&'static str]) -> Problem {
    Problem::new(Kind::NotAcceptable, Detail::ComesAs(Forms(forms)))
}

/// How much the client likes a type: its weight in thousandths, then how exactly it was named; nothing when not at all.
pub(crate) fn liking(headers: &HeaderMap, media_type: &str) -> Option<(u16, u8)> {
    let mut is_any_given = false;
    let mut best: Option<(u8, u16)> = None;
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        is_any_given = true;
        let Some(exactness) = exactness(name, media_type) else {
            continue;
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1_000, thousandths);
        best = best.max(Some((exactness, weight)));
    }
    if !is_any_given {
        return Some((1_000, 0));
    }
    // The most exact range that fits is the one that counts.
    best.filter(|(_, weight)| *weight > 0).map(|(exactness, weight)| (weight, exactness))
}

fn exactness(range: &str, media_type: &str) -> Option<u8> {
    if range == "*/*" {
        return Some(0);
    }
    let (family, _) = media_type.split_once('/')?;
    match range.split_once('/')? {
        (given, "*") if given.eq_ignore_ascii_case(family) => Some(1),
        _ if range.eq_ignore_ascii_case(media_type) => Some(2),
        _ => None,
    }
}

/// A weight such as `0.5`; one that cannot be read counts in full.
pub(crate) fn thousandths(text: &str) -> u16 {
    let weight = text.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    // The value lies between 0 and 1000 and so fits.
    weight.map_or(1_000, |weight| (weight * 1_000.0) as u16)
}

/// The beginning of every link: scheme and authority, or nothing when the client did not say where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    pub(crate) fn of(head: &Parts, trust_forwarded: bool) -> Result<Self, Problem> {
        let headers = &head.headers;
        let told = |name: HeaderName| {
            let value = trust_forwarded.then(|| headers.get(name)).flatten();
            value.and_then(|value| value.to_str().ok())
        };
        let scheme = match told(X_FORWARDED_PROTO) {
            Some("https") => "https",
            Some(_) | None => "http",
        };
        let Some(host) = told(X_FORWARDED_HOST).map(Ok).or_else(|| own_host(head)) else {
            return Ok(Self(String::new()));
        };
        let host = host?;
        if !is_host(host) {
            return Err(Problem::malformed(Detail::HostIsNone));
        }
        let mut base = format!("{scheme}://{host}");
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let usual = if scheme == "https" { "443" } else { "80" };
        let port = told(X_FORWARDED_PORT).filter(|port| port.parse::<u16>().is_ok() && *port != usual);
        if let (false, Some(port)) = (has_port, port) {
            write!(base, ":{port}").expect("writing to a string cannot fail");
        }
        Ok(Self(base))
    }

    /// A page's examples, with the address that its reader used in place of the usual one.
    pub(crate) fn in_place_of(&self, usual: &str, page: &str) -> String {
        let address = self.0.strip_prefix("http://").unwrap_or(&self.0);
        page.replace(usual, if address.is_empty() { usual } else { address })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn own_host(head: &Parts) -> Option<Result<&str, Problem>> {
    if let Some(authority) = head.uri.authority() {
        return Some(Ok(authority.as_str()));
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next()?;
    if hosts.next().is_some() {
        return Some(Err(Problem::malformed(Detail::HostTwice)));
    }
    Some(host.to_str().map_err(|_| Problem::malformed(Detail::HostIsNone)))
}

fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (1..=HOST_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// The links of a single resource: `self`, and the same under its own name.
pub(crate) struct SelfLinks<'a> {
    pub(crate) base: &'a Base,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) id: u64,
}

#[derive(Serialize)]
struct Href<'a> {
    href: &'a str,
}

impl Serialize for SelfLinks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.href();
        let href = Href { href: &text };
        let mut links = serializer.serialize_map(Some(2))?;
        links.serialize_entry("self", &href)?;
        links.serialize_entry(self.name, &href)?;
        links.end()
    }
}

impl SelfLinks<'_> {
    pub(crate) fn href(&self) -> String {
        format!("{}{}/{}", self.base.as_str(), self.path, self.id)
    }
}

/// The links of a page, in their order.
pub(crate) struct PageLinks(pub(crate) Vec<(&'static str, String)>);

impl Serialize for PageLinks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut links = serializer.serialize_map(Some(self.0.len()))?;
        for (name, href) in &self.0 {
            links.serialize_entry(name, &Href { href })?;
        }
        links.end()
    }
}

/// An answer with a body in one of the forms.
pub(crate) fn respond(status: StatusCode, form: Form, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The JSON of a resource. Ours are plain data.
pub(crate) fn to_json(resource: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(resource).expect("a resource has only text keys and finite numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn wanted(accept: Option<&'static str>) -> Option<Form> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        Form::wanted(&headers).ok()
    }

    #[test]
    fn the_form_is_the_one_the_client_likes_best() {
        for (accept, form) in [
            (None, Some(Form::Hal)),
            (Some(""), Some(Form::Hal)),
            (Some("*/*"), Some(Form::Hal)),
            (Some("application/*"), Some(Form::Hal)),
            (Some("application/hal+json"), Some(Form::Hal)),
            (Some("application/json"), Some(Form::Json)),
            (Some("APPLICATION/JSON"), Some(Form::Json)),
            (Some("application/json, text/plain, */*"), Some(Form::Json)),
            (Some("application/json, */*;q=0.5"), Some(Form::Json)),
            (Some("application/json;q=0.4, */*;q=0.5"), Some(Form::Hal)),
            (Some("text/html, application/xhtml+xml, */*;q=0.8"), Some(Form::Hal)),
            (Some("application/hal+json;q=0, */*"), Some(Form::Json)),
            (Some("application/json;q=0, application/hal+json;q=0, */*"), None),
            (Some("text/html"), None),
            (Some("*/*;q=0"), None),
            (Some("nonsense"), None),
        ] {
            assert_eq!(wanted(accept), form, "{accept:?}");
        }
    }

    fn base(trust: bool, lines: &[(&'static str, &'static str)]) -> Option<String> {
        let mut request = Request::builder().uri("/calls");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Base::of(&head, trust).ok().map(|base| base.0)
    }

    #[test]
    fn links_begin_where_the_client_stands() {
        let told = [
            ("host", "10.0.0.7:8082"),
            ("x-forwarded-host", "taxi.example.org"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "8443"),
        ];
        assert_eq!(base(true, &told).unwrap(), "https://taxi.example.org:8443");
        assert_eq!(base(false, &told).unwrap(), "http://10.0.0.7:8082");
        let usual = [("x-forwarded-host", "a"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")];
        assert_eq!(base(true, &usual).unwrap(), "https://a");
        let with_port = [("x-forwarded-host", "[::1]:8088"), ("x-forwarded-port", "8088")];
        assert_eq!(base(true, &with_port).unwrap(), "http://[::1]:8088");
        assert_eq!(base(true, &[]).unwrap(), "");
        assert_eq!(base(false, &[("host", "a\"b")]), None);
        assert_eq!(base(false, &[("host", "a"), ("host", "b")]), None);
    }
}
