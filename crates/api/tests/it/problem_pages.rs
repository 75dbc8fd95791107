//! The pages behind the types of problems.

use crate::world::{Answer, World};
use axum::body::Body;
use http::Request;

async fn page(world: &World, uri: &str, language: &str) -> Answer {
    let request = Request::get(uri).header("host", "a").header("accept-language", language);
    world.ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_type_leads_to_its_page_in_both_languages() {
    let world = World::start();
    let indexes = [page(&world, "/problems", "en").await, page(&world, "/problems/", "ko").await];
    for (name, status, title) in api::problem_types() {
        for index in &indexes {
            let text = String::from_utf8(index.body.to_vec()).unwrap();
            assert!(text.contains(&format!("/problems/{name}?lang=")), "{name}");
        }
        let english = page(&world, &format!("/problems/{name}"), "en").await;
        let korean = page(&world, &format!("/problems/{name}"), "ko").await;
        let chosen = page(&world, &format!("/problems/{name}?lang=ko"), "en").await;
        assert_eq!(chosen.body, korean.body, "{name}");
        for (answer, tag) in [(english, "en"), (korean, "ko")] {
            assert_eq!((answer.status, answer.header("content-language")), (http::StatusCode::OK, Some(tag)));
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            assert!(
                text.contains(&format!("<html lang=\"{tag}\">")) && text.contains(status.as_str()),
                "{text}"
            );
            assert_eq!(text.contains(title), tag == "en", "{text}");
            for foreign in ["<script", "http://", "https://", " style="] {
                assert!(!text.contains(foreign), "{name} has {foreign}");
            }
        }
    }
}

#[tokio::test]
async fn there_is_no_page_of_what_is_no_type() {
    let world = World::start();
    for uri in ["/problems/nothing", "/problems/Malformed", "/problems/%3Cscript%3E"] {
        let answer = page(&world, uri, "en").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["type"]),
            (404, &"/problems/not-found".into()),
            "{uri}"
        );
    }
    assert_eq!(page(&world, "/problems?lang=fr", "en").await.status, 400);
}
