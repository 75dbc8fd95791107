//! The port of the pages: what is no page there the gateway of the same process answers, so that a page has one origin.

use crate::world::http::{Ask, Events};
use crate::world::process::{Server, settings, taxisvc};
use crate::world::{World, number};

const CALL: &str = r#"{"userId":"1","userName":"eojin","distance":10}"#;
const TOKEN: &str = "a-token-for-the-pages";

#[test]
fn a_ride_is_taken_where_the_pages_are() {
    let world = World::with(&[("OPERATOR_TOKEN", TOKEN)]);
    let web = world.address("web");
    for page in ["/", "/driver", "/console"] {
        assert!(Ask::get(page).of(web).unwrap().with(200).body.starts_with("<!doctype html>"), "{page}");
    }
    let mut stream = Events::open(web, "/events?from=0");
    let placed = Ask::post("/calls", CALL).of(web).unwrap().with(201);
    let link = placed.json()["_links"]["self"]["href"].as_str().unwrap().to_owned();
    let call = number(&placed);
    assert_eq!(link, format!("http://{web}/calls/{call}"), "a link is good from where the page is");
    world.comes_to(call, ["driveStart", "paid", "start"]);
    let end = format!(r#"{{"driveId":{call}}}"#);
    Ask::post("/drives/end", &end).of(web).unwrap().with(200);
    assert!(stream.any(|event| event.name == "DriveEnded"), "what happens is told there as it happens");
    let told = Ask::get(&format!("/events/calls/{call}")).of(web).unwrap().with(200).json();
    assert_eq!(told["events"].as_array().map(Vec::len), Some(5), "{told}");
    for path in ["/fares?distance=1", "/docs", "/openapi.json", "/health/ready", "/metrics", "/problems"] {
        assert_eq!(Ask::get(path).of(web).unwrap().status, 200, "{path}");
    }
    let story = Ask::get(&format!("/operator/calls/{call}"));
    assert_eq!(story.of(web).unwrap().with(401).problem(), "unauthorized");
    story.header("authorization", &format!("Bearer {TOKEN}")).of(web).unwrap().with(200);
}

#[test]
fn what_is_nowhere_is_a_404_there_also_for_a_gateway_that_asks_there() {
    let world = World::with(&[("GATEWAY_TRUSTED_PROXIES", "127.0.0.1")]);
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = settings(&[("PORTS_GATEWAY", "0"), ("LOG", "warn")]);
    for port in ["call", "payment", "drive", "view", "web"] {
        pairs.push((format!("UPSTREAMS_{}", port.to_uppercase()), world.address(port).to_string()));
    }
    let front = Server::start(taxisvc(folder.path(), &pairs, &["gateway"]));
    for address in [world.address("web"), world.address("gateway"), front.address("gateway")] {
        for path in ["/nothing", "/nothing/here", "/assets/none.js", "/callpay", "/driver/"] {
            let answer = Ask::get(path).of(address).unwrap().with(404);
            assert_eq!(answer.problem(), "not-found", "{path}");
        }
        for page in ["/", "/driver", "/console", "/favicon.svg"] {
            assert_eq!(Ask::get(page).of(address).unwrap().status, 200, "{page}");
        }
        assert_eq!(Ask::post("/", "{}").of(address).unwrap().status, 405);
    }
}
