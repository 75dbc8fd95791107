//! Several of each service, each a process of its own over Kafka and PostgreSQL, behind a gateway.

pub(crate) mod load;
pub(crate) mod outside;
mod ports;
mod program;
pub(crate) mod strict;

use self::outside::Outside;
pub(crate) use self::ports::draw_port;
pub(crate) use self::program::Program;
use super::entry::Entry;
use super::http::Ask;
use super::process::{self, Ended, Server, Settings};
use super::until;
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) const ROLES: [&str; 4] = ["call", "payment", "drive", "view"];

/// A fleet: it ends with a clean audit, and nothing on its way.
pub(crate) struct Cluster {
    replicas: Vec<Replica>,
    front: Replica,
    entry: Entry,
    settings: Settings,
    folder: TempDir,
    /// What is started from now on.
    program: Program,
    /// Dropped last: the processes want it to the end.
    outside: Arc<Outside>,
}

/// One process of a service; it keeps its port while it is away.
struct Replica {
    role: &'static str,
    port: u16,
    server: Option<Server>,
}

impl Replica {
    fn new(role: &'static str) -> Self {
        Self { role, port: draw_port(), server: None }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn start(&mut self, program: &Program, (folder, settings): (&Path, &Settings), arguments: &[&str]) {
        assert!(self.server.is_none(), "{} runs already", self.role);
        let mut settings = settings.clone();
        settings.push((format!("PORTS_{}", self.role.to_uppercase()), self.port.to_string()));
        let arguments = [&[self.role], arguments].concat();
        let server = Server::start_where_it_was(|| program.command(folder, &settings, &arguments));
        self.server = Some(server);
    }

    fn is_ready(&mut self) -> bool {
        self.server.as_mut().expect("it runs").assert_lives();
        Ask::get("/health/ready").of(self.address()).is_ok_and(|answer| answer.status == 200)
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let what = format!("{} on port {} to be ready", self.role, self.port);
        until(&what, || self.is_ready().then_some(()));
    }
}

impl Cluster {
    /// So many of each service.
    pub(crate) fn start(replicas: usize, outside: Outside) -> Self {
        Self::with(replicas, outside, &[])
    }

    pub(crate) fn with(replicas: usize, outside: Outside, more: &[(&str, &str)]) -> Self {
        Self::partly((replicas, replicas), outside, more)
    }

    /// Starts some of those that the gateway knows; the others are away until they are started.
    pub(crate) fn partly((started, known): (usize, usize), outside: Outside, more: &[(&str, &str)]) -> Self {
        let mut settings = process::settings(&[
            ("LOG", "info"),
            ("STORE_KIND", "postgres"),
            ("PROVIDER_OBEY_TEST_METHODS", "true"),
            ("OPERATOR_TOKEN", "cluster-operator-token-0123456789"),
        ]);
        settings.extend(outside.settings());
        settings.extend(process::settings(more));
        let replicas: Vec<Replica> =
            ROLES.iter().flat_map(|role| (0..known).map(|_| Replica::new(role))).collect();
        let folder = tempfile::tempdir().unwrap();
        // There to be changed while they run.
        std::fs::write(folder.path().join("taxisvc.toml"), "").unwrap();
        let front = Replica::new("gateway");
        let entry = Entry { gateway: front.address() };
        let outside = Arc::new(outside);
        let program = Program::this();
        let mut cluster = Self { replicas, front, entry, settings, folder, program, outside };
        for role in ROLES {
            (0..started).for_each(|index| cluster.start_again(role, index));
        }
        cluster.start_gateway();
        cluster.wait_until_ready();
        cluster
    }

    /// In front of every replica that there is, as a file names them.
    pub(crate) fn start_gateway(&mut self) {
        self.tell_gateway();
        let file = self.upstreams().display().to_string();
        self.front.start(&self.program, (self.folder.path(), &self.settings), &["--config", &file]);
    }

    fn upstreams(&self) -> PathBuf {
        self.folder.path().join("upstreams.toml")
    }

    /// Names all replicas that there are now to the gateway, in the file that it looks into time and again.
    fn tell_gateway(&self) {
        let mut text = String::from("[upstreams]\n");
        for role in ROLES {
            let addresses: Vec<String> = self.of(role).map(|replica| replica.address().to_string()).collect();
            text += &format!("{role} = {addresses:?}\n");
        }
        // Whole at once, as the files of a ConfigMap change.
        let new = self.upstreams().with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, self.upstreams()).unwrap();
    }

    /// From now on processes are of this version.
    pub(crate) fn goes_on_as(&mut self, program: &Program) {
        self.program = program.clone();
    }

    /// The oldest of each service makes room for a new one, all services at once: the new ones are ready and named to the gateway
    /// before the old ones are told to stop, and these say themselves that they go, before they go.
    #[track_caller]
    pub(crate) fn renew_one_of_each(&mut self) {
        let old: Vec<u16> =
            ROLES.iter().filter_map(|role| self.of(role).next()).map(|oldest| oldest.port).collect();
        let mut new: Vec<Replica> = ROLES.into_iter().map(Replica::new).collect();
        for replica in &mut new {
            replica.start(&self.program, (self.folder.path(), &self.settings), &[]);
        }
        new.iter_mut().for_each(Replica::wait_until_ready);
        let told: Vec<String> =
            new.iter().map(|replica| format!("there is a replica replica={}", replica.address())).collect();
        self.replicas.extend(new);
        self.tell_gateway();
        let front = self.front.server.as_ref().expect("it runs");
        until("the gateway to hear of the new ones", || {
            let said = front.said();
            told.iter().all(|told| said.contains(told)).then_some(())
        });
        let (mut going, stay): (Vec<Replica>, Vec<Replica>) =
            std::mem::take(&mut self.replicas).into_iter().partition(|replica| old.contains(&replica.port));
        self.replicas = stay;
        for replica in &going {
            replica.server.as_ref().expect("it runs").terminate();
        }
        for replica in &mut going {
            let mut server = replica.server.take().expect("it runs");
            let status = server.ended();
            assert!(status.success(), "{} did not stop well: {status}\n{}", replica.role, server.said());
        }
        self.tell_gateway();
    }

    pub(crate) fn stop_gateway(&mut self) {
        let mut server = self.front.server.take().expect("it runs");
        server.terminate();
        assert!(server.ended().success(), "the gateway did not stop well");
    }

    /// The settings with all replicas in them.
    fn of_the_fleet(&self) -> Settings {
        let mut settings = self.settings.clone();
        for role in ROLES {
            let addresses: Vec<String> = self.of(role).map(|replica| replica.address().to_string()).collect();
            settings.push((format!("UPSTREAMS_{}", role.to_uppercase()), addresses.join(", ")));
        }
        settings
    }

    /// Runs a command as an operator does who knows where everything is, with more settings.
    pub(crate) fn operate(&self, arguments: &[&str], more: &[(&str, &str)]) -> Ended {
        let mut settings = self.of_the_fleet();
        settings.push(("PORTS_GATEWAY".to_owned(), self.front.address().port().to_string()));
        settings.extend(process::settings(more));
        self.program.run(self.folder.path(), &settings, arguments)
    }

    fn of(&self, role: &str) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().filter(move |replica| replica.role == role)
    }

    fn replica(&mut self, role: &str, index: usize) -> &mut Replica {
        let mut of_role = self.replicas.iter_mut().filter(|replica| replica.role == role);
        of_role.nth(index).unwrap_or_else(|| panic!("there is no {role} {index}"))
    }

    pub(crate) fn outside(&self) -> Arc<Outside> {
        self.outside.clone()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where one of a service's processes listens.
    pub(crate) fn address(&mut self, role: &str, index: usize) -> SocketAddr {
        self.replica(role, index).address()
    }

    /// As if the power of that machine went.
    pub(crate) fn kill(&mut self, role: &str, index: usize) {
        self.replica(role, index).server.take().expect("it runs").kill();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self, role: &str, index: usize) {
        let mut server = self.replica(role, index).server.take().expect("it runs");
        server.terminate();
        let status = server.ended();
        assert!(status.success(), "{role} {index} did not stop well: {status}\n{}", server.said());
    }

    /// Waits until it has stopped by itself, and returns what it said.
    pub(crate) fn ends_by_itself(&mut self, role: &str, index: usize) -> String {
        let mut server = self.replica(role, index).server.take().expect("it runs");
        assert!(!server.ended().success(), "{role} {index} was to fail");
        server.said()
    }

    /// What all that run have said so far.
    pub(crate) fn said(&self) -> String {
        let all = self.replicas.iter().chain([&self.front]).filter_map(|process| process.server.as_ref());
        all.map(Server::said).collect()
    }

    /// Starts one that is away, without waiting for it to be ready.
    pub(crate) fn start_again(&mut self, role: &str, index: usize) {
        let (folder, settings) = (self.folder.path().to_owned(), self.settings.clone());
        let program = self.program.clone();
        self.replica(role, index).start(&program, (&folder, &settings), &[]);
    }

    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        let started = self.replicas.iter_mut().chain([&mut self.front]);
        started.filter(|process| process.server.is_some()).for_each(Replica::wait_until_ready);
    }

    /// It stands still, as in a long pause, and knows nothing of it.
    pub(crate) fn freeze(&mut self, role: &str, index: usize) {
        self.replica(role, index).server.as_ref().expect("it runs").signal("STOP");
    }

    pub(crate) fn thaw(&mut self, role: &str, index: usize) {
        self.replica(role, index).server.as_ref().expect("it runs").signal("CONT");
    }

    pub(crate) fn process_id(&mut self, role: &str, index: usize) -> u32 {
        self.replica(role, index).server.as_ref().expect("it runs").id()
    }

    /// A figure of one process, all its labels together.
    #[track_caller]
    pub(crate) fn figure(&mut self, role: &str, index: usize, name: &str) -> f64 {
        let metrics = Ask::get("/metrics").of(self.address(role, index)).expect("it answers").with(200).body;
        let samples = metrics.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        samples.map(|line| value(line).expect("a sample ends with its value")).sum()
    }

    /// The replica of a service that has the turn to tell the topic.
    #[track_caller]
    pub(crate) fn teller(&mut self, role: &str) -> usize {
        let replicas = self.of(role).count();
        until(&format!("a {role} to tell"), || {
            (0..replicas).find(|index| self.figure(role, *index, "taxisvc_relay_holds") > 0.0)
        })
    }

    /// Runs another command of the binary over the same databases.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.program.run(self.folder.path(), &self.settings, arguments)
    }

    /// Checks every invariant over the four databases, running or not.
    #[track_caller]
    pub(crate) fn audit(&self) -> Value {
        let ended = self.run(&["audit", "--json"]);
        assert_eq!(ended.code, Some(0), "the audit is not clean: {}\n{}", ended.stdout, ended.stderr);
        serde_json::from_str(&ended.stdout).expect("the report is JSON")
    }

    /// Waits until everything that was said has been heard; nothing may be amiss on the way there, and nothing put aside.
    #[track_caller]
    pub(crate) fn comes_to_rest(&self) -> Value {
        until("everything said to be heard", || {
            let report = self.audit();
            let sum = |part: &str, field: &str| -> u64 {
                let rows = report[part].as_array().unwrap_or_else(|| panic!("an audit has {part}: {report}"));
                rows.iter().map(|row| row[field].as_u64().expect("it is a number")).sum()
            };
            assert_eq!(sum("services", "deadLetters"), 0, "{report}");
            let on_its_way = sum("checks", "inFlight") + sum("transit", "events");
            (on_its_way == 0).then_some(report)
        })
    }
}

/// Riders and drivers come to its gateway.
impl Deref for Cluster {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.comes_to_rest();
        for replica in self.replicas.iter_mut().chain([&mut self.front]) {
            if let Some(server) = replica.server.take() {
                server.kill();
            }
        }
        self.audit();
    }
}
