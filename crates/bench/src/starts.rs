//! How long the server takes from its start to the first 200 of `/health/ready`.

use crate::measured::{Measured, median};
use crate::server::{Server, new_data};
use crate::trips::{Past, TRIPS};

const STARTS: usize = 5;

pub(crate) async fn starts(past: &Past) -> anyhow::Result<Vec<Measured>> {
    let (mut empty, mut full) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let data = new_data()?;
        empty.push(Server::start(data.path()).await?.ready_after.as_secs_f64() * 1e3);
        full.push(Server::start(past.data.path()).await?.ready_after.as_secs_f64() * 1e3);
    }
    let how = |data: &str| format!("median of {STARTS}, to the first 200 of /health/ready, {data}");
    let ms = |mut values: Vec<f64>| (median(&mut values).unwrap_or_default(), "ms");
    Ok(vec![
        Measured::new("start, empty", ms(empty), how("the data directory is made on the way")),
        Measured::new("start, full", ms(full), how(&format!("over {TRIPS} trips, killed before"))),
    ])
}
