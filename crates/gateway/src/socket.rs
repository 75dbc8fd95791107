//! A TCP stream whose peer must read, or is given up, and of which is known whether a length was announced.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// The stream, with a clock that runs only while a write is stuck.
pub(crate) struct Socket {
    stream: TcpStream,
    write_timeout: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
    lengths: LengthLines,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, write_timeout: Duration) -> Socket {
        Socket { stream, write_timeout, stuck: None, lengths: LengthLines::default() }
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
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
