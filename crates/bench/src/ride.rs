//! Whole trips over HTTP, as a rider and a driver see them: called, on the way, ended, complete.

use anyhow::{Context, bail};
use engine::clock::Stopwatch;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::client::{Connection, number_of};
use crate::load::Load;

const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);
/// A status that does not come after so many looks will not come.
const LOOKS_MAX: u32 = 4_000;

/// What came of many trips.
pub(crate) struct Ridden {
    pub(crate) ids: Vec<u64>,
    pub(crate) rate: f64,
    /// From placing a call to the sight of its taxi on the way, sorted.
    pub(crate) starts_ms: Vec<f64>,
}

/// Drives them; the keys of their requests begin with the name.
pub(crate) async fn ride_all(load: Load, name: &'static str) -> anyhow::Result<Ridden> {
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
    // On a machine that is busy with something else the wait for payment may run out.
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
    let first = Duration::from_secs_f64(mean.get() * 0.75);
    if first > LOOK_MIN {
        tokio::time::sleep(first).await;
    }
    let mut looks = Looks::default();
    while !connection.get(&path).await?.body.contains(status) {
        looks.again().await?;
    }
    mean.set((mean.get() * (PARTS - 1.0) + stopwatch.elapsed().as_secs_f64()) / PARTS);
    Ok(())
}

/// Looks with growing pauses.
#[derive(Default)]
pub(crate) struct Looks {
    pause: Duration,
    count: u32,
}

impl Looks {
    pub(crate) async fn again(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        if self.count > LOOKS_MAX {
            bail!("what was waited for did not come");
        }
        self.pause = (self.pause * 2).clamp(LOOK_MIN, LOOK_MAX);
        tokio::time::sleep(self.pause).await;
        Ok(())
    }
}
