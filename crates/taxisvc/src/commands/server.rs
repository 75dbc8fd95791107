//! The server that runs on the data, asked over HTTP for what only it can do.

use crate::config::{Config, Kind};
use crate::data_dir::{self, listening, token};
use crate::edge::runtime;
use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One that does not answer within this hangs.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// One that cannot be reached within this is away.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);

/// Which server is asked, where there are several.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct To {
    /// Ask this server, such as 127.0.0.1:8083: a gateway, or a replica of the service itself
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
}

impl To {
    pub(super) fn is_said(&self) -> bool {
        self.to.is_some()
    }
}

/// A server that listens, and what operators show it.
pub(super) struct Server {
    /// `http://127.0.0.1:8088`
    address: String,
    token: String,
}

impl Server {
    /// The one that acts on what a service keeps: the one that is named, else whoever runs on the data. Nothing when
    /// nobody does, and the command may act itself.
    pub(super) fn find(config: &Config, to: &To, service: &str) -> anyhow::Result<Option<Self>> {
        match (&to.to, config.store.kind) {
            (Some(address), _) => Ok(Some(Self { address: address.clone(), token: shown(config)? })),
            (None, Kind::Sqlite) => Self::of_data_dir(config),
            (None, Kind::Postgres) => Self::of_fleet(config, service).map(Some),
        }
    }

    /// The first that is there, of the gateway and the service's replicas.
    fn of_fleet(config: &Config, service: &str) -> anyhow::Result<Self> {
        let mut candidates = vec![on_this_machine(config, config.ports.gateway)];
        candidates.extend(replicas(config, service));
        let found = runtime()?.block_on(async {
            for candidate in &candidates {
                let reached = timeout(CONNECT_WAIT_MAX, TcpStream::connect(candidate.as_str())).await;
                if matches!(reached, Ok(Ok(_))) {
                    return Some(candidate.clone());
                }
            }
            None
        });
        let address = found.with_context(|| {
            format!(
                "neither a gateway nor {service} answers at {}: start one, or name one with --to; beside replicas nobody \
                 else acts on their databases",
                candidates.join(", ")
            )
        })?;
        Ok(Self { address, token: shown(config)? })
    }

    fn of_data_dir(config: &Config) -> anyhow::Result<Option<Self>> {
        if !data_dir::is_in_use(config)? {
            return Ok(None);
        }
        let data = config.data.display();
        let Some(listening) = listening::find(&config.data)? else {
            bail!(
                "{data} is in use by a taxisvc that does not listen: one that starts, stops, or repairs; try again"
            );
        };
        let token = token::find(config)?.with_context(|| format!("{data} has no operator token"))?;
        Ok(Some(Self { address: listening.gateway, token: token.text }))
    }

    /// What it answers; a refusal is an error with its reason.
    pub(super) fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let asked = runtime()?.block_on(async {
            let asked = exchange(&self.address, self.request(method, path, body)?);
            timeout(ANSWER_WAIT_MAX, asked).await.context("it does not answer")?
        });
        let (status, bytes) = asked.with_context(|| format!("cannot ask the server at {}", self.address))?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "the server at {} does not take the token that is kept: after `taxisvc token --renew` it has to be \
                 started again, and operator.token must be the same for both",
                self.address
            );
        }
        let said = ["detail", "title"].iter().find_map(|field| answer[*field].as_str());
        bail!("the server at {} answers {status}: {}", self.address, said.unwrap_or("it does not say why"))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let host = self.address.trim_start_matches("http://");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        let bytes = body.map_or(Bytes::new(), |body| Bytes::from(body.to_string()));
        let request = if body.is_some() { request.header(CONTENT_TYPE, "application/json") } else { request };
        request.body(Full::new(bytes)).context("the request cannot be written")
    }
}

/// What operators show.
fn shown(config: &Config) -> anyhow::Result<String> {
    let token = token::find(config)?.context(
        "no operator's token is known here: set operator.token (TAXISVC_OPERATOR_TOKEN) to that of the servers",
    )?;
    Ok(token.text)
}

/// Where the replicas of a service listen: where `upstreams` says, else on this machine.
pub(super) fn replicas(config: &Config, service: &str) -> Vec<String> {
    let (ports, upstreams) = (&config.ports, &config.upstreams);
    let (named, port) = match service {
        wiring::call::NAME => (&upstreams.call, ports.call),
        wiring::payment::NAME | wiring::provider::NAME => (&upstreams.payment, ports.payment),
        wiring::drive::NAME => (&upstreams.drive, ports.drive),
        wiring::view::NAME => (&upstreams.view, ports.view),
        unknown => unreachable!("{unknown:?} is none of the services"),
    };
    if named.is_empty() { vec![on_this_machine(config, port)] } else { named.clone() }
}

fn on_this_machine(config: &Config, port: u16) -> String {
    listening::reached_at(SocketAddr::new(config.listen, port)).to_string()
}

/// One request on a connection of its own.
pub(super) async fn exchange(to: &str, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(to.trim_start_matches("http://")).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the exchange; what goes wrong in it is told to who waits for the answer.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?;
    connection.abort();
    Ok((head.status, body.to_bytes()))
}
