//! What the gateway answers about all services together, from the databases of those who run by themselves: `/events`, and
//! what operators look at. Why it reads there: docs/decisions/0027-the-gateway-reads-for-operators.md.

use crate::config::Config;
use crate::data_dir::token;
use crate::databases;
use crate::edge::{api_settings, draw, follow_by_api, operator};
use crate::live::Live;
use crate::metrics::Looking;
use crate::say;
use crate::traces::Traces;
use anyhow::Context;
use api::{Api, Late};
use axum::Router;
use engine::clock::SystemClock;
use engine::store::Reader;
use engine_postgres::Database;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use wiring::{Layout, Readers, call, drive, payment, view};

/// How long databases that are away are left alone: doubling between these.
const AGAIN_FIRST: Duration = Duration::from_millis(200);
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// How often the logs are looked at while somebody listens.
const EVENTS_POLL: Duration = Duration::from_millis(50);

pub(super) struct Merged {
    /// As it was at the start.
    config: Config,
    /// Over nothing: it tells of the process, and of the rest that it is not there.
    before: Arc<Api>,
    traces: Option<Arc<Traces>>,
    events: Late,
    operator: Late,
    trouble: Arc<Mutex<Option<String>>>,
}

/// The databases are looked for as long as this is kept, or until they are there.
pub(super) struct Opening(Arc<AtomicBool>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Merged {
    pub(super) fn new(
        live: &Arc<Live>,
        traces: Option<Arc<Traces>>,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let config = &live.now().config;
        let token = token::share(config, draw)?;
        say::token(&token, &config.data);
        let nothing = wiring::assemble_nothing(None, config.rules(), config.store.shards)?;
        Traces::follow(traces.as_ref(), &nothing.bus);
        let before = Api::new(api::Parts {
            handles: nothing.handles,
            readers: nothing.readers,
            bus: nothing.bus,
            settings: api_settings_here(config)?,
            operator: operator(live, &token, Arc::new(SystemClock))?,
            stopping,
        });
        follow_by_api(live, &before, api_settings_here)?;
        Ok(Self {
            config: config.clone(),
            before: before.behind_gateway(),
            traces,
            events: Late::default(),
            operator: Late::default(),
            trouble: Arc::default(),
        })
    }

    pub(super) fn events(&self) -> Router {
        self.events.router(api::events_router(&self.before))
    }

    pub(super) fn operator(&self) -> Router {
        self.operator.router(api::looking_operator_router(&self.before))
    }

    pub(super) fn web(&self) -> Router {
        api::web_router(&self.before)
    }

    pub(super) fn looking(&self) -> Looking {
        Looking { requests: self.before.requests().clone(), trouble: self.trouble.clone() }
    }

    /// Looks for the databases, on a thread of its own.
    pub(super) fn begin(self) -> anyhow::Result<Opening> {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let open = move || self.open(&over);
        std::thread::Builder::new()
            .name("databases".to_owned())
            .spawn(open)
            .context("cannot start a thread")?;
        Ok(Opening(is_over))
    }

    fn open(&self, is_over: &AtomicBool) {
        let mut again = AGAIN_FIRST;
        while !is_over.load(Ordering::SeqCst) {
            match self.try_open() {
                Ok(api) => {
                    self.events.set(api::events_router(&api));
                    self.operator.set(api::looking_operator_router(&api));
                    self.tell(None);
                    return;
                }
                // Also what is no matter of time: whoever makes a database is not to start the gateway again for it.
                Err(error) => self.tell(Some(format!("{error:#}"))),
            }
            std::thread::park_timeout(again);
            again = AGAIN_MAX.min(again * 2);
        }
    }

    fn try_open(&self) -> anyhow::Result<Arc<Api>> {
        let config = &self.config;
        let assembly = wiring::assemble_nothing(Some(readers(config)?), config.rules(), config.store.shards)?;
        Traces::follow(self.traces.as_ref(), &assembly.bus);
        Ok(self.before.over(assembly))
    }

    fn tell(&self, trouble: Option<String>) {
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != trouble {
            match &trouble {
                Some(why) => tracing::warn!(why, "what all services have said cannot be told yet"),
                None => tracing::info!("what all services have said is told from their databases"),
            }
            *told = trouble;
        }
    }
}

fn api_settings_here(config: &Config) -> anyhow::Result<api::Settings> {
    Ok(api::Settings { events_poll: Some(EVENTS_POLL), ..api_settings(config)? })
}

/// All databases, with as many connections as somebody who serves may have.
fn readers(config: &Config) -> anyhow::Result<Readers> {
    let mut found: Vec<(&'static str, Arc<dyn Reader>)> = Vec::new();
    for (name, services) in Layout::Apart.groups() {
        let opened = Database::open_read_only(&databases::options(config, &services));
        let database = opened.map_err(|error| databases::explain(config, name, error))?;
        found.push((name, database.reader()));
    }
    let of = |name: &str| {
        let found = found.iter().find(|(known, _)| *known == name);
        found.map(|(_, reader)| reader.clone()).context("every service lies in one of the databases")
    };
    Ok(Readers {
        call: of(call::NAME)?,
        payment: of(payment::NAME)?,
        drive: of(drive::NAME)?,
        view: of(view::NAME)?,
    })
}
