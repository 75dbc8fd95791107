//! The logs of a service and how far it has read those of others: positions, shards, inbox, dead letters.

use super::{Check, Look, Sort};
use crate::Service;
use crate::dead_letter::Parcel;
use crate::log::{LogId, Recorded, ShardName, Source, shard_of};
use crate::store::{Stored, Visit};
use crate::topic::{logs_of, topics_of};

pub(super) const POSITIONS: &str = "positions gapless";

/// Every log from its first event to its last, by position.
pub(super) fn positions<S: Service>(look: &Look<'_, S>) -> Stored<Vec<Check>> {
    let mut checks = Vec::new();
    let mut placed = look.check("events in their shard");
    for shard in look.shards() {
        let mut check = look.check(POSITIONS);
        let mut last = 0;
        look.snapshot.events(shard, &mut |event| {
            let expected = last + 1;
            let place = format_args!("{shard} position {}", event.position);
            check.expect(event.position == expected, place, || format!("position {expected} should be next"));
            last = event.position;
            placed.expect(is_in_place(look, shard, &event), place, || {
                format!(
                    "{}/{} belongs to shard {}, and its log is {}/{}.{}",
                    event.entity_kind,
                    event.entity_id,
                    shard_of(event.entity_id, look.schema.shards),
                    event.source.service,
                    event.source.shard,
                    event.source.log
                )
            });
            Visit::On
        })?;
        let counter = look.snapshot.last_position(shard)?;
        if counter != last {
            check.broken(shard, format!("its counter says {counter}, its last event is {last}"));
        }
        check.note = format!("{shard} 1..{last}");
        checks.push(check);
    }
    checks.push(placed);
    Ok(checks)
}

fn is_in_place<S: Service>(look: &Look<'_, S>, shard: ShardName, event: &Recorded) -> bool {
    let Source { log, service, shard: index } = &event.source;
    *log == look.log
        && *service == shard.service
        && *index == shard.index
        && shard_of(event.entity_id, look.schema.shards) == shard.index
}

/// Nobody has read further than a log goes.
pub(super) fn inbox<S: Service>(look: &Look<'_, S>) -> Stored<Check> {
    let mut check = look.check("inbox within the logs");
    for shard in look.shards() {
        passed_over(look, shard, &mut check)?;
        let rows = look.snapshot.inbox(shard)?;
        let topics = topics_of(&rows);
        for (key, read) in rows {
            let Source { log, service, shard: index } = &key.source;
            // A row of another log than the one in view is what a restore leaves behind.
            let is_of = |end: LogId| logs_of(*log, &topics).any(|known| known == end);
            let mut known = look
                .logs
                .iter()
                .filter(|end| end.source.service == *service && is_of(end.source.log))
                .peekable();
            if known.peek().is_none() {
                continue;
            }
            let end = known.find(|end| end.source.shard == *index).map(|end| end.last_position);
            let what = format!("{shard} has read {service}/{index} to {read}");
            check.expect(end.is_some_and(|end| read <= end), what, || match end {
                Some(end) => format!("the log ends at {end}"),
                None => "there is no such shard".to_owned(),
            });
        }
    }
    Ok(check)
}

/// What was passed over was heard.
fn passed_over<S: Service>(look: &Look<'_, S>, shard: ShardName, check: &mut Check) -> Stored<()> {
    let inbox = look.snapshot.inbox(shard)?;
    let topics = topics_of(&inbox);
    for (source, position) in look.snapshot.passed_over(shard)? {
        let is_of = |row: &Source| {
            let has_log = logs_of(row.log, &topics).any(|log| log == source.log);
            has_log && row.service == source.service && row.shard == source.shard
        };
        let read = inbox.iter().filter(|(key, _)| is_of(&key.source)).map(|(_, read)| *read).max();
        let what = format!("{shard} has passed over {}/{}/{position}", source.service, source.shard);
        check.expect(read.is_some_and(|read| position <= read), what, || {
            format!("it has read that log to {}", read.unwrap_or(0))
        });
    }
    Ok(())
}

pub(super) fn dead_letters<S: Service>(look: &Look<'_, S>) -> Stored<Check> {
    let mut check = look.check("no dead letters");
    for shard in look.shards() {
        for letter in look.snapshot.dead_letters(shard)? {
            check.seen += 1;
            if letter.skipped.is_some() {
                check.skipped += 1;
                continue;
            }
            let what = format!("letter {} of {shard}, about {}", letter.number, letter.entity_id);
            let about = describe(&letter.parcel);
            check.find(Sort::DeadLetter, what, format!("{about}: {}", letter.reason));
        }
    }
    Ok(check)
}

fn describe(parcel: &Parcel) -> String {
    match parcel {
        Parcel::Event(event) => format!(
            "event {} at {}/{}/{}",
            event.event_type, event.source.service, event.source.shard, event.position
        ),
        Parcel::Due { timer, .. } => format!("timer {}", timer.name),
        Parcel::Answer { name, sequence, .. } => format!("answer to effect {name} {sequence}"),
    }
}
