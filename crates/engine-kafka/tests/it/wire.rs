//! A language for the topic: the envelope of an event, as it is.

use engine::Unreadable;
use engine::log::Recorded;
use engine::wire::{Packet, Place, Wire};

/// What makes an event one that cannot be written.
pub(crate) const UNWRITABLE: &str = "unwritable";

pub(crate) struct Envelopes;

impl Wire for Envelopes {
    fn write(&self, event: &Recorded) -> Result<Option<Packet>, Unreadable> {
        if event.body.contains(UNWRITABLE) {
            return Err(Unreadable("there are no words for it".into()));
        }
        if !event.published {
            return Ok(None);
        }
        Ok(Some(Packet {
            key: Some(event.entity_id.to_string().into_bytes()),
            headers: vec![("type".into(), Some(event.event_type.as_bytes().to_vec()))],
            payload: Some(serde_json::to_vec(event).unwrap()),
            at: Some(event.at),
        }))
    }

    fn read(&self, packet: &Packet, _: &Place) -> Option<Recorded> {
        serde_json::from_slice(packet.payload.as_deref()?).ok()
    }
}
