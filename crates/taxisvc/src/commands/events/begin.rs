//! Where in each log the reading begins.

use super::Options;
use anyhow::{Context, bail};
use engine::clock::Timestamp;
use engine::log::Position;
use engine::store::Stored;
use operator::events::{From, Log};
use std::sync::Arc;

/// Events that are looked at at once when the last ones are wanted.
const BACKWARDS: u64 = 1_000;

pub(super) fn begin(logs: &[Arc<dyn Log>], options: &Options) -> anyhow::Result<From> {
    if options.from_beginning {
        return Ok(From::Beginning);
    }
    match &options.from {
        None => Ok(From::Positions(last(logs, options)?)),
        Some(text) => Ok(match named(text)? {
            Some(named) => From::Positions(with(logs, &named, text)?),
            None => From::After(text.clone()),
        }),
    }
}

/// An event by its place.
struct Named {
    service: String,
    shard: u16,
    number: u64,
    log: Option<engine::log::LogId>,
}

/// `payment/0/17`, or `payment.0.17.<log>`, which an answer to a write carries; nothing when it is neither.
fn named(text: &str) -> anyhow::Result<Option<Named>> {
    if let Ok(Position { source, number, .. }) = text.parse() {
        let service = source.service.into_owned();
        return Ok(Some(Named { service, shard: source.shard, number, log: Some(source.log) }));
    }
    let parts: Vec<&str> = text.split('/').collect();
    let [service, shard, number] = parts[..] else { return Ok(None) };
    let unknown = || format!("{text:?} names no event: payment/0/17 is the 17th of payment's shard 0");
    let (shard, number) = (shard.parse().with_context(unknown)?, number.parse().with_context(unknown)?);
    Ok(Some(Named { service: service.to_owned(), shard, number, log: None }))
}

/// With the event that is named; the other logs with what happened at its time or later.
fn with(logs: &[Arc<dyn Log>], named: &Named, text: &str) -> anyhow::Result<Vec<u64>> {
    let place = logs.iter().position(|log| {
        let source = log.source();
        source.service == named.service && source.shard == named.shard
    });
    let place = place.with_context(|| format!("{text}: no service tells events in such a log"))?;
    if named.log.is_some_and(|log| log != logs[place].source().log) {
        bail!("{text} belongs to another log: the data was restored, or is another's");
    }
    let before = named.number.checked_sub(1).context("the first event of a log has the number 1")?;
    let first = logs[place].read(before, 1)?;
    let first = first.first().with_context(|| format!("there is no event {text}: its log ends before it"))?;
    let mut positions = Vec::new();
    for (other, log) in logs.iter().enumerate() {
        positions.push(if other == place { before } else { last_before(log.as_ref(), first.at)? });
    }
    Ok(positions)
}

/// The position of the last event before a time. Times never go back within a log.
fn last_before(log: &dyn Log, at: Timestamp) -> Stored<u64> {
    let (mut low, mut high) = (0, log.last()?);
    while low < high {
        let middle = low + (high - low) / 2;
        let event = log.read(middle, 1)?;
        if event.first().is_some_and(|event| event.at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Such that so many of those that are wanted follow, or all.
fn last(logs: &[Arc<dyn Log>], options: &Options) -> Stored<Vec<u64>> {
    let (wanted, filter) = (options.last(), options.filter());
    let mut found = Vec::new();
    let mut ends = Vec::new();
    for (place, log) in logs.iter().enumerate() {
        let end = log.last()?;
        ends.push(end);
        let (mut of_log, mut from) = (Vec::new(), end);
        while of_log.len() < wanted && from > 0 {
            let begin = from.saturating_sub(BACKWARDS);
            let limit = usize::try_from(from - begin).unwrap_or(usize::MAX);
            let events = log.read(begin, limit)?;
            let mine = events.iter().rev().filter(|event| filter.takes(event));
            of_log.extend(mine.map(|event| (event.at, place, event.position)));
            from = begin;
        }
        found.extend(of_log.into_iter().take(wanted));
    }
    found.sort_unstable();
    let kept = &found[found.len().saturating_sub(wanted)..];
    let first_of = |(place, end): (usize, &u64)| {
        let of_log = kept.iter().filter(|(_, other, _)| *other == place);
        of_log.map(|(_, _, position)| position - 1).min().unwrap_or(*end)
    };
    Ok(ends.iter().enumerate().map(first_of).collect())
}
