//! A packet as the client of Kafka carries it, and the header by which a message says which topic it is meant for.

use engine::log::LogId;
use engine::topic::Spread;
use engine::wire::Packet;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Says which topic a message was meant for, by the topic's own id. A topic that is deleted and made anew takes over what
/// is on its way to the old one; such a message is passed over, since everything is told to the new topic again, in
/// order. Without it, a later event could come to be read before the earlier ones, which then were taken for old.
pub(crate) const MEANT_FOR: &str = "taxisvc-topic";

/// Says by how many partitions the log of an event is told, and after which of its positions: `12/0`. What was told by the
/// same of them follows on each other, whoever told it; of what was told by others it says nothing.
pub(crate) const TOLD_BY: &str = "taxisvc-partitions";

/// What a record costs beside its key, its value and its headers: lengths, differences of offset and time.
const RECORD_OVERHEAD_BYTES: usize = 32;
const HEADER_OVERHEAD_BYTES: usize = 10;
/// Two numbers, of 32 and 64 bits, and what is between them.
const SPREAD_BYTES_MAX: usize = 10 + 1 + 20;
/// What a batch costs that carries one record alone.
const BATCH_OVERHEAD_BYTES: usize = 61;

/// How long the message is that is to carry a packet, at most, before it is compressed.
pub(crate) fn bytes(packet: &Packet) -> usize {
    let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
    let header = |(name, value): &(String, Option<Vec<u8>>)| {
        HEADER_OVERHEAD_BYTES + name.len() + value.as_ref().map_or(0, Vec::len)
    };
    let meant_for = HEADER_OVERHEAD_BYTES + MEANT_FOR.len() + 16;
    let told_by = HEADER_OVERHEAD_BYTES + TOLD_BY.len() + SPREAD_BYTES_MAX;
    let headers: usize = packet.headers.iter().map(header).sum();
    let record = RECORD_OVERHEAD_BYTES + length(&packet.key) + length(&packet.payload);
    BATCH_OVERHEAD_BYTES + record + headers + meant_for + told_by
}

pub(crate) fn headers(packet: &Packet, meant_for: LogId, spread: Spread) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(packet.headers.len() + 2);
    for (name, value) in &packet.headers {
        headers = headers.insert(Header { key: name, value: value.as_ref() });
    }
    let told_by = format!("{}/{}", spread.partitions, spread.after);
    headers
        .insert(Header { key: MEANT_FOR, value: Some(&meant_for.to_string()) })
        .insert(Header { key: TOLD_BY, value: Some(&told_by) })
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
    last(packet, MEANT_FOR)?.parse().ok()
}

/// How the log of an event was told; others than taxisvc do not say so.
pub(crate) fn spread(packet: &Packet) -> Option<Spread> {
    let (partitions, after) = last(packet, TOLD_BY)?.split_once('/')?;
    Some(Spread { partitions: partitions.parse().ok()?, after: after.parse().ok()? })
}

fn last<'p>(packet: &'p Packet, wanted: &str) -> Option<&'p str> {
    let (_, value) = packet.headers.iter().rev().find(|(name, _)| name == wanted)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_was_told_is_read_or_is_nothing() {
        let check = |value: Option<&str>, expected: Option<(u32, u64)>| {
            let header = (TOLD_BY.to_owned(), value.map(|value| value.as_bytes().to_vec()));
            let packet = Packet { headers: vec![header], ..Packet::default() };
            let found = spread(&packet).map(|spread| (spread.partitions, spread.after));
            assert_eq!(found, expected, "{value:?}");
        };
        check(Some("12/0"), Some((12, 0)));
        check(Some("4294967295/18446744073709551615"), Some((u32::MAX, u64::MAX)));
        for odd in ["", "12", "/", "12/", "/7", "-1/0", "4294967296/0", "12/0/0"] {
            check(Some(odd), None);
        }
        check(None, None);
    }
}
