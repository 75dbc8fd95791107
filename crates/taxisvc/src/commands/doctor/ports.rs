//! The ports: free before a start, answering beside a server; and whoever else has to be reached.

use super::Findings;
use super::data::Seen;
use super::holder::holder;
use crate::commands::server::{exchange, replicas};
use crate::config::Config;
use crate::data_dir::listening::reached_at;
use crate::data_dir::token;
use bytes::Bytes;
use engine::log::LogId;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::time::timeout;
use wiring::{call, drive, payment, view};

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
    let data = seen.look.as_ref().map(|look| look.readers.call.log());
    let mut round = Round::beside(findings);
    if let Some(server) = &seen.server {
        let address = server.gateway.trim_start_matches("http://");
        round.ready("gateway", address, data).await;
        // Where there is none that can be read, that was said.
        if let Ok(Some(token)) = token::find(config) {
            round.lets_in(address, &token.text).await;
        }
    }
    for (name, number) in named {
        let address = SocketAddr::new(config.listen, number);
        match &seen.server {
            _ if number == 0 => {}
            None => free(name, address, round.findings),
            Some(_) if name == "gateway" => {}
            Some(_) => round.ready(name, &reached_at(address).to_string(), data).await,
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
            round.ready(&format!("upstream {name}"), replica, None).await;
        }
    }
}

/// The gateway and the replicas, where each runs by itself: whether somebody answers for each of them.
pub(super) async fn of_fleet(config: &Config, findings: &mut Findings) {
    let gateway = reached_at(SocketAddr::new(config.listen, config.ports.gateway)).to_string();
    let mut asked = vec![("gateway", vec![gateway])];
    asked.extend(
        [call::NAME, payment::NAME, drive::NAME, view::NAME].map(|name| (name, replicas(config, name))),
    );
    let mut answers = Vec::new();
    for (name, addresses) in asked {
        let mut of_service = Vec::new();
        for address in addresses {
            let answer = ask(&address, "/health/ready", None).await;
            of_service.push((address, answer));
        }
        answers.push((name, of_service));
    }
    if answers.iter().flat_map(|(_, of_service)| of_service).all(|(_, answer)| answer.is_err()) {
        let to_do = "start each service: taxisvc call, payment, drive, view, and gateway; where they run, name them in upstreams.*";
        return findings.warn("replicas", "neither a gateway nor a replica answers", to_do);
    }
    let mut round = Round::beside(findings);
    for (name, of_service) in answers {
        let is_ready = |answer: &Asked| matches!(answer, Ok((StatusCode::OK, _)));
        let has_another = of_service.iter().any(|(_, answer)| is_ready(answer));
        for (address, answer) in of_service {
            round.replica((name, &address), answer, has_another);
        }
    }
    if let Ok(Some(token)) = token::find(config) {
        let gateway = reached_at(SocketAddr::new(config.listen, config.ports.gateway)).to_string();
        round.lets_in(&gateway, &token.text).await;
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

/// What `/health/ready` tells.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    warnings: Vec<String>,
    log: Option<LogId>,
}

/// Whoever is asked.
struct Round<'a> {
    findings: &'a mut Findings,
    /// All ports of a process warn of the same, which is said once.
    warned: BTreeSet<String>,
}

impl<'a> Round<'a> {
    /// What was found already is not said again.
    fn beside(findings: &'a mut Findings) -> Self {
        let warned = findings.findings.iter().map(|finding| finding.says.clone()).collect();
        Self { findings, warned }
    }

    /// Whether who listens there says that it is ready, and serves this data where it should.
    async fn ready(&mut self, name: &str, address: &str, data: Option<LogId>) {
        let findings = &mut *self.findings;
        match ask(address, "/health/ready", None).await {
            Err(Away { says, to_do }) => findings.wrong(name, says, to_do),
            Ok((StatusCode::OK, body)) => {
                let told: Told = serde_json::from_slice(&body).unwrap_or_default();
                match told.log.map(|log| log.to_string()) {
                    log if data.is_none() || log == data.map(|data| data.to_string()) => {
                        findings.ok(name, format!("{address} is ready"));
                    }
                    log => {
                        let whose = log.map_or("no data".to_owned(), |log| format!("other data (log {log})"));
                        let to_do = "give doctor the settings that the server has, or stop whoever is there";
                        findings.wrong(name, format!("{address} answers, and has {whose}"), to_do);
                    }
                }
                for warning in told.warnings {
                    if self.warned.insert(warning.clone()) {
                        findings.warn(name, warning, "see to it while requests are still served");
                    }
                }
            }
            Ok((status, body)) => {
                findings.wrong(
                    name,
                    format!("{address} answers {status}: {}", in_short(&body)),
                    "see its log",
                );
            }
        }
    }

    /// One of several may be away.
    fn replica(&mut self, (name, address): (&str, &str), answer: Asked, has_another: bool) {
        let findings = &mut *self.findings;
        let (says, to_do) = match answer {
            Ok((StatusCode::OK, body)) => {
                let told: Told = serde_json::from_slice(&body).unwrap_or_default();
                findings.ok(name, format!("{address} is ready"));
                for warning in told.warnings {
                    if self.warned.insert(warning.clone()) {
                        findings.warn(name, warning, "see to it while requests are still served");
                    }
                }
                return;
            }
            Ok((status, body)) => (format!("{address} answers {status}: {}", in_short(&body)), "see its log"),
            Err(Away { says, to_do }) => (says, to_do),
        };
        if has_another {
            findings.warn(name, says, to_do);
        } else {
            findings.wrong(name, says, to_do);
        }
    }

    /// Whether the server lets in who shows the operator's token.
    async fn lets_in(&mut self, address: &str, token: &str) {
        const CHECK: &str = "operator access";
        match ask(address, "/operator/log", Some(token)).await {
            Ok((StatusCode::OK, _)) => {
                self.findings.ok(CHECK, format!("{address} takes the operator's token"))
            }
            Ok((StatusCode::UNAUTHORIZED, _)) => self.findings.wrong(
                CHECK,
                format!("{address} does not take the operator's token"),
                "start the server again: one that was renewed counts from the next start on; \
                 operator.token, where it is set, must be the same for both",
            ),
            Ok((status, body)) => {
                let says = format!("{address} answers {status}: {}", in_short(&body));
                self.findings.wrong(CHECK, says, "see its log");
            }
            Err(Away { says, to_do }) => self.findings.wrong(CHECK, says, to_do),
        }
    }
}

/// Whoever gave no answer.
struct Away {
    says: String,
    to_do: &'static str,
}

/// What came of asking somebody.
type Asked = Result<(StatusCode, Bytes), Away>;

async fn ask(address: &str, path: &str, token: Option<&str>) -> Asked {
    let request = Request::get(path).header(HOST, address);
    let request = match token {
        Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    let request = request
        .body(Full::<Bytes>::default())
        .map_err(|_| Away { says: format!("{address:?} is no address"), to_do: "host:port is expected" })?;
    match timeout(ANSWER_WAIT_MAX, exchange(address, request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Away {
            says: format!("{address} cannot be reached: {error:#}"),
            to_do: "start it; where it was started with other settings, give them to doctor too",
        }),
        Err(_) => Err(Away {
            says: format!("{address} does not answer within {} s", ANSWER_WAIT_MAX.as_secs()),
            to_do: "see its log",
        }),
    }
}

fn in_short(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().chars().take(WORDS_MAX).collect()
}
