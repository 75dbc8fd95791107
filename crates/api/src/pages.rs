//! The pages for riders, drivers and operators, as they were built: carried in the program, and compressed once.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use crate::asked::{Answered, Asked, last_segment};
use crate::detail::Detail;
use crate::hal::{liking, not_acceptable, thousandths};
use crate::problem::{Kind, Problem};

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/pages");
static FILES: LazyLock<HashMap<String, File>> = LazyLock::new(|| read(&FOLDER).collect());

const HTML: &str = "text/html";
/// The names of what lies there change with what it says.
const ASSETS: &str = "assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Everything is ours and from here, nothing stands within the page, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";
/// What browsers would let a page ask for: none of it is wanted.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), \
     fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), microphone=(), \
     midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
     usb=(), xr-spatial-tracking=()";
const PROTECTION: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
];

/// A file in the two forms in which it is sent.
struct File {
    media_type: &'static str,
    caching: &'static str,
    plain: Sent,
    gzip: Sent,
}

#[derive(Clone)]
struct Sent {
    body: Bytes,
    tag: HeaderValue,
}

/// A page of that name.
pub(crate) async fn page(asked: Asked, name: &'static str) -> Answered {
    if liking(&asked.head.headers, HTML).is_none() {
        return Err(not_acceptable(&[HTML]));
    }
    send(&asked, name)
}

/// A file beside the pages.
pub(crate) async fn file(asked: Asked, name: &'static str) -> Answered {
    send(&asked, name)
}

/// `GET /assets/{file}`.
pub(crate) async fn asset(asked: Asked) -> Answered {
    let name = format!("{ASSETS}{}", last_segment(&asked.head)?);
    send(&asked, &name)
}

fn send(asked: &Asked, name: &str) -> Answered {
    let headers = &asked.head.headers;
    let file = FILES.get(name).ok_or_else(|| Problem::new(Kind::NotFound, Detail::NoSuchDocument))?;
    let takes_gzip = takes_gzip(headers);
    let sent = if takes_gzip { &file.gzip } else { &file.plain };
    let is_known = is_known(headers, &sent.tag);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(sent.body.clone()) });
    let told = response.headers_mut();
    let caching = [(header::CACHE_CONTROL, file.caching), (header::VARY, "accept-encoding")];
    for (name, value) in PROTECTION.into_iter().chain(caching) {
        told.insert(name, HeaderValue::from_static(value));
    }
    told.insert(header::ETAG, sent.tag.clone());
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    if takes_gzip {
        told.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut takes_any = false;
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let is_taken = weight.is_none_or(|weight| thousandths(weight) > 0);
        if name.eq_ignore_ascii_case("gzip") {
            return is_taken;
        }
        takes_any |= name == "*" && is_taken;
    }
    takes_any
}

/// Whether the client has what would be sent.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

fn read(folder: &Dir<'static>) -> impl Iterator<Item = (String, File)> {
    let files = folder.files().chain(folder.dirs().flat_map(Dir::files));
    files.map(|file| {
        let name = file.path().to_string_lossy().into_owned();
        let caching = if name.starts_with(ASSETS) { FOR_EVER } else { ASK_AGAIN };
        let hash = hash(file.contents());
        let (plain, gzip) = (Bytes::from_static(file.contents()), compress(file.contents()));
        let file = File {
            media_type: media_type(file.path()),
            caching,
            plain: Sent { body: plain, tag: tag(&hash) },
            gzip: Sent { body: gzip, tag: tag(&format!("{hash}-gzip")) },
        };
        (name, file)
    })
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        Some("webmanifest") => "application/manifest+json; charset=utf-8",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some(_) | None => "application/octet-stream",
    }
}

fn hash(contents: &[u8]) -> String {
    let digest = Sha256::digest(contents);
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn tag(text: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{text}\"")).expect("hexadecimal digits in quotes are a header value")
}

fn compress(contents: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(contents).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_of_a_type_that_is_known() {
        for (name, file) in FILES.iter() {
            assert_ne!(file.media_type, "application/octet-stream", "{name}");
        }
    }

    /// A page leads to nothing that is not there, and has nothing in it that the policy would stop.
    #[test]
    fn what_a_page_names_is_there() {
        for name in ["index.html", "driver.html", "console.html"] {
            let page = FILES.get(name).unwrap_or_else(|| panic!("there is no {name}"));
            let text = std::str::from_utf8(&page.plain.body).unwrap();
            let named = text.split("src=\"").skip(1).chain(text.split("href=\"").skip(1));
            let named: Vec<&str> = named.map(|rest| rest.split('"').next().unwrap_or_default()).collect();
            for path in named.iter().filter(|path| path.contains('.')) {
                let path = path.strip_prefix('/').unwrap_or_else(|| panic!("{name} names {path}"));
                assert!(FILES.contains_key(path), "{name} names {path}, which is not there");
            }
            let scripts = text.matches("<script").count();
            assert_eq!(text.matches("<script type=\"module\"").count(), scripts, "{name}");
            for within in ["<style", " style=\"", " onclick=", " onload=", "javascript:", "<script>"] {
                assert!(!text.contains(within), "{name} has {within} within it");
            }
        }
    }

    #[test]
    fn gzip_is_sent_to_whom_takes_it() {
        let check = |values: &[&'static str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(takes_gzip(&headers), expected, "{values:?}");
        };
        check(&[], false);
        check(&[""], false);
        check(&["gzip"], true);
        check(&["GZIP;q=0.1"], true);
        check(&["br, deflate, gzip"], true);
        check(&["br", "gzip"], true);
        check(&["*"], true);
        check(&["*;q=0"], false);
        check(&["gzip;q=0, *"], false);
        check(&["gzip; q=0.000"], false);
        check(&["*;q=0, gzip"], true);
        check(&["identity"], false);
        check(&["xgzip"], false);
    }

    #[test]
    fn who_has_it_is_told_so() {
        let check = |values: &[&'static str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(is_known(&headers, &tag("ab")), expected, "{values:?}");
        };
        check(&[], false);
        check(&["\"ab\""], true);
        check(&["W/\"ab\""], true);
        check(&["\"cd\", \"ab\""], true);
        check(&["\"cd\"", "\"ab\""], true);
        check(&["*"], true);
        check(&["ab"], false);
        check(&["\"ab-gzip\""], false);
        check(&["\"abc\""], false);
    }
}
