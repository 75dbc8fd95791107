//! How fast the view is read: one by one, the first page, and a page deep inside reached by its link.

use anyhow::Context;
use serde_json::Value;

use crate::client::{Connection, number_of};
use crate::load::Load;
use crate::measured::{Measured, percentile};
use crate::pages::next;
use crate::server::Server;
use crate::trips::{Past, TRIPS};

const CONNECTIONS: usize = 64;
const READS: u64 = 100_000;
const PAGES: u64 = 20_000;
const VIEWS: &str = "/callViews";
const PAGE_SIZE: u64 = 20;

pub(crate) async fn reads(past: &Past) -> anyhow::Result<Vec<Measured>> {
    let server = Server::start(past.data.path()).await?;
    let address = server.address("gateway")?;
    let load = Load { address, connections: CONNECTIONS, count: READS };
    let outcome = load.run(async |connection, number| read_one(connection, number).await).await?;
    let how = format!(
        "{READS} of {TRIPS} views, {CONNECTIONS} connections, through the gateway, p50 {:.2} ms, p99 {:.2} ms",
        percentile(&outcome.latencies, 50),
        percentile(&outcome.latencies, 99)
    );
    let load = Load { count: PAGES, ..load };
    let first = read_page(load, format!("{VIEWS}?size={PAGE_SIZE}")).await?;
    let deep = deep_page(&mut Connection::open(address).await?).await?;
    let deep = read_page(load, deep).await?;
    let pages = format!("pages of {PAGE_SIZE} of {TRIPS}, {CONNECTIONS} connections, through the gateway");
    Ok(vec![
        Measured::new("reads", (outcome.rate(), "views/s"), how),
        Measured::new("reads, first page", (first, "pages/s"), pages.as_str()),
        Measured::new("reads, page in the middle by its link", (deep, "pages/s"), pages.as_str()),
        Measured::new("reads, middle of first", (deep / first, "×"), "the same cost anywhere is 1"),
    ])
}

/// A view somewhere: the numbers are walked with a stride that hits each once.
async fn read_one(connection: &mut Connection, number: u64) -> anyhow::Result<()> {
    let id = number.wrapping_mul(7_919) % TRIPS + 1;
    let answer = connection.get(&format!("{VIEWS}/{id}")).await?;
    anyhow::ensure!(number_of(answer.body, "callId") == Some(id), "view {id} is answered {}", answer.body);
    Ok(())
}

async fn read_page(load: Load, path: String) -> anyhow::Result<f64> {
    let one = async move |connection: &mut Connection, _| {
        let answer = connection.get(&path).await?;
        let rows = answer.body.matches("\"callId\":").count() as u64;
        anyhow::ensure!(answer.status == 200 && rows == PAGE_SIZE, "{path} has {rows} rows");
        Ok(())
    };
    Ok(load.run(one).await?.rate())
}

/// The link that leads on from the middle.
async fn deep_page(connection: &mut Connection) -> anyhow::Result<String> {
    let middle = TRIPS / PAGE_SIZE / 2;
    let answer = connection.get(&format!("{VIEWS}?size={PAGE_SIZE}&page={middle}")).await?;
    let page: Value = serde_json::from_str(answer.body)?;
    next(&page, VIEWS).context("the page in the middle leads nowhere")
}
