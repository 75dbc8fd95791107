//! Wrong requests of every sort on every route, through the gateway and on the services' own ports: each gets the
//! contract's answer, and nothing is changed by any.

use crate::world::World;
use crate::world::http::{Answer, Ask, raw};
use serde_json::Value;

const CALL: &str = r#"{"userId":"1","userName":"eojin","distance":10,"callId":1,"driveId":1,"fare":100000}"#;

/// A route that changes something: its port beside the gateway's, its path, and the field that names what it is about.
const POSTS: [(&str, &str, &str); 4] = [
    ("call", "/calls", "userId"),
    ("call", "/calls/cancel", "callId"),
    ("drive", "/drives/end", "driveId"),
    ("payment", "/callpay", "callId"),
];

/// A collection: its port beside the gateway's, its path, and the field of its status.
const LISTS: [(&str, &str, &str); 4] = [
    ("call", "/calls", "callStatus"),
    ("payment", "/payments", "payStatus"),
    ("drive", "/drives", "driveStatus"),
    ("view", "/callViews", "callStatus"),
];

/// The ports by which a route is reached; `/callpay` is not for the outside.
fn doors<'a>(port: &'a str, path: &str) -> Vec<&'a str> {
    if path == "/callpay" { vec![port] } else { vec!["gateway", port] }
}

/// A world with a ride under way, and a look at all that is in it.
struct Untouched {
    world: World,
    before: (Vec<String>, Value),
}

impl Untouched {
    fn world() -> Self {
        let world = World::start();
        let call = world.call(10.0);
        world.comes_to(call, ["driveStart", "paid", "start"]);
        let before = look(&world);
        Self { world, before }
    }

    #[track_caller]
    fn refuse(&self, port: &str, ask: &Ask, (status, kind): (u16, &str)) -> Answer {
        let answer =
            ask.of(self.world.address(port)).unwrap_or_else(|error| panic!("{error}: {port} {ask:.300?}"));
        let what = format!("{port} {ask:.300?}: {answer:?}");
        assert_eq!((answer.status, answer.problem().as_str()), (status, kind), "{what}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{what}");
        assert_eq!(problem["requestId"].as_str(), answer.header("x-request-id"), "{what}");
        answer
    }

    #[track_caller]
    fn assert_untouched(self) {
        assert_eq!(look(&self.world), self.before);
    }
}

fn look(world: &World) -> (Vec<String>, Value) {
    let read = |path: &str| world.ask(&Ask::get(path).header("host", "taxi.test")).with(200).body;
    let lists = LISTS.iter().map(|(_, path, _)| read(path)).collect();
    let report = world.audit();
    (lists, report["services"].clone())
}

#[test]
fn bodies_that_are_no_object() {
    let untouched = Untouched::world();
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let control = "{\"userId\":\"a\u{1}b\"}";
    let bodies: [&[u8]; 16] = [
        b"",
        b" ",
        b"null",
        b"1",
        b"\"x\"",
        b"[]",
        b"{",
        b"{}{}",
        b"{\"userId\"}",
        b"{'userId':1}",
        b"{\"userId\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"{\"a\":1,}",
        deep.as_bytes(),
        control.as_bytes(),
    ];
    for (port, path, _) in POSTS {
        for door in doors(port, path) {
            for body in bodies {
                let ask = Ask::post(path, "").body(body).header("content-length", &body.len().to_string());
                untouched.refuse(door, &ask, (400, "malformed"));
            }
        }
    }
    untouched.assert_untouched();
}

#[test]
fn fields_that_are_missing_or_doubled_or_of_another_type() {
    let untouched = Untouched::world();
    for (port, path, field) in POSTS {
        for door in doors(port, path) {
            let refused = untouched.refuse(door, &Ask::post(path, "{}"), (400, "malformed"));
            assert_eq!(refused.json()["field"], field, "{path}");
            for wrong in ["null", "true", "{}", "[1]", "[]"] {
                let body = format!("{{\"{field}\":{wrong},\"userName\":\"a\",\"distance\":1,\"fare\":1}}");
                let refused = untouched.refuse(door, &Ask::post(path, &body), (400, "malformed"));
                assert_eq!(refused.json()["field"], field, "{path} {body}");
            }
            let twice = CALL.replacen('{', &format!("{{\"{field}\":\"7\","), 1);
            let refused = untouched.refuse(door, &Ask::post(path, &twice), (400, "malformed"));
            assert_eq!(refused.json()["field"], field, "{path} {twice}");
        }
    }
    untouched.assert_untouched();
}

#[test]
fn distances_and_users_that_cannot_be() {
    let untouched = Untouched::world();
    let long = format!("\"{}\"", "어".repeat(101));
    let digits = "9".repeat(4_000);
    let cases = [
        ("distance", "NaN", 400, "malformed"),
        ("distance", "Infinity", 400, "malformed"),
        ("distance", "+1", 400, "malformed"),
        ("distance", "0x10", 400, "malformed"),
        ("distance", "\"ten\"", 400, "malformed"),
        ("distance", "\"1,5\"", 400, "malformed"),
        ("distance", "\"\"", 400, "malformed"),
        ("distance", "\"NaN\"", 422, "impossible"),
        ("distance", "\"-inf\"", 422, "impossible"),
        ("distance", "0", 422, "impossible"),
        ("distance", "-0.0", 422, "impossible"),
        ("distance", "-5", 422, "impossible"),
        ("distance", "1e400", 422, "impossible"),
        ("distance", "-1e400", 422, "impossible"),
        ("distance", "1e-400", 422, "impossible"),
        ("distance", "20000.001", 422, "impossible"),
        ("distance", digits.as_str(), 422, "impossible"),
        ("userId", "\"\"", 422, "impossible"),
        ("userId", "\" \"", 422, "impossible"),
        ("userId", long.as_str(), 422, "impossible"),
        ("userId", "\"a\\u0000b\"", 400, "malformed"),
        ("userId", "\"a\\nb\"", 400, "malformed"),
        ("userId", "\"\\ud800\"", 400, "malformed"),
        ("userName", "\"\"", 422, "impossible"),
        ("userName", long.as_str(), 422, "impossible"),
        ("userName", "\"\\u001b[31m\"", 400, "malformed"),
        ("paymentMethod", "1", 400, "malformed"),
        ("paymentMethod", "\"\"", 422, "impossible"),
        ("paymentMethod", long.as_str(), 422, "impossible"),
    ];
    for door in ["gateway", "call"] {
        for (field, value, status, kind) in cases {
            let others = [("userId", "\"1\""), ("userName", "\"eojin\""), ("distance", "10")];
            let others = others.iter().filter(|(name, _)| *name != field);
            let fields: Vec<String> =
                others.chain([&(field, value)]).map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let body = format!("{{{}}}", fields.join(","));
            untouched.refuse(door, &Ask::post("/calls", &body), (status, kind));
        }
        for (distance, status, kind) in [
            ("", 400, "malformed"),
            ("ten", 400, "malformed"),
            ("0", 422, "impossible"),
            ("-1", 422, "impossible"),
            ("NaN", 422, "impossible"),
            ("1e400", 422, "impossible"),
        ] {
            let port = if door == "call" { "payment" } else { door };
            untouched.refuse(port, &Ask::get(&format!("/fares?distance={distance}")), (status, kind));
        }
    }
    untouched.assert_untouched();
}

#[test]
fn numbers_that_no_call_has() {
    let untouched = Untouched::world();
    for (port, path, field) in &POSTS[1..] {
        for door in doors(port, path) {
            for id in [
                "0",
                "-1",
                "1.5",
                "1e0",
                "\"\"",
                "\"x\"",
                "\" 1\"",
                "\"01\"",
                "9223372036854775808",
                "1e400",
                "NaN",
            ] {
                let body = format!("{{\"{field}\":{id},\"fare\":1}}");
                untouched.refuse(door, &Ask::post(path, &body), (400, "malformed"));
            }
            for id in ["7", "\"7\"", "9223372036854775807"] {
                let body = format!("{{\"{field}\":{id},\"fare\":1}}");
                untouched.refuse(door, &Ask::post(path, &body), (404, "not-found"));
            }
        }
    }
    for (fare, status, kind) in [
        ("null", 400, "malformed"),
        ("\"much\"", 400, "malformed"),
        ("-1", 422, "impossible"),
        ("0.5", 422, "impossible"),
        ("1e400", 422, "impossible"),
        ("7", 409, "other-fare"),
    ] {
        let body = format!("{{\"callId\":1,\"fare\":{fare}}}");
        untouched.refuse("payment", &Ask::post("/callpay", &body), (status, kind));
    }
    for (port, path, _) in LISTS {
        for door in [port, "gateway"] {
            for id in ["7", "0", "-1", "01", "x", "1.0", "1e0", "9223372036854775808", "%00", "1%20"] {
                untouched.refuse(door, &Ask::get(&format!("{path}/{id}")), (404, "not-found"));
            }
            for id in ["%", "%zz", "%ff"] {
                untouched.refuse(door, &Ask::get(&format!("{path}/{id}")), (400, "malformed"));
            }
        }
    }
    untouched.assert_untouched();
}

#[test]
fn bodies_of_another_type_or_size() {
    let untouched = Untouched::world();
    let huge = format!("{}{}", " ".repeat(64 * 1024), CALL);
    for (port, path, _) in POSTS {
        for door in doors(port, path) {
            let of_type =
                |value: &str| Ask::new("POST", path).header("content-type", value).body(CALL.as_bytes());
            for wrong in [
                "text/plain",
                "application/xml",
                "application/json; charset=latin-1",
                "multipart/form-data",
                "",
            ] {
                untouched.refuse(door, &of_type(wrong), (415, "unsupported-media-type"));
            }
            let none = Ask::new("POST", path).body(CALL.as_bytes());
            untouched.refuse(door, &none, (415, "unsupported-media-type"));
            let two = of_type("application/json").header("content-type", "application/json");
            untouched.refuse(door, &two, (415, "unsupported-media-type"));
            untouched.refuse(door, &Ask::post(path, &huge), (413, "payload-too-large"));
            let html = Ask::post(path, CALL).header("accept", "text/html");
            untouched.refuse(door, &html, (406, "not-acceptable"));
        }
    }
    untouched.assert_untouched();
}

#[test]
fn keys_that_are_none() {
    let untouched = Untouched::world();
    let long = "k".repeat(256);
    for (port, path, _) in POSTS {
        for door in doors(port, path) {
            for key in ["", "\"\"", "\"", "a b", "\"a", "a\"b", "\"a\";b=1", long.as_str()] {
                let ask = Ask::post(path, CALL).header("idempotency-key", key);
                let refused = untouched.refuse(door, &ask, (400, "malformed"));
                assert_eq!(refused.json()["field"], "Idempotency-Key", "{path} {key:?}");
            }
            let two = Ask::post(path, CALL).header("idempotency-key", "a").header("idempotency-key", "a");
            untouched.refuse(door, &two, (400, "malformed"));
        }
    }
    untouched.assert_untouched();
}

#[test]
fn a_key_that_comes_again_with_another_body() {
    let untouched = Untouched::world();
    let key = |path: &str, body: &str| Ask::post(path, body).header("idempotency-key", "mine");
    let other = CALL.replace("eojin", "other").replace(":1,", ":7,").replace("100000", "7");
    untouched.world.ask(&key("/calls", CALL)).with(201);
    untouched.world.comes_to(2, ["driveStart", "paid", "start"]);
    untouched.world.ask(&key("/calls/cancel", r#"{"callId":2}"#)).with(200);
    untouched.world.comes_to(2, ["requestCancel", "refunded", "cancel"]);
    untouched.world.ask(&key("/drives/end", r#"{"driveId":2}"#)).with(409);
    let before = look(&untouched.world);
    for (path, body) in [
        ("/calls", other.as_str()),
        ("/calls/cancel", r#"{"callId":1}"#),
        ("/drives/end", r#"{"driveId":1}"#),
    ] {
        let refused = untouched.refuse("gateway", &key(path, body), (422, "idempotency-key-reused"));
        assert_eq!(refused.json()["field"], "Idempotency-Key");
    }
    // The same again is no wrong request: it gets the first one's answer.
    let again = untouched.world.ask(&key("/calls", CALL)).with(201);
    assert_eq!((&again.json()["callId"], again.header("idempotent-replayed")), (&2.into(), Some("true")));
    assert_eq!(look(&untouched.world), before);
}

#[test]
fn pages_that_there_cannot_be() {
    let untouched = Untouched::world();
    for (port, path, status) in LISTS {
        let by_status = format!("{status}=over");
        for door in [port, "gateway"] {
            for query in [
                "page=-1",
                "page=x",
                "page=",
                "page=1.0",
                "page=99999999999999999999",
                "page=0&page=1",
                "size=0",
                "size=-1",
                "size=NaN",
                "sort=userName",
                "sort=",
                "sort=callId,up",
                "sort=callId;drop",
                "sort=callId&sort=callId",
                "after=x",
                "before=",
                "after=1&before=2",
                "at-least=x",
                "at-least=call.9.1.00000000deadbeef",
                "page=%zz",
                "page=%ff",
                by_status.as_str(),
            ] {
                untouched.refuse(door, &Ask::get(&format!("{path}?{query}")), (400, "malformed"));
            }
            let huge = Ask::get(&format!("{path}?size=4294967295&unknown=1"));
            let page = huge.of(untouched.world.address(door)).unwrap().with(200).json();
            assert_eq!(page["page"]["size"], 1_000, "a size is capped");
        }
    }
    for query in ["", "?callId=", "?callId=0", "?callId=x", "?callId=1&callId=2"] {
        let ask = Ask::get(&format!("/callViews/search/findByCallId{query}"));
        untouched.refuse("gateway", &ask, (400, "malformed"));
    }
    for query in ["from=x", "from=1", "type=Nothing", "from=0&from=0", "type=%ff"] {
        untouched.refuse("gateway", &Ask::get(&format!("/events?{query}")), (400, "malformed"));
    }
    untouched.assert_untouched();
}

#[test]
fn methods_and_routes_that_there_are_not() {
    let untouched = Untouched::world();
    let gets = [
        "/calls/1",
        "/payments",
        "/payments/1",
        "/fares",
        "/drives",
        "/drives/1",
        "/callViews",
        "/callViews/1",
        "/events",
        "/",
    ];
    for path in gets {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let ask = Ask::new(method, path).header("content-type", "application/json").body(b"{}");
            let refused = untouched.refuse("gateway", &ask, (405, "method-not-allowed"));
            assert!(refused.header("allow").is_some_and(|allow| allow.contains("GET")), "{refused:?}");
        }
    }
    for (port, path, _) in &POSTS[1..] {
        for door in doors(port, path) {
            for method in ["GET", "PUT", "PATCH", "DELETE"] {
                let refused = untouched.refuse(door, &Ask::new(method, path), (405, "method-not-allowed"));
                assert_eq!(refused.header("allow"), Some("POST"), "{method} {path}");
            }
        }
    }
    for (port, path, _) in LISTS {
        untouched.refuse(port, &Ask::new("DELETE", path), (405, "method-not-allowed"));
        untouched.refuse("gateway", &Ask::get(&format!("{path}/1/2")), (404, "not-found"));
        untouched.refuse("gateway", &Ask::get(&format!("{path}x")), (404, "not-found"));
    }
    for method in ["TRACE", "BREW"] {
        let refused = Ask::new(method, "/calls").of(untouched.world.address("gateway")).unwrap();
        assert_eq!((refused.status, refused.problem().as_str()), (405, "method-not-allowed"), "{method}");
    }
    for path in ["/nothing", "/favicon.ico", "/calls/cancel/1", "/.git/config", "/..%2f..%2fetc"] {
        untouched.refuse("gateway", &Ask::get(path), (404, "not-found"));
    }
    // Who shows no token does not learn what there is.
    untouched.refuse("gateway", &Ask::get("/operator/nothing"), (401, "unauthorized"));
    // Only payment's own port has it.
    untouched.refuse("gateway", &Ask::post("/callpay", CALL), (404, "not-found"));
    for host in ["a b", "a/b", "user@a", ""] {
        untouched.refuse("gateway", &Ask::get("/calls").header("host", host), (400, "malformed"));
    }
    untouched.assert_untouched();
}

/// What two readers could read differently is refused, and nothing after it is read.
#[test]
fn requests_inside_requests() {
    let untouched = Untouched::world();
    let inner = format!(
        "POST /calls HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{CALL}",
        CALL.len()
    );
    for port in ["gateway", "call"] {
        for framing in [
            "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length : 5\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "X: 1\r\n folded: 1\r\nContent-Length: 5\r\n",
            "X: a\0b\r\nContent-Length: 5\r\n",
            "X\r\nContent-Length: 5\r\n",
        ] {
            let head = "POST /calls HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
            let request = format!("{head}{framing}\r\n0\r\n\r\n{inner}");
            let (answer, rest) = raw(untouched.world.address(port), request.as_bytes()).unwrap();
            assert_eq!(answer.status, 400, "{port} {framing:?}: {answer:?}");
            assert_eq!(rest, "", "{port} {framing:?}: something was read after it");
        }
        // A line that ends with a bare line feed is a line to some; the request after it is none to us either way.
        let bare = b"POST /calls HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}GET /calls/1 HTTP/1.0\n\n";
        let (answer, _) = raw(untouched.world.address(port), bare).unwrap();
        assert!((400..500).contains(&answer.status), "{answer:?}");
        let chunked = "POST /calls HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n";
        let (answer, _) = raw(untouched.world.address(port), chunked.as_bytes()).unwrap();
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    untouched.assert_untouched();
}

#[test]
fn heads_that_are_none_or_too_large() {
    let untouched = Untouched::world();
    for port in ["gateway", "call", "payment", "drive", "view", "web"] {
        for (request, statuses) in [
            ("nonsense\r\n\r\n".to_owned(), [400, 400]),
            ("GET / HTTP/9.9\r\n\r\n".to_owned(), [400, 400]),
            ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(), [400, 404]),
            (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1_000_000)), [431, 431]),
            (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1_000_000)), [414, 431]),
            (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(5_000)), [431, 431]),
        ] {
            let (answer, rest) = raw(untouched.world.address(port), request.as_bytes()).unwrap();
            assert!(statuses.contains(&answer.status), "{port} {request:.60}: {answer:?}");
            assert_eq!(rest, "");
        }
    }
    untouched.assert_untouched();
}
