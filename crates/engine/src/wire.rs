//! The port to the language of a topic: how an event is written in a message, and what a message says.

use crate::Unreadable;
use crate::clock::Timestamp;
use crate::log::{LogId, Recorded};

/// A message as a topic carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packet {
    pub key: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub payload: Option<Vec<u8>>,
    /// When it was put there, as the topic has it.
    pub at: Option<Timestamp>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub topic: LogId,
    pub partition: u32,
    pub offset: u64,
}

pub trait Wire: Send + Sync {
    /// The message for a published event, `None` for a private one. One that cannot be written holds up all behind it.
    fn write(&self, event: &Recorded) -> Result<Option<Packet>, Unreadable>;

    /// What a message says; `None` when it is of a kind that nobody here knows. One of a known kind that cannot be
    /// understood comes back as it is, for the service that hears it to put aside. An event without a log of its own
    /// gets the topic for its log, and the offset plus 1 for its position.
    fn read(&self, packet: &Packet, place: &Place) -> Option<Recorded>;
}
