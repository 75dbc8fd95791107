//! Pages against a model: whichever way one goes through a list, every row is met once and in order.

use crate::world::World;
use http::StatusCode;
use serde_json::Value;
use taxi::status::CallStatus;

const CALLS: u64 = 23;

/// Calls of three sorts: not paid, under way, ended.
async fn world_with_calls() -> World {
    let world = World::start();
    for number in 1..=CALLS {
        if number % 3 == 0 {
            world.call_paid_by("test:refused").await;
            continue;
        }
        world.call("10").await;
        world.call_until(number, |call| call.call_status == CallStatus::DriveStart).await;
        if number % 3 == 1 {
            world.post("/drives/end", &format!(r#"{{"driveId":{number}}}"#)).await;
            world.call_until(number, |call| call.call_status == CallStatus::DriveComplete).await;
        }
    }
    world
}

fn status_of(number: u64) -> &'static str {
    match number % 3 {
        0 => "payFail",
        1 => "driveComplete",
        _ => "driveStart",
    }
}

/// The numbers of all calls in the order that a query asks for.
fn model(sort: &str, status: Option<&str>) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        (1..=CALLS).filter(|number| status.is_none_or(|status| status_of(*number) == status)).collect();
    if sort.starts_with("callStatus") {
        numbers.sort_by_key(|number| (status_of(*number), *number));
    }
    if sort.ends_with("desc") {
        numbers.reverse();
    }
    numbers
}

fn numbers(page: &Value) -> Vec<u64> {
    let calls = page["_embedded"]["calls"].as_array().unwrap();
    calls.iter().map(|call| call["callId"].as_u64().unwrap()).collect()
}

fn link(page: &Value, name: &str) -> Option<String> {
    let href = page["_links"][name]["href"].as_str()?;
    Some(href.strip_prefix("http://taxi.test:8088").unwrap().to_owned())
}

/// All pages along a link, beginning with one.
async fn walk(world: &World, from: String, along: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut uri = Some(from);
    while let Some(next) = uri {
        let page = world.get(&next).await.json();
        let again = world.get(&link(&page, "self").unwrap()).await.json();
        assert_eq!(again, page, "{next}");
        uri = link(&page, along);
        pages.push(page);
    }
    pages
}

async fn check(world: &World, query: &str, (expected, size): (&[u64], usize)) {
    let first = world.get(&format!("/calls?{query}")).await.json();
    let pages: Vec<&[u64]> = expected.chunks(size).collect();
    assert_eq!(first["page"]["totalElements"], expected.len(), "{query}");
    assert_eq!(first["page"]["totalPages"], pages.len(), "{query}");
    let forward = walk(world, link(&first, "first").unwrap(), "next").await;
    let mut backward = walk(world, link(&first, "last").unwrap(), "prev").await;
    backward.reverse();
    for walked in [&forward, &backward] {
        assert_eq!(walked.len(), pages.len().max(1), "{query}");
        for (number, (page, expected)) in walked.iter().zip(&pages).enumerate() {
            assert_eq!(page["page"]["number"], number, "{query}");
            assert_eq!(numbers(page), *expected, "{query} page {number}");
        }
    }
    for number in 0..pages.len() + 2 {
        let page = world.get(&format!("/calls?{query}&page={number}")).await.json();
        let expected = pages.get(number).copied().unwrap_or_default();
        assert_eq!(numbers(&page), expected, "{query} bare page {number}");
        assert_eq!(page["page"]["number"], number);
    }
}

#[tokio::test]
async fn every_way_through_a_list_meets_every_row_once() {
    let world = world_with_calls().await;
    for sort in ["callId,asc", "callId,desc", "callStatus", "callStatus,desc"] {
        for status in [None, Some("payFail"), Some("requestCancel")] {
            for size in [1, 4, 8, 23, 1000] {
                let mut query = format!("size={size}&sort={sort}");
                if let Some(status) = status {
                    query = format!("{query}&callStatus={status}");
                }
                check(&world, &query, (&model(sort, status), size)).await;
            }
        }
    }
}

#[tokio::test]
async fn other_collections_are_paged_alike() {
    let world = world_with_calls().await;
    let numbers = |page: &Value, embedded: &str, id: &str| -> Vec<u64> {
        let rows = page["_embedded"][embedded].as_array().unwrap();
        rows.iter().map(|row| row[id].as_u64().unwrap()).collect()
    };
    let failed: Vec<u64> = (1..=CALLS).rev().filter(|number| number % 3 == 0).collect();
    let uri = "/payments?sort=payId,desc&payStatus=failed&size=1000";
    assert_eq!(numbers(&world.get(uri).await.json(), "payments", "payId"), failed);
    let ended: Vec<u64> = (1..=CALLS).filter(|number| number % 3 == 1).collect();
    let uri = "/drives?sort=driveStatus&size=8";
    assert_eq!(numbers(&world.get(uri).await.json(), "drives", "driveId"), ended);
    for number in 1..=CALLS {
        world
            .view_until(number, move |view| {
                view.call_status.is_some_and(|status| status.as_str() == status_of(number))
            })
            .await;
    }
    let uri = "/callViews?sort=id&callStatus=driveComplete&size=1000";
    assert_eq!(numbers(&world.get(uri).await.json(), "callViews", "id"), ended);
}

#[tokio::test]
async fn a_key_stays_good_while_rows_are_added() {
    let world = world_with_calls().await;
    let page = world.get("/calls?size=5&sort=callId,desc").await.json();
    world.call("10").await;
    let next = world.get(&link(&page, "next").unwrap()).await.json();
    assert_eq!(numbers(&next), [18, 17, 16, 15, 14]);
}

/// Passed over, it would be answered with rows that nobody asked for.
#[tokio::test]
async fn a_field_that_is_no_filter_is_refused_and_any_other_name_passed_over() {
    let world = World::start();
    let method = r#"{"userId":"1","userName":"eojin","distance":10,"paymentMethod":"card"}"#;
    world.place(method, &[]).await;
    world.view_until(1, |view| view.started_at.is_some()).await;
    for (path, status) in [
        ("/calls", "callStatus"),
        ("/payments", "payStatus"),
        ("/drives", "driveStatus"),
        ("/callViews", "callStatus"),
    ] {
        let resource = world.get(&format!("{path}/1")).await.json();
        let fields = resource.as_object().unwrap().keys().filter(|name| *name != "_links" && *name != status);
        for field in fields {
            let answer = world.get(&format!("{path}?size=5&{field}=1")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {field}");
            let problem = answer.json();
            assert_eq!(problem["field"], field.as_str());
            assert!(problem["detail"].as_str().unwrap().contains(status), "{problem}");
        }
        assert_eq!(world.get(&format!("{path}?utm_source=x&_=1")).await.status, StatusCode::OK);
    }
}
