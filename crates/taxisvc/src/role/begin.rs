//! The beginning of a service by itself: its database is waited for, then everything stands on it.

use super::{Process, Running, routes, services};
use crate::clock;
use crate::config::Config;
use crate::databases;
use crate::edge::{api_settings, draw, follow_by_api, operator, options};
use crate::kafka::{self, Bus};
use crate::machine::Machine;
use crate::metrics::{Figures, Health, Services};
use crate::sentinel::{OnPanic, Sentinel, fail};
use crate::traces::Traces;
use anyhow::Context;
use api::Api;
use engine::clock::steady::SteadyClock;
use engine::log::{LogId, ShardName};
use engine::store::{Reader, StoreError};
use engine::topic::Topic;
use engine_kafka::Kafka;
use engine_postgres::{Database, OpenError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use wiring::{Assembly, TELLING};

/// How long a database that is away is left alone: doubling between these.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// How often the logs are looked at for an operator's stream: other replicas write to them too.
const EVENTS_POLL: Duration = Duration::from_millis(100);
/// How often a process that waits looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long it is waited for the topic to be looked through, to see whether the database was restored: a copy of yesterday has a
/// day of it to come.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(600);
/// The same without a broker that answers: a service must also start while Kafka is away.
const AWAY_WAIT_MAX: Duration = Duration::from_secs(3);

/// A database that was opened, and what stands on it so far.
struct Opened {
    database: Database,
    reader: Arc<dyn Reader>,
    topic: Arc<Topic>,
    clock: Arc<SteadyClock>,
    assembly: Assembly,
    replica: u64,
}

enum Trouble {
    /// It may be there later.
    Later(String),
    Never(anyhow::Error),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::Later(why),
            StoreError::Fatal(why) => Self::Never(anyhow::Error::msg(why)),
        }
    }
}

impl Process {
    /// Waits for the database, and has the service run. Nothing when the process is stopped before it is there.
    pub(super) fn begin(&self, runtime: &Handle) -> anyhow::Result<Option<Running>> {
        let Some(opened) = self.wait_for_database(runtime)? else { return Ok(None) };
        let Opened { database, reader, topic, clock, assembly, replica } = opened;
        let config = &self.config;
        Traces::follow(self.traces.as_ref(), &assembly.bus);
        let api = Api::new(api::Parts {
            handles: assembly.handles,
            readers: assembly.readers,
            bus: assembly.bus,
            settings: api_settings_here(config)?,
            operator: operator(&self.live, &self.token, clock.clone())?,
            stopping: self.stopping.subscribe(),
        });
        follow_by_api(&self.live, &api, api_settings_here)?;
        let lookout = self.look_out(&api)?;
        let kafka = self.start_kafka(&database, (reader, replica), topic, (&api, clock.clone()))?;
        self.wait_for_look(&kafka);
        if self.failing.borrow().is_some() {
            return Ok(None);
        }
        let machine =
            Machine::start(assembly.runners.into_iter().map(|runner| (self.service, runner)), &self.failing)?;
        let bus = Bus::of(kafka);
        self.late.set(routes(&api, self.service));
        self.health.set(Health {
            engines: machine.engines.clone(),
            gateway: None,
            services: Some(Services {
                requests: api.requests().clone(),
                handles: api.handles.clone(),
                figures: Figures::new(&api.readers, &services(self.service), Vec::new(), clock.clone()),
                disk: None,
                clock,
                bus: Some(bus.clone()),
                connections: Some((self.service, database.connections())),
            }),
            looking: None,
            live: self.live.clone(),
            traces: self.traces.clone(),
            stopping: self.stopping.subscribe(),
        });
        tracing::info!(service = self.service, log = %database.log(), "the service runs");
        Ok(Some(Running { machine, lookout, bus }))
    }

    fn wait_for_database(&self, runtime: &Handle) -> anyhow::Result<Option<Opened>> {
        let (mut again, mut told) = (AGAIN_FIRST, String::new());
        while !self.is_over.load(Ordering::SeqCst) && !*self.stopping.borrow() {
            let why = match self.open(runtime) {
                Ok(opened) => return Ok(Some(opened)),
                Err(Trouble::Never(error)) => return Err(error),
                Err(Trouble::Later(why)) => why,
            };
            if why != told {
                tracing::warn!(service = self.service, why, "the database is waited for");
                self.health.waits_for(format!("it waits for its database: {why}"));
                told = why;
            }
            self.sleep(again);
            again = AGAIN_MAX.min(again * 2);
        }
        Ok(None)
    }

    /// On a database that was restored from a backup nothing is begun before that is found out: its numbers would be given
    /// to other calls, and fares of lost ones be taken for theirs.
    fn wait_for_look(&self, kafka: &Kafka) {
        self.health.waits_for("it looks whether the topic knows more than its database".to_owned());
        let (mut waited, mut away) = (Duration::ZERO, Duration::ZERO);
        while !kafka.has_looked() && self.failing.borrow().is_none() && !*self.stopping.borrow() {
            if away >= AWAY_WAIT_MAX || waited >= LOOK_WAIT_MAX {
                let why = if away.is_zero() {
                    "the topic is not looked through yet"
                } else {
                    "Kafka does not answer"
                };
                tracing::warn!(service = self.service, why, "it begins without having looked");
                return;
            }
            self.sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
            away = if kafka.stats().connected { Duration::ZERO } else { away + LOOK_EVERY };
        }
    }

    fn sleep(&self, duration: Duration) {
        let mut left = duration;
        while !left.is_zero() && !*self.stopping.borrow() {
            let step = LOOK_EVERY.min(left);
            std::thread::park_timeout(step);
            left -= step;
        }
    }

    fn open(&self, runtime: &Handle) -> Result<Opened, Trouble> {
        let config = &self.config;
        let services = services(self.service);
        let opened = Database::create_or_open(&databases::options(config, &services), LogId(draw()));
        let database = opened.map_err(|error| trouble(config, self.service, error))?;
        let reader: Arc<dyn Reader> =
            Arc::new(Sentinel { reader: database.reader(), failing: self.failing.clone() });
        let logs = [(services.as_slice(), &*reader)].into_iter();
        let clock = clock::after(clock::recorded_last(logs, config.store.shards)?);
        let options = options(config, clock.clone(), runtime);
        let topic = Topic::new(self.service, config.store.shards);
        let wired = wiring::Database { services, store: database.store(), reader: reader.clone() };
        let assembly = wiring::assemble_alone(wired, &topic, &options)?;
        Ok(Opened { database, reader, topic, clock, assembly, replica: options.replica })
    }

    /// A thread that finds what other replicas commit.
    fn look_out(&self, api: &Arc<Api>) -> anyhow::Result<JoinHandle<()>> {
        let (handles, readers) = (api.handles.clone(), api.readers.clone());
        let (service, is_over, failing) = (self.service, self.is_over.clone(), self.failing.clone());
        std::thread::Builder::new()
            .name("lookout".to_owned())
            .spawn(move || {
                let _tell = OnPanic(failing);
                wiring::look_out((&handles, &readers), service, &is_over);
            })
            .context("cannot start a thread")
    }

    /// Threads that tell the topic and hear it.
    fn start_kafka(
        &self,
        database: &Database,
        (reader, replica): (Arc<dyn Reader>, u64),
        topic: Arc<Topic>,
        (api, clock): (&Arc<Api>, Arc<SteadyClock>),
    ) -> anyhow::Result<Kafka> {
        let config = &self.config;
        let shard = |index| ShardName { service: self.service, index };
        let tells = TELLING.contains(&self.service);
        let failing = self.failing.clone();
        let kafka = engine_kafka::start(engine_kafka::Parts {
            settings: kafka::settings(config, self.service),
            wire: Arc::new(kafka::wire(config)),
            topic,
            reader,
            relays: (0..config.store.shards).filter(|_| tells).map(shard).collect(),
            hears: true,
            lease: database.lease(replica),
            bus: api.bus.clone(),
            clock,
            fail: Box::new(move |why| fail(&failing, why)),
        })?;
        Ok(kafka)
    }
}

fn api_settings_here(config: &Config) -> anyhow::Result<api::Settings> {
    Ok(api::Settings { events_poll: Some(EVENTS_POLL), ..api_settings(config)? })
}

fn trouble(config: &Config, service: &str, error: OpenError) -> Trouble {
    let may_pass = matches!(error, OpenError::Unavailable(_));
    let explained = databases::explain(config, service, error);
    if may_pass { Trouble::Later(format!("{explained:#}")) } else { Trouble::Never(explained) }
}
