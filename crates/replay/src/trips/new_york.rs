//! New York's yellow cabs: local wall-clock times, miles, and zones instead of coordinates.

use std::borrow::Cow;

use super::{Note, Notes, Trip, find_columns, local_time};

pub(super) const NAMES: [&str; 6] =
    ["pickup_at", "dropoff_at", "trip_miles", "pickup_zone", "dropoff_zone", "fare_usd"];

/// The city numbers its zones from 1 to 263; 264 and 265 mean that nobody knows.
const ZONES: std::ops::RangeInclusive<u32> = 1..=263;
/// Numbers in that range that the city's table of zones leaves out.
const ZONES_NOT_IN_THE_TABLE: [u32; 3] = [57, 104, 105];

pub(super) struct Columns([usize; 6]);

impl Columns {
    pub(super) fn find(names: &[&str]) -> Option<Self> {
        find_columns(NAMES, names).map(Self)
    }

    pub(super) fn trip(&self, number: u64, fields: &[Cow<'_, str>]) -> Result<Trip, String> {
        let [pickup_at, dropoff_at, trip_miles, pickup_zone, dropoff_zone, fare_usd] =
            self.0.map(|place| fields[place].trim());
        let pickup_at = time("pickup_at", pickup_at)?.ok_or("pickup_at is empty")?;
        let dropoff_at = time("dropoff_at", dropoff_at)?;
        let distance = trip_miles.parse().map_err(|error| format!("trip_miles `{trip_miles}` {error}"))?;
        let fare_is_negative = super::is_negative("fare_usd", fare_usd)?;
        let mut notes = Notes::default();
        notes.note_if(fare_is_negative, Note::NegativeFare);
        notes.note_if(
            !is_known("pickup_zone", pickup_zone)? || !is_known("dropoff_zone", dropoff_zone)?,
            Note::UnknownZone,
        );
        notes.note_if(dropoff_at.is_none_or(|at| at <= pickup_at), Note::DropoffNotAfterPickup);
        Ok(Trip { number, pickup_at, dropoff_at, distance, notes })
    }
}

fn time(column: &str, text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match local_time::parse(text) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(format!("{column} `{text}` is no time like 2022-01-01 00:00:08")),
    }
}

fn is_known(column: &str, text: &str) -> Result<bool, String> {
    if text.is_empty() {
        return Ok(false);
    }
    let zone: u32 = text.parse().map_err(|_| format!("{column} `{text}` is no zone's number"))?;
    Ok(ZONES.contains(&zone) && !ZONES_NOT_IN_THE_TABLE.contains(&zone))
}
