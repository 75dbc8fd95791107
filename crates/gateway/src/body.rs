//! Bodies: a request's is read whole within its limit, a replica's answer is passed on as it comes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::replica::Lease;

/// How much of a body that is too large is still read, so that its sender comes to read the refusal.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;
/// How long that may take.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(1);

/// Whether these headers announce server-sent events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    const NAME: &[u8] = b"text/event-stream";
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.len() >= NAME.len()
            && value[..NAME.len()].eq_ignore_ascii_case(NAME)
            && matches!(value.get(NAME.len()), None | Some(b';' | b' '))
    })
}

/// Why a request's body is not there.
#[derive(Debug)]
pub(crate) enum Unread {
    TooLarge,
    Broken(axum::Error),
}

/// Reads a body that holds at most so many bytes.
pub(crate) async fn read_whole(body: &mut Body, bytes_max: usize) -> Result<Bytes, Unread> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Unread::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > bytes_max {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// Reads on for a while: a connection closed over unread bytes is reset, and its client may lose the answer.
pub(crate) async fn discard(mut body: Body) {
    let reading = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(remaining) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
                return;
            };
            left = remaining;
        }
    };
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, reading).await;
}

/// A replica's answer on its way to the client.
pub(crate) struct Relayed {
    incoming: Incoming,
    /// Given up at the end: then the connection is free, or lost.
    lease: Option<Lease>,
    /// How long the replica may pause; `None` for an event stream.
    pause_max: Option<Duration>,
    pausing: Option<Pin<Box<Sleep>>>,
    /// The answer to a HEAD has no body whatever its length says.
    length_known: bool,
}

impl Relayed {
    pub(crate) fn new(
        incoming: Incoming,
        lease: Lease,
        pause_max: Option<Duration>,
        to_head: bool,
    ) -> Relayed {
        let mut relayed =
            Relayed { incoming, lease: Some(lease), pause_max, pausing: None, length_known: !to_head };
        if relayed.incoming.is_end_stream() {
            relayed.complete();
        }
        relayed
    }

    fn complete(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.succeed();
        }
    }

    fn fail(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.fail();
        }
    }

    fn has_paused_too_long(&mut self, context: &mut Context<'_>) -> bool {
        let Some(pause_max) = self.pause_max else {
            return false;
        };
        let pausing = self.pausing.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause_max)));
        pausing.as_mut().poll(context).is_ready()
    }
}

impl HttpBody for Relayed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                self.pausing = None;
                if self.incoming.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            // Trailers are the replica's word to us; they end here, as the header that names them does.
            Poll::Ready(Some(Ok(_)) | None) => {
                self.complete();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.fail();
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Pending if self.has_paused_too_long(context) => {
                self.fail();
                Poll::Ready(Some(Err("the replica paused for too long".into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.length_known { self.incoming.size_hint() } else { SizeHint::default() }
    }
}
