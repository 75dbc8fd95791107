//! What is answered, byte by byte: a client that reads it today reads it tomorrow.

use crate::world::World;
use http::Request;
use taxi::status::{CallStatus, DriveStatus};

async fn check(world: &World, uri: &str, expected: &str) {
    let answer = world.get(uri).await;
    assert_eq!(answer.header("content-type"), Some("application/hal+json"), "{uri}");
    assert_eq!(String::from_utf8_lossy(&answer.body), expected, "{uri}");
}

#[tokio::test]
async fn an_empty_collection_is_one() {
    let world = World::start();
    for (path, embedded) in
        [("/calls", "calls"), ("/payments", "payments"), ("/drives", "drives"), ("/callViews", "callViews")]
    {
        let href = format!("http://taxi.test:8088{path}?page=0&size=20");
        let expected = format!(
            r#"{{"_embedded":{{"{embedded}":[]}},"_links":{{"first":{{"href":"{href}"}},"self":{{"href":"{href}"}},"last":{{"href":"{href}&before=end"}}}},"page":{{"size":20,"totalElements":0,"totalPages":0,"number":0}}}}"#
        );
        check(&world, path, &expected).await;
    }
}

#[tokio::test]
async fn a_finished_ride_reads_so_everywhere() {
    let world = World::start();
    world.call("10").await;
    world.view_until(1, |view| view.drive_status == Some(DriveStatus::Start)).await;
    world.post("/drives/end", r#"{"driveId":1}"#).await;
    world.view_until(1, |view| view.drive_status == Some(DriveStatus::End)).await;
    world.call_until(1, |call| call.call_status == CallStatus::DriveComplete).await;
    let call = r#"{"callId":1,"userId":"1","userName":"eojin","callStatus":"driveComplete","distance":10.0,"fare":100000,"requestedAt":"2026-11-23T22:21:06.964Z","updatedAt":"2026-11-23T22:21:06.964Z","_links":{"self":{"href":"http://taxi.test:8088/calls/1"},"call":{"href":"http://taxi.test:8088/calls/1"}}}"#;
    check(&world, "/calls/1", call).await;
    check(
        &world,
        "/payments/1",
        r#"{"payId":1,"callId":1,"fare":100000,"payStatus":"paid","payReason":null,"askedAt":"2026-11-23T22:21:06.964Z","updatedAt":"2026-11-23T22:21:06.964Z","_links":{"self":{"href":"http://taxi.test:8088/payments/1"},"payment":{"href":"http://taxi.test:8088/payments/1"}}}"#,
    )
    .await;
    check(
        &world,
        "/drives/1",
        r#"{"driveId":1,"driverName":"driver1111","callId":1,"driveStatus":"end","taxiNum":"1111","fare":100000,"openedAt":"2026-11-23T22:21:06.964Z","updatedAt":"2026-11-23T22:21:06.964Z","_links":{"self":{"href":"http://taxi.test:8088/drives/1"},"drive":{"href":"http://taxi.test:8088/drives/1"}}}"#,
    )
    .await;
    check(
        &world,
        "/callViews/1",
        r#"{"id":1,"callId":1,"driveId":1,"callStatus":"driveComplete","userId":"1","userName":"eojin","driverName":"driver1111","taxiNum":"1111","driveStatus":"end","distance":10.0,"fare":100000,"payStatus":"paid","payReason":null,"requestedAt":"2026-11-23T22:21:06.964Z","paidAt":"2026-11-23T22:21:06.964Z","startedAt":"2026-11-23T22:21:06.964Z","endedAt":"2026-11-23T22:21:06.964Z","cancelledAt":null,"refundedAt":null,"updatedAt":"2026-11-23T22:21:06.964Z","_links":{"self":{"href":"http://taxi.test:8088/callViews/1"},"callView":{"href":"http://taxi.test:8088/callViews/1"}}}"#,
    )
    .await;
    let page = format!(
        r#"{{"_embedded":{{"calls":[{call}]}},"_links":{{"first":{{"href":"http://taxi.test:8088/calls?page=0&size=5&sort=callStatus,desc"}},"self":{{"href":"http://taxi.test:8088/calls?page=0&size=5&sort=callStatus,desc"}},"last":{{"href":"http://taxi.test:8088/calls?page=0&size=5&sort=callStatus,desc&before=end"}}}},"page":{{"size":5,"totalElements":1,"totalPages":1,"number":0}}}}"#
    );
    check(&world, "/calls?size=5&sort=callStatus,desc", &page).await;
}

#[tokio::test]
async fn the_same_body_comes_as_plain_json() {
    let world = World::start();
    world.call("10").await;
    world.call_until(1, |call| call.call_status == CallStatus::DriveStart).await;
    let hal = world.get("/calls").await;
    let request = Request::get("/calls")
        .header("host", "taxi.test:8088")
        .header("accept", "application/json, text/plain, */*");
    let json = world.ask(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.body, hal.body);
}

#[tokio::test]
async fn a_problem_tells_what_a_program_needs() {
    let world = World::start();
    let wrong = r#"{"userId":"1","userName":"eojin","distance":-5}"#;
    let answer = world.post_with("/calls", wrong, &[("x-request-id", "r-1")]).await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("x-request-id"), Some("r-1"));
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        r#"{"type":"/problems/impossible","title":"This cannot be done","status":422,"detail":"a distance is at least one metre","field":"distance","requestId":"r-1"}"#
    );
}
