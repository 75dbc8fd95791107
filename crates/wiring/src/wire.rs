//! The language of the topic: how an event is written in a message of Kafka, and what a message says.

mod aside;
mod headers;
mod read;
mod value;
mod write;

use engine::Unreadable;
use engine::log::Recorded;
use engine::wire::{Packet, Place, Wire};
use std::fmt;
use std::str::FromStr;

pub(crate) use aside::{AS_IT_CAME, read_again};
pub(crate) use value::known;

/// How events are written; either is read, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// The headers of CloudEvents 1.0, and `type` with the event's own name.
    #[default]
    CloudEvents,
    /// Beside them what the original's services need: their two spellings, and a header that says how to read `type`.
    SpringCloudStream,
}

/// Events in messages of Kafka, and back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaxiWire {
    pub profile: Profile,
}

/// The events that the original spells otherwise: our name, then its name.
const SPELLINGS: [(&str, &str); 2] =
    [("DriveNotAvailable", "DriveNotAvailavled"), ("DriveEnded", "DrivieEnded")];

/// The names of the headers.
mod name {
    pub(super) const SPEC_VERSION: &str = "ce_specversion";
    pub(super) const ID: &str = "ce_id";
    pub(super) const SOURCE: &str = "ce_source";
    pub(super) const CE_TYPE: &str = "ce_type";
    pub(super) const TIME: &str = "ce_time";
    pub(super) const PARTITION_KEY: &str = "ce_partitionkey";
    pub(super) const CONTENT_TYPE: &str = "content-type";
    pub(super) const TRACEPARENT: &str = "traceparent";
    pub(super) const ACTOR: &str = "taxisvc-actor";
    pub(super) const CAUSE: &str = "taxisvc-cause";
    pub(super) const TYPE: &str = "type";
    pub(super) const HEADER_TYPES: &str = "spring_json_header_types";
}

impl Wire for TaxiWire {
    fn write(&self, event: &Recorded) -> Result<Option<Packet>, Unreadable> {
        write::write(self.profile, event)
    }

    fn read(&self, packet: &Packet, place: &Place) -> Option<Recorded> {
        read::read(packet, place)
    }
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::CloudEvents, Self::SpringCloudStream];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloud-events",
            Self::SpringCloudStream => "spring-cloud-stream",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|profile| profile.as_str() == text);
        known.ok_or_else(|| format!("{text:?} is neither {} nor {}", Self::ALL[0], Self::ALL[1]))
    }
}
