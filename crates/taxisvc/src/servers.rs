//! The ports of a process: all are bound before any answers, and all drain together.

use anyhow::Context;
use axum::Router;
use gateway::server::{Drained, ServerSettings, Shutdown, serve};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A port that is bound and does not answer yet.
pub(crate) struct Port {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    router: Router,
}

pub(crate) async fn bind(name: &'static str, address: SocketAddr, router: Router) -> anyhow::Result<Port> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| {
        format!(
            "cannot listen on {address} for {name}: is something else there? ports.{name} sets another port"
        )
    })?;
    let address = listener.local_addr().context("a bound port has an address")?;
    Ok(Port { name, address, listener, router })
}

/// Answers on all ports until the shutdown is through.
pub(crate) async fn run(ports: Vec<Port>, settings: &ServerSettings, shutdown: &Shutdown) {
    let mut servers = JoinSet::new();
    for port in ports {
        let (settings, shutdown) = (settings.clone(), shutdown.clone());
        servers.spawn(async move {
            let Drained { requests, finished, dropped } =
                serve(port.listener, port.router, settings, shutdown).await;
            tracing::info!(port = port.name, requests, finished, dropped, "closed");
        });
    }
    while let Some(ended) = servers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a server ended by itself");
        }
    }
}
