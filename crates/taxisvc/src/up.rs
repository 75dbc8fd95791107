//! `taxisvc up`: opens the data, starts the engine, listens, says what to try, and stops without losing anything.

use crate::clock;
use crate::config::sources::InForce;
use crate::config::{Config, Kind};
use crate::data_dir::{self, listening, token};
use crate::disk::{self, Disk, Marks};
use crate::edge::{
    api_settings, draw, follow_by_api, follow_by_gateway, gateway_settings, operator, options, runtime,
};
use crate::front::documents;
use crate::live::Live;
use crate::machine::{Engines, Machine};
use crate::metrics::{Figures, Health, Services};
use crate::open_files;
use crate::say;
use crate::sentinel::Failing;
use crate::servers::{self, Port};
use crate::serving::Ending;
use crate::traces::Traces;
use anyhow::{Context, bail};
use api::Api;
use axum::Router;
use engine::clock::steady::SteadyClock;
use engine::clock::{Clock, Stopwatch, SystemClock};
use gateway::Gateway;
use gateway::route::{Route, Upstream};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Everything in one process.
pub(crate) fn everything(in_force: &InForce) -> anyhow::Result<ExitCode> {
    let config = &in_force.config;
    refuse_postgres(config)?;
    let stopwatch = Stopwatch::start();
    // What is not understood is said before anything is made.
    gateway_settings(config)?;
    open_files::raise_limit();
    let live = Live::new(in_force, refuse_postgres);
    let failing = Failing::default();
    let data = data_dir::open(config, draw, &failing);
    let explain = |error| disk::explain(&config.data, error);
    let data = data.map_err(explain)?;
    let token = token::find_or_draw(config, draw).map_err(explain)?;
    say::token(&token, &config.data);
    let traces = Traces::begin(&live)?;
    let runtime = runtime()?;
    let clock = clock::begin(&config.data, &data, config.store.shards)?;
    let notes = clock::told::Notes::begin(&config.data, &clock);
    notes.keep_noting(runtime.handle());
    let options = options(config, clock.clone(), runtime.handle());
    let assembly = wiring::assemble(data.databases, &options)?;
    Traces::follow(traces.as_ref(), &assembly.bus);
    let disk = Disk::new(&config.data, data_dir::files(config), marks(config), assembly.gate.clone())?;
    disk.keep_looking(runtime.handle(), &failing);
    let looked_at = disk.clone();
    live.follow(move |config| {
        looked_at.set_marks(marks(config));
        Ok(())
    })?;
    let (stopping, stopped) = watch::channel(false);
    let databases = config.layout().groups().into_iter().map(|(database, _)| database);
    let machine = Machine::start(databases.zip(assembly.runners), &failing)?;
    let api = Api::new(api::Parts {
        handles: assembly.handles,
        readers: assembly.readers,
        bus: assembly.bus,
        settings: api_settings(config)?,
        operator: operator(&live, &token, clock.clone())?,
        stopping: stopped,
    });
    follow_by_api(&live, &api, api_settings)?;
    let engines = machine.engines.clone();
    let system = System { api, engines, disk, clock, stopping, live, traces };
    let result = runtime.block_on(serve(config, &system, failing.subscribe(), stopwatch));
    let failure = failing.borrow().clone();
    // Handlers hold on to the engine; it ends after them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let engine = machine.stop();
    drop(notes);
    if let Some(traces) = &system.traces {
        traces.end();
    }
    result?;
    engine?;
    match failure {
        None => Ok(ExitCode::SUCCESS),
        Some(why) => bail!(why),
    }
}

/// One who has set the databases of services by themselves would look for the data there.
fn refuse_postgres(config: &Config) -> anyhow::Result<()> {
    match config.store.kind {
        Kind::Sqlite => Ok(()),
        Kind::Postgres => bail!(
            "store.kind is \"postgres\", and `taxisvc up` keeps everything in a data directory: run `taxisvc call`, \
             `taxisvc payment`, `taxisvc drive` and `taxisvc view`, and `taxisvc gateway` in front of them; or leave \
             store.kind at \"sqlite\""
        ),
    }
}

/// What the ports need of the engine.
struct System {
    api: Arc<Api>,
    engines: Engines,
    disk: Arc<Disk>,
    clock: Arc<SteadyClock>,
    stopping: watch::Sender<bool>,
    live: Arc<Live>,
    traces: Option<Arc<Traces>>,
}

async fn serve(
    config: &Config,
    system: &System,
    failed: watch::Receiver<Option<String>>,
    stopwatch: Stopwatch,
) -> anyhow::Result<()> {
    let ports = ports(config, system).await?;
    let ending = Ending::prepare(config)?;
    let gateway = ports.first().map(|port| port.address).context("there is a gateway")?;
    let announced = listening::announce(&config.data, gateway, SystemClock.now().0)?;
    say::hello(config, &ports, stopwatch);
    say::warning(&system.disk);
    system.live.keep_looking(&Handle::current());
    ending.serve(ports, &system.stopping, failed, announced).await;
    Ok(())
}

async fn ports(config: &Config, system: &System) -> anyhow::Result<Vec<Port>> {
    let api = &system.api;
    let gateway = Gateway::new(gateway_settings(config)?, local_routes(&api.behind_gateway()));
    follow_by_gateway(&system.live, &gateway)?;
    if let Some(traces) = &system.traces {
        gateway.trace_with(traces.clone());
    }
    let files = data_dir::databases(config);
    let figures = Figures::new(&api.readers, &wiring::SERVICES, files, system.clock.clone());
    let health = |gateway: Option<Gateway>| {
        let engines = system.engines.clone();
        let services = Some(Services {
            requests: api.requests().clone(),
            handles: api.handles.clone(),
            figures: figures.clone(),
            disk: Some(system.disk.clone()),
            clock: system.clock.clone(),
            bus: None,
            connections: None,
        });
        api::health_router(Arc::new(Health {
            engines,
            gateway,
            services,
            looking: None,
            live: system.live.clone(),
            traces: system.traces.clone(),
            stopping: system.stopping.subscribe(),
        }))
    };
    // A problem's `type` leads somewhere on every port.
    let with_health = |router: Router| router.merge(health(None)).merge(api::problems_router());
    let all = [
        ("gateway", config.ports.gateway, health(Some(gateway.clone())).merge(gateway.router())),
        (
            "call",
            config.ports.call,
            with_health(api::call_router(api).fallback_service(of_all_services(api))),
        ),
        ("payment", config.ports.payment, with_health(api::payment_router(api, true))),
        ("drive", config.ports.drive, with_health(api::drive_router(api))),
        ("view", config.ports.view, with_health(api::view_router(api))),
        // A page asks where it comes from; who routes everything else here comes to an end at this gateway's own pages.
        ("web", config.ports.web, with_health(api::web_router(api).fallback_service(gateway.router()))),
    ];
    let mut ports = Vec::new();
    for (name, number, router) in all {
        ports.push(servers::bind(name, SocketAddr::new(config.listen, number), router).await?);
    }
    Ok(ports)
}

/// What is about all services, for a gateway elsewhere.
fn of_all_services(api: &Arc<Api>) -> Router {
    api::operator_router(api).fallback_service(api::events_router(api))
}

/// The contract's routes, answered by this process.
fn local_routes(api: &Arc<Api>) -> Vec<Route> {
    let route = |name, prefixes, router| Route { name, prefixes, upstream: Upstream::Local(router) };
    vec![
        route("call", &["/calls"], api::call_router(api)),
        route("payment", &["/payments", "/fares"], api::payment_router(api, false)),
        route("drive", &["/drives"], api::drive_router(api)),
        route("view", &["/callViews"], api::view_router(api)),
        route("events", &["/events"], api::events_router(api)),
        route("operator", &["/operator"], api::operator_router(api)),
        documents(),
        Route::everything_else("web", Upstream::Local(api::web_router(api))),
    ]
}

fn marks(config: &Config) -> Marks {
    Marks { warn: config.store.room_warn_bytes, min: config.store.room_min_bytes }
}
