//! `taxisvc up`: opens the data, starts the engine, listens, says what to try, and stops without losing anything.

use crate::clock;
use crate::commands;
use crate::config::sources::InForce;
use crate::config::{Config, Limits};
use crate::data_dir::{self, listening, token};
use crate::disk::{self, Disk, Marks};
use crate::log;
use crate::metrics::{Figures, Health, Services};
use crate::open_files;
use crate::say;
use crate::sentinel::{Failing, fail};
use crate::servers::{self, Port};
use anyhow::{Context, bail};
use api::Api;
use axum::Router;
use engine::clock::steady::SteadyClock;
use engine::clock::{Clock, Stopwatch, SystemClock};
use engine::handle::Doorbell;
use engine::lane::LaneSettings;
use engine::runner::{Fatal, Runner, Stats};
use gateway::Gateway;
use gateway::route::{Route, Upstream};
use gateway::server::{ServerSettings, Switch};
use gateway::settings::{Cors, Network, RateLimit};
use sd_notify::NotifyState;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use wiring::provider::Delay;
use wiring::{Assembly, Options};

/// How long the engine may take to answer what was accepted, once the ports are closed.
const ENGINE_DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long requests may take to hear of it, once the engine has failed.
const DRAIN_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// What the ports may take beyond their own limit before they are left.
const DRAIN_MARGIN: Duration = Duration::from_secs(1);

pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Everything in one process.
pub(crate) fn everything(in_force: &InForce) -> anyhow::Result<ExitCode> {
    let config = &in_force.config;
    let stopwatch = Stopwatch::start();
    // What is not understood is said before anything is made.
    gateway_settings(config)?;
    open_files::raise_limit();
    let failing = Failing::default();
    let data = data_dir::open(config, draw, &failing);
    let explain = |error| disk::explain(&config.data, error);
    let data = data.map_err(explain)?;
    let token = token::find_or_draw(config, draw).map_err(explain)?;
    say::token(&token, &config.data);
    let runtime = runtime()?;
    let clock = clock::begin(&config.data, &data, config.store.shards)?;
    let notes = clock::told::Notes::begin(&config.data, &clock);
    notes.keep_noting(runtime.handle());
    let options = options(config, clock.clone(), &runtime);
    let assembly = wiring::assemble(data.databases, &options)?;
    let disk = Disk::new(&config.data, data_dir::files(config), marks(config), assembly.gate.clone())?;
    disk.keep_looking(runtime.handle(), &failing);
    let operator = operator(in_force, &token, clock.clone())?;
    let (machine, system) = Machine::start(config, assembly, (operator, disk, clock), &failing)?;
    let result = runtime.block_on(serve(config, &system, failing.subscribe(), stopwatch));
    let failure = failing.borrow().clone();
    // Handlers hold on to the engine; it ends after them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let engine = machine.stop();
    drop(notes);
    result?;
    engine?;
    match failure {
        None => Ok(ExitCode::SUCCESS),
        Some(why) => bail!(why),
    }
}

/// How the services are put together.
pub(crate) fn options(config: &Config, clock: Arc<dyn Clock>, runtime: &Runtime) -> Options {
    Options {
        rules: config.rules(),
        provider: config.provider.clone(),
        lane: LaneSettings { keep_skipped_ms: config.store.keep_skipped_ms(), ..LaneSettings::default() },
        shards: config.store.shards,
        first_call: config.store.first_id,
        replica: draw(),
        clock,
        delay: Arc::new(TokioDelay(runtime.handle().clone())),
    }
}

/// The gateway in front of services elsewhere.
pub(crate) fn gateway_alone(config: &Config) -> anyhow::Result<ExitCode> {
    let routes = remote_routes(config)?;
    let settings = gateway_settings(config)?;
    open_files::raise_limit();
    runtime()?.block_on(async {
        let gateway = Gateway::new(settings, routes);
        gateway.check_health().await;
        let (stopping, stopped) = watch::channel(false);
        let health =
            Health { engines: Vec::new(), gateway: Some(gateway.clone()), services: None, stopping: stopped };
        let router = api::health_router(Arc::new(health)).merge(gateway.router());
        let address = SocketAddr::new(config.listen, config.ports.gateway);
        let port = servers::bind("gateway", address, router).await?;
        let mut signals = StopSignals::listen()?;
        say::gateway(&port);
        let (switch, shutdown) = Switch::new();
        tokio::spawn(gateway.keep_checking_health(shutdown.clone()));
        let server_settings = server_settings(config);
        tokio::join!(servers::run(vec![port], &server_settings, &shutdown), async {
            signals.received().await;
            stopping.send_replace(true);
            switch.turn_off();
        });
        Ok(ExitCode::SUCCESS)
    })
}

/// What the ports need of the engine.
struct System {
    api: Arc<Api>,
    engines: Vec<(&'static str, Arc<Stats>)>,
    disk: Arc<Disk>,
    clock: Arc<SteadyClock>,
    stopping: watch::Sender<bool>,
}

type Thread = JoinHandle<Result<(), Fatal>>;

/// The threads that drive the databases.
struct Machine {
    stop: Arc<AtomicBool>,
    threads: Vec<(Thread, Arc<Doorbell>)>,
}

impl Machine {
    fn start(
        config: &Config,
        assembly: Assembly,
        (operator, disk, clock): (api::Operator, Arc<Disk>, Arc<SteadyClock>),
        failing: &Failing,
    ) -> anyhow::Result<(Self, System)> {
        let (stopping, stopped) = watch::channel(false);
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut engines = Vec::new();
        for (mut runner, (database, _)) in assembly.runners.into_iter().zip(config.layout().groups()) {
            // A first turn reads how far everything is, and has numbers for new calls ready.
            runner.turn()?;
            engines.push((database, runner.stats()));
            let doorbell = runner.doorbell();
            let (stop, failing) = (stop.clone(), failing.clone());
            let thread = std::thread::Builder::new()
                .name(format!("engine-{database}"))
                .spawn(move || drive(runner, &stop, &failing))
                .context("cannot start a thread")?;
            threads.push((thread, doorbell));
        }
        let api = Api::new(api::Parts {
            handles: assembly.handles,
            readers: assembly.readers,
            bus: assembly.bus,
            settings: api_settings(config)?,
            operator,
            stopping: stopped,
        });
        Ok((Self { stop, threads }, System { api, engines, disk, clock, stopping }))
    }

    /// Has everything answered that was accepted, and ends.
    fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        let mut first = Ok(());
        for (thread, doorbell) in self.threads {
            doorbell.ring();
            let ended = thread.join();
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(fatal)) => first = first.and(Err(fatal.into())),
                Err(_) => first = first.and(Err(anyhow::anyhow!("an engine thread panicked"))),
            }
        }
        first
    }
}

fn drive(runner: Runner, stop: &AtomicBool, failing: &Failing) -> Result<(), Fatal> {
    let tell = OnEnd(failing);
    let ended = runner.run(stop, ENGINE_DRAIN_MAX);
    if let Err(fatal) = &ended {
        tracing::error!(%fatal, "the engine stops");
    }
    drop(tell);
    ended
}

/// Tells that a thread ended, also when it panics.
struct OnEnd<'a>(&'a Failing);

impl Drop for OnEnd<'_> {
    fn drop(&mut self) {
        fail(self.0, "an engine ended though nobody asked it to".to_owned());
    }
}

async fn serve(
    config: &Config,
    system: &System,
    mut failed: watch::Receiver<Option<String>>,
    stopwatch: Stopwatch,
) -> anyhow::Result<()> {
    let ports = ports(config, system).await?;
    let mut signals = StopSignals::listen()?;
    let gateway = ports.first().map(|port| port.address).context("there is a gateway")?;
    let announced = listening::announce(&config.data, gateway, SystemClock.now().0)?;
    say::hello(config, &ports, stopwatch);
    say::warning(&system.disk);
    tell_supervisor(NotifyState::Ready);
    let (switch, shutdown) = Switch::new();
    let settings = server_settings(config);
    let mut serving = pin!(servers::run(ports, &settings, &shutdown));
    let has_failed = tokio::select! {
        () = &mut serving => false,
        () = signals.received() => false,
        _ = failed.wait_for(Option::is_some) => true,
    };
    drop(announced);
    tell_supervisor(NotifyState::Stopping);
    system.stopping.send_replace(true);
    switch.turn_off();
    let patience = if has_failed { DRAIN_AFTER_FAILURE } else { settings.drain_grace + settings.drain_max };
    tracing::info!(?patience, "stopping; whoever asks again is not waited for");
    tokio::select! {
        () = &mut serving => {}
        () = tokio::time::sleep(patience + DRAIN_MARGIN) => {}
        () = signals.received() => tracing::warn!("asked again: what was under way is cut off"),
    }
    Ok(())
}

async fn ports(config: &Config, system: &System) -> anyhow::Result<Vec<Port>> {
    let api = &system.api;
    let gateway = Gateway::new(gateway_settings(config)?, local_routes(&api.behind_gateway()));
    let files = (config.data.as_path(), config.layout());
    let figures = Figures::new(&api.readers, files, system.clock.clone());
    let health = |gateway: Option<Gateway>| {
        let engines = system.engines.clone();
        let services = Some(Services {
            requests: api.requests().clone(),
            handles: api.handles.clone(),
            figures: figures.clone(),
            disk: system.disk.clone(),
            clock: system.clock.clone(),
        });
        let health = Health { engines, gateway, services, stopping: system.stopping.subscribe() };
        api::health_router(Arc::new(health))
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
        ("web", config.ports.web, with_health(api::web_router(api))),
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

/// What every gateway answers by itself.
fn documents() -> Route {
    let prefixes = &["/docs", "/openapi.json", "/asyncapi.json", "/problems"];
    Route { name: "documents", prefixes, upstream: Upstream::Local(api::documents_router()) }
}

/// The contract's routes, answered by replicas elsewhere.
fn remote_routes(config: &Config) -> anyhow::Result<Vec<Route>> {
    let upstreams = &config.upstreams;
    let http = |name: &str, replicas: &[String]| {
        if replicas.is_empty() {
            bail!("upstreams.{name} names no replica: the gateway alone needs host:port of each service");
        }
        let parsed = replicas.iter().map(|replica| replica.parse());
        let replicas: Result<Vec<_>, _> = parsed.collect();
        Ok(Upstream::Http(replicas.with_context(|| format!("upstreams.{name} wants host:port"))?))
    };
    let route = |name, prefixes, upstream| Route { name, prefixes, upstream };
    Ok(vec![
        route("call", &["/calls"], http("call", &upstreams.call)?),
        route("payment", &["/payments", "/fares"], http("payment", &upstreams.payment)?),
        route("drive", &["/drives"], http("drive", &upstreams.drive)?),
        route("view", &["/callViews"], http("view", &upstreams.view)?),
        route("events", &["/events"], http("call", &upstreams.call)?),
        documents(),
        route("operator", &["/operator"], http("call", &upstreams.call)?),
        Route::everything_else("web", http("web", &upstreams.web)?),
    ])
}

fn gateway_settings(config: &Config) -> anyhow::Result<gateway::settings::Settings> {
    let said = &config.gateway;
    let limit = |per_second| RateLimit {
        per_second,
        burst: NonZeroU32::new(said.rate_limit_burst).unwrap_or(NonZeroU32::MIN),
        clients_max: 100_000,
    };
    let cors = match said.cors_origins.as_slice() {
        [] => Cors::Off,
        origins if origins.iter().any(|origin| origin == "*") => Cors::AnyOrigin,
        origins => Cors::Origins { allowed: origins.to_vec(), credentials: said.cors_credentials },
    };
    Ok(gateway::settings::Settings {
        request_timeout: Duration::from_millis(said.request_timeout_ms),
        body_bytes_max: said.body_bytes_max,
        rate_limit: NonZeroU32::new(said.rate_limit_per_second).map(limit),
        trusted_proxies: trusted_proxies(config)?,
        cors,
        ..gateway::settings::Settings::default()
    })
}

/// Whose `X-Forwarded-*` is believed: by the gateway, and by a service whose gateway runs elsewhere.
fn trusted_proxies(config: &Config) -> anyhow::Result<Vec<Network>> {
    let proxies = config.gateway.trusted_proxies.iter().map(|proxy| proxy.parse());
    proxies.collect::<Result<_, _>>().context("gateway.trusted_proxies")
}

fn api_settings(config: &Config) -> anyhow::Result<api::Settings> {
    let proxies = trusted_proxies(config)?;
    let are_trusted = move |peer| proxies.iter().any(|proxy| proxy.contains(peer));
    Ok(api::Settings {
        answer_wait: Duration::from_millis(config.answers.wait_ms),
        callpay_wait: Duration::from_millis(config.answers.callpay_wait_ms),
        body_bytes_max: config.gateway.body_bytes_max,
        streams_max: config.limits.streams_max,
        streams_per_client_max: config.limits.streams_per_client_max,
        rider_rate: rider_rate(&config.limits),
        allow_test_payment_methods: config.provider.obey_test_methods,
        trust_forwarded: api::Trust::Peers(Arc::new(are_trusted)),
        ..api::Settings::default()
    })
}

fn rider_rate(limits: &Limits) -> Option<api::RiderRate> {
    let calls_per_minute = NonZeroU32::new(limits.calls_per_rider_per_minute)?;
    let burst = NonZeroU32::new(limits.calls_per_rider_burst).unwrap_or(NonZeroU32::MIN);
    Some(api::RiderRate { calls_per_minute, burst })
}

/// What operators need of the process.
fn operator(
    in_force: &InForce,
    token: &token::Token,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<api::Operator> {
    Ok(api::Operator {
        token: Some(api::Token::new(&token.text)),
        clock,
        log: log::level().context("the log is not started")?,
        config: serde_json::to_value(commands::config::told(in_force))?,
        doctor: doctor(in_force),
    })
}

/// The doctor's findings, looked for whenever they are asked for.
fn doctor(in_force: &InForce) -> Arc<dyn Fn() -> serde_json::Value + Send + Sync> {
    let in_force = in_force.clone();
    Arc::new(move || commands::doctor::told(&in_force))
}

fn server_settings(config: &Config) -> ServerSettings {
    ServerSettings {
        drain_grace: Duration::from_millis(config.deadlines.drain_grace_ms),
        drain_max: Duration::from_millis(config.deadlines.drain_ms),
        ..ServerSettings::default()
    }
}

/// The signals that ask the process to stop. They are listened to before it says that it listens: whoever stops it right
/// after that finds it draining, not dead.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to the signals that stop a process");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Until one comes.
    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Whoever started this process may wait until it serves, as systemd does.
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "whoever started this process could not be told how it is");
    }
}

fn marks(config: &Config) -> Marks {
    Marks { warn: config.store.room_warn_bytes, min: config.store.room_min_bytes }
}

#[expect(clippy::disallowed_methods, reason = "this is the edge that draws chance")]
pub(crate) fn draw() -> u64 {
    rand::random()
}

/// The provider's delays, on the runtime.
struct TokioDelay(Handle);

impl Delay for TokioDelay {
    fn after(&self, delay_ms: u64, then: Box<dyn FnOnce() + Send>) {
        self.0.spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            then();
        });
    }
}
