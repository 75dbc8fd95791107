//! Load: so many connections, each asking anew as soon as it is answered, on one thread.

use anyhow::Context;
use engine::clock::Stopwatch;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::client::Connection;

/// No load takes longer than this; a server that stands still fails the figure.
const LOAD_MAX: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) count: u64,
}

/// What came of it.
pub(crate) struct Outcome<T> {
    pub(crate) results: Vec<T>,
    pub(crate) seconds: f64,
    /// In milliseconds, sorted.
    pub(crate) latencies: Vec<f64>,
}

impl<T> Outcome<T> {
    pub(crate) fn rate(&self) -> f64 {
        self.results.len() as f64 / self.seconds
    }
}

impl Load {
    /// `one` does the work of one number of 0 to `count`, on the connection that is free.
    pub(crate) async fn run<T: 'static>(
        self,
        one: impl AsyncFn(&mut Connection, u64) -> anyhow::Result<T> + 'static,
    ) -> anyhow::Result<Outcome<T>> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(self.address).await?);
        }
        let (one, next) = (Rc::new(one), Rc::new(Cell::new(0)));
        let stopwatch = Stopwatch::start();
        let tasks = tokio::task::LocalSet::new();
        let workers: Vec<_> = connections
            .into_iter()
            .map(|connection| tasks.spawn_local(work(connection, one.clone(), (next.clone(), self.count))))
            .collect();
        let all_ended = tokio::time::timeout(LOAD_MAX, tasks);
        all_ended.await.context("the server did not keep up with any load")?;
        let seconds = stopwatch.elapsed().as_secs_f64();
        let (mut results, mut latencies) = (Vec::new(), Vec::new());
        for worker in workers {
            for (result, latency) in worker.await?? {
                results.push(result);
                latencies.push(latency.as_secs_f64() * 1e3);
            }
        }
        latencies.sort_by(f64::total_cmp);
        Ok(Outcome { results, seconds, latencies })
    }
}

async fn work<T>(
    mut connection: Connection,
    one: Rc<impl AsyncFn(&mut Connection, u64) -> anyhow::Result<T>>,
    (next, count): (Rc<Cell<u64>>, u64),
) -> anyhow::Result<Vec<(T, Duration)>> {
    let mut done = Vec::new();
    loop {
        let number = next.get();
        if number == count {
            return Ok(done);
        }
        next.set(number + 1);
        let stopwatch = Stopwatch::start();
        let result = one(&mut connection, number).await?;
        done.push((result, stopwatch.elapsed()));
    }
}
