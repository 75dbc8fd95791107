//! Traces: the context that a message carries, as W3C and as B3 write it, and the spans that are told of what was done.
//!
//! Everything that is told of one trace makes one tree: each span is the child of the one whose context the message
//! carried. Who tells hands on a context of its own ([`Traceparent::child`]); who tells nothing hands on what it was given.

mod b3;
mod context;
#[cfg(feature = "http")]
mod request;

pub use context::{Traceparent, mix};
#[cfg(feature = "http")]
pub use request::{Answering, TRACEPARENT, method_name};

use std::sync::Arc;
use std::time::SystemTime;

/// Where spans go. It must not block, and loses rather than waits.
pub trait Tracer: Send + Sync {
    fn now(&self) -> SystemTime;
    /// A number that no other span has.
    fn draw(&self) -> u64;
    /// Whether spans of a trace are kept, where nobody has decided that yet.
    fn samples(&self, trace_id: u128) -> bool;
    /// The context of a trace that begins here; whether it is sampled is decided once and for all.
    fn begin(&self) -> Traceparent;
    fn tell(&self, span: Span);
}

/// Whom spans are told, where anybody wants them.
pub type Tracing = Option<Arc<dyn Tracer>>;

/// Something that was done, from when to when, and on whose behalf.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub context: Traceparent,
    /// The span that led to it; none where the trace began with this one.
    pub parent: Option<u64>,
    /// Other traces that it has to do with.
    pub links: Vec<Traceparent>,
    pub service: &'static str,
    pub name: String,
    pub kind: Kind,
    pub began: SystemTime,
    pub ended: SystemTime,
    pub attributes: Vec<(&'static str, Value)>,
    pub has_failed: bool,
}

/// On which side of which border it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answered a request.
    Server,
    /// It asked somebody and waited for the answer.
    Client,
    /// It took up a message that somebody had left.
    Consumer,
    Internal,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
