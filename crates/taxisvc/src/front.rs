//! `taxisvc gateway`: the one entry, in front of services that run elsewhere.

mod merged;

use crate::config::sources::InForce;
use crate::config::{Config, Kind, upstreams};
use crate::data_dir::listening::reached_at;
use crate::edge::{follow_by_gateway, gateway_settings, runtime};
use crate::live::Live;
use crate::metrics::Health;
use crate::open_files;
use crate::say;
use crate::sentinel::Failing;
use crate::servers;
use crate::serving::Ending;
use crate::traces::Traces;
use gateway::Gateway;
use gateway::route::{Route, Upstream};
use http::uri::Authority;
use merged::Merged;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use wiring::{call, drive, payment, view};

const WEB: &str = "web";
const EVENTS: &str = "events";
const OPERATOR: &str = "operator";

/// The gateway in front of services elsewhere.
pub(crate) fn gateway_alone(in_force: &InForce) -> anyhow::Result<ExitCode> {
    let config = &in_force.config;
    let settings = gateway_settings(config)?;
    let (stopping, stopped) = watch::channel(false);
    let live = Live::new(in_force, |_| Ok(()));
    let traces = Traces::begin(&live)?;
    let merged = match config.store.kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some(Merged::new(&live, traces.clone(), stopped.clone())?),
    };
    let routes = routes(config, merged.as_ref())?;
    open_files::raise_limit();
    let runtime = runtime()?;
    runtime.block_on(async {
        let gateway = Gateway::new(settings, routes);
        if let Some(traces) = &traces {
            gateway.trace_with(traces.clone());
        }
        gateway.check_health().await;
        follow_by_gateway(&live, &gateway)?;
        follow_upstreams(&live, &gateway)?;
        let health = Health {
            engines: Vec::new(),
            gateway: Some(gateway.clone()),
            services: None,
            looking: merged.as_ref().map(Merged::looking),
            live: live.clone(),
            traces: traces.clone(),
            stopping: stopped,
        };
        let router = api::health_router(Arc::new(health)).merge(gateway.router());
        let address = SocketAddr::new(config.listen, config.ports.gateway);
        let port = servers::bind("gateway", address, router).await?;
        let ending = Ending::prepare(config)?;
        say::listens(&port);
        live.keep_looking(&Handle::current());
        let looking = merged.map(Merged::begin).transpose()?;
        tokio::spawn(gateway.keep_checking_health(ending.shutdown()));
        let nothing_fails = Failing::default();
        ending.serve(vec![port], &stopping, nothing_fails.subscribe(), ()).await;
        drop(looking);
        anyhow::Ok(())
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Some(traces) = traces {
        traces.end();
    }
    Ok(ExitCode::SUCCESS)
}

/// What every gateway answers by itself.
pub(crate) fn documents() -> Route {
    let prefixes = &["/docs", "/openapi.json", "/asyncapi.json", "/problems"];
    Route { name: "documents", prefixes, upstream: Upstream::Local(api::documents_router()) }
}

/// What of the contract a service answers, and what an operator does to it where it runs by itself.
struct Paths {
    service: &'static str,
    own: &'static [&'static str],
    with_operators: &'static [&'static str],
}

const PATHS: [Paths; 4] = [
    Paths {
        service: call::NAME,
        own: &["/calls"],
        with_operators: &["/calls", "/operator/calls/cancel", "/operator/dead-letters/call"],
    },
    Paths {
        service: payment::NAME,
        own: &["/payments", "/fares"],
        with_operators: &[
            "/payments",
            "/fares",
            "/operator/dead-letters/payment",
            "/operator/dead-letters/provider",
        ],
    },
    Paths {
        service: drive::NAME,
        own: &["/drives"],
        with_operators: &["/drives", "/operator/drives", "/operator/dead-letters/drive"],
    },
    Paths {
        service: view::NAME,
        own: &["/callViews"],
        with_operators: &["/callViews", "/operator/views", "/operator/dead-letters/view"],
    },
];

/// The contract's routes. What is about one service goes to its replicas; what is about all of them together is read from
/// their databases, or asked of the process in which they all run.
fn routes(config: &Config, merged: Option<&Merged>) -> anyhow::Result<Vec<Route>> {
    let route = |name, prefixes, upstream| Route { name, prefixes, upstream };
    let mut routes = Vec::new();
    for Paths { service, own, with_operators } in PATHS {
        let prefixes = if merged.is_some() { with_operators } else { own };
        routes.push(route(service, prefixes, Upstream::Http(replicas(config, service)?)));
    }
    let (call, web) = (replicas(config, call::NAME)?, replicas(config, WEB)?);
    let (events, operator, web) = match merged {
        None => (Upstream::Http(call.clone()), Upstream::Http(call), Upstream::Http(web)),
        Some(merged) => {
            let has_web = !config.upstreams.web.is_empty();
            let web = if has_web { Upstream::Http(web) } else { Upstream::Local(merged.web()) };
            (Upstream::Local(merged.events()), Upstream::Local(merged.operator()), web)
        }
    };
    routes.push(route(EVENTS, &["/events"], events));
    routes.push(documents());
    routes.push(route(OPERATOR, &["/operator"], operator));
    routes.push(Route::everything_else(WEB, web));
    Ok(routes)
}

/// Has requests go to the replicas that are named now.
fn follow_upstreams(live: &Live, gateway: &Gateway) -> anyhow::Result<()> {
    let gateway = gateway.clone();
    live.follow(move |config| {
        for Paths { service, .. } in PATHS {
            gateway.set_upstreams(service, replicas(config, service)?);
        }
        // What this gateway answers by itself it goes on answering.
        let call = replicas(config, call::NAME)?;
        gateway.set_upstreams(EVENTS, call.clone());
        gateway.set_upstreams(OPERATOR, call);
        gateway.set_upstreams(WEB, replicas(config, WEB)?);
        Ok(())
    })
}

/// The replicas that are named, else the one on this machine.
fn replicas(config: &Config, name: &str) -> anyhow::Result<Vec<Authority>> {
    let (ports, upstreams) = (&config.ports, &config.upstreams);
    let (named, port) = match name {
        call::NAME => (&upstreams.call, ports.call),
        payment::NAME => (&upstreams.payment, ports.payment),
        drive::NAME => (&upstreams.drive, ports.drive),
        view::NAME => (&upstreams.view, ports.view),
        WEB => (&upstreams.web, ports.web),
        unknown => unreachable!("{unknown:?} is none of the upstreams"),
    };
    let here = reached_at(SocketAddr::new(config.listen, port)).to_string();
    let named = if named.is_empty() { std::slice::from_ref(&here) } else { named.as_slice() };
    upstreams::replicas(name, named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_named_is_on_this_machine() {
        let mut config = Config::default();
        let found = |config: &Config, name| {
            let replicas = replicas(config, name).unwrap();
            replicas.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(&config, "drive"), ["127.0.0.1:8084"]);
        config.listen = [0, 0, 0, 0].into();
        assert_eq!(found(&config, "web"), ["127.0.0.1:8080"]);
        config.upstreams.drive = vec!["one:8084".into(), "two:8084".into()];
        assert_eq!(found(&config, "drive"), ["one:8084", "two:8084"]);
        for wrong in ["http://one", "one", "one:", "who@one:8084", ""] {
            config.upstreams.drive = vec![wrong.into()];
            let error = format!("{:#}", replicas(&config, "drive").unwrap_err());
            assert!(
                error.contains(&format!("upstreams.drive wants host:port, and says {wrong:?}")),
                "{error}"
            );
        }
    }
}
