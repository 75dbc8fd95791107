//! Apache Kafka: one node that is broker and controller at once.

use super::notes::KafkaNote;
use super::secure::Secure;
use super::{expect_free, free_port, is_let_go, jars, process};
use anyhow::{Context, bail};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// How long it may think about a question before it is asked again.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const PORT_DEFAULT: u16 = 9092;

pub(super) struct Kafka {
    folder: PathBuf,
    note: KafkaNote,
}

impl Kafka {
    pub(super) fn of(folder: &Path, note: Option<KafkaNote>) -> Self {
        let note = note.unwrap_or(KafkaNote {
            host: Ipv4Addr::LOCALHOST,
            port: PORT_DEFAULT,
            controller_port: 0,
            secure: None,
        });
        Self { folder: folder.join("kafka"), note }
    }

    /// What is to be noted before it is started: what was noted, while it runs or its port stays.
    pub(super) fn note(
        folder: &Path,
        before: Option<&KafkaNote>,
        (host, port, is_secure): (Ipv4Addr, u16, bool),
    ) -> anyhow::Result<KafkaNote> {
        if let Some(note) = before {
            let kafka = Self::of(folder, Some(*note));
            // The passwords of a data directory are made with it.
            if is_secure && note.secure.is_none() {
                bail!("Kafka was made there without --secure; `services down` removes it");
            }
            if kafka.running().is_some() && (host, port) != (note.host, note.port) {
                bail!("Kafka runs there already, at {}; `services down` ends it", kafka.address());
            }
            if kafka.running().is_some() {
                return Ok(kafka.note);
            }
        }
        expect_free((host, port), "--kafka-port")?;
        let secure = match before.and_then(|note| note.secure) {
            None if is_secure => Some(Secure::draw_ports()?),
            before => before,
        };
        Ok(KafkaNote { host, port, controller_port: free_port()?, secure })
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.note.host, self.note.port)
    }

    /// What is known of its listeners that want a password or a certificate, where it has them.
    pub(super) fn secure(&self) -> Option<Secure> {
        Some(Secure::of(self.folder.join("secure"), self.note.secure?))
    }

    fn running(&self) -> Option<u32> {
        process::running(&self.id_file(), &self.properties().display().to_string())
    }

    fn id_file(&self) -> PathBuf {
        self.folder.join("kafka.pid")
    }

    fn properties(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Starts it without waiting for it; `None` when it runs already.
    pub(super) fn start(&self, root: &Path) -> anyhow::Result<Option<Child>> {
        if self.running().is_some() {
            return Ok(None);
        }
        expect_free((self.note.host, self.note.port), "--kafka-port")?;
        let place = self.folder.display().to_string();
        // Its settings are a list where there is a comma, and go on where there is a backslash.
        if place.contains([',', '\\', '\n']) {
            bail!(
                "Kafka has no way to name {place:?}; take a directory without commas and backslashes by --at"
            );
        }
        fs::create_dir_all(&self.folder).context("cannot make a directory for Kafka")?;
        if let Some(secure) = self.secure() {
            secure.expect_free()?;
            secure.make()?;
        }
        fs::write(self.properties(), self.settings()?).context("cannot write Kafka's settings")?;
        if !self.folder.join("data/meta.properties").exists() {
            self.format(root)?;
        }
        // It serves a developer's machine: little memory, and short pauses.
        let options = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
        ];
        let mut command = jars::machine(root, &options)?;
        command.arg("kafka.Kafka").arg(self.properties());
        process::spawn(&mut command, &self.log(), &self.id_file()).map(Some)
    }

    fn format(&self, root: &Path) -> anyhow::Result<()> {
        let mut draw = jars::java(root, "kafka.tools.StorageTool")?;
        let cluster = process::ask(draw.arg("random-uuid"))?;
        let mut format = jars::java(root, "kafka.tools.StorageTool")?;
        format.args(["format", "--cluster-id", cluster.trim(), "--config"]).arg(self.properties());
        if let Some(secure) = self.secure() {
            format.arg("--add-scram").arg(secure.credentials()?);
        }
        process::ask(&mut format)?;
        Ok(())
    }

    fn settings(&self) -> anyhow::Result<String> {
        let KafkaNote { host, port, controller_port, .. } = self.note;
        let data = self.folder.join("data");
        let (others, secure) = match self.secure() {
            Some(secure) => (secure.listeners(), secure.settings()?),
            None => (String::new(), String::new()),
        };
        Ok(format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller_port}{others}
advertised.listeners=PLAINTEXT://{host}:{port}{others}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,\
SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
log.dirs={}
# A topic is made by whoever knows how many partitions it has.
auto.create.topics.enable=false
# There is one node.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A group of one machine is complete at once.
group.initial.rebalance.delay.ms=0
# What was killed and starts again waits for its own last session to end.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
{secure}",
            data.display()
        ))
    }

    /// Waits until it answers; a child that dies first ends the waiting.
    pub(super) fn wait(&self, mut child: Option<Child>) -> anyhow::Result<()> {
        let answered = process::until(|| {
            if let Some(status) =
                child.as_mut().map(Child::try_wait).transpose().context("it is ours")?.flatten()
            {
                bail!("Kafka ended by itself, {status}:\n{}", process::tail(&self.log()));
            }
            Ok(self.answers().then_some(()))
        })?;
        answered.with_context(|| format!("Kafka does not answer:\n{}", process::tail(&self.log())))
    }

    /// Whether it names itself among the brokers that are alive, which is when it takes messages.
    fn answers(&self) -> bool {
        metadata((self.note.host, self.note.port)).is_ok_and(|brokers| brokers > 0)
    }

    pub(super) fn stop(&self, immediate: bool) -> anyhow::Result<()> {
        let Some(id) = self.running() else { return Ok(()) };
        let signalled = process::signal(id, if immediate { "KILL" } else { "TERM" });
        // One that has just ended by itself has nothing to be told.
        if self.running().is_some() {
            signalled?;
        }
        // A process that was killed keeps its port until the last of its threads is gone.
        let is_gone = || self.running().is_none() && is_let_go((self.note.host, self.note.port));
        let ended = process::until(|| Ok(is_gone().then_some(())))?;
        ended.with_context(|| format!("Kafka, process {id}, does not end"))
    }

    pub(super) fn remove(&self) -> anyhow::Result<()> {
        self.stop(true)?;
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).context("cannot remove Kafka's data")?;
        }
        Ok(())
    }
}

/// How many brokers a Kafka says are alive: its request `Metadata`, version 1, about no topic.
fn metadata(address: (Ipv4Addr, u16)) -> std::io::Result<i32> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut request = Vec::new();
    for number in [3_i16, 1] {
        request.extend(number.to_be_bytes());
    }
    // The number of the request, no name of a client, and a list of no topics.
    request.extend(7_i32.to_be_bytes());
    request.extend((-1_i16).to_be_bytes());
    request.extend(0_i32.to_be_bytes());
    let length = i32::try_from(request.len()).expect("a few bytes");
    stream.write_all(&[&length.to_be_bytes()[..], &request].concat())?;
    // Its length, the request's number, how many brokers.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    let [.., a, b, c, d] = answer;
    Ok(i32::from_be_bytes([a, b, c, d]))
}
