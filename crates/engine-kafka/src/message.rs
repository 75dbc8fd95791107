//! A packet as the client of Kafka carries it, and the header by which a message says which topic it is meant for.

use engine::log::LogId;
use engine::wire::Packet;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Says which topic a message was meant for, by the topic's own id. A topic that is deleted and made anew takes over what
/// is on its way to the old one; such a message is passed over, since everything is told to the new topic again, in
/// order. Without it, a later event could come to be read before the earlier ones, which then were taken for old.
pub(crate) const MEANT_FOR: &str = "taxisvc-topic";

/// What a record costs beside its key, its value and its headers: lengths, differences of offset and time.
const RECORD_OVERHEAD_BYTES: usize = 32;
const HEADER_OVERHEAD_BYTES: usize = 10;
/// What a batch costs that carries one record alone.
const BATCH_OVERHEAD_BYTES: usize = 61;

/// How long the message is that is to carry a packet, at most, before it is compressed.
pub(crate) fn bytes(packet: &Packet) -> usize {
    let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    let header = |(name, value): &(String, Option<Vec<u8>>)| {
        HEADER_OVERHEAD_BYTES + name.len() + value.as_ref().map_or(0, Vec::len)
    };
    let meant_for = HEADER_OVERHEAD_BYTES + MEANT_FOR.len() + 16;
    let headers: usize = packet.headers.iter().map(header).sum();
    let record = RECORD_OVERHEAD_BYTES + length(&packet.key) + length(&packet.payload);
    BATCH_OVERHEAD_BYTES + record + headers + meant_for
}

pub(crate) fn headers(packet: &Packet, meant_for: LogId) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(packet.headers.len() + 1);
    for (name, value) in &packet.headers {
        headers = headers.insert(Header { key: name, value: value.as_ref() });
    }
    headers.insert(Header { key: MEANT_FOR, value: Some(&meant_for.to_string()) })
}

pub(crate) fn packet(message: &BorrowedMessage<'_>) -> Packet {
    Packet {
        key: message.key().map(<[u8]>::to_vec),
        headers: headers_of(message),
        payload: message.payload().map(<[u8]>::to_vec),
        at: message.timestamp().to_millis().map(engine::clock::Timestamp),
    }
}

fn headers_of(message: &BorrowedMessage<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let owned = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
    // The client panics at a name that is no UTF-8. Anybody can write such a message, and it must not end the reading.
    let read = catch_unwind(AssertUnwindSafe(|| headers.iter().map(owned).collect()));
    read.unwrap_or_else(|_| {
        let (partition, offset) = (message.partition(), message.offset());
        tracing::warn!(
            partition,
            offset,
            "a message has a header whose name is no text: it is read without headers"
        );
        Vec::new()
    })
}

/// Which topic a message was meant for, if it says so.
pub(crate) fn meant_for(packet: &Packet) -> Option<LogId> {
    let (_, value) = packet.headers.iter().rev().find(|(name, _)| name == MEANT_FOR)?;
    std::str::from_utf8(value.as_deref()?).ok()?.parse().ok()
}
