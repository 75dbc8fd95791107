//! A router that is given only later what it answers with: a port is open before what stands behind it is there.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;

use crate::asked::{Ids, conclude};
use crate::detail::Detail;
use crate::problem::{Kind, Problem};

/// Gives what is answered with, once.
#[derive(Clone, Default)]
pub struct Late(Arc<OnceLock<Router>>);

impl Late {
    /// Only the first one counts.
    pub fn set(&self, router: Router) {
        // Whoever gave one before has said what is answered.
        let _ = self.0.set(router);
    }

    /// A router that answers with what is given, and until then as `before` does.
    pub fn router(&self, before: Router) -> Router {
        let given = self.0.clone();
        Router::new().fallback(async move |request: Request<Body>| -> Response {
            let router = given.get().unwrap_or(&before).clone();
            let answered = router.oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        })
    }
}

/// Tells the gateway that a process has done nothing, so that it may ask another.
const STARTING: HeaderName = HeaderName::from_static("taxisvc-starting");

/// Says that the process is starting, whatever is asked.
pub fn starting_router() -> Router {
    let ids = Arc::new(Ids::draw());
    Router::new().fallback(async move |headers: HeaderMap| {
        let mut response = conclude(Err(starting()), &headers, &ids);
        response.headers_mut().insert(STARTING, HeaderValue::from_static("true"));
        response
    })
}

pub(crate) fn starting() -> Problem {
    Problem::new(Kind::Unavailable, Detail::Starting).retry_after()
}
