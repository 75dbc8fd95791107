//! Whole trips over HTTP, as a rider and a driver see them: called, on the way, ended, complete.

use anyhow::{Context, bail};
use engine::clock::Stopwatch;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

use crate::client::{Connection, number_of};
use crate::load::Load;
use crate::measured::{Measured, percentile};
use crate::pages;
use crate::server::{Server, new_data};

pub(crate) const TRIPS: u64 = 60_000;
/// Trips under way at once, each on a connection of its own.
const CONNECTIONS: usize = 128;
/// What the original did on two cores, with nothing synced to a disk.
const ORIGINAL_TRIPS_PER_SECOND: f64 = 270.0;
const ORIGINAL_PROCESSOR_MS_PER_TRIP: f64 = 15.0;
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A status that does not come after so many looks will not come.
const LOOKS_MAX: u32 = 20_000;

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
        let outcome = load.run(async |connection, number| ride(connection, number).await).await?;
        let mut connection = Connection::open(load.address).await?;
        let mut looks = 0;
        while pages::total(&mut connection, "/callViews?callStatus=driveComplete").await? < TRIPS {
            look_again(&mut looks).await?;
        }
        let (processor_ms, full_mb) = (server.processor_ms()? - before_ms, server.resident_mb()?);
        let mut starts: Vec<f64> = outcome.results.iter().map(|(_, start_ms)| *start_ms).collect();
        starts.sort_by(f64::total_cmp);
        drop(server);
        let disk_bytes = bytes_in(data.path())?;
        let server = Server::start(data.path()).await?;
        let ids: Vec<u64> = outcome.results.iter().map(|(id, _)| *id).collect();
        pages::check(server.address("gateway")?, "/callViews?callStatus=driveComplete", ids).await?;
        Ok(Self {
            data,
            rate: outcome.rate(),
            start_p50_ms: percentile(&starts, 50),
            start_p99_ms: percentile(&starts, 99),
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

/// One trip; tells the call's number and the milliseconds until the taxi was on its way.
async fn ride(connection: &mut Connection, number: u64) -> anyhow::Result<(u64, f64)> {
    let stopwatch = Stopwatch::start();
    let key = format_args!("idempotency-key: \"bench-{number}\"\r\n");
    let body = format_args!(r#"{{"userId":"bench-{number}","userName":"rider {number}","distance":"7.3"}}"#);
    let answer = connection.post("/calls", key, body).await?;
    // On a machine that is busy with something else the wait for payment may run out.
    anyhow::ensure!(
        matches!(answer.status, 201 | 202),
        "a call was answered {}: {}",
        answer.status,
        answer.body
    );
    let id = number_of(answer.body, "callId").context("an answer without a callId")?;
    let is_started = answer.body.contains(r#""callStatus":"driveStart""#);
    if !is_started {
        until(connection, id, r#""callStatus":"driveStart""#).await?;
    }
    let start_ms = stopwatch.elapsed().as_secs_f64() * 1e3;
    let key = format_args!("idempotency-key: \"bench-{number}-end\"\r\n");
    let answer = connection.post("/drives/end", key, format_args!(r#"{{"driveId":{id}}}"#)).await?;
    anyhow::ensure!(answer.status == 200, "an end was answered {}: {}", answer.status, answer.body);
    until(connection, id, r#""callStatus":"driveComplete""#).await?;
    Ok((id, start_ms))
}

async fn until(connection: &mut Connection, id: u64, status: &str) -> anyhow::Result<()> {
    let path = format!("/calls/{id}");
    let mut looks = 0;
    while !connection.get(&path).await?.body.contains(status) {
        look_again(&mut looks).await?;
    }
    Ok(())
}

async fn look_again(looks: &mut u32) -> anyhow::Result<()> {
    *looks += 1;
    if *looks > LOOKS_MAX {
        bail!("what was waited for did not come");
    }
    tokio::time::sleep(LOOK_EVERY).await;
    Ok(())
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
