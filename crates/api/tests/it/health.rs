//! What a process tells about itself.

use api::{Exposition, Health, health_router};
use axum::body::Body;
use engine::log::LogId;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::sync::Arc;
use tower::ServiceExt;

struct Told(Result<(), String>);

impl Health for Told {
    fn ready(&self) -> Result<(), String> {
        self.0.clone()
    }

    fn metrics(&self, exposition: Exposition) -> String {
        match exposition {
            Exposition::OpenMetrics => "taxisvc_up 1\n# EOF\n".into(),
            Exposition::Text => "taxisvc_up 1\n".into(),
        }
    }
}

async fn ask(health: Result<(), String>, uri: &str) -> (StatusCode, String) {
    of(Told(health), uri).await
}

async fn of(health: impl Health, uri: &str) -> (StatusCode, String) {
    let router = health_router(Arc::new(health));
    let response = router.oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn life_and_readiness_are_two_things() {
    let up = (StatusCode::OK, r#"{"status":"UP"}"#.to_owned());
    let down = r#"{"status":"DOWN","reason":"the store is away"}"#.to_owned();
    let down = (StatusCode::SERVICE_UNAVAILABLE, down);
    for (uri, when_away) in [("/health/live", &up), ("/health/ready", &down), ("/actuator/health", &down)] {
        assert_eq!(ask(Ok(()), uri).await, up, "{uri}");
        assert_eq!(&ask(Err("the store is away".into()), uri).await, when_away, "{uri}");
    }
    assert_eq!(ask(Ok(()), "/metrics").await, (StatusCode::OK, "taxisvc_up 1\n".into()));
}

#[tokio::test]
async fn figures_are_told_in_the_words_that_are_asked_for() {
    for (accept, media_type, text) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "taxisvc_up 1\n"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "taxisvc_up 1\n# EOF\n",
        ),
    ] {
        let router = health_router(Arc::new(Told(Ok(()))));
        let request = Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], media_type);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
    }
}

#[tokio::test]
async fn another_method_is_refused_in_our_words() {
    let router = health_router(Arc::new(Told(Ok(()))));
    let response = router.oneshot(Request::post("/metrics").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-request-id"));
}

/// It can be served, all the same: who balances load looks at the status.
#[tokio::test]
async fn who_is_ready_says_what_to_see_to_and_which_data_it_has() {
    struct Warning;
    impl Health for Warning {
        fn ready(&self) -> Result<(), String> {
            Ok(())
        }

        fn warnings(&self) -> Vec<String> {
            vec!["the disk is filling up".to_owned()]
        }

        fn log(&self) -> Option<LogId> {
            Some(LogId(0xdead_beef))
        }

        fn metrics(&self, _: Exposition) -> String {
            String::new()
        }
    }
    let told = r#"{"status":"UP","warnings":["the disk is filling up"],"log":"00000000deadbeef"}"#;
    for (uri, body) in
        [("/health/live", r#"{"status":"UP"}"#), ("/health/ready", told), ("/actuator/health", told)]
    {
        assert_eq!(of(Warning, uri).await, (StatusCode::OK, body.to_owned()), "{uri}");
    }
}
