//! The original's commands, as they are written there and as their clients send them.

use crate::world::World;
use crate::world::http::{Answer, Ask, Events};
use std::path::Path;

fn httpie(world: &World, port: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    httpie_asks(path, fields).of(world.address(port)).unwrap()
}

/// What HTTPie sends for `http :PORT/PATH name=value …`: every value a text, and these headers.
fn httpie_asks(path: &str, fields: &[(&str, &str)]) -> Ask {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": \"{value}\"")).collect();
    let ask = if fields.is_empty() {
        Ask::get(path)
    } else {
        Ask::post(path, &format!("{{{}}}", fields.join(", ")))
    };
    let ask = ask.header("accept", "application/json, */*;q=0.5").header("accept-encoding", "gzip, deflate");
    ask.header("user-agent", "HTTPie/3.2.4")
}

#[test]
fn a_ride_by_the_originals_commands() {
    let world = World::start();
    let placed =
        httpie(&world, "gateway", "/calls", &[("userId", "1"), ("userName", "eojin"), ("distance", "10")]);
    assert_eq!(placed.header("content-type"), Some("application/json"));
    let placed = placed.with(201).json();
    assert_eq!((&placed["userId"], &placed["userName"]), (&"1".into(), &"eojin".into()));
    assert_eq!(placed["distance"].as_f64(), Some(10.0));
    world.comes_to(1, ["driveStart", "paid", "start"]);

    let call = httpie(&world, "gateway", "/calls/1", &[]).with(200).json();
    assert_eq!(call["callStatus"], "driveStart");
    let ended = httpie(&world, "gateway", "/drives/end", &[("driveId", "1")]).with(200).json();
    assert_eq!(ended["driveStatus"], "end");
    world.comes_to(1, ["driveComplete", "paid", "end"]);
    assert_eq!(httpie(&world, "gateway", "/calls/cancel", &[("callId", "1")]).status, 409);

    let views = httpie(&world, "view", "/callViews", &[]).with(200).json();
    let view = &views["_embedded"]["callViews"][0];
    assert_eq!(view["callStatus"], "driveComplete");
    for field in ["id", "callId", "driveId", "callStatus", "userName", "driverName", "taxiNum", "driveStatus"]
    {
        assert!(!view[field].is_null(), "{field}: {view}");
    }
}

#[test]
fn a_cancellation_by_the_originals_commands() {
    let world = World::start();
    httpie(&world, "gateway", "/calls", &[("userId", "1"), ("userName", "eojin"), ("distance", "10")])
        .with(201);
    world.comes_to(1, ["driveStart", "paid", "start"]);
    let cancelled = httpie(&world, "gateway", "/calls/cancel", &[("callId", "1")]).with(200).json();
    assert_eq!(cancelled["callStatus"], "requestCancel");
    world.comes_to(1, ["requestCancel", "refunded", "cancel"]);
}

/// The commands of the README, taken from it and sent as HTTPie and curl send them.
#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    for program in ["http :", "curl localhost:", "curl -N 'localhost:"] {
        let world = World::start();
        let mut answers = Vec::new();
        for line in readme.lines().filter(|line| line.starts_with(program)) {
            let (port, ask) = read_command(line);
            if line.contains("/events") {
                world.call(10.0);
                let first = Events::open(world.address(port), "/events?from=0").next();
                assert_eq!(first.map(|event| event.name).as_deref(), Some("CallRequested"), "{line}");
                continue;
            }
            answers.push(ask.of(world.address(port)).unwrap().status);
            world.comes_to(1, if answers.len() < 3 { ["driveStart", "paid", "start"] } else { OVER });
        }
        let expected: &[u16] = if program.contains("-N") { &[] } else { &[201, 200, 200, 409, 200] };
        assert_eq!(answers, expected, "{program}");
    }
}

const OVER: [&str; 3] = ["driveComplete", "paid", "end"];

/// The port that a command of the README names, and what it asks there.
fn read_command(line: &str) -> (&'static str, Ask) {
    let words: Vec<&str> = line.split(['\'', ' ']).filter(|word| !word.is_empty()).collect();
    let url = words.iter().find(|word| word.contains(":80")).unwrap();
    let (_, url) = url.split_once(":80").unwrap();
    let port = match &url[..2] {
        "88" => "gateway",
        "85" => "view",
        other => panic!("what is port 80{other}? {line}"),
    };
    let path = &url[2..];
    if let Some((_, body)) = line.split_once("-d '") {
        assert!(line.contains("-H 'content-type: application/json'"), "{line}");
        return (port, Ask::post(path, body.trim_end_matches('\'')));
    }
    let fields = words.iter().filter(|word| !word.contains(":80")).filter_map(|word| word.split_once('='));
    let fields: Vec<(&str, &str)> = fields.collect();
    (port, httpie_asks(path, &fields))
}

/// The original's front end reads `_embedded.<collection>` and `_links.self.href`, on every port that it knows.
#[test]
fn each_collection_is_read_as_the_originals_pages_do() {
    let world = World::start();
    world.call(10.0);
    world.comes_to(1, ["driveStart", "paid", "start"]);
    for (port, collection) in
        [("call", "calls"), ("payment", "payments"), ("drive", "drives"), ("view", "callViews")]
    {
        for door in [port, "gateway"] {
            let page = httpie(&world, door, &format!("/{collection}"), &[]).with(200).json();
            let first = &page["_embedded"][collection][0];
            let link = first["_links"]["self"]["href"].as_str().unwrap();
            assert_eq!(link, format!("http://{}/{collection}/1", world.address(door)), "{door}");
            assert_eq!(page["page"]["totalElements"], 1);
        }
    }
    for port in ["gateway", "call", "payment", "drive", "view", "web"] {
        for path in ["/health/live", "/health/ready", "/actuator/health"] {
            assert_eq!(httpie(&world, port, path, &[]).with(200).json()["status"], "UP", "{port}{path}");
        }
        assert!(httpie(&world, port, "/metrics", &[]).with(200).body.contains("taxisvc_"), "{port}");
    }
    let page = world.ask(&Ask::get("/").header("accept", "text/html")).with(200);
    assert!(page.body.contains("<html"), "{page:?}");
}
