//! The original: −5 km is taken for −50,000 won, `1e400` is kept as infinity, and `{}` as a call without a rider. Here:
//! each is refused, and nothing is stored.

use crate::world::World;
use crate::world::http::Ask;

#[test]
fn impossible_calls_are_refused_and_not_stored() {
    let world = World::start();
    let with = |distance: &str| format!(r#"{{"userId":"1","userName":"eojin","distance":{distance}}}"#);
    for (body, status, field) in [
        (with("-5"), 422, "distance"),
        (with("\"-5\""), 422, "distance"),
        (with("1e400"), 422, "distance"),
        (with("\"Infinity\""), 422, "distance"),
        (with("\"NaN\""), 422, "distance"),
        (with("0"), 422, "distance"),
        (with("20000.1"), 422, "distance"),
        ("{}".to_owned(), 400, "userId"),
        (r#"{"distance":10}"#.to_owned(), 400, "userId"),
    ] {
        let refused = world.ask(&Ask::post("/calls", &body)).with(status);
        assert_eq!(refused.json()["field"], field, "{body}");
    }
    for collection in ["calls", "payments", "drives", "callViews"] {
        assert_eq!(world.count(collection), 0, "{collection}");
    }
    assert_eq!(world.money().taken, 0);
}
