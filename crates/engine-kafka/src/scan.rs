//! The topic read from one end to the other, by somebody who belongs to no group and stores nothing.

use crate::settings::{Settings, SettingsError};
use engine::log::Recorded;
use engine::store::Visit;
use engine::wire::{Packet, Place, Wire};
use std::collections::BTreeMap;

/// Where a scan begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanFrom {
    Beginning,
    /// Each partition at an offset; those that are not named, at their beginning.
    Offsets(BTreeMap<u32, u64>),
    /// Each partition at the end it has now: only what is still to come.
    End,
}

/// What a scan comes upon.
#[derive(Debug)]
pub enum Sight<'a> {
    Message {
        place: Place,
        packet: &'a Packet,
        event: Option<Recorded>,
    },
    /// Everything that was there when the scan began has been shown. Whoever wants no more says so.
    CaughtUp,
    /// Nothing has come for a moment: an opportunity to stop.
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("there is no topic {0:?} at these brokers")]
    NoTopic(String),
    #[error("the brokers cannot be asked: {0}")]
    Unavailable(String),
}

/// Shows each message of the topic, each partition's in order, until `visit` has enough.
pub fn scan(
    settings: &Settings,
    _wire: &dyn Wire,
    _from: &ScanFrom,
    _visit: &mut dyn FnMut(Sight<'_>) -> Visit,
) -> Result<(), ScanError> {
    settings.check()?;
    Err(ScanError::Unavailable("not built yet".into()))
}
