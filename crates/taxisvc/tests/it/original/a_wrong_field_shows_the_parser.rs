//! The original: a wrong field is answered with the class names of its parser. Here: with a problem that names the field
//! in the words of the contract, and shows nothing of what is inside.

use crate::world::World;
use crate::world::http::Ask;

/// What only somebody who knows the code would say.
const INSIDE: [&str; 14] = [
    "serde",
    "hyper",
    "axum",
    "sqlite",
    "rusqlite",
    "panicked",
    "unwrap",
    ".rs",
    "::",
    "src/",
    "thread",
    "java",
    "Exception",
    "called `",
];

#[test]
fn a_problem_names_the_field_and_nothing_of_what_is_inside() {
    let world = World::start();
    for (path, body, field) in [
        ("/calls", r#"{"userId":"1","userName":"eojin","distance":"ten"}"#, "distance"),
        ("/calls", r#"{"userId":{},"userName":"eojin","distance":1}"#, "userId"),
        ("/calls", r#"{"userId":"1","userName":[],"distance":1}"#, "userName"),
        ("/calls", r#"{"userId":"1","userId":"2"}"#, "userId"),
        ("/calls", r#"{"userId":"#, ""),
        ("/calls", "[]", ""),
        ("/calls/cancel", r#"{"callId":"one"}"#, "callId"),
        ("/drives/end", r#"{"driveId":1.5}"#, "driveId"),
    ] {
        let refused = world.ask(&Ask::post(path, body)).with(400);
        let problem = refused.json();
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["type"], "/problems/malformed", "{body}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{body}");
        assert!(problem["requestId"].is_string());
        for word in INSIDE {
            assert!(!refused.body.contains(word), "{body}: {word:?} in {}", refused.body);
        }
    }
    assert_eq!(world.count("calls"), 0);
}
