//! Drives a file of recorded trips through a running system, as its riders and drivers would.
//!
//! It knows the system by its contract over HTTP and by nothing else. Every order it gives carries an idempotency
//! key made of the run's name and the trip's number, so a run that was stopped, or whose server was killed, is
//! resumed by giving the same command again, and nothing happens twice.

pub mod options;
pub mod summary;

mod answer;
mod client;
mod distance;
mod ends;
mod pace;
mod progress;
mod ride;
mod tally;
mod trips;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::ctrl_c;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::client::{Client, Limits};
use crate::ends::Ends;
use crate::options::Options;
use crate::pace::Pace;
use crate::progress::{Extent, Progress};
use crate::ride::{Rides, StartMean};
use crate::summary::Summary;
use crate::tally::Tally;
use crate::trips::{Row, TripReader};

const ATTEMPT_MAX: Duration = Duration::from_secs(10);
const RIDES_UNDER_WAY_MAX: usize = 100_000;

/// Drives the trips, prints the summary unless told to be quiet, and returns it.
///
/// # Errors
///
/// When the file cannot be read (to its end), the ends cannot be written, or the server was away for longer than
/// patience lasts; the summary of what was done is printed before. A trip that was refused, or that the server left
/// open, is no error: it is counted.
pub async fn run(options: Options) -> anyhow::Result<Summary> {
    let mut reader = TripReader::open(&options.trips)?;
    let (rides, progress) = prepare(&options, &reader)?;
    let began = Instant::now();
    let driven = tokio::select! {
        driven = drive(&mut reader, &rides, &options) => driven,
        () = interrupted_twice(&rides) => Ok(()),
    };
    progress.finish();
    let (summary, written) = rides.tally.finish(began.elapsed());
    print(&summary, &options)?;
    driven?;
    written?;
    if rides.client.has_given_up() {
        bail!(
            "{} was away for longer than patience lasts; the same command resumes the run",
            options.gateway()
        );
    }
    Ok(summary)
}

fn prepare(options: &Options, reader: &TripReader) -> anyhow::Result<(Arc<Rides>, Progress)> {
    let run_name = options.run_name()?.as_str().to_owned();
    let ends = options.ends.as_deref().map(Ends::create).transpose()?;
    let summary = Summary {
        run: run_name.clone(),
        trips: options.trips.display().to_string(),
        to: options.gateway().to_owned(),
        ..Summary::default()
    };
    let tally = Arc::new(Tally::new(summary, ends));
    let clients = usize::from(options.clients);
    let limits = Limits { attempt: ATTEMPT_MAX, patience: options.patience, connections: clients };
    let client = Client::new(options.gateway(), limits, Arc::clone(&tally))?;
    let extent = Extent {
        rows_max: options.limit,
        bytes_read: reader.bytes_read(),
        bytes_total: reader.bytes_total(),
    };
    let progress = Progress::start(options.quiet, extent, Arc::clone(&tally));
    let rides = Rides {
        client,
        tally,
        city: reader.city(),
        run_name,
        ends_wanted: options.ends.is_some(),
        clients: Arc::new(Semaphore::new(clients)),
        stop: watch::Sender::new(false),
        start_mean: StartMean::default(),
    };
    Ok((Arc::new(rides), progress))
}

/// Calls the trips in the order of the file, and waits until all of them are over.
async fn drive(reader: &mut TripReader, rides: &Arc<Rides>, options: &Options) -> anyhow::Result<()> {
    let mut under_way = JoinSet::new();
    let called = call_all(reader, rides, options, &mut under_way).await;
    if called.is_err() {
        rides.tally.stopped();
    }
    while let Some(ended) = under_way.join_next().await {
        not_panicked(ended)?;
    }
    called
}

async fn call_all(
    reader: &mut TripReader,
    rides: &Arc<Rides>,
    options: &Options,
    under_way: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let mut pace = None;
    let mut rows_left = options.limit.unwrap_or(u64::MAX);
    while rows_left > 0 {
        rows_left -= 1;
        while let Some(ended) = under_way.try_join_next() {
            not_panicked(ended)?;
        }
        if under_way.len() >= RIDES_UNDER_WAY_MAX {
            under_way.join_next().await.map_or(Ok(()), not_panicked)?;
        }
        let trip = match reader.next().with_context(|| format!("{} broke off", options.trips.display()))? {
            None => return Ok(()),
            Some(Row::Unreadable(row)) => {
                rides.tally.read_unreadable(row);
                continue;
            }
            Some(Row::Trip(trip)) => trip,
        };
        let pace = pace.get_or_insert_with(|| Pace::new(options.speed, trip.pickup_at, Instant::now()));
        rides.wait_until(pace.due(trip.pickup_at)).await;
        let client = rides.free_client().await;
        if rides.are_stopped() {
            rides.tally.stopped();
            return Ok(());
        }
        rides.tally.read_trip(&trip);
        // A trip with a note is ended at once: its drop-off cannot be trusted, and it should hold up nobody.
        let dropoff_at = trip.dropoff_at.filter(|_| trip.notes.is_empty());
        let ends_at = dropoff_at.and_then(|dropoff_at| pace.due(dropoff_at));
        let rides = Arc::clone(rides);
        under_way.spawn(async move { rides.ride(trip, ends_at, client).await });
    }
    Ok(())
}

fn not_panicked(ended: Result<(), JoinError>) -> anyhow::Result<()> {
    ended.context("a ride broke off; this is a bug")
}

/// The first interrupt lets the requests under way come to their answers; the next one does not wait for them.
async fn interrupted_twice(rides: &Rides) {
    for _ in 0..2 {
        if ctrl_c().await.is_err() {
            return std::future::pending().await;
        }
        rides.stop.send_replace(true);
        rides.tally.stopped();
    }
}

fn print(summary: &Summary, options: &Options) -> anyhow::Result<()> {
    let text = if options.json {
        format!("{}\n", serde_json::to_string_pretty(summary)?)
    } else if options.quiet {
        return Ok(());
    } else {
        summary.to_string()
    };
    std::io::stdout().write_all(text.as_bytes()).context("the summary could not be printed")
}
