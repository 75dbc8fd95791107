//! The bus over Apache Kafka: the relay tells a topic what a log holds, the consumer reads what others told.
//!
//! Reading order: [`Parts`] and [`start`] (what is put together), `relay` (how nothing is told out of order), `consumer`
//! (where reading begins), `inquiry` (which topic it is). Why it is lossless: docs/decisions/0022-relay-and-consumer.md.

mod admin;
mod consumer;
mod context;
mod desk;
mod flow;
mod inquiry;
pub mod inspect;
mod marks;
mod message;
#[cfg(test)]
mod mocked;
mod own;
mod producer;
mod reads;
mod refusal;
mod relay;
mod run;
pub mod scan;
pub mod settings;
mod shared;
pub mod stats;

use crate::context::Ears;
use crate::inquiry::Inquiry;
use crate::relay::Relay;
use crate::settings::{Settings, SettingsError};
use crate::shared::{Common, Shared};
use crate::stats::Stats;
use engine::bus::Bus;
use engine::clock::{Clock, Stopwatch};
use engine::lease::Lease;
use engine::log::ShardName;
use engine::store::Reader;
use engine::topic::Topic;
use engine::wire::Wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a stop waits for the threads; those that are not done by then are left behind.
const STOP: Duration = Duration::from_secs(6);
const STOP_LOOK_EVERY: Duration = Duration::from_millis(10);

/// What the bus of one service over Kafka is made of.
pub struct Parts {
    pub settings: Settings,
    pub wire: Arc<dyn Wire>,
    pub topic: Arc<Topic>,
    pub reader: Arc<dyn Reader>,
    /// Own shards whose logs are told to the topic.
    pub relays: Vec<ShardName>,
    /// Whether the service hears what the topic says.
    pub hears: bool,
    pub lease: Box<dyn Lease>,
    pub bus: Arc<Bus>,
    pub clock: Arc<dyn Clock>,
    /// Told once when the process must not go on, with what to do about it.
    pub fail: Box<dyn Fn(String) + Send + Sync>,
}

/// The running bus; dropped, it stops.
pub struct Kafka {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Begins to tell and to hear. It does not fail because a broker is away: its own threads go on trying.
pub fn start(parts: Parts) -> Result<Kafka, SettingsError> {
    parts.settings.check()?;
    let Parts { settings, wire, topic, reader, relays, hears, lease, bus, clock, fail } = parts;
    let client = settings.asking_client("inquiry").create_with_context(Ears::of("inquiry"));
    let client = client.map_err(|error| SettingsError::Client(error.to_string()))?;
    // Who reads the topic must not wait behind those who ask over HTTP.
    let reader = reader.apart();
    let shared = Arc::new(Shared::new(Common { settings, wire, topic, reader, clock, fail }));
    let inquiry = Inquiry::new(shared.clone(), client);
    let mut threads = vec![spawn(&shared, "kafka-inquiry", move || inquiry.run())];
    if relays.is_empty() {
        shared.meters.has_looked.store(true, Ordering::SeqCst);
    } else {
        let has_news = Arc::new(AtomicBool::new(true));
        let (bell, news) = (shared.clone(), has_news.clone());
        bus.listen(move || {
            news.store(true, Ordering::SeqCst);
            bell.bells.relay.ring();
        });
        let relay = Relay::new(shared.clone(), lease, &relays, has_news);
        threads.push(spawn(&shared, "kafka-relay", move || relay.run()));
    }
    if hears {
        let reading = shared.clone();
        threads.push(spawn(&shared, "kafka-consumer", move || consumer::run(&reading)));
    }
    Ok(Kafka { shared, threads })
}

fn spawn(shared: &Arc<Shared>, name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let tell = OnPanic(shared.clone());
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _tell = tell;
        run();
    });
    thread.expect("a machine that has no room for a thread at the start runs nothing")
}

/// Tells that a thread panicked: a process that hears or tells nothing any more must not look as if it did.
struct OnPanic(Arc<Shared>);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let name = thread::current().name().unwrap_or_default().to_owned();
            self.0.fail(format!("the thread {name:?} panicked"));
        }
    }
}

impl Kafka {
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Whether the topic was looked through for events of own logs that these have lost, and none was found. Until then the
    /// database may have been restored from a backup, and what is done with it would have to be undone.
    pub fn has_looked(&self) -> bool {
        self.shared.meters.has_looked.load(Ordering::SeqCst)
    }

    /// Tells what is ready to be told, gives the turn and the partitions back, and ends the threads: all of it for a
    /// limited time. Whatever is not done then is done by the next one.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop();
        let since = Stopwatch::start();
        let threads = std::mem::take(&mut self.threads);
        while threads.iter().any(|thread| !thread.is_finished()) && since.elapsed() < STOP {
            thread::park_timeout(STOP_LOOK_EVERY);
        }
        for thread in threads {
            if !thread.is_finished() {
                tracing::warn!(
                    thread = thread.thread().name(),
                    "it does not end in time, and is left behind"
                );
            } else if thread.join().is_err() {
                tracing::error!("a thread of the bus had panicked");
            }
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.end();
    }
}
