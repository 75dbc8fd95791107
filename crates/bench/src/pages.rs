//! Walks a collection by its links, for the ids that are in it.

use anyhow::Context;
use serde_json::Value;
use std::net::SocketAddr;

use crate::client::Connection;

/// Every id of a collection, which may be narrowed by a status, by pages of a thousand that each lead to the next.
pub(crate) async fn ids(address: SocketAddr, collection: &str) -> anyhow::Result<Vec<u64>> {
    let mut connection = Connection::open(address).await?;
    let mut found = Vec::new();
    let mut path = Some(sized(collection, 1_000));
    while let Some(asked) = path {
        let answer = connection.get(&asked).await?;
        anyhow::ensure!(answer.status == 200, "{asked} answered {}", answer.status);
        let page: Value = serde_json::from_str(answer.body)?;
        let rows = page["_embedded"].as_object().and_then(|lists| lists.values().next()?.as_array());
        found.extend(rows.context("a page without rows")?.iter().filter_map(|row| row["callId"].as_u64()));
        path = next(&page, collection);
    }
    Ok(found)
}

/// How many a collection says that it has.
pub(crate) async fn total(connection: &mut Connection, collection: &str) -> anyhow::Result<u64> {
    let answer = connection.get(&sized(collection, 1)).await?;
    let page: Value = serde_json::from_str(answer.body)?;
    page["page"]["totalElements"].as_u64().with_context(|| format!("no total of {collection}"))
}

/// The path of the next page, without where it stands.
pub(crate) fn next(page: &Value, collection: &str) -> Option<String> {
    let href = page["_links"]["next"]["href"].as_str()?;
    let path = collection.split('?').next()?;
    Some(href[href.find(path)?..].to_owned())
}

fn sized(collection: &str, size: u32) -> String {
    let separator = if collection.contains('?') { '&' } else { '?' };
    format!("{collection}{separator}size={size}")
}

/// All that were acknowledged are there, and nothing else.
pub(crate) async fn check(
    address: SocketAddr,
    collection: &str,
    mut acknowledged: Vec<u64>,
) -> anyhow::Result<()> {
    let count = acknowledged.len();
    acknowledged.sort_unstable();
    acknowledged.dedup();
    anyhow::ensure!(acknowledged.len() == count, "an id was given twice");
    let mut connection = Connection::open(address).await?;
    let total = total(&mut connection, collection).await?;
    anyhow::ensure!(total == count as u64, "{count} were acknowledged, {collection} counts {total}");
    let mut stored = ids(address, collection).await?;
    stored.sort_unstable();
    anyhow::ensure!(stored == acknowledged, "{collection} has not what was acknowledged");
    Ok(())
}
