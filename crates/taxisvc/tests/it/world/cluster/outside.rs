//! Kafka and PostgreSQL: those that are shared by all tests, or own ones for a test that breaks them.

use super::ROLES;
use super::ports::draw_port;
use crate::world::process::Settings;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::{Error, NoTls};

/// Where the services are that `cargo xtask services up` starts.
const KAFKA: &str = "127.0.0.1:9092";
const POSTGRES: &str = "postgres://taxisvc@127.0.0.1:5432/postgres";
/// What Kafka has not said by then it never will.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long a producer that is full is left to send.
const FULL_WAIT: Duration = Duration::from_millis(50);

/// Where the processes of a test find what they run on. What was made for the test goes with it.
pub(crate) struct Outside {
    kafka: String,
    /// A database on it, for making others.
    postgres: String,
    topic: String,
    /// What the names of the databases begin with.
    prefix: String,
    own: Option<Own>,
}

/// Where the services lie that were made for a test, and who takes them down when the test is ended by a Ctrl-C.
struct Own {
    folder: TempDir,
    keeper: Child,
}

impl Own {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = xtask();
        command.args(["services", "keep", "--at"]).arg(folder.path());
        // It is heard of the end of this process by its input, and not by what reaches all in a terminal.
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let keeper = command.spawn().expect("cargo can be started");
        Self { folder, keeper }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let ended = self.keeper.wait().expect("it is ours");
        assert!(ended.success() || std::thread::panicking(), "the services were not taken down: {ended}");
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Kafka,
    Postgres,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Postgres => "postgres",
        }
    }
}

impl Outside {
    /// A topic and databases of its own on what is shared.
    pub(crate) fn shared() -> Self {
        let name = drawn_name();
        let outside = Self {
            kafka: said("TAXISVC_TEST_KAFKA").unwrap_or_else(|| KAFKA.to_owned()),
            postgres: said("TAXISVC_TEST_POSTGRES").unwrap_or_else(|| POSTGRES.to_owned()),
            topic: name.clone(),
            prefix: format!("{name}_"),
            own: None,
        };
        for database in ROLES {
            let made = outside.sql(&format!("CREATE DATABASE {}{database}", outside.prefix));
            made.unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask services up`?", outside.postgres));
        }
        outside
    }

    /// A Kafka and a PostgreSQL that nobody else uses.
    pub(crate) fn own() -> Self {
        Self::own_with(&[])
    }

    /// Such a Kafka that listens on further ports, too, for those who have a password or a certificate.
    pub(crate) fn secured() -> Self {
        Self::own_with(&["--secure"])
    }

    fn own_with(more: &[&str]) -> Self {
        let (kafka, postgres) = (draw_port(), draw_port());
        let outside = Self {
            kafka: format!("127.0.0.1:{kafka}"),
            postgres: format!("postgres://taxisvc@127.0.0.1:{postgres}/postgres"),
            topic: "taxisvc".to_owned(),
            prefix: String::new(),
            own: Some(Own::new()),
        };
        let ports = ["--kafka-port", &kafka.to_string(), "--postgres-port", &postgres.to_string()];
        outside.services(&[&["up"], &ports[..], more].concat());
        outside
    }

    /// What belongs to the ways that want a password or a certificate.
    pub(crate) fn secure_file(&self, name: &str) -> PathBuf {
        let own = self.own.as_ref().expect("only an own Kafka is secured");
        own.folder.path().join("kafka/secure").join(name)
    }

    /// The settings that lead to Kafka by one of those ways: `sasl-plaintext`, `sasl-ssl` or `ssl`.
    pub(crate) fn way(&self, name: &str) -> Settings {
        let text = std::fs::read_to_string(self.secure_file(&format!("{name}.toml"))).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let kafka = table["kafka"].as_table().expect("it is about Kafka");
        let value = |value: &toml::Value| value.as_str().expect("all of it is text").to_owned();
        kafka.iter().map(|(name, text)| (format!("KAFKA_{}", name.to_uppercase()), value(text))).collect()
    }

    /// The password that lets somebody in.
    pub(crate) fn secret(&self) -> String {
        std::fs::read_to_string(self.secure_file("password")).unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut settings = vec![
            ("KAFKA_BROKERS".to_owned(), self.kafka.clone()),
            ("KAFKA_TOPIC".to_owned(), self.topic.clone()),
        ];
        for database in ROLES {
            settings.push((format!("POSTGRES_{}", database.to_uppercase()), self.database(database)));
        }
        settings
    }

    /// The address of a service's database.
    pub(crate) fn database(&self, service: &str) -> String {
        let (server, _) = self.postgres.rsplit_once('/').expect("an address of a database has a path");
        format!("{server}/{}{service}", self.prefix)
    }

    /// As if its machine lost power.
    pub(crate) fn kill(&self, which: Which) {
        self.services(&["stop", which.name(), "--immediate"]);
    }

    /// Starts it again, and waits until it answers.
    pub(crate) fn start(&self, which: Which) {
        self.services(&["start", which.name()]);
    }

    /// What our tool does with the services that are this test's own.
    fn services(&self, arguments: &[&str]) {
        let folder = self.own.as_ref().expect("nobody breaks what others use").folder.path();
        let mut command = xtask();
        command.arg("services").args(arguments).arg("--at").arg(folder);
        let output = command.output().expect("cargo can be started");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn sql(&self, statement: &str) -> Result<(), Error> {
        runtime().block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.postgres, NoTls).await?;
            let talk = tokio::spawn(connection);
            client.batch_execute(statement).await?;
            drop(client);
            talk.await.expect("a connection does not panic")
        })
    }

    /// The one text that a query of a service's database finds.
    pub(crate) fn ask(&self, service: &str, query: &str) -> Result<String, Error> {
        let database = self.database(service);
        runtime().block_on(async {
            let (client, connection) = tokio_postgres::connect(&database, NoTls).await?;
            let talk = tokio::spawn(connection);
            let found = client.query_one(query, &[]).await.map(|row| row.get(0));
            drop(client);
            talk.await.expect("a connection does not panic")?;
            found
        })
    }

    /// All that is on the topic now, in the order of each partition.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.kafka)
            .set("group.id", "nobody")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(&self.topic), ANSWER_MAX).unwrap();
        let mut messages = Vec::new();
        for partition in metadata.topics()[0].partitions() {
            let (first, end) = consumer.fetch_watermarks(&self.topic, partition.id(), ANSWER_MAX).unwrap();
            let mut assigned = TopicPartitionList::new();
            assigned.add_partition_offset(&self.topic, partition.id(), Offset::Offset(first)).unwrap();
            consumer.assign(&assigned).unwrap();
            let mut next = first;
            while next < end {
                let message = consumer.poll(ANSWER_MAX).expect("it is there").unwrap();
                next = message.offset() + 1;
                messages.push(Message::of(&message));
            }
        }
        messages
    }

    /// Puts a message without a key on the topic, as whoever else writes to it does; it has to be there already.
    pub(crate) fn put(&self, headers: &[(&str, &str)], value: &[u8]) {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", &self.kafka).create().unwrap();
        let named = headers.iter().fold(OwnedHeaders::new(), |named, (key, value)| {
            named.insert(Header { key, value: Some(*value) })
        });
        let record = BaseRecord::<(), [u8]>::to(&self.topic).payload(value).headers(named);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(ANSWER_MAX).unwrap();
    }

    /// Puts so many messages on the topic that say nothing to anybody.
    pub(crate) fn flood(&self, count: usize) {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", &self.kafka).create().unwrap();
        for _ in 0..count {
            let headers = OwnedHeaders::new().insert(Header { key: "type", value: Some("TaxiWashed") });
            let mut record = BaseRecord::<(), [u8]>::to(&self.topic).payload(b"soap").headers(headers);
            // What is full is emptied while it is waited for.
            while let Err((_, again)) = producer.send(record) {
                producer.poll(FULL_WAIT);
                record = again;
            }
        }
        producer.flush(ANSWER_MAX).unwrap();
    }

    /// Whether there was one to remove.
    pub(crate) fn remove_topic(&self) -> bool {
        let (admin, options) = self.admin();
        let removed = runtime().block_on(admin.delete_topics(&[&self.topic], &options));
        removed.is_ok_and(|topics| topics.iter().all(Result::is_ok))
    }

    /// From now on it has so many.
    #[track_caller]
    pub(crate) fn raise_partitions(&self, partitions: usize) {
        let (admin, options) = self.admin();
        let wanted = [NewPartitions::new(&self.topic, partitions)];
        let raised = runtime().block_on(admin.create_partitions(&wanted, &options));
        assert!(raised.as_ref().is_ok_and(|topics| topics.iter().all(Result::is_ok)), "{raised:?}");
    }

    /// From now on it takes no larger ones.
    #[track_caller]
    pub(crate) fn limit_messages(&self, bytes: &str) {
        let (admin, options) = self.admin();
        let wanted = AlterConfig::new(ResourceSpecifier::Topic(&self.topic)).set("max.message.bytes", bytes);
        let changed = runtime().block_on(admin.alter_configs([&wanted], &options));
        assert!(changed.as_ref().is_ok_and(|topics| topics.iter().all(Result::is_ok)), "{changed:?}");
    }

    /// Drops all that is on the topic now, as a limited retention does.
    #[track_caller]
    pub(crate) fn forget_messages(&self) {
        let (admin, options) = self.admin();
        let metadata = admin.inner().fetch_metadata(Some(&self.topic), ANSWER_MAX).unwrap();
        let mut ends = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            ends.add_partition_offset(&self.topic, partition.id(), Offset::End).unwrap();
        }
        let dropped = runtime().block_on(admin.delete_records(&ends, &options));
        assert!(dropped.is_ok(), "{dropped:?}");
    }

    fn admin(&self) -> (AdminClient<DefaultClientContext>, AdminOptions) {
        let admin = ClientConfig::new().set("bootstrap.servers", &self.kafka).create().unwrap();
        (admin, AdminOptions::new())
    }
}

/// What lies on the topic.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) key: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) value: Value,
}

impl Message {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            key: text(message.key()),
            headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
            value: serde_json::from_slice(message.payload().expect("an event has a value"))
                .expect("it is JSON"),
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // What is its own goes as a whole.
        if self.own.is_some() {
            return;
        }
        for database in ROLES {
            // Where the server is gone, so are they.
            let _ = self.sql(&format!("DROP DATABASE {}{database} WITH (FORCE)", self.prefix));
        }
        // A test that failed early may have made none.
        self.remove_topic();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// The program that starts services: the one that runs these tests, or a developer's.
fn xtask() -> Command {
    if let Some(path) = said("TAXISVC_XTASK") {
        return Command::new(path);
    }
    let mut command = Command::new("cargo");
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a crate lies in the workspace");
    command.current_dir(root).arg("xtask");
    command
}

/// A temporary file has a name that nobody else has.
fn drawn_name() -> String {
    let file = tempfile::Builder::new().prefix("it").suffix("").tempfile().unwrap();
    let name = file.path().file_name().expect("a file has a name").to_string_lossy().to_lowercase();
    format!("{name}_{}", std::process::id())
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where the services are")]
pub(crate) fn said(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
