//! Each service by itself over Kafka and PostgreSQL: whole trips, how soon a taxi is on its way, and the relay alone.

use anyhow::{Context, bail};
use engine::clock::Stopwatch;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::client::{Connection, number_of};
use crate::fleet::{Fleet, Outside, Place, Process};
use crate::load::Load;
use crate::measured::{Measured, percentile};
use crate::pages;

const TRIPS: u64 = 30_000;
/// Trips under way at once, each on a connection of its own.
const CONNECTIONS: usize = 512;
/// The same at a pace at which nobody waits for anybody.
const TRIPS_AT_EASE: u64 = 4_000;
/// What the first trips alone do (connections, plans, pages of the topic) is not the rate.
const TRIPS_WARM: u64 = 1_000;
const CONNECTIONS_AT_EASE: usize = 16;
/// Calls that wait in the log for the topic.
const CALLS_RELAYED: u64 = 60_000;
const CONNECTIONS_RELAYED: usize = 128;
/// An address at which there is no broker.
const NOBODY: &str = "127.0.0.1:1";
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);
/// A status that does not come after so many looks will not come.
const LOOKS_MAX: u32 = 4_000;

pub(crate) async fn cluster(outside: &Outside) -> anyhow::Result<Vec<Measured>> {
    let mut all = trips(outside).await?;
    all.push(relay(outside).await?);
    Ok(all)
}

async fn trips(outside: &Outside) -> anyhow::Result<Vec<Measured>> {
    let place = Place::make(outside).await?;
    let fleet = Fleet::start(&place).await?;
    let address = fleet.gateway.address;
    let warm = Load { address, connections: CONNECTIONS_AT_EASE, count: TRIPS_WARM };
    let warm = ride_all(warm, "warm").await?;
    let at_ease = Load { address, connections: CONNECTIONS_AT_EASE, count: TRIPS_AT_EASE };
    let at_ease = ride_all(at_ease, "ease").await?;
    let before = fleet.processor_ms()?;
    let load = Load { address, connections: CONNECTIONS, count: TRIPS };
    let ridden = ride_all(load, "load").await?;
    let after = fleet.processor_ms()?;
    let mut connection = Connection::open(address).await?;
    let expected = TRIPS + TRIPS_AT_EASE + TRIPS_WARM;
    let mut looks = Looks::new(Duration::ZERO);
    while pages::total(&mut connection, "/callViews?callStatus=driveComplete").await? < expected {
        looks.again().await?;
    }
    drop(fleet);
    let fleet = Fleet::start(&place).await?;
    let ids = [warm.ids, at_ease.ids, ridden.ids].concat();
    pages::check(fleet.gateway.address, "/callViews?callStatus=driveComplete", ids).await?;
    drop(fleet);
    place.remove().await?;

    let how = format!(
        "{TRIPS} trips, {CONNECTIONS} at once, one process of each service and a gateway, Kafka and PostgreSQL \
         (synchronous_commit) on the same machine: place, look until driveStart, end, look until driveComplete"
    );
    let ease = format!("{TRIPS_AT_EASE} trips, {CONNECTIONS_AT_EASE} at once");
    let mut all = vec![
        Measured::new("cluster, trips", (ridden.rate, "trips/s"), how.as_str()),
        Measured::new(
            "cluster, place to driveStart, p50",
            (percentile(&ridden.starts_ms, 50), "ms"),
            how.as_str(),
        ),
        Measured::new(
            "cluster, place to driveStart, p99",
            (percentile(&ridden.starts_ms, 99), "ms"),
            how.as_str(),
        ),
        Measured::new("cluster, at ease, p50", (percentile(&at_ease.starts_ms, 50), "ms"), ease.as_str()),
        Measured::new("cluster, at ease, p99", (percentile(&at_ease.starts_ms, 99), "ms"), ease.as_str()),
        Measured::new("cluster, at ease, trips", (at_ease.rate, "trips/s"), ease.as_str()),
    ];
    for ((role, before_ms), (_, after_ms)) in before.into_iter().zip(after) {
        let name = format!("cluster, processor per trip, {role}");
        all.push(Measured::new(
            name,
            ((after_ms - before_ms) / TRIPS as f64, "ms"),
            "that process alone, under load",
        ));
    }
    Ok(all)
}

struct Ridden {
    ids: Vec<u64>,
    rate: f64,
    /// From placing a call to the sight of its taxi on the way, sorted.
    starts_ms: Vec<f64>,
}

async fn ride_all(load: Load, name: &'static str) -> anyhow::Result<Ridden> {
    let means = Rc::new(Means::default());
    let outcome =
        load.run(async move |connection, number| ride(connection, (name, number), &means).await).await?;
    let mut starts_ms: Vec<f64> = outcome.results.iter().map(|(_, start_ms)| *start_ms).collect();
    starts_ms.sort_by(f64::total_cmp);
    let ids = outcome.results.iter().map(|(id, _)| *id).collect();
    Ok(Ridden { ids, rate: outcome.rate(), starts_ms })
}

/// How long what is waited for has lately taken, so that nobody looks in vain a hundred times.
#[derive(Default)]
struct Means {
    start: Cell<f64>,
    complete: Cell<f64>,
}

/// One trip; tells the call's number and the milliseconds until the taxi was on its way.
async fn ride(
    connection: &mut Connection,
    (name, number): (&str, u64),
    means: &Means,
) -> anyhow::Result<(u64, f64)> {
    let stopwatch = Stopwatch::start();
    let key = format_args!("idempotency-key: \"{name}-{number}\"\r\n");
    let body = format_args!(r#"{{"userId":"bench-{number}","userName":"rider {number}","distance":"7.3"}}"#);
    let answer = connection.post("/calls", key, body).await?;
    anyhow::ensure!(
        matches!(answer.status, 201 | 202),
        "a call was answered {}: {}",
        answer.status,
        answer.body
    );
    let id = number_of(answer.body, "callId").context("an answer without a callId")?;
    if !answer.body.contains(r#""callStatus":"driveStart""#) {
        until(connection, (id, r#""callStatus":"driveStart""#), &means.start).await?;
    }
    let start_ms = stopwatch.elapsed().as_secs_f64() * 1e3;
    let key = format_args!("idempotency-key: \"{name}-{number}-end\"\r\n");
    let answer = connection.post("/drives/end", key, format_args!(r#"{{"driveId":{id}}}"#)).await?;
    anyhow::ensure!(answer.status == 200, "an end was answered {}: {}", answer.status, answer.body);
    until(connection, (id, r#""callStatus":"driveComplete""#), &means.complete).await?;
    Ok((id, start_ms))
}

async fn until(
    connection: &mut Connection,
    (id, status): (u64, &str),
    mean: &Cell<f64>,
) -> anyhow::Result<()> {
    /// The weight of one wait in the running mean is one part in so many.
    const PARTS: f64 = 16.0;
    let path = format!("/calls/{id}");
    let stopwatch = Stopwatch::start();
    // Well before the mean: the wait itself is part of what is learnt, and must not keep itself up.
    let mut looks = Looks::new(Duration::from_secs_f64(mean.get() * 0.75));
    looks.first().await;
    while !connection.get(&path).await?.body.contains(status) {
        looks.again().await?;
    }
    mean.set((mean.get() * (PARTS - 1.0) + stopwatch.elapsed().as_secs_f64()) / PARTS);
    Ok(())
}

/// Looks with growing pauses.
struct Looks {
    first: Duration,
    pause: Duration,
    count: u32,
}

impl Looks {
    fn new(first: Duration) -> Self {
        Self { first, pause: LOOK_MIN, count: 0 }
    }

    async fn first(&self) {
        if self.first > LOOK_MIN {
            tokio::time::sleep(self.first).await;
        }
    }

    async fn again(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        if self.count > LOOKS_MAX {
            bail!("what was waited for did not come");
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LOOK_MAX);
        Ok(())
    }
}

/// The call service alone is let fill its log while no broker is there, and is timed once there is one.
async fn relay(outside: &Outside) -> anyhow::Result<Measured> {
    let place = Place::make(outside).await?;
    let mut process = place.start("call", Some(NOBODY))?;
    process.ready().await?;
    let load = Load { address: process.address, connections: CONNECTIONS_RELAYED, count: CALLS_RELAYED };
    load.run(async |connection, number| call(connection, number).await).await?;
    drop(process);
    let process = place.start("call", None)?;
    let seconds = time_relay(&process).await?;
    drop(process);
    place.remove().await?;
    let how = format!(
        "{CALLS_RELAYED} events of one shard, from its log to Kafka's acknowledgement, nobody else at work"
    );
    Ok(Measured::new("cluster, relay", (CALLS_RELAYED as f64 / seconds, "events/s"), how))
}

async fn call(connection: &mut Connection, number: u64) -> anyhow::Result<()> {
    let headers = format_args!("prefer: respond-async\r\nidempotency-key: \"relay-{number}\"\r\n");
    let body = format_args!(r#"{{"userId":"bench-{number}","userName":"rider {number}","distance":"7.3"}}"#);
    let answer = connection.post("/calls", headers, body).await?;
    anyhow::ensure!(answer.status == 202, "a call was answered {}: {}", answer.status, answer.body);
    Ok(())
}

/// From the first acknowledgement to the last.
async fn time_relay(process: &Process) -> anyhow::Result<f64> {
    let (mut begun, mut looks) = (None, Looks::new(Duration::ZERO));
    loop {
        let acknowledged = acknowledged(process).await.unwrap_or(0);
        if acknowledged > 0 && begun.is_none() {
            begun = Some((Stopwatch::start(), acknowledged));
        }
        if let Some((stopwatch, before)) = &begun
            && acknowledged >= CALLS_RELAYED
        {
            let share = (CALLS_RELAYED - before) as f64 / CALLS_RELAYED as f64;
            anyhow::ensure!(share > 0.5, "it was over before it could be timed");
            return Ok(stopwatch.elapsed().as_secs_f64() / share);
        }
        looks.again().await?;
    }
}

/// Events that the topic has taken, as the process tells it.
async fn acknowledged(process: &Process) -> anyhow::Result<u64> {
    const NAME: &str = "taxisvc_kafka_events_acknowledged_total ";
    let mut connection = Connection::open(process.address).await?;
    let answer = connection.get("/metrics").await?;
    let line = answer.body.lines().find_map(|line| line.strip_prefix(NAME));
    Ok(line.context("the process tells nothing of Kafka")?.trim().parse()?)
}
