//! The headers of a message, read as text.

use engine::wire::Packet;

/// Where a header comes several times, the last one counts, as for Kafka's own clients.
#[derive(Clone, Copy)]
pub(super) struct Headers<'a>(&'a [(String, Option<Vec<u8>>)]);

impl<'a> Headers<'a> {
    pub(super) fn of(packet: &'a Packet) -> Self {
        Self(&packet.headers)
    }

    /// What the header says; nothing where it is not there, is empty or is no text.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().rev().find(|(own, _)| own == name)?;
        let text = std::str::from_utf8(value.as_deref()?).ok()?.trim();
        Some(text).filter(|text| !text.is_empty())
    }

    /// The same, where it may stand in the quotes of JSON.
    pub(super) fn unquoted(self, name: &str) -> Option<String> {
        let text = self.get(name)?;
        if text.starts_with('"') { serde_json::from_str(text).ok() } else { Some(text.to_owned()) }
    }
}
