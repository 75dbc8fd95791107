//! A TCP stream whose peer must read, or is given up, of which is known whether a length was announced, and on which
//! what the protocol below refuses by itself is refused in our words.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use language::Language;
use language::problem::Kind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// The stream, with a clock that runs only while a write is stuck.
pub(crate) struct Socket {
    stream: TcpStream,
    write_timeout: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
    lengths: LengthLines,
    /// What is being written in place of a bare refusal.
    instead: Option<Instead>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, write_timeout: Duration) -> Socket {
        Socket { stream, write_timeout, stuck: None, lengths: LengthLines::default(), instead: None }
    }

    /// Is set whenever a line that announces a length has been read.
    pub(crate) fn length_seen(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lengths.seen)
    }

    /// Passes on what a write came to, and gives up when it has been pending for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.write_timeout)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read_before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.lengths.look_at(&buffer.filled()[read_before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = Instead::of(bytes);
        }
        let this = &mut *self;
        let written = match &mut this.instead {
            Some(instead) => instead.poll_write(Pin::new(&mut this.stream), context),
            None => Pin::new(&mut this.stream).poll_write(context, bytes),
        };
        if written.is_ready() {
            self.instead = None;
        }
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.first().filter(|first| self.instead.is_some() || is_bare_refusal(first)) {
            return self.poll_write(context, first);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A problem document that is written in place of an answer without a body.
struct Instead {
    bytes: Vec<u8>,
    written: usize,
    /// How many bytes it stands for.
    replaced: usize,
}

/// The statuses with which the protocol below refuses by itself what it cannot read; in English, since no header was
/// read that could ask for another language.
const REFUSALS: [(&str, &str, &str); 3] = [
    ("400", "Bad Request", "the request is not well-formed HTTP/1.1"),
    ("414", "URI Too Long", "the address of the request is too long"),
    ("431", "Request Header Fields Too Large", "the head of the request is too large"),
];

fn is_bare_refusal(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.1 4")
        && bytes.ends_with(b"\r\n\r\n")
        && memchr::memmem::find(bytes, b"\r\ncontent-length: 0\r\n").is_some()
        && memchr::memmem::find(bytes, b"\r\nconnection: close\r\n").is_some()
}

impl Instead {
    /// Nothing where the bytes are not a whole bare refusal.
    fn of(bytes: &[u8]) -> Option<Instead> {
        if !is_bare_refusal(bytes) {
            return None;
        }
        let refused = |(status, _, _): &&(&str, &str, &str)| bytes[9..].starts_with(status.as_bytes());
        let (status, reason, detail) = REFUSALS.iter().find(refused)?;
        let body = format!(
            r#"{{"type":"/problems/malformed","title":"{}","status":{status},"detail":"{detail}"}}"#,
            Kind::Malformed.title().of(Language::English)
        );
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: application/problem+json\r\ncontent-language: en\r\ncache-control: no-store\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Some(Instead { bytes: (head + &body).into_bytes(), written: 0, replaced: bytes.len() })
    }

    fn poll_write(
        &mut self,
        mut stream: Pin<&mut TcpStream>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        while self.written < self.bytes.len() {
            self.written += ready!(stream.as_mut().poll_write(context, &self.bytes[self.written..]))?;
        }
        Poll::Ready(Ok(self.replaced))
    }
}

/// Looks for lines that announce a length among all that is read.
///
/// The protocol below us drops Content-Length where there is Transfer-Encoding, so that a request with both cannot
/// be told from one with the latter only. Such a request is how one request is smuggled inside another.
#[derive(Default)]
struct LengthLines {
    seen: Arc<AtomicBool>,
    /// How much of the needle the bytes read last are.
    matched: usize,
}

/// In lower case.
const LENGTH_LINE: &[u8] = b"\ncontent-length";

impl LengthLines {
    fn look_at(&mut self, mut bytes: &[u8]) {
        loop {
            while self.matched > 0 {
                let Some((byte, rest)) = bytes.split_first() else {
                    return;
                };
                if byte.to_ascii_lowercase() != LENGTH_LINE[self.matched] {
                    self.matched = 0;
                    break;
                }
                bytes = rest;
                self.matched += 1;
                if self.matched == LENGTH_LINE.len() {
                    self.seen.store(true, Ordering::Relaxed);
                    self.matched = 0;
                }
            }
            let Some(line_end) = memchr::memchr(LENGTH_LINE[0], bytes) else {
                return;
            };
            bytes = &bytes[line_end + 1..];
            self.matched = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_seen_however_the_bytes_are_cut() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\n\ncontent\nConTent-lengTH: 5\r\n\r\n";
        for cut in 0..head.len() {
            let mut lines = LengthLines::default();
            lines.look_at(&head[..cut]);
            lines.look_at(&head[cut..]);
            assert!(lines.seen.load(Ordering::Relaxed), "cut at {cut}");
        }
        let mut lines = LengthLines::default();
        lines.look_at(b"GET /content-length HTTP/1.1\r\nX-Content-Length: 5\r\nContent-Lengt\r\n\r\n");
        assert!(!lines.seen.load(Ordering::Relaxed));
    }
}
