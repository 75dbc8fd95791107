//! Whole trips through one process, and what they leave behind.

use std::path::Path;
use tempfile::TempDir;

use crate::client::Connection;
use crate::load::Load;
use crate::measured::{Measured, percentile};
use crate::pages;
use crate::ride::{Looks, ride_all};
use crate::server::{Server, new_data};

pub(crate) const TRIPS: u64 = 60_000;
/// Trips under way at once, each on a connection of its own.
const CONNECTIONS: usize = 128;
/// What the original did on two cores, with nothing synced to a disk.
const ORIGINAL_TRIPS_PER_SECOND: f64 = 270.0;
const ORIGINAL_PROCESSOR_MS_PER_TRIP: f64 = 15.0;

/// A data directory with trips that are over, and what making it took.
pub(crate) struct Past {
    pub(crate) data: TempDir,
    rate: f64,
    start_p50_ms: f64,
    start_p99_ms: f64,
    idle_mb: f64,
    full_mb: f64,
    processor_ms: f64,
    disk_bytes: u64,
}

impl Past {
    pub(crate) async fn make() -> anyhow::Result<Self> {
        let data = new_data()?;
        let server = Server::start(data.path()).await?;
        let idle_mb = server.resident_mb()?;
        let before_ms = server.processor_ms()?;
        let load = Load { address: server.address("gateway")?, connections: CONNECTIONS, count: TRIPS };
        let ridden = ride_all(load, "bench").await?;
        let mut connection = Connection::open(load.address).await?;
        let mut looks = Looks::default();
        while pages::total(&mut connection, "/callViews?callStatus=driveComplete").await? < TRIPS {
            looks.again().await?;
        }
        let (processor_ms, full_mb) = (server.processor_ms()? - before_ms, server.resident_mb()?);
        drop(server);
        let disk_bytes = bytes_in(data.path())?;
        let server = Server::start(data.path()).await?;
        pages::check(server.address("gateway")?, "/callViews?callStatus=driveComplete", ridden.ids).await?;
        Ok(Self {
            data,
            rate: ridden.rate,
            start_p50_ms: percentile(&ridden.starts_ms, 50),
            start_p99_ms: percentile(&ridden.starts_ms, 99),
            idle_mb,
            full_mb,
            processor_ms: processor_ms / TRIPS as f64,
            disk_bytes,
        })
    }

    pub(crate) fn trips(&self) -> Vec<Measured> {
        let how = format!(
            "{TRIPS} trips, {CONNECTIONS} at once, through the gateway: place, look until driveStart, end, look \
             until driveComplete"
        );
        let beside = "the original did 270 trips/s and synced nothing";
        vec![
            Measured::new("trips", (self.rate, "trips/s"), how.as_str()),
            Measured::new("trips, of the original", (self.rate / ORIGINAL_TRIPS_PER_SECOND, "×"), beside),
            Measured::new("trips, place to driveStart, p50", (self.start_p50_ms, "ms"), how.as_str()),
            Measured::new("trips, place to driveStart, p99", (self.start_p99_ms, "ms"), how.as_str()),
        ]
    }

    pub(crate) fn memory(&self) -> Vec<Measured> {
        let after = format!("after {TRIPS} trips");
        let original = format!("server alone, {after}; the original took {ORIGINAL_PROCESSOR_MS_PER_TRIP}");
        let per_trip = self.disk_bytes as f64 / TRIPS as f64;
        vec![
            Measured::new("memory, idle", (self.idle_mb, "MB"), "resident, once ready, nothing stored"),
            Measured::new("memory, full", (self.full_mb, "MB"), format!("resident, {after}")),
            Measured::new("processor per trip", (self.processor_ms, "ms"), original),
            Measured::new(
                "disk per trip",
                (per_trip, "bytes"),
                format!("all files of the data directory, {after}"),
            ),
        ]
    }
}

fn bytes_in(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
