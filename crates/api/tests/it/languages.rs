//! What people read comes in the language that they ask for, and what programs read is the same in all of them.

use crate::world::{Answer, World};
use axum::body::Body;
use http::Request;

async fn ask(world: &World, (method, uri, body): (&str, &str, &str), languages: &[&str]) -> Answer {
    let mut request = Request::builder().method(method).uri(uri).header("host", "taxi.test:8088");
    request = request.header("content-type", "application/json");
    for language in languages {
        request = request.header("accept-language", *language);
    }
    world.ask(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_problem_is_told_in_the_language_that_is_liked_best() {
    let world = World::start();
    let (english, korean) = (("en", "There is nothing here"), ("ko", "찾을 수 없습니다"));
    for (languages, (tag, title)) in [
        (&[][..], english),
        (&["ko"], korean),
        (&["ko-KR,ko;q=0.9,en-US;q=0.8"], korean),
        (&["en, ko;q=0.5"], english),
        (&["de", "ko;q=0.5"], korean),
        (&["de"], english),
        (&["\u{fffd}"], english),
    ] {
        let answer = ask(&world, ("GET", "/calls/99", ""), languages).await;
        assert_eq!(answer.json()["title"], title, "{languages:?}");
        assert_eq!(answer.header("content-language"), Some(tag), "{languages:?}");
        assert_eq!(answer.header("vary"), Some("accept-language"), "{languages:?}");
    }
}

#[tokio::test]
async fn what_a_program_goes_by_is_the_same_in_every_language() {
    let world = World::start();
    let call = world.call("10").await;
    world.view_until(call, |view| view.drive_status == Some(taxi::status::DriveStatus::Start)).await;
    world.post("/drives/end", &format!("{{\"driveId\":{call}}}")).await;
    world.call_until(call, |call| call.call_status == taxi::status::CallStatus::DriveComplete).await;
    let cancel = format!("{{\"callId\":{call}}}");
    for request in [
        ("POST", "/calls/cancel", cancel.as_str()),
        ("POST", "/calls", r#"{"userId":"1","userName":"a","distance":-1}"#),
        ("POST", "/calls", r#"{"userId":"1","userName":"a","userId":"1"}"#),
        ("GET", "/calls?sort=fare", ""),
        ("GET", "/operator/config", ""),
        ("DELETE", "/calls", ""),
    ] {
        let english = ask(&world, request, &["en"]).await;
        let korean = ask(&world, request, &["ko"]).await;
        assert_eq!(english.status, korean.status, "{request:?}");
        let (mut english, mut korean) = (english.json(), korean.json());
        for words in ["title", "detail"] {
            assert_ne!(english[words], korean[words], "{request:?}");
            assert!(korean[words].as_str().unwrap().chars().any(|letter| ('가'..='힣').contains(&letter)));
        }
        for told in ["title", "detail", "requestId"] {
            english.as_object_mut().unwrap().remove(told);
            korean.as_object_mut().unwrap().remove(told);
        }
        assert_eq!(english, korean, "{request:?}");
    }
}
