//! A gateway process in front of a process with the services: riders see no difference, except when one of them is away.

use crate::world::http::{Answer, Ask, Events};
use crate::world::process::{Server, settings, taxisvc};
use crate::world::{World, number, until};
use tempfile::TempDir;

struct Front {
    gateway: Server,
    _folder: TempDir,
}

impl Front {
    fn of(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut pairs =
            settings(&[("PORTS_GATEWAY", "0"), ("LOG", "warn"), ("GATEWAY_REQUEST_TIMEOUT_MS", "55000")]);
        for port in ["call", "payment", "drive", "view", "web"] {
            pairs.push((format!("UPSTREAMS_{}", port.to_uppercase()), world.address(port).to_string()));
        }
        let gateway = Server::start(taxisvc(folder.path(), &pairs, &["gateway"]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a gateway stores nothing");
        Self { gateway, _folder: folder }
    }

    fn ask(&self, ask: &Ask) -> Answer {
        ask.of(self.gateway.address("gateway")).unwrap()
    }
}

const CALL: &str = r#"{"userId":"1","userName":"eojin","distance":10}"#;

#[test]
fn the_same_commands_work() {
    let world = World::with(&[("GATEWAY_TRUSTED_PROXIES", "127.0.0.1")]);
    let front = Front::of(&world);
    let address = front.gateway.address("gateway");
    let mut stream = Events::open(address, "/events?from=0");
    let placed = front.ask(&Ask::post("/calls", CALL)).with(201);
    let link = placed.json()["_links"]["self"]["href"].as_str().unwrap().to_owned();
    assert_eq!(link, format!("http://{address}/calls/1"), "a link is good from where the client stands");
    assert_eq!(stream.next().map(|event| event.name), Some("CallRequested".to_owned()));
    world.comes_to(1, ["driveStart", "paid", "start"]);
    front.ask(&Ask::post("/drives/end", r#"{"driveId":1}"#)).with(200);
    assert!(stream.any(|event| event.name == "DriveEnded"), "what happens comes at once");
    world.comes_to(1, ["driveComplete", "paid", "end"]);
    for path in [
        "/calls/1",
        "/payments/1",
        "/drives/1",
        "/callViews/1",
        "/events/calls/1",
        "/fares?distance=1",
        "/",
        "/health/ready",
        "/metrics",
    ] {
        assert_eq!(front.ask(&Ask::get(path)).status, 200, "{path}");
    }
    assert_eq!(
        front.ask(&Ask::post("/calls/cancel", r#"{"callId":1}"#)).with(409).problem(),
        "not-allowed-now"
    );
    assert_eq!(
        front.ask(&Ask::post("/callpay", r#"{"callId":1,"fare":1}"#)).status,
        404,
        "it is not for the outside"
    );
}

#[test]
fn operators_are_let_in_through_the_gateway_and_no_page_of_others_is() {
    const TOKEN: &str = "correct-horse-battery";
    let world = World::with(&[("GATEWAY_TRUSTED_PROXIES", "127.0.0.1"), ("OPERATOR_TOKEN", TOKEN)]);
    let front = Front::of(&world);
    let call = number(&front.ask(&Ask::post("/calls", CALL)).with(201));
    world.comes_to(call, ["driveStart", "paid", "start"]);
    for address in [front.gateway.address("gateway"), world.address("gateway"), world.address("call")] {
        let ask = |path: &str| Ask::get(path).header("origin", "https://elsewhere.example");
        let refused = ask("/operator/calls/1").of(address).unwrap().with(401);
        assert_eq!(refused.problem(), "unauthorized");
        let told = ask("/operator/calls/1").header("authorization", &format!("Bearer {TOKEN}"));
        let told = told.of(address).unwrap().with(200);
        assert_eq!(told.json()["statuses"]["drive"], "start");
        for answer in [refused, told] {
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
    for path in ["/problems", "/problems/not-found"] {
        assert_eq!(front.ask(&Ask::get(path)).status, 200, "{path}");
    }
}

#[test]
fn a_service_that_is_away_is_told_and_found_again() {
    let mut world = World::start();
    let front = Front::of(&world);
    let call = number(&front.ask(&Ask::post("/calls", CALL)).with(201));
    world.comes_to(call, ["driveStart", "paid", "start"]);
    world.stays_where_it_is();
    world.kill();
    for ask in [
        Ask::get("/calls/1"),
        Ask::get("/callViews"),
        Ask::post("/calls", CALL),
        Ask::post("/drives/end", r#"{"driveId":1}"#),
    ] {
        let away = front.ask(&ask);
        assert!([502, 503, 504].contains(&away.status), "{away:?}");
        let problem = away.problem();
        assert!(
            ["upstream-unavailable", "upstream-broken", "outcome-unknown"].contains(&problem.as_str()),
            "{away:?}"
        );
        assert!(away.status != 503 || away.header("retry-after").is_some(), "{away:?}");
    }
    until("the gateway to say that it is not ready", || {
        (front.ask(&Ask::get("/health/ready")).status == 503).then_some(())
    });
    assert_eq!(front.ask(&Ask::get("/health/live")).status, 200);

    world.start_again();
    until("the services to be found again", || {
        (front.ask(&Ask::get("/calls/1")).status == 200).then_some(())
    });
    until("the gateway to be ready", || (front.ask(&Ask::get("/health/ready")).status == 200).then_some(()));
    front.ask(&Ask::post("/drives/end", r#"{"driveId":1}"#)).with(200);
    world.comes_to(call, ["driveComplete", "paid", "end"]);
}

#[test]
fn it_stops_when_asked_with_a_stream_open() {
    let world = World::start();
    let mut front = Front::of(&world);
    let stream = Events::open(front.gateway.address("gateway"), "/events");
    front.gateway.terminate();
    assert_eq!(stream.count(), 0, "it ended, and did not break off");
    assert_eq!(front.gateway.ended().code(), Some(0));
}

/// As in `taxisvc gateway | true`.
#[test]
fn it_serves_though_nobody_reads_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = settings(&[("PORTS_GATEWAY", "0"), ("LOG", "info")]);
    for service in ["CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"] {
        pairs.push((format!("UPSTREAMS_{service}"), "127.0.0.1:9".to_owned()));
    }
    let mut gateway = Server::unread(taxisvc(folder.path(), &pairs, &["gateway"]));
    gateway.says("the gateway listens");
    gateway.terminate();
    assert_eq!(gateway.ended().code(), Some(0), "{}", gateway.said());
}

#[test]
fn everything_serves_though_nobody_reads_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = settings(&[("LOG", "info")]);
    for port in ["GATEWAY", "CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"] {
        pairs.push((format!("PORTS_{port}"), "0".to_owned()));
    }
    let mut server = Server::unread(taxisvc(folder.path(), &pairs, &["up", "--data", "data"]));
    let listening = folder.path().join("data/listening");
    until("it to listen", || listening.exists().then_some(()));
    server.terminate();
    assert_eq!(server.ended().code(), Some(0), "{}", server.said());
}
