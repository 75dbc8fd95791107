//! A small HTTP/1.1 client: it sends exactly what it is told, and reads whatever comes.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing here takes so long, unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, which must have this status.
    #[track_caller]
    pub(crate) fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The last segment of a problem's type.
    pub(crate) fn problem(&self) -> String {
        if self.header("content-type") != Some("application/problem+json") {
            return format!("no problem, but {:?}", self.header("content-type"));
        }
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.strip_prefix("/problems/").map_or(kind.clone(), str::to_owned)
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, json: &str) -> Self {
        Self::new("POST", path).header("content-type", "application/json").body(json.as_bytes())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    pub(crate) fn of(&self, address: SocketAddr) -> io::Result<Answer> {
        let mut stream = connect(address)?;
        self.write(&mut stream, address, "connection: close\r\n");
        read_answer(&mut BufReader::new(stream), self.method == "HEAD")
    }

    /// Whoever refuses a request may close before it has read all of it; what counts is what it answers.
    fn write(&self, stream: &mut TcpStream, address: SocketAddr, more: &str) {
        let mut head = format!("{} {} HTTP/1.1\r\n{more}", self.method, self.path);
        let has = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !has("host") {
            head.push_str(&format!("host: {address}\r\n"));
        }
        if !has("content-length") && !self.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
    }
}

/// Sends bytes as they are; returns the first answer and whatever came after it until the connection was closed.
pub(crate) fn raw(address: SocketAddr, bytes: &[u8]) -> io::Result<(Answer, String)> {
    let mut stream = connect(address)?;
    let _ = stream.write_all(bytes);
    let mut reader = BufReader::new(stream);
    let answer = read_answer(&mut reader, false)?;
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
    Ok((answer, String::from_utf8_lossy(&rest).into_owned()))
}

/// An open event stream.
pub(crate) struct Events {
    lines: io::Lines<BufReader<Chunks<BufReader<TcpStream>>>>,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn call_id(&self) -> u64 {
        let data: Value = serde_json::from_str(&self.data).expect("the data of an event is JSON");
        data["callId"].as_u64().expect("every event names its call")
    }
}

impl Events {
    pub(crate) fn open(address: SocketAddr, path: &str) -> Self {
        let mut stream = connect(address).expect("the server listens");
        Ask::get(path).header("accept", "text/event-stream").write(&mut stream, address, "");
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader).expect("a stream begins with a head");
        assert_eq!(status, 200, "{headers:?}");
        let is_chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        assert!(is_chunked, "{headers:?}");
        Self { lines: BufReader::new(Chunks { inner: reader, left: 0, is_over: false }).lines() }
    }
}

impl Iterator for Events {
    type Item = Event;

    /// The next event; nothing when the stream has ended.
    fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
        loop {
            let line = self.lines.next()?.expect("a stream ends, but does not break off");
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut name);
            } else if let Some(text) = line.strip_prefix("data: ") {
                text.clone_into(&mut data);
            } else if line.is_empty() && !name.is_empty() {
                return Some(Event { id, name, data });
            }
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(HANGS_AFTER))?;
    stream.set_write_timeout(Some(HANGS_AFTER))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

type Head = (u16, Vec<(String, String)>);

fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::UnexpectedEof, format!("no answer: {what:?}"));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status =
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| broken(&line))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None if line.trim_end().is_empty() && !line.is_empty() => return Ok((status, headers)),
            None => return Err(broken(&line)),
        }
    }
}

fn read_answer(reader: &mut impl BufRead, is_bare: bool) -> io::Result<Answer> {
    let (status, headers) = read_head(reader)?;
    let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut body = Vec::new();
    if is_bare || status == 204 {
    } else if of("transfer-encoding") == Some("chunked") {
        Chunks { inner: reader, left: 0, is_over: false }.read_to_end(&mut body)?;
    } else if let Some(length) = of("content-length").and_then(|length| length.parse().ok()) {
        body = vec![0; length];
        reader.read_exact(&mut body)?;
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A chunked body, put together again.
struct Chunks<R> {
    inner: R,
    left: usize,
    is_over: bool,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_over {
            return Ok(0);
        }
        if self.left == 0 {
            let mut line = String::new();
            self.inner.read_line(&mut line)?;
            self.left = usize::from_str_radix(line.trim_end(), 16)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("no chunk: {line:?}")))?;
            if self.left == 0 {
                self.is_over = true;
                self.inner.read_line(&mut line)?;
                return Ok(0);
            }
        }
        let most = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a chunk broke off"));
        }
        if self.left == 0 {
            let mut line = String::new();
            self.inner.read_line(&mut line)?;
        }
        Ok(read)
    }
}
