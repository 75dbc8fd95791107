//! Asks the server over HTTP/1.1 and, while it is away, asks again: the same request under the same key.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use crate::answer::Problem;
use crate::tally::Tally;

const RETRY_DELAY_MIN: Duration = Duration::from_millis(10);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 256 * 1024;

pub(crate) struct Limits {
    /// How long one attempt may take.
    pub(crate) attempt: Duration,
    /// How long a request is repeated, all in all.
    pub(crate) patience: Duration,
    pub(crate) connections: usize,
}

pub(crate) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    base: String,
    limits: Limits,
    tally: Arc<Tally>,
    giving_up: AtomicBool,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// Whether the server was away before it answered.
    pub(crate) repeated: bool,
    /// The server had done it before, under the same key.
    pub(crate) is_replayed: bool,
}

/// The server has been away for longer than patience lasts.
#[derive(Debug)]
pub(crate) struct Away {
    pub(crate) trouble: String,
}

impl Client {
    pub(crate) fn new(to: &str, limits: Limits, tally: Arc<Tally>) -> anyhow::Result<Self> {
        let uri: Uri = to.parse().with_context(|| format!("`{to}` is no address"))?;
        ensure!(
            uri.scheme_str() == Some("http") && uri.host().is_some() && uri.query().is_none(),
            "`{to}` is no address like http://127.0.0.1:8088"
        );
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits.attempt));
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION_MAX)
            .pool_max_idle_per_host(limits.connections)
            .build(connector);
        let base = to.trim_end_matches('/').to_owned();
        Ok(Self { http, base, limits, tally, giving_up: AtomicBool::new(false) })
    }

    pub(crate) fn patience(&self) -> Duration {
        self.limits.patience
    }

    /// From now on no request is repeated any more.
    pub(crate) fn give_up(&self) {
        self.giving_up.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_given_up(&self) -> bool {
        self.giving_up.load(Ordering::Relaxed)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Away> {
        let uri = self.uri(path);
        self.ask(|| Request::builder().uri(&uri).body(Full::default())).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: String) -> Result<Answer, Away> {
        let uri = self.uri(path);
        let body = Bytes::from(body);
        self.ask(|| {
            Request::builder()
                .method(Method::POST)
                .uri(&uri)
                .header(CONTENT_TYPE, "application/json")
                .header("idempotency-key", key)
                .body(Full::new(body.clone()))
        })
        .await
    }

    fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn ask(
        &self,
        request: impl Fn() -> hyper::http::Result<Request<Full<Bytes>>>,
    ) -> Result<Answer, Away> {
        let started = Instant::now();
        let mut delay = RETRY_DELAY_MIN;
        let mut repeated = false;
        loop {
            let request = request().expect("addresses and keys are checked before the first request");
            let (trouble, retry_after) = match timeout(self.limits.attempt, self.attempt(request)).await {
                Ok(Ok(Attempt::Answered(status, body, is_replayed))) => {
                    return Ok(Answer { status, body, repeated, is_replayed });
                }
                Ok(Ok(Attempt::NotNow(status, retry_after))) => (Trouble::NotNow(status), retry_after),
                Ok(Err(failure)) => (Trouble::Connection(failure), None),
                Err(_) => (Trouble::TimedOut, None),
            };
            let pause = retry_after.unwrap_or(delay).max(delay);
            let out_of_patience = started.elapsed() + pause > self.limits.patience;
            if out_of_patience || self.giving_up.load(Ordering::Relaxed) {
                return Err(Away { trouble: trouble.to_string() });
            }
            self.tally.repeated(trouble.kind());
            repeated = true;
            sleep(pause).await;
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    async fn attempt(&self, request: Request<Full<Bytes>>) -> Result<Attempt, Failure> {
        let (head, body) = self.http.request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        match head.status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let seconds =
                    head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                Ok(Attempt::NotNow(head.status, seconds.map(Duration::from_secs)))
            }
            status => {
                let is_replayed = head.headers.contains_key("idempotent-replayed");
                Ok(Attempt::Answered(status, body, is_replayed))
            }
        }
    }
}

impl Answer {
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| {
            format!("the server's answer ({}) is not what the contract says: {error}", self.status.as_u16())
        })
    }

    /// The problem's `type`, or the bare status where the answer is no problem document.
    pub(crate) fn problem(&self) -> String {
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) => problem.kind,
            Err(_) => format!("HTTP {}", self.status.as_u16()),
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

enum Attempt {
    Answered(StatusCode, Bytes, bool),
    NotNow(StatusCode, Option<Duration>),
}

enum Trouble {
    Connection(Failure),
    TimedOut,
    NotNow(StatusCode),
}

impl Trouble {
    fn kind(&self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::TimedOut => "timeout",
            Self::NotNow(StatusCode::TOO_MANY_REQUESTS) => "429",
            Self::NotNow(StatusCode::BAD_GATEWAY) => "502",
            Self::NotNow(StatusCode::SERVICE_UNAVAILABLE) => "503",
            Self::NotNow(_) => "504",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(failure) => {
                write!(f, "{failure}")?;
                let mut cause = failure.source();
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::TimedOut => f.write_str("no answer in time"),
            Self::NotNow(status) => write!(f, "answered {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::summary::Summary;

    /// Answers the connections in turn; the first entry says nothing at all.
    async fn answer_in_turn(listener: TcpListener, answers: &[&str]) -> Vec<String> {
        let mut asked = Vec::new();
        let mut silent = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            asked.push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            if answer.is_empty() {
                silent.push(stream);
                continue;
            }
            let length = answer.len();
            let text = format!("{answer}connection: close\r\ncontent-length: 2\r\n\r\n{{}}");
            assert!(length > 0 && stream.write_all(text.as_bytes()).await.is_ok());
        }
        asked
    }

    #[tokio::test]
    async fn silence_and_shedding_are_met_with_the_same_request_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("http://{}", listener.local_addr().unwrap());
        let limits =
            Limits { attempt: Duration::from_millis(200), patience: Duration::from_mins(1), connections: 1 };
        let tally = Arc::new(Tally::new(Summary::default(), None));
        let client = Client::new(&to, limits, Arc::clone(&tally)).unwrap();
        let server = answer_in_turn(
            listener,
            &["", "HTTP/1.1 429 Slow Down\r\nretry-after: 0\r\n", "HTTP/1.1 201 Created\r\n"],
        );
        let (answer, asked) = tokio::join!(client.post("/calls", "\"k-1\"", "{\"a\":1}".to_owned()), server);
        let answer = answer.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED);
        assert!(answer.repeated);
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[0], asked[1]);
        assert_eq!(asked[1], asked[2]);
        assert!(
            asked[0].contains("idempotency-key: \"k-1\"") && asked[0].contains("{\"a\":1}"),
            "{}",
            asked[0]
        );
        let (summary, _) = tally.finish(Duration::from_secs(1));
        assert_eq!(summary.repeated, [("timeout", 1), ("429", 1)].into());
    }
}
