//! `/`: says what this is and what to try, until there are pages.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};

use crate::asked::{Answered, Asked};
use crate::documents::USUAL_ADDRESS;
use crate::hal::{liking, not_acceptable};
use crate::settings::Trust;

const PAGE: &str = include_str!("index.html");
const MEDIA_TYPE: &str = "text/html; charset=utf-8";
/// Nothing is loaded, nothing runs, nobody frames it; only the style within the page counts.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`.
pub(crate) async fn page(asked: Asked) -> Answered {
    if liking(&asked.head.headers, "text/html").is_none() {
        return Err(not_acceptable(&["text/html"]));
    }
    // On its own port it has no idea where the gateway is.
    let page = match asked.api.settings.trust_forwarded {
        Trust::Everybody => Body::from(asked.base()?.in_place_of(USUAL_ADDRESS, PAGE)),
        Trust::Nobody | Trust::Peers(_) => Body::from(PAGE),
    };
    let mut response = Response::new(page);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
