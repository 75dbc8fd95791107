//! The test world: the binary on a fresh data directory, its riders and drivers over HTTP, and an audit at the end.

pub(crate) mod by_hand;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod cut_off;
pub(crate) mod entry;
pub(crate) mod http;
pub(crate) mod process;

use self::entry::Entry;
use self::http::{Answer, Events};
use self::process::{Ended, Server, Settings, run, taxisvc};
use engine::clock::Stopwatch;
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// What has not come by then never will.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long it is left in peace between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(stopwatch.elapsed() < WAIT_MAX, "waited in vain for {what}");
        pause();
    }
}

/// Lets others work for a moment; nothing is ever decided by how long it takes.
pub(crate) fn pause() {
    std::thread::park_timeout(PAUSE);
}

/// All payments together, in won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) taken: i64,
    pub(crate) held: i64,
    pub(crate) earned: i64,
    pub(crate) returned: i64,
    /// What the provider's book says that riders are out of pocket.
    pub(crate) at_provider: i64,
}

/// How a call stands: its call, its payment, its drive; `-` for what there is none of.
pub(crate) type Standing = [String; 3];

/// The whole system in a process. Every world ends with a clean audit, while it runs and after it was killed.
pub(crate) struct World {
    pub(crate) server: Option<Server>,
    entry: Entry,
    settings: Settings,
    folder: TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Every wait is so long that a slow machine does not matter, unless the test says otherwise.
    pub(crate) fn with(more: &[(&str, &str)]) -> Self {
        Self::prepared(more, |_| {})
    }

    /// The same in a folder where something lies already.
    pub(crate) fn prepared(more: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        let mut settings = process::settings(&[
            ("LOG", "warn"),
            ("ANSWERS_WAIT_MS", "50000"),
            ("GATEWAY_REQUEST_TIMEOUT_MS", "55000"),
            ("PROVIDER_OBEY_TEST_METHODS", "true"),
        ]);
        for port in ["GATEWAY", "CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"] {
            settings.push((format!("PORTS_{port}"), "0".to_owned()));
        }
        settings.extend(process::settings(more));
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let entry = Entry { gateway: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut world = Self { server: None, entry, settings, folder };
        world.start_again();
        world
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The settings it runs with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// On the data that the last process left behind.
    pub(crate) fn start_again(&mut self) {
        assert!(self.server.is_none(), "one process at a time");
        let data = self.data();
        let arguments = ["up", "--data", data.to_str().unwrap()];
        let server = Server::start_where_it_was(|| taxisvc(self.folder.path(), &self.settings, &arguments));
        self.entry = Entry { gateway: server.address("gateway") };
        self.server = Some(server);
    }

    /// From now on it is started on the ports that it has.
    pub(crate) fn stays_where_it_is(&mut self) {
        for port in ["gateway", "call", "payment", "drive", "view", "web"] {
            let number = self.address(port).port().to_string();
            self.settings.push((format!("PORTS_{}", port.to_uppercase()), number));
        }
    }

    /// As if the power went.
    pub(crate) fn kill(&mut self) {
        self.server.take().expect("it runs").kill();
    }

    /// For a test that ends it in a way of its own.
    pub(crate) fn take_server(&mut self) -> Server {
        self.server.take().expect("it runs")
    }

    /// What the process has logged so far.
    pub(crate) fn said(&self) -> String {
        self.server.as_ref().expect("it runs").said()
    }

    /// Where a port listens: `gateway`, `call`, `payment`, `drive`, `view` or `web`.
    pub(crate) fn address(&self, port: &str) -> SocketAddr {
        self.server.as_ref().expect("it runs").address(port)
    }

    /// Every event that was told of a call, in the order of the stream. To know that no more follow, another call is
    /// placed, and what becomes of that is told of after all of them.
    pub(crate) fn told(&self, call: u64) -> Vec<String> {
        let last = number(&self.place(1.0));
        let mut told = Vec::new();
        for event in Events::open(self.address("gateway"), "/events?from=0") {
            if event.call_id() == call {
                told.push(event.name);
            } else if event.call_id() == last
                && ["DriveStarted", "PaymentFailed"].contains(&event.name.as_str())
            {
                break;
            }
        }
        told
    }

    /// Runs another command of the binary on the same data.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        run(self.folder.path(), &self.settings, arguments)
    }

    /// Checks every invariant, running or not.
    #[track_caller]
    pub(crate) fn audit(&self) -> Value {
        let data = self.data();
        let ended = self.run(&["audit", "--data", data.to_str().unwrap(), "--json"]);
        assert_eq!(ended.code, Some(0), "the audit is not clean: {}\n{}", ended.stdout, ended.stderr);
        serde_json::from_str(&ended.stdout).expect("the report is JSON")
    }

    #[track_caller]
    pub(crate) fn money(&self) -> Money {
        let money = &self.audit()["money"];
        let of = |field: &str| money[field].as_i64().expect("money is whole won");
        Money {
            taken: of("taken"),
            held: of("held"),
            earned: of("earned"),
            returned: of("returned"),
            at_provider: of("atProvider"),
        }
    }
}

/// Riders and drivers come to its gateway.
impl Deref for World {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if self.server.is_some() {
            self.audit();
            self.kill();
        }
        self.audit();
    }
}

/// The number of the call that an answer tells of.
#[track_caller]
pub(crate) fn number(answer: &Answer) -> u64 {
    answer.json()["callId"].as_u64().expect("a call has a number")
}

pub(crate) fn word(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}
