//! What a test does to the brokers itself: topics made, changed and deleted, and a door to them that can be shut.

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::types::RDKafkaErrorCode;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

#[expect(clippy::disallowed_methods, reason = "where the servers are is told to tests by the environment")]
pub(crate) fn address() -> String {
    std::env::var("TAXISVC_TEST_KAFKA").unwrap_or_else(|_| "127.0.0.1:9092".into())
}

/// Waits for what another thread completes.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park_timeout(LOOK_EVERY),
        }
    }
}

pub(crate) struct Admin(AdminClient<DefaultClientContext>);

impl Admin {
    pub(crate) fn new() -> Self {
        Self(ClientConfig::new().set("bootstrap.servers", address()).create().unwrap())
    }

    fn options() -> AdminOptions {
        AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let made = wait(self.0.create_topics(&[new], &Self::options())).unwrap();
        assert_eq!(made, [Ok(topic.to_owned())]);
    }

    /// `false` when there was none.
    pub(crate) fn delete(&self, topic: &str) -> bool {
        let deleted = wait(self.0.delete_topics(&[topic], &Self::options())).unwrap();
        match &deleted[0] {
            Ok(_) => true,
            Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(crate) fn raise_partitions(&self, topic: &str, to: usize) {
        let raised =
            wait(self.0.create_partitions(&[NewPartitions::new(topic, to)], &Self::options())).unwrap();
        assert_eq!(raised, [Ok(topic.to_owned())]);
    }

    pub(crate) fn limit_messages(&self, topic: &str, bytes: usize) {
        let bytes = bytes.to_string();
        let entries = HashMap::from([("max.message.bytes", bytes.as_str())]);
        let change = AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries };
        let changed = wait(self.0.alter_configs(&[change], &Self::options())).unwrap();
        assert!(changed[0].is_ok(), "{changed:?}");
        // Brokers take a moment to go by it.
        let is_told = || {
            let topics = [ResourceSpecifier::Topic(topic)];
            let told = wait(self.0.describe_configs(&topics, &Self::options())).unwrap();
            let entries = &told[0].as_ref().unwrap().entries;
            entries.iter().any(|entry| {
                entry.name == "max.message.bytes" && entry.value.as_deref() == Some(bytes.as_str())
            })
        };
        crate::world::eventually("the brokers know the new limit", is_told);
    }
}

/// A port of this machine that leads to the brokers from the moment it is opened. It is only asked the way: brokers say
/// where they are themselves.
pub(crate) struct Door(u16);

impl Door {
    pub(crate) fn shut() -> Self {
        // The port is free again when the listener has gone, and nobody gets it by himself for a while.
        Self(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0)
    }

    pub(crate) fn open(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.0)).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(here), Ok(there)) = (stream, TcpStream::connect(address())) else { return };
                pass(here.try_clone().unwrap(), there.try_clone().unwrap());
                pass(there, here);
            }
        });
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(count) = from.read(&mut bytes) {
            if count == 0 || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
