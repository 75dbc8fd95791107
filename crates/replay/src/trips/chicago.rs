//! Chicago's taxis: the start in Unix seconds, a duration, miles, and coordinates rounded by the city.

use std::borrow::Cow;

use super::{Note, Notes, Trip, find_columns};

pub(super) const NAMES: [&str; 8] = [
    "trip_start_timestamp",
    "trip_seconds",
    "trip_miles",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "fare",
];

pub(super) struct Columns([usize; 8]);

impl Columns {
    pub(super) fn find(names: &[&str]) -> Option<Self> {
        find_columns(NAMES, names).map(Self)
    }

    pub(super) fn trip(&self, number: u64, fields: &[Cow<'_, str>]) -> Result<Trip, String> {
        let [
            start,
            seconds,
            trip_miles,
            pickup_latitude,
            pickup_longitude,
            dropoff_latitude,
            dropoff_longitude,
            fare,
        ] = self.0.map(|place| fields[place].trim());
        let pickup_at: i64 =
            start.parse().map_err(|_| format!("trip_start_timestamp `{start}` is no Unix time"))?;
        let dropoff_at =
            pickup_at.checked_add(duration_seconds(seconds)?).ok_or("trip_seconds is too large")?;
        let distance = trip_miles.parse().map_err(|error| format!("trip_miles `{trip_miles}` {error}"))?;
        let mut placed = true;
        for (column, text, degrees_max) in [
            ("pickup_latitude", pickup_latitude, 90.0),
            ("pickup_longitude", pickup_longitude, 180.0),
            ("dropoff_latitude", dropoff_latitude, 90.0),
            ("dropoff_longitude", dropoff_longitude, 180.0),
        ] {
            placed &= is_place(column, text, degrees_max)?;
        }
        let mut notes = Notes::default();
        notes.note_if(super::is_negative("fare", fare)?, Note::NegativeFare);
        notes.note_if(!placed, Note::NoPlace);
        notes.note_if(dropoff_at <= pickup_at, Note::DropoffNotAfterPickup);
        Ok(Trip { number, pickup_at, dropoff_at: Some(dropoff_at), distance, notes })
    }
}

/// A duration that is missing counts as none, which the drop-off's note then shows.
fn duration_seconds(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| format!("trip_seconds `{text}` is no whole number of seconds"))
}

fn is_place(column: &str, text: &str, degrees_max: f64) -> Result<bool, String> {
    if text.is_empty() {
        return Ok(false);
    }
    let degrees: f64 = text.parse().map_err(|_| format!("{column} `{text}` is no number of degrees"))?;
    Ok(degrees.abs() <= degrees_max)
}
