//! What the scenes are played on: a fleet of its own Kafka and PostgreSQL, one process on a small disk, and further ones where a
//! scene wants them.

use super::super::prometheus::{Job, Prometheus};
use super::super::riders::Riders;
use super::super::{SINGLE, jobs};
use crate::full_disk::SmallDisk;
use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, draw_port};
use crate::world::process::{Server, settings, taxisvc};
use crate::world::{World, number, pause, until};
use engine::clock::Stopwatch;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio_postgres::NoTls;

const REPLICAS: usize = 2;
/// What has not come by then never will.
const COMES_WITHIN: Duration = Duration::from_secs(300);
const RIDERS: usize = 4;
/// Of the small disk's, so that a little of somebody else's is enough.
const MARKS: [(&str, &str); 2] =
    [("STORE_ROOM_WARN_BYTES", "92274688"), ("STORE_ROOM_MIN_BYTES", "62914560")];

pub(in super::super) struct Stage {
    pub(super) prometheus: Option<Prometheus>,
    riders: Option<Riders>,
    pub(super) cluster: Cluster,
    /// On the small disk.
    pub(super) world: World,
    pub(super) disk: SmallDisk,
    /// What a scene needs until its end.
    pub(super) files: Vec<PathBuf>,
    pub(super) held: Option<JoinHandle<()>>,
    pub(super) extra: Option<Extra>,
    pub(super) teller: usize,
    pub(super) kept: String,
}

/// One process more.
pub(super) struct Extra {
    pub(super) folder: TempDir,
    pub(super) address: SocketAddr,
    process: Process,
}

enum Process {
    Server(#[expect(dead_code, reason = "it runs until it is dropped")] Server),
    /// Of whose log nobody takes anything.
    Unheard(Child),
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Unheard(child) = self {
            // One that is gone already cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Stage {
    pub(super) fn set() -> Self {
        let disk = SmallDisk::make("continue").expect("a small disk takes root and loop devices");
        let world = disk.world(&MARKS);
        Self {
            prometheus: None,
            riders: None,
            cluster: Cluster::start(REPLICAS, Outside::own()),
            world,
            disk,
            files: Vec::new(),
            held: None,
            extra: None,
            teller: 0,
            kept: String::new(),
        }
    }

    pub(super) fn jobs(&mut self) -> Vec<Job> {
        let mut single = vec![self.world.address("gateway")];
        single.extend(self.extra.as_ref().map(|extra| extra.address));
        jobs(&mut self.cluster, REPLICAS, &[(SINGLE, single)])
    }

    pub(super) fn prometheus(&self) -> &Prometheus {
        self.prometheus.as_ref().expect("it runs from the first scene on")
    }

    /// Riders come, and nothing is amiss.
    pub(super) fn comes_to_life(&mut self) {
        self.riders_come();
        let firing = self.firing();
        assert!(firing.is_empty(), "nothing is amiss, and yet {firing:?}");
    }

    pub(super) fn riders_come(&mut self) {
        let riders = Riders::start(self.cluster.gateway, RIDERS);
        until("a hundred calls", || (riders.rides() > 100).then_some(()));
        self.riders = Some(riders);
    }

    pub(super) fn riders_go(&mut self) {
        self.riders.take().into_iter().for_each(Riders::end);
    }

    /// Waits for what takes minutes on a busy machine.
    pub(super) fn comes_to(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let since = Stopwatch::start();
        while !holds(self) {
            assert!(since.elapsed() < COMES_WITHIN, "it never came to this: {what}");
            pause();
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.cluster.run(&["audit"]).code == Some(0)
    }

    /// Whether nothing is on its way to anybody but this service, which is away.
    pub(super) fn is_heard_but_by(&self, away: &str) -> bool {
        let report = self.cluster.audit();
        let others = |part: &str, whose: &str, field: &str| -> u64 {
            let rows = report[part].as_array().unwrap_or_else(|| panic!("an audit has {part}: {report}"));
            let rows = rows.iter().filter(|row| row[whose] != away);
            rows.map(|row| row[field].as_u64().expect("it is a number")).sum()
        };
        others("checks", "service", "inFlight") + others("transit", "to", "events") == 0
    }

    pub(super) fn firing(&self) -> BTreeSet<String> {
        let alerts = self.prometheus().alerts().into_iter();
        alerts.filter(|alert| alert.is_firing).map(|alert| alert.name).collect()
    }

    /// One process more, with more settings, that Prometheus scrapes from now on.
    pub(super) fn add(
        &mut self,
        more: &[(&str, &str)],
        prepare: impl Fn(&mut Command, &TempDir),
        is_heard: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let port = draw_port();
        let mut own = settings(more);
        for name in ["CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"] {
            own.push((format!("PORTS_{name}"), "0".to_owned()));
        }
        own.push(("PORTS_GATEWAY".to_owned(), port.to_string()));
        let data = folder.path().join("data").display().to_string();
        let mut command = taxisvc(folder.path(), &own, &["up", "--data", &data]);
        prepare(&mut command, &folder);
        let process = if is_heard {
            Process::Server(Server::start(command))
        } else {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            Process::Unheard(command.spawn().expect("the binary can be started"))
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.extra = Some(Extra { folder, address, process });
        let jobs = self.jobs();
        self.prometheus().scrape(&jobs);
    }

    pub(super) fn take_away(&mut self) {
        let extra = self.extra.take();
        let jobs = self.jobs();
        self.prometheus().scrape(&jobs);
        if let Some(Extra { process, .. }) = extra {
            drop(process);
        }
    }

    pub(super) fn start_all_of(&mut self, role: &str) {
        (0..REPLICAS).for_each(|index| self.cluster.start_again(role, index));
        self.cluster.wait_until_ready();
    }

    pub(super) fn kill_all_of(&mut self, role: &str) {
        (0..REPLICAS).for_each(|index| self.cluster.kill(role, index));
    }

    /// As somebody does by hand.
    pub(super) fn sql(&self, service: &str, statement: &str) {
        sql(&self.cluster.outside().database(service), statement);
    }

    /// As somebody does by hand, and leaves the terminal open.
    pub(super) fn sql_for_long(&mut self, service: &str, statements: Vec<String>) {
        let database = self.cluster.outside().database(service);
        let hold = move || statements.iter().for_each(|statement| sql(&database, statement));
        self.held = Some(std::thread::spawn(hold));
    }

    pub(super) fn let_go(&mut self) {
        if let Some(held) = self.held.take() {
            held.join().expect("what was locked is let go");
        }
    }

    pub(super) fn text(&self, service: &str, query: &str) -> String {
        self.cluster.outside().ask(service, query).unwrap()
    }

    /// A call in the fleet that is driven and not ended.
    pub(super) fn call_under_way(&self) -> u64 {
        number(&self.cluster.place(7.0))
    }

    /// Riders go, and the processes after them.
    pub(super) fn clear(&mut self) {
        self.prometheus = None;
        self.riders_go();
    }
}

fn sql(database: &str, statement: &str) {
    runtime().block_on(async {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap();
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}
