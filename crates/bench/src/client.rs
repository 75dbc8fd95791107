//! A client that costs little: bytes written by hand on a connection that is kept.

use anyhow::{Context, bail};
use std::io::Write;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const READ_BYTES: usize = 16 * 1024;

/// One connection, one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    answer: Vec<u8>,
    filled: usize,
}

pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a str,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        let answer = vec![0; READ_BYTES];
        Ok(Self { stream, host: address.to_string(), request: Vec::new(), answer, filled: 0 })
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Answer<'_>> {
        self.request.clear();
        write!(self.request, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host)?;
        self.ask().await
    }

    /// `headers` are whole lines.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: std::fmt::Arguments<'_>,
        body: std::fmt::Arguments<'_>,
    ) -> anyhow::Result<Answer<'_>> {
        let body = body.to_string();
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )?;
        self.ask().await
    }

    async fn ask(&mut self) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(&self.request).await?;
        self.filled = 0;
        let (head_end, end) = loop {
            if let Some(ends) = ends(&self.answer[..self.filled])? {
                if ends.1 <= self.filled {
                    break ends;
                }
                if self.answer.len() < ends.1 {
                    self.answer.resize(ends.1, 0);
                }
            } else if self.filled == self.answer.len() {
                bail!("an answer's head is too long");
            }
            let read = self.stream.read(&mut self.answer[self.filled..]).await?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            self.filled += read;
        };
        let status = std::str::from_utf8(&self.answer[9..12])?.parse()?;
        Ok(Answer { status, body: std::str::from_utf8(&self.answer[head_end..end])? })
    }
}

/// Where the head and the body end, once the head is there.
fn ends(answer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(head_end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..head_end])?;
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("an answer without a length")?.parse()?;
    Ok(Some((head_end + 4, head_end + 4 + length)))
}

/// The number that follows a field's name in a body of ours.
pub(crate) fn number_of(body: &str, field: &str) -> Option<u64> {
    let (_, after) = body.split_once(field)?;
    let after = after.strip_prefix("\":")?;
    let end = after.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"callId\":123}";
        assert_eq!(ends(answer).unwrap(), Some((39, 53)));
        assert_eq!(ends(&answer[..30]).unwrap(), None);
        assert_eq!(number_of("{\"callId\":123}", "callId"), Some(123));
    }
}
