//! What is of a known type and not understood: kept as it came, so that it can be looked at, and read again one day.

use super::headers::Headers;
use super::read;
use super::value::{self, Fields};
use engine::Unreadable;
use engine::log::Recorded;
use engine::wire::{Packet, Place};
use serde::{Deserialize, Serialize};
use taxi::event::Event;

/// The schema of a body that is a message of the topic as it came, and no event as a log keeps it.
pub(crate) const AS_IT_CAME: u16 = 0;

/// The longest value that is kept, in bytes. Many may wait at once in every service, and none of ours comes near it; a longer
/// one lies in the topic, where it can be looked at.
pub(crate) const VALUE_BYTES_MAX: usize = 16 * 1_024;

/// A message, for whoever looks at it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    partition: u32,
    offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Bytes>,
    headers: Vec<(String, Option<Bytes>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Bytes>,
    /// How long a value is that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_bytes: Option<usize>,
}

/// Text where it is text that every store takes, hexadecimal digits where it is not.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Bytes {
    Text(String),
    Hex(String),
}

pub(super) fn body(packet: &Packet, place: &Place) -> String {
    let bytes = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(Bytes::of);
    let length = packet.payload.as_ref().map_or(0, Vec::len);
    let is_kept = length <= VALUE_BYTES_MAX;
    let message = Message {
        partition: place.partition,
        offset: place.offset,
        key: bytes(&packet.key),
        headers: packet.headers.iter().map(|(name, value)| (plain(name), bytes(value))).collect(),
        value: if is_kept { bytes(&packet.payload) } else { None },
        value_bytes: (!is_kept).then_some(length),
    };
    serde_json::to_string(&message).expect("a message is plain data and always serialises")
}

/// The event in a message that was not understood when it came: this program may know better.
pub(crate) fn read_again(recorded: &Recorded) -> Result<Event, Unreadable> {
    let type_name = &recorded.event_type;
    let unknown = || Unreadable(format!("{type_name} as it came is no message"));
    let message: Message = serde_json::from_str(&recorded.body).map_err(|_| unknown())?;
    let known = value::known(type_name).ok_or_else(unknown)?;
    let (partition, offset, left_out) = (message.partition, message.offset, message.value_bytes);
    let at = format!("at offset {offset} of partition {partition}");
    if let Some(length) = left_out {
        return Err(Unreadable(format!(
            "the {type_name} {at} is {length} bytes long, and is kept there alone"
        )));
    }
    let packet = message.into_packet();
    let fields = Fields::of(packet.payload.as_deref());
    let understood = read::understand(known, Headers::of(&packet), fields.as_ref().map_err(String::clone));
    understood.map_err(|fault| Unreadable(format!("the {type_name} {at} cannot be read: {fault}")))
}

impl Message {
    fn into_packet(self) -> Packet {
        let bytes = |bytes: Option<Bytes>| bytes.map(Bytes::into_vec);
        Packet {
            key: bytes(self.key),
            headers: self.headers.into_iter().map(|(name, value)| (name, bytes(value))).collect(),
            payload: bytes(self.value),
            at: None,
        }
    }
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(|char| char == '\0') => Self::Text(text.to_owned()),
            Ok(_) | Err(_) => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    /// What is no hexadecimal digit was not written by us, and says nothing.
    fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Hex(hex) => {
                let digits: Vec<u8> =
                    hex.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
                digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
            }
        }
    }
}

/// The name of a header in text that every store takes.
fn plain(name: &str) -> String {
    name.replace('\0', "\u{fffd}")
}
