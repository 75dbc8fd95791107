//! A replica that follows a script, a client that sees every byte, and a gateway between them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use gateway::Gateway;
use gateway::route::{Route, Upstream};
use gateway::server::{Drained, ServerSettings, Shutdown, Switch, serve};
use gateway::settings::Settings;
use http::uri::Authority;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

/// Nothing here should take long; a test that hangs fails by this.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("the test hangs")
}

/// What a replica does with a request.
pub(crate) enum Reply {
    /// These bytes, and the connection stays.
    Bytes(String),
    /// These bytes, and the connection ends.
    BytesThenClose(String),
    /// Never an answer.
    Silence,
    /// A chunked event stream of whatever is sent.
    Events(mpsc::UnboundedReceiver<String>),
}

pub(crate) fn ok(body: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// A request as it reached a replica.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: watch::Receiver<(usize, usize)>,
    task: AbortHandle,
}

impl Replica {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Replica {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (count, connections) = watch::channel((0, 0));
        let script: Script = Arc::new(script);
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, log, count) = (Arc::clone(&script), Arc::clone(&log), count.clone());
                count.send_modify(|(opened, _)| *opened += 1);
                tokio::spawn(async move {
                    let _ = converse(stream, script, log).await;
                    count.send_modify(|(_, closed)| *closed += 1);
                });
            }
        });
        Replica { address, seen, connections, task: task.abort_handle() }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections_opened(&self) -> usize {
        self.connections.borrow().0
    }

    pub(crate) async fn all_closed(&mut self) {
        within(self.connections.wait_for(|(opened, closed)| opened == closed)).await.unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, script: Script, log: Arc<Mutex<Vec<Seen>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read_request(&mut stream).await? {
        let reply = script(&seen);
        log.lock().unwrap().push(seen);
        match reply {
            Reply::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await?,
            Reply::BytesThenClose(bytes) => return stream.write_all(bytes.as_bytes()).await,
            Reply::Silence => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
            }
            Reply::Events(events) => stream_events(&mut stream, events).await?,
        }
    }
    Ok(())
}

async fn stream_events(
    stream: &mut BufReader<TcpStream>,
    mut events: mpsc::UnboundedReceiver<String>,
) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut byte = [0];
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?,
                None => return stream.write_all(b"0\r\n\r\n").await,
            },
            read = stream.read(&mut byte) => if read? == 0 { return Ok(()) },
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Seen>> {
    let Some((line, headers)) = read_head(stream).await? else {
        return Ok(None);
    };
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Seen { line, headers, body: String::from_utf8(body).unwrap() }))
}

async fn read_head(
    stream: &mut BufReader<TcpStream>,
) -> std::io::Result<Option<(String, HashMap<String, String>)>> {
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            return Ok(Some((first.trim_end().to_owned(), headers)));
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
}

/// An answer as it reached a client.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The type of a problem, checked to be a whole one.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status, "{self:?}");
        for field in ["title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
        if let Some(id) = self.header("x-request-id") {
            assert_eq!(problem["requestId"], id);
        }
        problem["type"].as_str().unwrap().to_owned()
    }
}

/// A connection of a client.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(address).await.unwrap()) }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes).await;
        self.read_answer().await
    }

    pub(crate) async fn read_answer(&mut self) -> Answer {
        let mut answer = self.read_head().await;
        if let Some(length) = answer.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            within(self.stream.read_exact(&mut body)).await.unwrap();
            answer.body = String::from_utf8(body).unwrap();
        } else if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.read_chunk().await {
                answer.body.push_str(&chunk);
            }
        }
        answer
    }

    pub(crate) async fn read_head(&mut self) -> Answer {
        let head = within(read_head(&mut self.stream)).await.unwrap();
        let (line, headers) = head.expect("the connection was closed without an answer");
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, headers, body: String::new() }
    }

    /// The next chunk; `None` is a clean end of the body.
    pub(crate) async fn read_chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        within(self.stream.read_line(&mut size)).await.unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk begins with its size");
        let mut chunk = vec![0; size + 2];
        within(self.stream.read_exact(&mut chunk)).await.unwrap();
        chunk.truncate(size);
        (size > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// What comes until the connection is closed.
    pub(crate) async fn read_rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = within(self.stream.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }
}

/// A gateway on a port.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Gateway,
    pub(crate) switch: Switch,
    pub(crate) server: JoinHandle<Drained>,
}

impl Running {
    pub(crate) async fn start(settings: Settings, routes: Vec<Route>) -> Running {
        Running::start_with(settings, routes, ServerSettings::default()).await
    }

    pub(crate) async fn start_with(
        settings: Settings,
        routes: Vec<Route>,
        server_settings: ServerSettings,
    ) -> Running {
        let gateway = Gateway::new(settings, routes);
        let (address, switch, server) = start_server(gateway.router(), server_settings).await;
        Running { address, gateway, switch, server }
    }

    pub(crate) async fn ask(&self, bytes: impl AsRef<[u8]>) -> Answer {
        Client::connect(self.address).await.ask(bytes).await
    }
}

pub(crate) async fn start_server(
    router: Router,
    settings: ServerSettings,
) -> (SocketAddr, Switch, JoinHandle<Drained>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (switch, shutdown): (Switch, Shutdown) = Switch::new();
    (address, switch, tokio::spawn(serve(listener, router, settings, shutdown)))
}

/// Settings in which nothing happens by itself.
pub(crate) fn quiet() -> Settings {
    Settings { health: None, ..Settings::default() }
}

pub(crate) fn calls_by(upstream: Upstream) -> Vec<Route> {
    vec![Route { name: "call", prefixes: &["/calls"], upstream }]
}

pub(crate) fn calls_by_replicas(replicas: &[&Replica]) -> Vec<Route> {
    calls_by(Upstream::Http(replicas.iter().map(|replica| authority(replica.address)).collect()))
}

pub(crate) fn authority(address: SocketAddr) -> Authority {
    address.to_string().parse().unwrap()
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> Authority {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    authority(listener.local_addr().unwrap())
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: taxi.test\r\n\r\n")
}

/// A request with a body; `extra` are whole header lines.
pub(crate) fn with_body(method: &str, extra: &str, body: &str) -> String {
    format!(
        "{method} /calls HTTP/1.1\r\nHost: taxi.test\r\nContent-Length: {}\r\n{extra}\r\n{body}",
        body.len()
    )
}
