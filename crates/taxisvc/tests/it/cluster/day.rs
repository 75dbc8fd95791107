//! A day is replayed through several of each service while they, Kafka and PostgreSQL are killed: every trip ends as it does
//! in one process that nothing disturbs.

use crate::killed_and_resumed::{end_of, replay_all, sample_day, whole_day};
use crate::world::World;
use crate::world::cluster::outside::{Outside, Which, said};
use crate::world::cluster::{Cluster, ROLES};
use crate::world::http::Ask;
use crate::world::pause;
use crate::world::process::taxisvc;
use engine::clock::Stopwatch;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

const REPLICAS: usize = 3;
/// No outage here is as long as these, so that no deadline decides how a trip ends.
const PATIENT: [(&str, &str); 3] = [
    ("DEADLINES_PROVIDER_MS", "3600000"),
    ("DEADLINES_CALL_UNPAID_MS", "7200000"),
    ("DEADLINES_CALL_UNDRIVEN_MS", "7200000"),
];
/// A request is repeated and a status waited for so long, in seconds.
const PATIENCE: &str = "300";

#[test]
#[ignore = "kills twelve processes, Kafka and PostgreSQL; `cargo xtask ci` runs it"]
fn a_short_day_while_everything_breaks() {
    let folder = tempfile::tempdir().unwrap();
    break_everything(&sample_day(folder.path()), Duration::from_secs(5));
}

#[test]
#[ignore = "replays a whole day of New York: cargo xtask cluster-day"]
fn a_whole_day_while_everything_breaks() {
    let folder = tempfile::tempdir().unwrap();
    break_everything(&whole_day(folder.path()), Duration::from_secs(10));
}

fn break_everything(trips: &Path, kill_every: Duration) {
    let stopwatch = Stopwatch::start();
    let world = World::with(&PATIENT);
    let undisturbed = replay_all(&world, trips, &["--clients", "64"]);
    let calls = world.count("calls");
    drop(world);
    println!("one process, undisturbed: {calls} calls in {:.1} s", stopwatch.elapsed().as_secs_f64());

    let replicas = said("TAXISVC_REPLICAS").map_or(REPLICAS, |said| said.parse().expect("a number"));
    let mut cluster = Cluster::with(replicas, Outside::own(), &PATIENT);
    let stopwatch = Stopwatch::start();
    let ends = cluster.folder().join("ends.csv");
    let mut replay = replay(&cluster, trips, &ends);
    let mut chaos = Chaos {
        calls,
        replicas,
        kill_every,
        since_kill: Stopwatch::start(),
        killed: 0,
        restarts: 0,
        restarting: None,
    };
    while replay.try_wait().unwrap().is_none() {
        chaos.go_on(&mut cluster);
        pause();
    }
    let ended = end_of(replay);
    let (killed, restarts) = chaos.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    println!(
        "{replicas} of each: {calls} calls in {:.1} s; {killed} processes killed, Kafka and PostgreSQL {restarts} times",
        stopwatch.elapsed().as_secs_f64(),
    );
    assert_eq!(restarts, RESTARTS.len(), "the day was over before everything was broken");
    cluster.wait_until_ready();
    let report = cluster.comes_to_rest();
    println!("audit: {}", report["money"]);
    let disturbed = std::fs::read_to_string(ends).unwrap();
    for (disturbed, undisturbed) in disturbed.lines().zip(undisturbed.lines()) {
        assert_eq!(disturbed, undisturbed);
    }
    assert_eq!(disturbed.lines().count(), undisturbed.lines().count());
    assert_eq!(cluster.count("calls"), calls, "nothing is lost or doubled");
    println!("every trip ended as undisturbed; nothing was lost or doubled");
}

pub(super) fn replay(cluster: &Cluster, trips: &Path, ends: &Path) -> Child {
    let to = format!("http://{}", cluster.gateway);
    let (trips, ends) = (trips.to_str().unwrap(), ends.to_str().unwrap());
    let arguments =
        ["replay", trips, "--to", &to, "--ends", ends, "--run", "day", "--json", "--speed", "max"];
    let mut command = taxisvc(cluster.folder(), &Vec::new(), &arguments);
    command.args(["--clients", "64", "--patience", PATIENCE]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What is restarted, when so many hundredths of the calls are placed.
const RESTARTS: [(u64, Which); 4] =
    [(20, Which::Kafka), (40, Which::Postgres), (60, Which::Kafka), (80, Which::Postgres)];

struct Chaos {
    calls: u64,
    replicas: usize,
    kill_every: Duration,
    since_kill: Stopwatch,
    killed: usize,
    restarts: usize,
    restarting: Option<JoinHandle<()>>,
}

impl Chaos {
    /// Does whatever is due.
    fn go_on(&mut self, cluster: &mut Cluster) {
        if self.since_kill.elapsed() >= self.kill_every {
            self.since_kill = Stopwatch::start();
            let (role, index) = (ROLES[self.killed % ROLES.len()], self.killed / ROLES.len() % self.replicas);
            cluster.kill(role, index);
            cluster.start_again(role, index);
            self.killed += 1;
        }
        let is_restarting = self.restarting.as_ref().is_some_and(|restarting| !restarting.is_finished());
        let Some((hundredths, which)) = RESTARTS.get(self.restarts).filter(|_| !is_restarting) else {
            return;
        };
        if placed(cluster).is_some_and(|placed| placed * 100 >= self.calls * hundredths) {
            println!("{which:?} is killed when {hundredths} of 100 calls are placed");
            self.restarts += 1;
            let (outside, which) = (cluster.outside(), *which);
            // Meanwhile the killing goes on.
            self.restarting = Some(std::thread::spawn(move || {
                outside.kill(which);
                outside.start(which);
            }));
        }
    }

    /// How often something was restarted, and is back.
    fn end(self) -> (usize, usize) {
        if let Some(restarting) = self.restarting {
            restarting.join().expect("what was killed starts again");
        }
        (self.killed, self.restarts)
    }
}

/// Calls so far, where somebody answers.
fn placed(cluster: &Cluster) -> Option<u64> {
    let answer = Ask::get("/calls?size=1").of(cluster.gateway).ok()?;
    (answer.status == 200).then(|| answer.json()["page"]["totalElements"].as_u64()).flatten()
}
