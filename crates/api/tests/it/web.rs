//! The pages as a browser gets them: with what protects them, kept as long as they may be, compressed for whom takes it.

use crate::world::{Answer, World};
use axum::body::Body;
use flate2::read::GzDecoder;
use http::{Request, StatusCode};
use std::io::Read;

const PAGES: [&str; 3] = ["/", "/driver", "/console"];
const BESIDE: [(&str, &str); 2] = [
    ("/favicon.svg", "image/svg+xml; charset=utf-8"),
    ("/manifest.webmanifest", "application/manifest+json; charset=utf-8"),
];

async fn ask(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "taxi.test:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.ask(request.body(Body::empty()).unwrap()).await
}

/// The scripts and styles that the pages name.
async fn assets(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for page in PAGES {
        let page = ask(world, "GET", page, &[]).await;
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        let named = text.split("=\"/assets/").skip(1);
        found.extend(named.map(|rest| format!("/assets/{}", rest.split('"').next().unwrap())));
    }
    found
}

/// Every path with its type and how long it may be kept.
async fn everything(world: &World) -> Vec<(String, &'static str, &'static str)> {
    let mut all: Vec<_> =
        PAGES.map(|path| (path.to_owned(), "text/html; charset=utf-8", "no-cache")).into_iter().collect();
    all.extend(BESIDE.map(|(path, media_type)| (path.to_owned(), media_type, "no-cache")));
    let for_ever = "public, max-age=31536000, immutable";
    for path in assets(world).await {
        let is_style = path.ends_with(".css");
        let media_type = if is_style { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        all.push((path, media_type, for_ever));
    }
    all
}

#[tokio::test]
async fn each_comes_with_what_protects_it_and_as_long_as_it_may_be_kept() {
    let world = World::start();
    for (path, media_type, caching) in everything(&world).await {
        let answer = ask(&world, "GET", &path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(!answer.body.is_empty(), "{path}");
        for (name, value) in [
            ("content-type", media_type),
            ("cache-control", caching),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                 worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        let permissions = answer.header("permissions-policy").unwrap();
        assert!(permissions.split(", ").all(|one| one.ends_with("=()")), "{permissions}");
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        let head = ask(&world, "HEAD", &path, &[]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(head.header("content-length"), Some(answer.body.len().to_string().as_str()), "{path}");
        assert_eq!(head.header("etag"), answer.header("etag"), "{path}");
        assert_eq!(ask(&world, "POST", &path, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert!(!assets(&world).await.is_empty());
}

#[tokio::test]
async fn compressed_it_says_the_same() {
    let world = World::start();
    for (path, ..) in everything(&world).await {
        let plain = ask(&world, "GET", &path, &[]).await;
        let gzip = ask(&world, "GET", &path, &[("accept-encoding", "gzip, deflate, br")]).await;
        assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(gzip.header("content-type"), plain.header("content-type"), "{path}");
        let mut text = Vec::new();
        GzDecoder::new(&*gzip.body).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain.body, "{path}");
        assert_ne!(gzip.header("etag"), plain.header("etag"), "another form has another tag: {path}");
    }
}

#[tokio::test]
async fn who_has_it_is_not_sent_it_again() {
    let world = World::start();
    for (path, _, caching) in everything(&world).await {
        for encoding in ["gzip", "identity"] {
            let first = ask(&world, "GET", &path, &[("accept-encoding", encoding)]).await;
            let tag = first.header("etag").unwrap();
            assert!(tag.starts_with('"'), "a strong one: {tag}");
            let known = [("accept-encoding", encoding), ("if-none-match", tag)];
            let again = ask(&world, "GET", &path, &known).await;
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
            assert_eq!(again.header("etag"), Some(tag), "{path}");
            assert_eq!(again.header("cache-control"), Some(caching), "{path}");
            assert_eq!(again.header("vary"), Some("accept-encoding"), "{path}");
            let other = [("accept-encoding", encoding), ("if-none-match", "\"another\"")];
            assert_eq!(ask(&world, "GET", &path, &other).await.status, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_as_elsewhere() {
    let world = World::start();
    for path in [
        "/assets/none.js",
        "/assets/",
        "/assets",
        "/assets/..%2findex.html",
        "/assets/../index.html",
        "/index.html",
        "/driver.html",
        "/driver/",
        "/nothing",
        "/favicon.ico",
    ] {
        let answer = ask(&world, "GET", path, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.json()["type"], "/problems/not-found", "{path}");
    }
}

#[tokio::test]
async fn a_page_comes_as_html_and_as_nothing_else() {
    let world = World::start();
    for page in PAGES {
        let refused = ask(&world, "GET", page, &[("accept", "application/json")]).await;
        assert_eq!(refused.status, StatusCode::NOT_ACCEPTABLE, "{page}");
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(ask(&world, "GET", page, &[("accept", browser)]).await.status, StatusCode::OK, "{page}");
    }
    for path in assets(&world).await {
        assert_eq!(ask(&world, "GET", &path, &[("accept", "text/css")]).await.status, StatusCode::OK);
    }
}

/// No style and no script within a page: neither the policy lets it, nor is there any.
#[tokio::test]
async fn nothing_is_unsafe() {
    let world = World::start();
    for (path, ..) in everything(&world).await {
        let answer = ask(&world, "GET", &path, &[]).await;
        let said = format!("{:?}", answer.headers);
        assert!(!said.contains("unsafe"), "{path}: {said}");
    }
    for page in PAGES {
        let text = String::from_utf8(ask(&world, "GET", page, &[]).await.body.to_vec()).unwrap();
        assert!(!text.contains("<style") && !text.contains("<script>"), "{page}");
    }
}
