//! What is asked of brokers about the topic itself: that it be made, and what it is set to.

use crate::context::Ears;
use crate::settings::Settings;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaErrorCode;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
/// The client itself ends a question after [`PATIENCE`]; whoever waits looks up so often in case it did not.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Copies that must have a message before it is acknowledged: all but one, so that one may be missing.
fn in_sync_min(replication: u16) -> u16 {
    replication.saturating_sub(1).max(1)
}

/// What a topic is set to, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Configuration {
    pub(crate) message_bytes_max: Option<usize>,
    /// What is dropped after a while, and why.
    pub(crate) forgets: Option<String>,
    pub(crate) in_sync_min: Option<u16>,
}

impl Configuration {
    fn of(resource: &ConfigResource) -> Self {
        let get = |name: &str| {
            let entry = resource.entries.iter().find(|entry| entry.name == name);
            entry.and_then(|entry| entry.value.clone())
        };
        let limits = [("retention.ms", "-1"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")];
        let limited = limits.into_iter().filter_map(|(name, wanted)| {
            let value = get(name).filter(|value| value != wanted)?;
            Some(format!("{name}={value}"))
        });
        let limited: Vec<String> = limited.collect();
        Self {
            message_bytes_max: get("max.message.bytes").and_then(|text| text.parse().ok()),
            forgets: (!limited.is_empty()).then(|| limited.join(", ")),
            in_sync_min: get("min.insync.replicas").and_then(|text| text.parse().ok()),
        }
    }
}

/// Makes the topic. Says whether it did; that somebody else has just done so is as good.
pub(crate) fn create(settings: &Settings, partitions: u32) -> Result<bool, String> {
    let client = client(settings)?;
    let in_sync = in_sync_min(settings.replication).to_string();
    let partitions = i32::try_from(partitions).map_err(|_| "there are too many partitions".to_owned())?;
    let replication = TopicReplication::Fixed(i32::from(settings.replication));
    let topic = NewTopic::new(&settings.topic, partitions, replication)
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("cleanup.policy", "delete")
        .set("min.insync.replicas", &in_sync);
    let made = wait(client.create_topics(&[topic], &options()))?.map_err(|error| error.to_string())?;
    match made.into_iter().next() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(code.to_string()),
        None => Err("no broker said what became of it".to_owned()),
    }
}

/// What a broker does not tell, for it has not the right to be asked, say, is left out; that none has answered is an error.
pub(crate) fn configuration(settings: &Settings) -> Result<Configuration, String> {
    let client = client(settings)?;
    let topic = ResourceSpecifier::Topic(&settings.topic);
    let told = wait(client.describe_configs(&[topic], &options()))?.map_err(|error| error.to_string())?;
    match told.into_iter().next() {
        Some(Ok(resource)) => Ok(Configuration::of(&resource)),
        Some(Err(code)) => {
            tracing::debug!(%code, "what the topic is set to is not told");
            Ok(Configuration::default())
        }
        None => Err("no broker told".to_owned()),
    }
}

/// One for each question, since nobody would listen to what it has to say in between.
fn client(settings: &Settings) -> Result<AdminClient<Ears>, String> {
    let mut config = settings.client("admin");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    config.create_with_context(Ears::of("admin")).map_err(|error| error.to_string())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread for what the client's own thread completes.
fn wait<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let looks = 2 * PATIENCE.as_secs() / LOOK_UP.as_secs();
    for _ in 0..=looks {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return Ok(done),
            Poll::Pending => thread::park_timeout(LOOK_UP),
        }
    }
    Err("no broker answered in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_copy_may_be_missing_where_there_are_several() {
        let minima = [1, 2, 3, 5].map(in_sync_min);
        assert_eq!(minima, [1, 1, 2, 4]);
    }

    #[test]
    fn what_another_thread_completes_is_waited_for() {
        let (ask, answer) = std::sync::mpsc::channel::<Waker>();
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let completes = {
            let done = done.clone();
            thread::spawn(move || {
                let waker = answer.recv().unwrap();
                done.store(true, std::sync::atomic::Ordering::SeqCst);
                waker.wake();
            })
        };
        let future = std::future::poll_fn(|context| {
            if done.load(std::sync::atomic::Ordering::SeqCst) {
                return Poll::Ready(7);
            }
            let _ = ask.send(context.waker().clone());
            Poll::Pending
        });
        assert_eq!(wait(future), Ok(7));
        completes.join().unwrap();
    }
}
