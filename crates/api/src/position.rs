//! Positions: what a write carries away, and what a later read may ask to see at least.

use engine::bus::{Bus, Tail};
use engine::log::{Position, shard_of};
use engine::progress::Reading;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use tokio::sync::oneshot;

use crate::Api;
use crate::asked::one_header;
use crate::detail::Detail;
use crate::problem::{Kind, Problem};
use crate::query::QueryText;

/// Comes with the answer to every write.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("taxisvc-position");
const AT_LEAST: &str = "taxisvc-at-least";
const AT_LEAST_QUERY: &str = "at-least";

pub(crate) type Tell = Box<dyn FnOnce() + Send>;

pub(crate) fn header_value(position: &Position) -> HeaderValue {
    HeaderValue::try_from(position.to_string()).expect("a position is written in ASCII")
}

/// Where the log of an entity's shard stands now.
pub(crate) fn now(bus: &Bus, service: &str, entity_id: u64) -> Option<Position> {
    let tails = || bus.tails().iter().filter(|tail| tail.shard().service == service);
    let shards = u16::try_from(tails().count()).ok()?;
    let index = shard_of(entity_id, shards);
    let tail = tails().find(|tail| tail.shard().index == index)?;
    Some(Position { source: tail.source().clone(), number: tail.last().ok()?, about: None })
}

/// The position that a read asks for, if it asks.
pub(crate) fn wanted(
    headers: &HeaderMap,
    query: &QueryText<'_>,
    bus: &Bus,
) -> Result<Option<Position>, Problem> {
    let (text, field) = match query.get(AT_LEAST_QUERY)? {
        Some(text) => (Some(text), AT_LEAST_QUERY),
        None => (one_header(headers, AT_LEAST)?, AT_LEAST),
    };
    let Some(text) = text else { return Ok(None) };
    let malformed = || Problem::malformed(Detail::NoPosition).of_field(field);
    let position: Position = text.parse().map_err(|_| malformed())?;
    let tail = tail_of(bus, &position).ok_or_else(malformed)?;
    if tail.source().log != position.source.log {
        return Err(Problem::new(Kind::OtherLog, Detail::PositionOfOtherLog).of_field(field));
    }
    // Nobody was ever given it, unless the log was cut: waiting for it would be waiting for another event.
    if position.number > tail.last().map_err(|error| Problem::unreadable(&error))? {
        return Err(Problem::new(Kind::OtherLog, Detail::PositionBehindEnd).of_field(field));
    }
    Ok(Some(position))
}

fn tail_of<'b>(bus: &'b Bus, position: &Position) -> Option<&'b Arc<Tail>> {
    bus.tails().iter().find(|tail| {
        let source = tail.source();
        source.service == position.source.service && source.shard == position.source.shard
    })
}

/// Waits until a service has read up to a position. Its own log it has always read.
pub(crate) async fn reach(
    api: &Api,
    service: &'static str,
    position: Position,
    when_read: impl FnOnce(Position, Tell) -> Option<Reading>,
) -> Result<(), Problem> {
    if position.source.service == service {
        return Ok(());
    }
    let (tell, told) = oneshot::channel();
    let tell: Tell = Box::new(move || {
        // Whoever waited may have gone.
        let _ = tell.send(());
    });
    // Dropped with this, and the waiting ends.
    let _reading = when_read(position, tell).ok_or_else(|| Problem::too_busy(Detail::ReadersWait))?;
    match tokio::time::timeout(api.settings.answer_wait, told).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Problem::new(Kind::NotReadYet, Detail::NotReadYet).retry_after()),
    }
}
