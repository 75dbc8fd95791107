//! Wrong requests: each gets the contract's answer, and none changes anything.

use crate::world::{Answer, World, post};
use axum::body::Body;
use http::{Method, Request, StatusCode};

type Headers<'a> = Vec<(&'a str, &'a str)>;
/// The status, the type and the field of a problem.
type Expected = (u16, &'static str, &'static str);

/// Status, type and field of the problem that a request is answered with.
#[track_caller]
fn assert_problem(what: &str, answer: &Answer, (status, kind, field): (u16, &str, &str)) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = answer.json();
    assert_eq!(problem["type"], format!("/problems/{kind}"), "{what}");
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{what}");
    assert_eq!(problem["requestId"].as_str(), answer.header("x-request-id"), "{what}");
}

/// Nothing was stored by anyone.
async fn assert_untouched(world: &World) {
    for path in ["/calls", "/payments", "/drives", "/callViews"] {
        assert_eq!(world.get(path).await.json()["page"]["totalElements"], 0, "{path}");
    }
    for tail in world.api.bus.tails() {
        assert_eq!(tail.last(), Ok(0), "{}", tail.shard());
    }
}

#[tokio::test]
async fn a_call_that_is_malformed_or_impossible_is_not_placed() {
    let world = World::start();
    let long = "x".repeat(101);
    let deep =
        format!(r#"{{"userId":"1","userName":"a","distance":1,"x":{}1{}}}"#, "[".repeat(64), "]".repeat(64));
    let user = |user: &str| format!(r#"{{"userId":{user},"userName":"a","distance":1}}"#);
    let far = |distance: &str| format!(r#"{{"userId":"1","userName":"a","distance":{distance}}}"#);
    let paid = |by: &str| format!(r#"{{"userId":"1","userName":"a","distance":1,"paymentMethod":{by}}}"#);
    let malformed = |field| (400, "malformed", field);
    let impossible = |field| (422, "impossible", field);
    let cases = [
        (String::new(), malformed("")),
        ("null".into(), malformed("")),
        ("[]".into(), malformed("")),
        ("\"x\"".into(), malformed("")),
        ("{".into(), malformed("")),
        ("{}{}".into(), malformed("")),
        ("{\"userId\":\"1\u{1}\"}".into(), malformed("")),
        (deep, malformed("")),
        ("{".repeat(60_000), malformed("")),
        (r#"{"userId":"1","userName":"a","distance":1,"userId":"2"}"#.into(), malformed("userId")),
        (r#"{"userId":"1","userName":"a","distance":1,"x":{"y":1,"y":1}}"#.into(), malformed("y")),
        ("{}".into(), malformed("userId")),
        (user("null"), malformed("userId")),
        (user("{}"), malformed("userId")),
        (user("[\"1\"]"), malformed("userId")),
        (user("true"), malformed("userId")),
        (user("\"\""), impossible("userId")),
        (user("\" \\u3000\""), impossible("userId")),
        (user("\"  \""), impossible("userId")),
        (user("\"a\\u0000b\""), malformed("userId")),
        (user("\"a\\nb\""), malformed("userId")),
        (user("\"\\ud800\""), malformed("")),
        (user(&format!("\"{long}\"")), impossible("userId")),
        (user(&format!("1{}", "0".repeat(100))), impossible("userId")),
        (r#"{"userId":"1","distance":1}"#.into(), malformed("userName")),
        (r#"{"userId":"1","userName":"","distance":1}"#.into(), impossible("userName")),
        (r#"{"userId":"1","userName":"a"}"#.into(), malformed("distance")),
        (far("null"), malformed("distance")),
        (far("false"), malformed("distance")),
        (far("{}"), malformed("distance")),
        (far("NaN"), malformed("")),
        (far("Infinity"), malformed("")),
        (far("01"), malformed("")),
        (far("0x10"), malformed("")),
        (far("\"\""), malformed("distance")),
        (far("\"ten\""), malformed("distance")),
        (far("\"1,5\""), malformed("distance")),
        (far("\" 1\""), malformed("distance")),
        (far("\"NaN\""), impossible("distance")),
        (far("\"-Infinity\""), impossible("distance")),
        (far("0"), impossible("distance")),
        (far("-0.0"), impossible("distance")),
        (far("-5"), impossible("distance")),
        (far("\"-5\""), impossible("distance")),
        (far("0.0001"), impossible("distance")),
        (far("1e-400"), impossible("distance")),
        (far("20000.001"), impossible("distance")),
        (far("1e400"), impossible("distance")),
        (far(&"9".repeat(5_000)), impossible("distance")),
        (paid("1"), malformed("paymentMethod")),
        (paid("\"\""), impossible("paymentMethod")),
        (paid(&format!("\"{long}\"")), impossible("paymentMethod")),
        (paid("\"a\\tb\""), malformed("paymentMethod")),
    ];
    for (body, expected) in cases {
        let answer = world.post("/calls", &body).await;
        assert_problem(&body.chars().take(80).collect::<String>(), &answer, expected);
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn a_test_payment_method_is_for_tests() {
    let mut setup = crate::world::Setup::default();
    setup.settings.allow_test_payment_methods = false;
    let world = World::with(setup);
    let answer = world.call_paid_by("test:refused").await;
    assert_problem("test:refused", &answer, (422, "impossible", "paymentMethod"));
    assert_untouched(&world).await;
}

#[tokio::test]
async fn a_command_needs_the_number_of_a_call() {
    let world = World::start();
    for (path, field) in [("/calls/cancel", "callId"), ("/drives/end", "driveId"), ("/callpay", "callId")] {
        for id in [
            "0",
            "-1",
            "1.5",
            "1.5",
            "1e0",
            "\"\"",
            "\"x\"",
            "\" 1\"",
            "\"01\"",
            "null",
            "[1]",
            "9223372036854775808",
            "99999999999999999999999999",
        ] {
            let body = format!(r#"{{"{field}":{id},"fare":1}}"#);
            let answer = world.post(path, &body).await;
            assert_problem(&format!("{path} {body}"), &answer, (400, "malformed", field));
        }
        let answer = world.post(path, "{\"fare\":1}").await;
        assert_problem(path, &answer, (400, "malformed", field));
        for id in ["1", "\"1\"", "9223372036854775807"] {
            let body = format!(r#"{{"{field}":{id},"fare":1}}"#);
            let answer = world.post(path, &body).await;
            assert_problem(&format!("{path} {body}"), &answer, (404, "not-found", field));
        }
    }
    for (fare, expected) in [
        ("null", (400, "malformed", "fare")),
        ("\"much\"", (400, "malformed", "fare")),
        ("-1", (422, "impossible", "fare")),
        ("0.5", (422, "impossible", "fare")),
        ("1e400", (422, "impossible", "fare")),
    ] {
        let body = format!(r#"{{"callId":1,"fare":{fare}}}"#);
        assert_problem(&body, &world.post("/callpay", &body).await, expected);
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn every_post_minds_type_size_key_and_form() {
    let world = World::start();
    for path in ["/calls", "/calls/cancel", "/drives/end", "/callpay"] {
        let good = r#"{"userId":"1","userName":"a","distance":1,"callId":7,"driveId":7,"fare":1}"#;
        let with = |headers: &[(&str, &str)], body: Vec<u8>| {
            let mut request = Request::post(path).header("host", "taxi.test");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(Body::from(body)).unwrap()
        };
        let json = ("content-type", "application/json");
        let long_key = "k".repeat(256);
        let key = |value| vec![json, ("idempotency-key", value)];
        let cases: Vec<(Headers<'_>, Vec<u8>, Expected)> = vec![
            (vec![], good.into(), (415, "unsupported-media-type", "")),
            (vec![("content-type", "text/plain")], good.into(), (415, "unsupported-media-type", "")),
            (
                vec![("content-type", "application/x-www-form-urlencoded")],
                good.into(),
                (415, "unsupported-media-type", ""),
            ),
            (
                vec![("content-type", "application/json; charset=latin-1")],
                good.into(),
                (415, "unsupported-media-type", ""),
            ),
            (vec![json, json], good.into(), (415, "unsupported-media-type", "")),
            (vec![json], vec![b' '; 64 * 1024 + 1], (413, "payload-too-large", "")),
            (vec![json, ("content-length", "99999999")], good.into(), (413, "payload-too-large", "")),
            (vec![json], b"{\"userId\":\"\xff\"}".to_vec(), (400, "malformed", "")),
            (vec![json], b"\xff\xfe{\0}\0".to_vec(), (400, "malformed", "")),
            (key(""), good.into(), (400, "malformed", "Idempotency-Key")),
            (key("a b"), good.into(), (400, "malformed", "Idempotency-Key")),
            (key("\"a"), good.into(), (400, "malformed", "Idempotency-Key")),
            (key(&long_key), good.into(), (400, "malformed", "Idempotency-Key")),
            (
                vec![json, ("idempotency-key", "a"), ("idempotency-key", "a")],
                good.into(),
                (400, "malformed", "Idempotency-Key"),
            ),
            (vec![json, ("accept", "text/html")], good.into(), (406, "not-acceptable", "")),
            (vec![json, ("host", "taxi.test")], good.into(), (400, "malformed", "")),
        ];
        for (headers, body, expected) in cases {
            let answer = world.ask(with(&headers, body)).await;
            assert_problem(&format!("{path} {headers:?}"), &answer, expected);
        }
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn every_list_minds_its_query() {
    let world = World::start();
    for (path, status) in [
        ("/calls", "callStatus"),
        ("/payments", "payStatus"),
        ("/drives", "driveStatus"),
        ("/callViews", "callStatus"),
    ] {
        for (query, field) in [
            ("page=-1", "page"),
            ("page=x", "page"),
            ("page=", "page"),
            ("page=%2B1", "page"),
            ("page=1.0", "page"),
            ("page=4294967296", "page"),
            ("page=99999999999999999999", "page"),
            ("page=0&page=1", "page"),
            ("size=0", "size"),
            ("size=-1", "size"),
            ("size=x", "size"),
            ("size=99999999999999999999", "size"),
            ("sort=userName", "sort"),
            ("sort=", "sort"),
            ("sort=callId,up", "sort"),
            ("sort=callId,asc,desc", "sort"),
            ("sort=callId&sort=callId", "sort"),
            ("after=x", "after"),
            ("after=-1", "after"),
            ("after=1:2", "after"),
            ("after=99999999999999999999", "after"),
            ("before=", "before"),
            ("before=End", "before"),
            ("after=1&before=2", "after"),
            ("at-least=x", "at-least"),
            ("at-least=view.0.1.00000000deadbeef", "at-least"),
            ("at-least=call.9.1.00000000deadbeef", "at-least"),
            ("at-least=call.0.-1.00000000deadbeef", "at-least"),
            ("page=%zz", ""),
            ("page=%ff", ""),
        ] {
            let answer = world.get(&format!("{path}?{query}")).await;
            assert_problem(&format!("{path}?{query}"), &answer, (400, "malformed", field));
        }
        let by_status = format!("sort={status}");
        for (query, field) in [
            (format!("{status}=over"), status),
            (format!("{status}="), status),
            (format!("{by_status}&after=1"), "after"),
            (format!("{by_status}&after=a%27b:1"), "after"),
            (format!("{by_status}&before=paid:x"), "before"),
        ] {
            let answer = world.get(&format!("{path}?{query}")).await;
            assert_problem(&format!("{path}?{query}"), &answer, (400, "malformed", field));
        }
        let answer = world.get(&format!("{path}?sort=userName")).await;
        assert!(answer.json()["detail"].as_str().unwrap().contains("callId"), "{answer:?}");
        let answer = world.get(&format!("{path}?size=100000&unknown=1&page=4294967295")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["page"]["size"], 1000);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::start();
    for path in ["/calls", "/payments", "/drives", "/callViews"] {
        for id in ["1", "0", "-1", "01", "x", "1.0", "%31%20", "9223372036854775807", "99999999999999999999"]
        {
            let answer = world.get(&format!("{path}/{id}")).await;
            assert_problem(&format!("{path}/{id}"), &answer, (404, "not-found", ""));
        }
        for id in ["%", "%zz", "%ff"] {
            let answer = world.get(&format!("{path}/{id}")).await;
            assert_problem(&format!("{path}/{id}"), &answer, (400, "malformed", ""));
        }
        for beyond in ["", "1/", "1/x", "//"] {
            let answer = world.get(&format!("{path}/{beyond}")).await;
            assert_problem(&format!("{path}/{beyond}"), &answer, (404, "not-found", ""));
        }
    }
    for uri in ["/favicon.ico", "/eventsX", "/callsX", "/fares/1", "/callpay/1"] {
        assert_problem(uri, &world.get(uri).await, (404, "not-found", ""));
    }
    for (uri, field) in [
        ("/fares", "distance"),
        ("/fares?distance=", "distance"),
        ("/fares?distance=x", "distance"),
        ("/callViews/search/findByCallId", "callId"),
        ("/callViews/search/findByCallId?callId=0", "callId"),
        ("/callViews/search/findByCallId?callId=1&callId=2", "callId"),
    ] {
        assert_problem(uri, &world.get(uri).await, (400, "malformed", field));
    }
    for distance in ["0", "-1", "1e400", "NaN", "20001"] {
        let uri = format!("/fares?distance={distance}");
        assert_problem(&uri, &world.get(&uri).await, (422, "impossible", "distance"));
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let world = World::start();
    let reading = ("GET,HEAD", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"].as_slice());
    let writing = ("POST", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"].as_slice());
    let both = ("GET,HEAD,POST", ["PUT", "PATCH", "DELETE", "OPTIONS"].as_slice());
    for (path, (allow, methods)) in [
        ("/calls", both),
        ("/calls/1", reading),
        ("/calls/cancel", writing),
        ("/payments", reading),
        ("/payments/1", reading),
        ("/fares", reading),
        ("/callpay", writing),
        ("/drives", reading),
        ("/drives/1", reading),
        ("/drives/end", writing),
        ("/callViews", reading),
        ("/callViews/1", reading),
        ("/callViews/search/findByCallId", reading),
        ("/events", reading),
        ("/", reading),
    ] {
        for method in methods {
            let request = Request::builder().method(*method).uri(path).header("host", "a");
            let answer = world.ask(request.body(Body::from("{}")).unwrap()).await;
            assert_problem(&format!("{method} {path}"), &answer, (405, "method-not-allowed", ""));
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
        if allow.contains("HEAD") && path != "/events" {
            let request = Request::builder().method(Method::HEAD).uri(path).header("host", "a");
            let answer = world.ask(request.body(Body::empty()).unwrap()).await;
            assert!(answer.body.is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_given_is_said_so() {
    let world = World::start();
    for (path, accept) in [
        ("/calls", "text/html"),
        ("/calls/1", "image/png"),
        ("/payments", "application/json;q=0, application/hal+json;q=0"),
        ("/fares?distance=1", "text/plain"),
        ("/callViews/search/findByCallId?callId=1", "text/plain"),
        ("/events", "application/json"),
        ("/", "application/json"),
    ] {
        let request = Request::get(path).header("host", "a").header("accept", accept);
        let answer = world.ask(request.body(Body::empty()).unwrap()).await;
        assert_problem(path, &answer, (406, "not-acceptable", ""));
    }
}

#[tokio::test]
async fn a_host_that_is_none_is_refused() {
    let world = World::start();
    for host in ["a b", "a/b", "a\"b", "user@a"] {
        let request = Request::get("/calls").header("host", host);
        let answer = world.ask(request.body(Body::empty()).unwrap()).await;
        assert_problem(host, &answer, (400, "malformed", ""));
    }
}

#[tokio::test]
async fn a_process_that_stops_stores_nothing_more() {
    let world = World::start();
    world.call("10").await;
    world.shut_down().await;
    for (path, body) in [
        ("/calls", r#"{"userId":"1","userName":"a","distance":1}"#),
        ("/calls/cancel", r#"{"callId":1}"#),
        ("/drives/end", r#"{"driveId":1}"#),
    ] {
        let answer = world.ask(post(path, body, &[])).await;
        assert_problem(path, &answer, (503, "too-busy", ""));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(world.get("/calls").await.json()["page"]["totalElements"], 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut setup = crate::world::Setup::default();
    setup.settings.body_wait = std::time::Duration::from_millis(1);
    let world = World::with(setup);
    let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let broken = futures_util::stream::iter([Ok(b"{".to_vec()), Err(std::io::Error::other("gone"))]);
    for (body, expected) in [
        (Body::from_stream(endless), (408, "request-timeout", "")),
        (Body::from_stream(broken), (400, "malformed", "")),
    ] {
        let request = Request::post("/calls").header("content-type", "application/json");
        let answer = world.ask(request.body(body).unwrap()).await;
        assert_problem("a body", &answer, expected);
    }
    assert_untouched(&world).await;
}
