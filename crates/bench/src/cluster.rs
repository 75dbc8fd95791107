//! Each service by itself over Kafka and PostgreSQL: whole trips, how soon a taxi is on its way, and the relay alone.

use anyhow::Context;
use engine::clock::Stopwatch;

use crate::client::Connection;
use crate::fleet::{Fleet, Outside, Place, Process};
use crate::load::Load;
use crate::measured::{Measured, percentile};
use crate::pages;
use crate::ride::{Looks, ride_all};

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
    let mut looks = Looks::default();
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
    let (mut begun, mut looks) = (None, Looks::default());
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
