//! A topic's id as a real broker tells it: librdkafka's own mock of one does not answer this question.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use kafka_topic_id::{Description, describe};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits for what another thread completes.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park_timeout(LOOK_AGAIN),
        }
    }
}

struct Brokers(AdminClient<DefaultClientContext>);

impl Brokers {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the servers are is told to tests by the environment"
    )]
    fn of_the_environment() -> Self {
        let brokers = std::env::var("TAXISVC_TEST_KAFKA").unwrap_or_else(|_| "127.0.0.1:9092".into());
        Self(ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap())
    }

    fn create(&self, topic: &str, partitions: i32) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        assert_eq!(wait(self.0.create_topics(&[new], &options)).unwrap(), [Ok(topic.to_owned())]);
    }

    fn delete(&self, topic: &str) {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        assert_eq!(wait(self.0.delete_topics(&[topic], &options)).unwrap(), [Ok(topic.to_owned())]);
    }

    fn describe(&self, topic: &str) -> Option<Description> {
        describe(self.0.inner(), topic, PATIENCE).unwrap()
    }
}

#[test]
#[ignore = "wants Kafka: cargo xtask services up"]
fn a_topic_made_anew_has_another_id_and_a_missing_one_is_not_made() {
    let brokers = Brokers::of_the_environment();
    let topic = format!("topic-id-{}", std::process::id());
    assert_eq!(brokers.describe(&topic), None);
    assert_eq!(brokers.describe(&topic), None, "asking made none");
    brokers.create(&topic, 3);
    let first = brokers.describe(&topic).unwrap();
    assert_eq!((first.partitions, first.replicas), (3, 1));
    assert_eq!(brokers.describe(&topic), Some(first));
    brokers.delete(&topic);
    while brokers.describe(&topic).is_some() {
        thread::park_timeout(LOOK_AGAIN);
    }
    brokers.create(&topic, 5);
    let second = brokers.describe(&topic).unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(second.partitions, 5);
    brokers.delete(&topic);
}
