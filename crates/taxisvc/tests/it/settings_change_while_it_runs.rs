//! Settings of the file that change while the process runs: what may is followed, the rest waits for a restart, and what is
//! wrong is refused. Nothing is ever restarted here.

use crate::world::http::{Answer, Ask};
use crate::world::process::{Ended, Server, Settings, run, settings, taxisvc};
use crate::world::{World, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

const TOKEN: &str = "correct-horse-battery";
const PORTS: [&str; 6] = ["gateway", "call", "payment", "drive", "view", "web"];
const FILE: &str = "taxisvc.toml";

/// A process that was started with a file, in a folder of its own.
struct Running {
    server: Server,
    pairs: Settings,
    folder: TempDir,
}

impl Running {
    fn up(said: &str, more: &[(&str, &str)]) -> Self {
        Self::prepared(&["up"], more, |folder| std::fs::write(folder.join(FILE), said).unwrap())
    }

    fn prepared(arguments: &[&str], more: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut pairs = settings(&[("LOG_FORMAT", "json"), ("OPERATOR_TOKEN", TOKEN), ("DATA", "data")]);
        pairs.extend(PORTS.map(|port| (format!("PORTS_{}", port.to_uppercase()), "0".to_owned())));
        pairs.extend(settings(more));
        let server = Server::start(taxisvc(folder.path(), &pairs, arguments));
        Self { server, pairs, folder }
    }

    fn gateway(&self) -> SocketAddr {
        self.server.address("gateway")
    }

    #[track_caller]
    fn ask(&self, ask: &Ask) -> Answer {
        ask.of(self.gateway()).unwrap()
    }

    /// As an operator.
    #[track_caller]
    fn told(&self, path: &str) -> Value {
        let ask = Ask::get(path).header("authorization", &format!("Bearer {TOKEN}"));
        self.ask(&ask).with(200).json()
    }

    fn level(&self) -> Value {
        self.told("/operator/log")["level"].clone()
    }

    fn set_level(&self, level: &str) {
        let ask = Ask::new("PUT", "/operator/log").header("authorization", &format!("Bearer {TOKEN}"));
        let ask = ask.header("content-type", "application/json");
        self.ask(&ask.body(json!({ "level": level }).to_string().as_bytes())).with(200);
    }

    /// As `/operator/config` has it.
    fn setting(&self, path: &str) -> Value {
        let told = self.told("/operator/config");
        let settings = told["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["path"] == path).unwrap().clone()
    }

    fn figure(&self, name: &str) -> f64 {
        let text = self.ask(&Ask::get("/metrics")).with(200).body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
        line.parse().unwrap()
    }

    /// What it is ready with.
    fn warnings(&self) -> Vec<String> {
        let ready = self.ask(&Ask::get("/health/ready")).with(200).json();
        let warnings = ready["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().map(|warning| warning.as_str().unwrap().to_owned()).collect()
    }

    fn write(&self, said: &str) {
        std::fs::write(self.folder.path().join(FILE), said).unwrap();
    }

    /// Has the file say something else, and waits until that is followed.
    fn says(&self, said: &str) {
        let before = self.figure("taxisvc_config_reloads_total");
        self.write(said);
        until("the file to be followed", || {
            (self.figure("taxisvc_config_reloads_total") > before).then_some(())
        });
    }

    /// A line of the log that is an operator's business.
    fn line(&self, message: &str) -> Value {
        until(message, || self.lines(message).pop())
    }

    fn lines(&self, message: &str) -> Vec<Value> {
        let said = self.server.said();
        let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["target"] == "operator" && line["message"] == message).collect()
    }

    /// Whether a read is logged, which it is at `debug`. What comes after it is there when it should be.
    fn logs_reads(&self, name: &str) -> bool {
        self.ask(&Ask::get("/calls").header("x-request-id", name)).with(200);
        let after = format!("after-{name}");
        let refused = Ask::post("/calls/cancel", r#"{"callId":999}"#).header("x-request-id", &after);
        self.ask(&refused).with(404);
        until("the line of a cancellation", || self.server.said().contains(&after).then_some(()));
        self.server.said().contains(&format!("\"request_id\":\"{name}\""))
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(self.folder.path(), &self.pairs, arguments)
    }

    fn place(&self) -> Answer {
        self.ask(&Ask::post("/calls", r#"{"userId":"1","userName":"eojin","distance":10}"#))
    }
}

const FOLLOWED: &str = "the settings file has changed, and is followed";
const REFUSED: &str = "the settings file is refused, and nothing changes";
const WAITS: &str = "the settings file has changed, which counts after a restart";

#[test]
fn the_log_follows_the_file_both_ways() {
    let running = Running::up("log = \"INFO\"\n", &[]);
    assert!(!running.logs_reads("at-info"));
    running.says("log = \"DEBUG\"\n");
    assert!(running.logs_reads("at-debug"));
    assert_eq!(running.line(FOLLOWED)["changed"], "log");
    running.says("log = \"INFO\"\n");
    assert!(!running.logs_reads("at-info-again"));
    assert_eq!(running.warnings(), Vec::<String>::new());
}

/// What an operator asks for stands until the file has another level, whatever else changes in it.
#[test]
fn an_operators_level_counts_until_the_file_has_another() {
    let running = Running::up("log = \"info\"\n", &[]);
    running.set_level("debug");
    running.says("log = \"info\"\n[limits]\nstreams_max = 7\n");
    assert_eq!(
        (running.level(), &running.setting("limits.streams_max")["value"]),
        (json!("debug"), &json!(7))
    );
    running.says("log = \"warn\"\n[limits]\nstreams_max = 7\n");
    assert_eq!(running.level(), "warn");
}

#[test]
fn the_environment_wins_as_it_did_at_the_start() {
    let running = Running::up("log = \"info\"\n", &[("LOG", "warn")]);
    running.says("log = \"debug\"\n[limits]\nstreams_max = 7\n");
    assert_eq!(
        (running.level(), &running.setting("limits.streams_max")["value"]),
        (json!("warn"), &json!(7))
    );
    let log = running.setting("log");
    assert_eq!(
        (&log["value"], &log["from"], &log["overrides"][0]["value"]),
        (&json!("warn"), &json!("environment"), &json!("debug"))
    );
}

#[test]
fn what_is_wrong_is_refused_whole_and_told_until_it_is_right() {
    let good = "log = \"info\"\n[limits]\nstreams_max = 7\n";
    let running = Running::up(good, &[]);
    assert_eq!(running.figure("taxisvc_config_refused"), 0.0);
    running.write(
        "log = \"debug\"\n[operator]\ntoken = \"hush-hush-hush-hush\"\n[limits]\nstreams_max = hush\n",
    );
    let warning = until("a warning", || running.warnings().pop());
    assert!(
        warning.contains("taxisvc.toml is refused") && warning.contains("line 5, column 15"),
        "{warning}"
    );
    assert_eq!((running.figure("taxisvc_config_refused"), running.level()), (1.0, json!("info")));
    assert_eq!(running.setting("limits.streams_max")["value"], 7);
    let line = running.line(REFUSED);
    assert!(
        line["level"] == "ERROR" && line["why"].as_str().unwrap().contains("line 5, column 15"),
        "{line}"
    );
    assert!(running.told("/operator/config")["refused"].as_str().unwrap().contains("line 5"));
    let doctor = running.told("/operator/doctor");
    let of_settings = |finding: &&Value| finding["check"] == "settings" && finding["state"] == "wrong";
    assert!(doctor["findings"].as_array().unwrap().iter().any(|finding| of_settings(&finding)), "{doctor}");
    let ended = running.run(&["doctor"]);
    assert!(
        ended.code == Some(1) && ended.stdout.contains("WRONG  settings") && ended.stdout.contains("line 5"),
        "{ended:?}"
    );

    // Each content is said once, however often it is looked at; what makes no sense beside the rest is as wrong.
    running.write("log = \"debug\"\n[answers]\nwait_ms = 20_000\n");
    until("the other mistake", || {
        running.warnings().pop()?.contains("answers.wait_ms is 20000").then_some(())
    });
    std::fs::remove_file(running.folder.path().join(FILE)).unwrap();
    until("the file to be missed", || running.warnings().pop()?.contains("cannot read").then_some(()));
    // It is told before it is written.
    until("the third line", || (running.lines(REFUSED).len() >= 3).then_some(()));
    assert_eq!((running.lines(REFUSED).len(), running.level()), (3, json!("info")));

    running.says(good);
    assert_eq!((running.warnings().len(), running.figure("taxisvc_config_refused")), (0, 0.0));
    assert_eq!(running.told("/operator/config").get("refused"), None);
    running.line("the settings file is understood again");
    for said in [running.server.said(), warning, doctor.to_string(), ended.stdout] {
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn limits_begin_and_end() {
    let running = Running::up("", &[]);
    let is_limited = |answer: &Answer| answer.status == 429;
    assert!((0..5).all(|_| !is_limited(&running.place())));
    running.says("[limits]\ncalls_per_rider_per_minute = 1\ncalls_per_rider_burst = 1\n");
    assert!(!is_limited(&running.place()));
    assert!(is_limited(&running.place()), "one call at once is all");
    running.says("[gateway]\nbody_bytes_max = 10\n");
    for port in ["gateway", "call", "web"] {
        let answer = Ask::post("/calls", r#"{"userId":"1","userName":"eojin","distance":10}"#)
            .of(running.server.address(port));
        assert_eq!(answer.unwrap().status, 413, "{port}");
    }
    // So slow that nothing is earned back while the test runs, and enough to look on.
    running.says("[gateway]\nrate_limit_per_second = 1\nrate_limit_burst = 1\n");
    until("the client's share to be used up", || is_limited(&running.place()).then_some(()));
    running.write("");
    until("the limit to end", || (0..20).all(|_| !is_limited(&running.place())).then_some(()));
}

#[test]
fn what_counts_at_the_start_waits_for_a_restart_and_says_so() {
    let running = Running::up("", &[]);
    running.says("log = \"debug\"\n[tariff]\nwon_per_km = 20_000\n[store]\nshards = 2\n");
    assert_eq!(running.level(), "debug", "what may change does");
    let warnings = running.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].ends_with("after a restart: store.shards, tariff.won_per_km"),
        "{warnings:?}"
    );
    assert_eq!(
        (running.figure("taxisvc_config_restart_needed"), running.figure("taxisvc_config_refused")),
        (2.0, 0.0)
    );
    let line = running.line(WAITS);
    assert_eq!(
        (&line["level"], &line["changed"]),
        (&json!("WARN"), &json!("store.shards, tariff.won_per_km"))
    );
    assert_eq!(running.place().json()["fare"], 100_000, "the old tariff is in force");
    let tariff = running.setting("tariff.won_per_km");
    assert_eq!(
        tariff,
        json!({"path": "tariff.won_per_km", "live": false, "value": 10_000, "from": "default",
               "afterRestart": {"value": 20_000, "from": "file", "name": FILE}})
    );
    let doctor = running.told("/operator/doctor").to_string();
    assert_eq!(doctor.matches("after a restart: store.shards").count(), 1, "{doctor}");
    let shown = running.run(&["config", "--set"]);
    assert!(shown.stdout.contains("the server goes on with this until it is started again"), "{shown:?}");
    let shown: Value = serde_json::from_str(&running.run(&["config", "--json"]).stdout).unwrap();
    let shown =
        shown["settings"].as_array().unwrap().iter().find(|setting| setting["path"] == "tariff.won_per_km");
    assert_eq!((&shown.unwrap()["value"], &shown.unwrap()["running"]), (&json!(20_000), &json!(10_000)));
    // Another change beside it is none of these.
    running.says("log = \"info\"\n[tariff]\nwon_per_km = 20_000\n[store]\nshards = 2\n");
    assert_eq!(running.lines(WAITS).len(), 1);
    running.says("");
    assert_eq!((running.warnings().len(), running.figure("taxisvc_config_restart_needed")), (0, 0.0));
}

/// As the kubelet brings a ConfigMap: the file is a link into a link that is put in the other's place at once.
#[test]
fn a_mounted_file_is_followed_through_the_link_that_is_swapped() {
    let mount = |folder: &Path, name: &str, said: &str| {
        let mounted = folder.join("mounted");
        std::fs::create_dir_all(mounted.join(name)).unwrap();
        std::fs::write(mounted.join(name).join(FILE), said).unwrap();
        symlink(name, mounted.join("..data_tmp")).unwrap();
        std::fs::rename(mounted.join("..data_tmp"), mounted.join("..data")).unwrap();
    };
    let arguments = ["up", "--config", "mounted/taxisvc.toml"];
    let running = Running::prepared(&arguments, &[], |folder| {
        mount(folder, "..2026_11_28_1", "log = \"info\"\n");
        symlink("..data/taxisvc.toml", folder.join("mounted").join(FILE)).unwrap();
    });
    for (number, level) in [(2, "debug"), (3, "info"), (4, "debug")] {
        let (old, new) = (format!("..2026_11_28_{}", number - 1), format!("..2026_11_28_{number}"));
        mount(running.folder.path(), &new, &format!("log = \"{level}\"\n"));
        std::fs::remove_dir_all(running.folder.path().join("mounted").join(old)).unwrap();
        until("the level of the new file", || (running.level() == level).then_some(()));
    }
    assert_eq!((running.lines(FOLLOWED).len(), running.lines(REFUSED).len()), (3, 0));
}

/// Also one that still waits for its database.
#[test]
fn every_service_by_itself_follows_its_file() {
    let services = ["call", "payment", "drive", "view"];
    let nowhere = |service: &str| format!("postgres://taxisvc@127.0.0.1:9/{service}");
    let started: Vec<(&str, Server, TempDir)> = services
        .map(|service| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(FILE), "log = \"error\"\n").unwrap();
            let name = service.to_uppercase();
            let pairs = settings(&[
                (&format!("PORTS_{name}"), "0"),
                (&format!("POSTGRES_{name}"), &nowhere(service)),
                ("KAFKA_BROKERS", "127.0.0.1:9"),
            ]);
            (service, Server::start(taxisvc(folder.path(), &pairs, &[service, "--data", "data"])), folder)
        })
        .into();
    for (_, _, folder) in &started {
        std::fs::write(folder.path().join(FILE), "log = \"info\"\n[ports]\nweb = 9\n").unwrap();
    }
    for (service, server, _folder) in &started {
        until(service, || server.said().contains(FOLLOWED).then_some(()));
        let metrics = Ask::get("/metrics").of(server.address(service)).unwrap().with(200).body;
        for sample in ["taxisvc_config_reloads_total 1", "taxisvc_config_restart_needed 1.0"] {
            assert!(metrics.lines().any(|line| line == sample), "{service}: {metrics}");
        }
        let ready = Ask::get("/health/ready").of(server.address(service)).unwrap().with(503);
        assert!(ready.body.contains("after a restart: ports.web"), "{ready:?}");
    }
}

/// Requests go on all the time, and none of them fails.
#[test]
fn the_gateway_goes_to_other_replicas_without_a_failed_request() {
    let (old, new) = (World::start(), World::start());
    old.call(10.0);
    let upstreams = |world: &World| {
        let named = PORTS[1..].iter().map(|port| format!("{port} = [\"{}\"]\n", world.address(port)));
        format!("[upstreams]\n{}", named.collect::<String>())
    };
    let running = Running::prepared(&["gateway"], &[], |folder| {
        std::fs::write(folder.join(FILE), upstreams(&old)).unwrap();
    });
    running.ask(&Ask::get("/calls/1")).with(200);
    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let asked_more = |more: usize| {
        let so_far = asked.load(Ordering::Relaxed);
        until("more requests", || (asked.load(Ordering::Relaxed) >= so_far + more).then_some(()));
    };
    std::thread::scope(|scope| {
        let keep_asking = || {
            while !is_over.load(Ordering::Relaxed) {
                for path in ["/calls", "/callViews", "/drives", "/payments", "/"] {
                    running.ask(&Ask::get(path)).with(200);
                }
                asked.fetch_add(1, Ordering::Relaxed);
            }
        };
        let asking = [scope.spawn(keep_asking), scope.spawn(keep_asking)];
        for to in [&new, &old, &new] {
            asked_more(20);
            running.says(&upstreams(to));
        }
        asked_more(20);
        is_over.store(true, Ordering::Relaxed);
        for asking in asking {
            asking.join().expect("no request fails");
        }
    });
    running.ask(&Ask::get("/calls/1")).with(404);
    drop(old);
    running.ask(&Ask::get("/calls")).with(200);
    assert_eq!(running.warnings(), Vec::<String>::new());
}
