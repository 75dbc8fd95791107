//! `taxisvc gateway`: the one entry, in front of services that run elsewhere.

use crate::config::Config;
use crate::edge::{gateway_settings, runtime};
use crate::metrics::Health;
use crate::open_files;
use crate::say;
use crate::sentinel::Failing;
use crate::servers;
use crate::serving::Ending;
use anyhow::{Context, bail};
use gateway::Gateway;
use gateway::route::{Route, Upstream};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::watch;

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
        let ending = Ending::prepare(config)?;
        say::listens(&port);
        tokio::spawn(gateway.keep_checking_health(ending.shutdown()));
        let nothing_fails = Failing::default();
        ending.serve(vec![port], &stopping, nothing_fails.subscribe(), ()).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What every gateway answers by itself.
pub(crate) fn documents() -> Route {
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
