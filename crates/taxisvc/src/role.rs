//! `taxisvc call`, `payment`, `drive`, `view`: one service by itself, over a database of its own and the topic.
//!
//! The port is open at once. What stands behind it comes when the database does, for which it waits; Kafka it does not wait
//! for at all.

mod begin;
mod health;

use crate::config::sources::InForce;
use crate::config::{Config, Kind};
use crate::data_dir::token::{self, Token};
use crate::edge::{api_settings, draw, runtime};
use crate::kafka::{self, Bus};
use crate::live::Live;
use crate::machine::Machine;
use crate::open_files;
use crate::say;
use crate::sentinel::{Failing, OnPanic, fail};
use crate::servers::{self, Port};
use crate::serving::Ending;
use crate::traces::Traces;
use anyhow::{Context, bail};
use api::{Api, Late};
use axum::Router;
use health::LateHealth;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use wiring::{Layout, call, drive, payment, view};

/// A service by itself, from its start to its end.
pub(crate) fn alone(in_force: &InForce, service: &'static str) -> anyhow::Result<ExitCode> {
    let mut in_force = in_force.clone();
    // It has no other data, whatever is said for commands that look.
    in_force.config.store.kind = Kind::Postgres;
    let config = &in_force.config;
    // What is not understood is said before anything is made.
    api_settings(config)?;
    let may_start = move |config: &Config| Ok(kafka::settings(config, service).check()?);
    may_start(config)?;
    open_files::raise_limit();
    let token = token::share(config, draw)?;
    say::token(&token, &config.data);
    let runtime = runtime()?;
    let (stopping, stopped) = watch::channel(false);
    let live = Live::new(&in_force, may_start);
    let traces = Traces::begin(&live)?;
    let process = Arc::new(Process {
        config: in_force.config,
        live: live.clone(),
        traces: traces.clone(),
        service,
        token,
        failing: Failing::default(),
        stopping,
        is_over: Arc::default(),
        late: Late::default(),
        health: LateHealth::new(live, traces.clone(), stopped),
    });
    let result = runtime.block_on(serve(&process, runtime.handle()));
    process.is_over.store(true, Ordering::SeqCst);
    // An engine that ends because it is told to, or because nobody can ask it any more, is no failure.
    let failure = process.failing.borrow().clone();
    // Handlers hold on to the engine; it ends after them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let starting = result?;
    let running = starting.join().unwrap_or_else(|_| bail!("the thread that starts the service panicked"));
    let ended = running.and_then(|running| running.map_or(Ok(()), Running::stop));
    if let Some(traces) = traces {
        traces.end();
    }
    match failure {
        Some(why) => bail!(why),
        None => ended.map(|()| ExitCode::SUCCESS),
    }
}

/// What all parts of the process share.
struct Process {
    /// As it was at the start.
    config: Config,
    live: Arc<Live>,
    traces: Option<Arc<Traces>>,
    service: &'static str,
    token: Token,
    failing: Failing,
    stopping: watch::Sender<bool>,
    is_over: Arc<AtomicBool>,
    late: Late,
    health: Arc<LateHealth>,
}

/// What has to be ended in its order.
struct Running {
    machine: Machine,
    lookout: JoinHandle<()>,
    bus: Bus,
}

impl Running {
    /// First what was accepted is decided, then the group is left.
    fn stop(self) -> anyhow::Result<()> {
        let engine = self.machine.stop();
        self.bus.stop();
        let lookout = self.lookout.join();
        engine?;
        lookout.map_err(|_| anyhow::anyhow!("the lookout panicked"))
    }
}

type Starting = JoinHandle<anyhow::Result<Option<Running>>>;

async fn serve(process: &Arc<Process>, runtime: &Handle) -> anyhow::Result<Starting> {
    let port = port(process).await?;
    let ending = Ending::prepare(&process.config)?;
    say::listens(&port);
    process.live.keep_looking(runtime);
    let (beginning, runtime) = (process.clone(), runtime.clone());
    let begin = move || {
        let _tell = OnPanic(beginning.failing.clone());
        let begun = beginning.begin(&runtime);
        begun.inspect_err(|error| fail(&beginning.failing, format!("{error:#}")))
    };
    let starting = std::thread::Builder::new().name("begin".to_owned()).spawn(begin);
    let starting = starting.context("cannot start a thread")?;
    ending.serve(vec![port], &process.stopping, process.failing.subscribe(), ()).await;
    Ok(starting)
}

async fn port(process: &Arc<Process>) -> anyhow::Result<Port> {
    let (config, service) = (&process.config, process.service);
    // A problem's `type` leads somewhere on every port.
    let router = api::health_router(process.health.clone()).merge(api::problems_router());
    let router = router.fallback_service(process.late.router(api::starting_router()));
    servers::bind(service, SocketAddr::new(config.listen, number(config, service)), router).await
}

/// The port of the contract.
fn number(config: &Config, service: &str) -> u16 {
    match service {
        call::NAME => config.ports.call,
        payment::NAME => config.ports.payment,
        drive::NAME => config.ports.drive,
        view::NAME => config.ports.view,
        unknown => unreachable!("{unknown:?} does not run by itself"),
    }
}

/// What the service answers on its own port.
fn routes(api: &Arc<Api>, service: &str) -> Router {
    let own = match service {
        call::NAME => api::call_router(api),
        payment::NAME => api::payment_router(api, true),
        drive::NAME => api::drive_router(api),
        view::NAME => api::view_router(api),
        unknown => unreachable!("{unknown:?} does not run by itself"),
    };
    own.fallback_service(api::operator_router_of(api, service))
}

/// The services that lie in the database of this one.
fn services(service: &str) -> Vec<&'static str> {
    let groups = Layout::Apart.groups().into_iter();
    groups.filter(|(name, _)| *name == service).flat_map(|(_, services)| services).collect()
}
