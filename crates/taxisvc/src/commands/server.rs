//! The server that runs on the data directory, asked over HTTP for what only it can do.

use crate::config::Config;
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
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One that does not answer within this hangs.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A server that listens, and what operators show it.
pub(super) struct Server {
    /// `http://127.0.0.1:8088`
    pub(super) gateway: String,
    token: String,
}

impl Server {
    /// The one that runs on the directory; nothing when none does.
    pub(super) fn find(config: &Config) -> anyhow::Result<Option<Self>> {
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
        Ok(Some(Self { gateway: listening.gateway, token: token.text }))
    }

    /// What it answers; a refusal is an error with its reason.
    pub(super) fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let asked = runtime()?.block_on(async {
            let asked = exchange(&self.gateway, self.request(method, path, body)?);
            timeout(ANSWER_WAIT_MAX, asked).await.context("it does not answer")?
        });
        let (status, bytes) = asked.with_context(|| format!("cannot ask the server at {}", self.gateway))?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "the server at {} does not take the token that is kept: after `taxisvc token --renew` it has to be \
                 started again, and operator.token must be the same for both",
                self.gateway
            );
        }
        let said = ["detail", "title"].iter().find_map(|field| answer[*field].as_str());
        bail!("the server at {} answers {status}: {}", self.gateway, said.unwrap_or("it does not say why"))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let host = self.gateway.trim_start_matches("http://");
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
