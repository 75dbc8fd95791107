//! Positions: what a write carries away, and what a later read may ask to see at least.

use engine::bus::{Bus, Tail};
use engine::log::{EntityKey, Position, ShardName, Source, shard_of};
use engine::progress::Reading;
use engine::store::Stored;
use engine::topic::{logs_of, topics_of};
use http::HeaderValue;
use http::header::HeaderName;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use wiring::TELLING;

use crate::Api;
use crate::asked::{Asked, one_header};
use crate::detail::Detail;
use crate::problem::{Kind, Problem};

/// Comes with the answer to every write.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("taxisvc-position");
const AT_LEAST: &str = "taxisvc-at-least";
const AT_LEAST_QUERY: &str = "at-least";

/// How long an answer that is ready waits for the position that is told with it.
const LATEST_WAIT_MAX: Duration = Duration::from_millis(100);

pub(crate) type Tell = Box<dyn FnOnce() + Send>;

pub(crate) fn header_value(position: &Position) -> HeaderValue {
    HeaderValue::try_from(position.to_string()).expect("a position is written in ASCII")
}

/// As new as what is told of an entity now, which may be newer than the command was; where that cannot be had at once, that
/// of the command.
pub(crate) async fn latest(api: &Api, service: &'static str, key: EntityKey, done: &Position) -> Position {
    let found = if api.is_over_topic {
        tokio::time::timeout(LATEST_WAIT_MAX, last_published(api, service, key)).await.ok().flatten()
    } else {
        end_of_log(&api.bus, service, key.id)
    };
    found.unwrap_or_else(|| done.clone())
}

/// Where the log of an entity's shard stands now.
fn end_of_log(bus: &Bus, service: &str, entity_id: u64) -> Option<Position> {
    let tail = tail_about(bus, service, entity_id)?;
    Some(Position { source: tail.source().clone(), number: tail.last().ok()?, about: None })
}

/// What was published last about an entity: over a topic, nothing else is ever heard of it.
async fn last_published(api: &Api, service: &'static str, key: EntityKey) -> Option<Position> {
    let source = tail_about(&api.bus, service, key.id)?.source().clone();
    let asked = api.desk.published_last(api.readers.of(service), service, key).await;
    let number = asked.ok().filter(|number| *number > 0)?;
    Some(Position { source, number, about: Some(key.id) })
}

fn tail_about<'b>(bus: &'b Bus, service: &str, entity_id: u64) -> Option<&'b Arc<Tail>> {
    let tails = || bus.tails().iter().filter(|tail| tail.shard().service == service);
    let shards = u16::try_from(tails().count()).ok()?;
    let index = shard_of(entity_id, shards);
    tails().find(|tail| tail.shard().index == index)
}

/// A position that a read asks for, and where it is said.
pub(crate) struct Wanted {
    position: Position,
    field: &'static str,
}

/// The position that a read asks for, if it asks.
pub(crate) async fn wanted(asked: &Asked) -> Result<Option<Wanted>, Problem> {
    let (position, field) = match said(asked)? {
        None => return Ok(None),
        Some(said) => said,
    };
    let malformed = || Problem::malformed(Detail::NoPosition).of_field(field);
    let api = &asked.api;
    let Some(tail) = tail_of(&api.bus, &position).cloned() else {
        // Its log lies in another process: how far that is, only the rows of whoever reads it tell.
        let may_be = api.is_over_topic && TELLING.contains(&&*position.source.service);
        return if may_be && position.about.is_some() {
            Ok(Some(Wanted { position, field }))
        } else {
            Err(malformed())
        };
    };
    if tail.source().log != position.source.log {
        return Err(Problem::new(Kind::OtherLog, Detail::PositionOfOtherLog).of_field(field));
    }
    // Nobody was ever given it, unless the log was cut: waiting for it would be waiting for another event.
    if position.number > end_of(api, tail).await? {
        return Err(Problem::new(Kind::OtherLog, Detail::PositionBehindEnd).of_field(field));
    }
    Ok(Some(Wanted { position, field }))
}

fn said(asked: &Asked) -> Result<Option<(Position, &'static str)>, Problem> {
    let query = asked.query()?;
    let (text, field) = match query.get(AT_LEAST_QUERY)? {
        Some(text) => (Some(text), AT_LEAST_QUERY),
        None => (one_header(&asked.head.headers, AT_LEAST)?, AT_LEAST),
    };
    let Some(text) = text else { return Ok(None) };
    let position = text.parse().map_err(|_| Problem::malformed(Detail::NoPosition).of_field(field))?;
    Ok(Some((position, field)))
}

/// The position of the last event; where others write to the log as well, the store is asked.
async fn end_of(api: &Api, tail: Arc<Tail>) -> Result<u64, Problem> {
    let last = move || tail.last().map_err(|error| Problem::unreadable(&error));
    if api.is_over_topic { api.desk.read(last).await } else { last() }
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
    Wanted { position, field }: Wanted,
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
    let source = position.source.clone();
    // Dropped with this, and the waiting ends.
    let _reading = when_read(position, tell).ok_or_else(|| Problem::too_busy(Detail::ReadersWait))?;
    if let Ok(Ok(())) = tokio::time::timeout(api.settings().answer_wait, told).await {
        return Ok(());
    }
    if api.is_over_topic && knows_another(api, service, source).await? {
        return Err(Problem::new(Kind::OtherLog, Detail::PositionOfOtherLog).of_field(field));
    }
    Err(Problem::new(Kind::NotReadYet, Detail::NotReadYet).retry_after())
}

/// Whether what a service has heard came from another log than this one, and nothing from it.
async fn knows_another(api: &Api, service: &'static str, source: Source) -> Result<bool, Problem> {
    let reader = api.readers.of(service).clone();
    let look = move || -> Stored<bool> {
        let snapshot = reader.snapshot()?;
        let schema = snapshot.schemas().iter().find(|schema| schema.service == service);
        let (mut knows_it, mut knows_another) = (false, false);
        for index in 0..schema.map_or(0, |schema| schema.shards) {
            let rows = snapshot.inbox(ShardName { service, index })?;
            let topics = topics_of(&rows);
            for (key, _) in rows.iter().filter(|(key, _)| key.source.service == source.service) {
                let is_it = logs_of(key.source.log, &topics).any(|log| log == source.log);
                knows_it |= is_it;
                knows_another |= !is_it;
            }
        }
        Ok(knows_another && !knows_it)
    };
    api.desk.read(move || look().map_err(|error| Problem::unreadable(&error))).await
}
