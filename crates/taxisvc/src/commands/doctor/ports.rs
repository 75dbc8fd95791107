//! The ports: free before a start, answering beside a server; and whoever else has to be reached.

use super::Findings;
use super::data::Seen;
use super::holder::holder;
use crate::commands::server::exchange;
use crate::config::Config;
use crate::data_dir::listening::reached_at;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::time::timeout;

/// Whoever has not answered by then is away.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// Of what is said about an answer.
const WORDS_MAX: usize = 200;

pub(super) async fn look(config: &Config, seen: &Seen, findings: &mut Findings) {
    let ports = &config.ports;
    let named = [
        ("gateway", ports.gateway),
        ("call", ports.call),
        ("payment", ports.payment),
        ("drive", ports.drive),
        ("view", ports.view),
        ("web", ports.web),
    ];
    if let Some(server) = &seen.server {
        ready("gateway", server.gateway.trim_start_matches("http://"), findings).await;
    }
    for (name, number) in named {
        let address = SocketAddr::new(config.listen, number);
        match &seen.server {
            _ if number == 0 => {}
            None => free(name, address, findings),
            Some(_) if name == "gateway" => {}
            Some(_) => ready(name, &reached_at(address).to_string(), findings).await,
        }
    }
    let upstreams = &config.upstreams;
    for (name, replicas) in [
        ("call", &upstreams.call),
        ("payment", &upstreams.payment),
        ("drive", &upstreams.drive),
        ("view", &upstreams.view),
        ("web", &upstreams.web),
    ] {
        for replica in replicas {
            ready(&format!("upstream {name}"), replica, findings).await;
        }
    }
}

/// Whether a start would get the port.
fn free(name: &str, address: SocketAddr, findings: &mut Findings) {
    let check = format!("port {name}");
    match TcpListener::bind(address) {
        Ok(_) => findings.ok(&check, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let by = holder(address.port()).unwrap_or_else(|| "somebody".to_owned());
            let to_do = format!("stop it, or set ports.{name}; a taxisvc there has another data directory");
            findings.wrong(&check, format!("{address} is held by {by}"), &to_do);
        }
        Err(error) => {
            let to_do = format!("set ports.{name} above 1023, or listen on an address of this machine");
            findings.wrong(&check, format!("{address}: {error}"), &to_do);
        }
    }
}

/// Whether who listens there says that it is ready.
async fn ready(name: &str, address: &str, findings: &mut Findings) {
    let request = Request::get("/health/ready").header(HOST, address).body(Full::<Bytes>::default());
    let Ok(request) = request else {
        return findings.wrong(name, format!("{address:?} is no address"), "host:port is expected");
    };
    let asked = timeout(ANSWER_WAIT_MAX, exchange(address, request)).await;
    match asked {
        Ok(Ok((StatusCode::OK, _))) => findings.ok(name, format!("{address} is ready")),
        Ok(Ok((status, body))) => {
            let body = String::from_utf8_lossy(&body);
            let words: String = body.trim().chars().take(WORDS_MAX).collect();
            findings.wrong(name, format!("{address} answers {status}: {words}"), "see its log");
        }
        Ok(Err(error)) => {
            let to_do = "start it; where it was started with other settings, give them to doctor too";
            findings.wrong(name, format!("{address} cannot be reached: {error:#}"), to_do);
        }
        Err(_) => {
            let says = format!("{address} does not answer within {} s", ANSWER_WAIT_MAX.as_secs());
            findings.wrong(name, says, "see its log");
        }
    }
}
