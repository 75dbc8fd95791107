//! Which headers pass: none that belong to one connection, none that only we may say, and where the client stands.

use std::net::IpAddr;

use http::header::{self, HeaderName};
use http::uri::Uri;
use http::{HeaderMap, HeaderValue, Version};

use crate::problem::{Detail, Kind, Problem};
use crate::settings::{Network, Settings};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whom a request is counted for: one address, however long the chain. Services believe it where they believe the rest.
const CLIENT: HeaderName = HeaderName::from_static("taxisvc-internal-client");

/// The longest host, as in DNS, with a port.
const HOST_LENGTH_MAX: usize = 262;
/// How many addresses of a chain of proxies are looked at.
const PROXIES_MAX: usize = 32;

/// Where a client stands, as far as it can be believed.
pub(crate) struct Standing {
    /// Whom to count the request for.
    pub(crate) client: IpAddr,
    chain: HeaderValue,
    host: Option<HeaderValue>,
    proto: HeaderValue,
    port: HeaderValue,
}

impl Standing {
    /// Reads it off a request before its headers are cleaned.
    pub(crate) fn of(
        peer: IpAddr,
        (uri, version, headers): (&Uri, Version, &HeaderMap),
        trusted: &[Network],
    ) -> Result<Standing, Problem> {
        let peer = peer.to_canonical();
        let own_host = host_of(uri, version, headers)?;
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let peer_text = HeaderValue::try_from(peer.to_string()).expect("an address is a header value");
        if !is_trusted(peer) {
            let port = port_of(own_host.as_ref(), "http");
            let proto = HeaderValue::from_static("http");
            return Ok(Standing { client: peer, chain: peer_text, host: own_host, proto, port });
        }
        let told: Vec<&str> =
            headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        let told = told.join(", ");
        let chain = if told.is_empty() {
            peer_text
        } else {
            HeaderValue::try_from(format!("{told}, {peer}")).expect("it was one, and an address is one")
        };
        let told_proto = headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes);
        let proto = if told_proto == Some(b"https") { "https" } else { "http" };
        let told_host = headers.get(X_FORWARDED_HOST).filter(|value| is_host(value.as_bytes())).cloned();
        let host = told_host.or(own_host);
        let told_port = headers.get(X_FORWARDED_PORT).filter(|value| is_port(value.as_bytes())).cloned();
        Ok(Standing {
            client: nearest_stranger(&told, peer, is_trusted),
            chain,
            port: told_port.unwrap_or_else(|| port_of(host.as_ref(), proto)),
            host,
            proto: HeaderValue::from_static(proto),
        })
    }

    /// Says it in the request's headers.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let client = HeaderValue::try_from(self.client.to_string()).expect("an address is a header value");
        headers.insert(CLIENT, client);
        headers.insert(X_FORWARDED_FOR, self.chain);
        headers.insert(X_FORWARDED_PROTO, self.proto);
        headers.insert(X_FORWARDED_PORT, self.port);
        if let Some(host) = self.host {
            headers.insert(X_FORWARDED_HOST, host);
        }
    }
}

/// The last address of the chain that is not a proxy of ours: what stands before it, anyone can have written.
fn nearest_stranger(told: &str, peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut nearest = peer;
    for text in told.rsplit(',').take(PROXIES_MAX) {
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            return nearest;
        };
        nearest = address.to_canonical();
        if !is_trusted(nearest) {
            return nearest;
        }
    }
    nearest
}

/// The host the client means. Links are made from it, so that it must look like one.
fn host_of(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(malformed(Detail::HostTwice)),
        (None, _) if version == Version::HTTP_10 => return Ok(None),
        (None, _) => return Err(malformed(Detail::NoHost)),
        (Some(host), None) => host,
    };
    let host = match uri.authority() {
        Some(authority) => HeaderValue::try_from(authority.as_str()).ok(),
        None => Some(host.clone()),
    };
    match host.filter(|host| is_host(host.as_bytes())) {
        Some(host) => Ok(Some(host)),
        None => Err(malformed(Detail::HostIsNone)),
    }
}

fn malformed(detail: Detail) -> Problem {
    Problem::new(Kind::Malformed, detail).closing()
}

fn is_host(text: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    (1..=HOST_LENGTH_MAX).contains(&text.len()) && text.iter().all(allowed)
}

fn is_port(text: &[u8]) -> bool {
    (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

fn port_of(host: Option<&HeaderValue>, proto: &str) -> HeaderValue {
    let host = host.map_or(&b""[..], HeaderValue::as_bytes);
    let after_colon = host.rsplit(|byte| *byte == b':').next().filter(|port| port.len() < host.len());
    match after_colon.filter(|port| is_port(port)) {
        Some(port) => HeaderValue::from_bytes(port).expect("digits are a header value"),
        None if proto == "https" => HeaderValue::from_static("443"),
        None => HeaderValue::from_static("80"),
    }
}

/// Takes away what must not come in from outside.
pub(crate) fn clean_request(headers: &mut HeaderMap, settings: &Settings) {
    remove_named_by_connection(headers);
    let goes = |name: &str| {
        belongs_to_connection(name)
            || name == "expect"
            || name == "forwarded"
            || name.starts_with("x-forwarded-")
            || settings.internal_header_prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    remove_if(headers, goes);
}

/// Takes away what a replica said to us and not to the client.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    remove_if(headers, belongs_to_connection);
}

fn belongs_to_connection(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade" | "http2-settings"
    ) || name.starts_with("proxy-")
}

fn remove_if(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    // Nearly always there is nothing, or only Connection, so that this rarely allocates more than once.
    let going: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in going {
        headers.remove(name);
    }
}

fn remove_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("close") && !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| HeaderName::try_from(name).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn standing(peer: &str, lines: &[(&'static str, &'static str)]) -> Result<Standing, Problem> {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let uri = Uri::from_static("/calls");
        Standing::of(peer.parse().unwrap(), (&uri, Version::HTTP_11, &map(lines)), &trusted)
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        let told = [
            ("host", "gateway.internal:8088"),
            ("x-forwarded-for", "1.1.1.1, 203.0.113.7, 10.0.0.2"),
            ("x-forwarded-host", "taxi.example.org"),
            ("x-forwarded-proto", "https"),
        ];
        let mut headers = HeaderMap::new();
        let believed = standing("10.0.0.1", &told).unwrap();
        assert_eq!(believed.client.to_string(), "203.0.113.7");
        believed.write(&mut headers);
        assert_eq!(headers[X_FORWARDED_FOR], "1.1.1.1, 203.0.113.7, 10.0.0.2, 10.0.0.1");
        assert_eq!(headers[X_FORWARDED_HOST], "taxi.example.org");
        assert_eq!(headers[X_FORWARDED_PROTO], "https");
        assert_eq!(headers[X_FORWARDED_PORT], "443");
        assert_eq!(headers[CLIENT], "203.0.113.7");

        let stranger = standing("198.51.100.4", &told).unwrap();
        assert_eq!(stranger.client.to_string(), "198.51.100.4");
        stranger.write(&mut headers);
        assert_eq!(headers[X_FORWARDED_FOR], "198.51.100.4");
        assert_eq!(headers[X_FORWARDED_HOST], "gateway.internal:8088");
        assert_eq!(headers[X_FORWARDED_PROTO], "http");
        assert_eq!(headers[X_FORWARDED_PORT], "8088");
    }

    #[test]
    fn a_chain_is_read_up_to_what_is_no_address() {
        for (told, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("evil, 203.0.113.7", "203.0.113.7"),
            ("203.0.113.7, unknown", "10.0.0.1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("203.0.113.7, unknown, 10.0.0.2", "10.0.0.2"),
        ] {
            let found = standing("10.0.0.1", &[("host", "a"), ("x-forwarded-for", told)]).unwrap();
            assert_eq!(found.client.to_string(), expected, "{told}");
        }
    }

    #[test]
    fn a_host_must_be_one() {
        for wrong in ["", "a b", "user@host", "host/path", "host\"><script>"] {
            assert!(standing("1.1.1.1", &[("host", wrong)]).is_err(), "{wrong}");
        }
        assert!(standing("1.1.1.1", &[]).is_err());
        assert!(standing("1.1.1.1", &[("host", "a"), ("host", "a")]).is_err());
        assert!(standing("1.1.1.1", &[("host", "[::1]:8088")]).is_ok());
    }

    #[test]
    fn what_belongs_to_one_connection_does_not_pass() {
        let mut headers = map(&[
            ("accept", "*/*"),
            ("connection", "close, X-Private"),
            ("expect", "100-continue"),
            ("forwarded", "for=1.1.1.1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic eA=="),
            ("taxisvc-actor", "operator"),
            ("taxisvc-internal-key", "x"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "websocket"),
            ("x-forwarded-prefix", "/evil"),
            ("x-private", "1"),
        ]);
        clean_request(&mut headers, &Settings::default());
        assert_eq!(headers, map(&[("accept", "*/*")]));
    }
}
