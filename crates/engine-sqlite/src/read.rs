//! Rows back into the engine's types: what the writer, the readers and the snapshots have in common.

use crate::failure::{Failure, integer, number, small};
use crate::layout::Layout;
use crate::tables::{Kind, POSITION_MAX, Tables, place, position_of, shard_of_place};
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parked, Side, Skip};
use engine::effect::Effect;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source, shard_of};
use engine::store::{BACKLOG_AGED_MAX, BACKLOG_COUNTED_MAX, Backlog, EntityRow, InboxKey, Visit};
use engine::timer::{DueTimer, Timer};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::borrow::Cow;

pub(crate) type Read<T> = Result<T, Failure>;

pub(crate) fn entity(connection: &Connection, kind: &Kind, id: u64) -> Read<Option<EntityRow>> {
    // An id that cannot be stored is the id of nothing.
    let Ok(id) = i64::try_from(id) else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(&kind.get)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(|row| entity_of(row, kind)).transpose()
}

pub(crate) fn entity_of(row: &Row<'_>, kind: &Kind) -> Read<EntityRow> {
    let timer_name: Option<String> = row.get(3)?;
    let timer = match timer_name {
        None => None,
        Some(name) => Some(Timer { name: Cow::Owned(name), due: Timestamp(row.get(4)?) }),
    };
    let effects_open = row.get_ref(5)?.as_str().map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(EntityRow {
        key: EntityKey { kind: kind.name, id: number(row, 0)? },
        version: number(row, 1)?,
        tag: Cow::Owned(row.get(2)?),
        timer,
        effects_open: sequences(effects_open)?,
        state: row.get(6)?,
    })
}

fn sequences(text: &str) -> Read<Vec<u64>> {
    if text == "[]" {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).map_err(|error| Failure::Broken(format!("open effects: {error}")))
}

pub(crate) fn entities(
    connection: &Connection,
    tables: &Tables,
    visit: &mut dyn FnMut(EntityRow) -> Visit,
) -> Read<()> {
    for kind in tables.kinds_in_order() {
        let mut statement = connection.prepare_cached(&kind.all)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match visit(entity_of(row, kind)?) {
                Visit::On => {}
                Visit::Enough => return Ok(()),
            }
        }
    }
    Ok(())
}

fn event_of(row: &Row<'_>, tables: &Tables, log: LogId) -> Read<Recorded> {
    let place: i64 = row.get(0)?;
    let kind = tables.kind_of_code(row.get(1)?)?;
    Ok(Recorded {
        source: Source { log, service: Cow::Borrowed(tables.schema.service), shard: shard_of_place(place) },
        position: position_of(place),
        entity_kind: Cow::Borrowed(kind.name),
        entity_id: number(row, 2)?,
        version: number(row, 3)?,
        event_type: Cow::Owned(row.get(4)?),
        schema: small(row, 5)?,
        published: row.get(6)?,
        at: Timestamp(row.get(7)?),
        actor: Cow::Owned(row.get(8)?),
        cause: row.get(9)?,
        trace: row.get(10)?,
        body: row.get(11)?,
    })
}

/// Events of a shard after a position, as long as they are wanted.
pub(crate) fn events_after(
    connection: &Connection,
    layout: &Layout,
    (shard, position, limit): (ShardName, u64, usize),
    visit: &mut dyn FnMut(Recorded) -> Visit,
) -> Read<()> {
    let tables = layout.tables(shard.service)?;
    tables.own_shard(shard)?;
    if position >= POSITION_MAX {
        return Ok(());
    }
    let (after, last) = (place(shard.index, position)?, place(shard.index, POSITION_MAX)?);
    let mut statement = connection.prepare_cached(&tables.log.after)?;
    let mut rows = statement.query(params![after, last, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        match visit(event_of(row, tables, layout.log)?) {
            Visit::On => {}
            Visit::Enough => break,
        }
    }
    Ok(())
}

pub(crate) fn events_by_entity(
    connection: &Connection,
    (tables, log): (&Tables, LogId),
    visit: &mut dyn FnMut(Recorded) -> Visit,
) -> Read<()> {
    for kind in tables.kinds_in_order() {
        let mut statement = connection.prepare_cached(&tables.log.of_kind)?;
        let mut rows = statement.query([kind.code])?;
        while let Some(row) = rows.next()? {
            match visit(event_of(row, tables, log)?) {
                Visit::On => {}
                Visit::Enough => return Ok(()),
            }
        }
    }
    Ok(())
}

pub(crate) fn story(
    connection: &Connection,
    (tables, log): (&Tables, LogId),
    id: u64,
) -> Read<Vec<Recorded>> {
    let mut events = Vec::new();
    let Ok(id) = i64::try_from(id) else {
        return Ok(events);
    };
    for kind in tables.kinds_in_order() {
        let mut statement = connection.prepare_cached(&tables.log.of_entity)?;
        let mut rows = statement.query([kind.code, id])?;
        while let Some(row) = rows.next()? {
            events.push(event_of(row, tables, log)?);
        }
    }
    Ok(events)
}

pub(crate) fn last_position(connection: &Connection, layout: &Layout, shard: ShardName) -> Read<u64> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let mut statement = connection.prepare_cached(&tables.log.position)?;
    let mut rows = statement.query([index])?;
    let row = rows.next()?.ok_or_else(|| Failure::Broken(format!("the row of {shard} is missing")))?;
    number(row, 0)
}

/// The position of the last published event of an entity, 0 for none; from its end, so that little is looked at.
pub(crate) fn published_last(connection: &Connection, tables: &Tables, key: EntityKey) -> Read<u64> {
    let Ok(id) = i64::try_from(key.id) else {
        return Ok(0);
    };
    let code = tables.kind(key.kind)?.code;
    let mut statement = connection.prepare_cached(&tables.log.published_last)?;
    let place: Option<i64> = statement.query_row(params![code, id], |row| row.get(0)).optional()?;
    Ok(place.map_or(0, position_of))
}

/// The trace of the last event of an entity that is not beyond a version.
pub(crate) fn trace(
    connection: &Connection,
    tables: &Tables,
    (key, version): (EntityKey, u64),
) -> Read<Option<String>> {
    let Ok(id) = i64::try_from(key.id) else {
        return Ok(None);
    };
    let version = i64::try_from(version).unwrap_or(i64::MAX);
    let code = tables.kind(key.kind)?.code;
    let mut statement = connection.prepare_cached(&tables.log.trace)?;
    let trace = statement.query_row(params![code, id, version], |row| row.get(0)).optional()?;
    Ok(trace.flatten())
}

pub(crate) fn inbox(
    connection: &Connection,
    layout: &Layout,
    shard: ShardName,
) -> Read<Vec<(InboxKey, u64)>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let mut statement = connection.prepare_cached(&tables.inbox.all)?;
    let mut rows = statement.query([index])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let log: String = row.get(1)?;
        let source = Source {
            log: log.parse().map_err(Failure::Broken)?,
            service: Cow::Owned(row.get(2)?),
            shard: small(row, 3)?,
        };
        let partition = small(row, 0)?;
        found.push((InboxKey { partition, source }, number(row, 4)?));
    }
    Ok(found)
}

pub(crate) fn effect_of(row: &Row<'_>, tables: &Tables) -> Read<Effect> {
    let kind = tables.kind_of_code(row.get(0)?)?;
    Ok(Effect {
        key: EntityKey { kind: kind.name, id: number(row, 1)? },
        sequence: number(row, 2)?,
        name: Cow::Owned(row.get(3)?),
        body: row.get(4)?,
        attempts: small(row, 5)?,
        claimed_until: Timestamp(row.get(6)?),
        trace: None,
    })
}

pub(crate) fn effects(connection: &Connection, tables: &Tables) -> Read<Vec<Effect>> {
    let mut found = Vec::new();
    for kind in tables.kinds_in_order() {
        let mut statement = connection.prepare_cached(&tables.effect.all)?;
        let mut rows = statement.query([kind.code])?;
        while let Some(row) = rows.next()? {
            found.push(effect_of(row, tables)?);
        }
    }
    Ok(found)
}

/// Which dead letters of a shard are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Letters {
    Every,
    Waiting,
    OfEntity(u64),
    FirstOfEntity(u64, usize),
    Numbered(u64),
    First(Side, usize),
    EveryOfEntity(u64),
}

pub(crate) fn dead_letters(
    connection: &Connection,
    layout: &Layout,
    shard: ShardName,
    which: Letters,
) -> Read<Vec<DeadLetter>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let (sql, which, limit) = match which {
        Letters::Every => (&tables.letter.every, None, usize::MAX),
        Letters::Waiting => (&tables.letter.waiting, None, usize::MAX),
        Letters::OfEntity(id) => (&tables.letter.of_entity, Some(id), usize::MAX),
        Letters::FirstOfEntity(id, limit) => (&tables.letter.of_entity, Some(id), limit),
        Letters::Numbered(number) => (&tables.letter.one, Some(number), usize::MAX),
        Letters::First(Side::Waiting, limit) => {
            (&tables.letter.look.first_waiting, Some(limit as u64), limit)
        }
        Letters::First(Side::PassedOver, limit) => {
            (&tables.letter.look.first_skipped, Some(limit as u64), limit)
        }
        Letters::EveryOfEntity(id) => (&tables.letter.look.every_of_entity, Some(id), usize::MAX),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = match which {
        None => statement.query([index])?,
        Some(which) => statement.query([index, which.cast_signed()])?,
    };
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        found.push(dead_letter_of(row)?);
    }
    found.sort_by_key(|letter| letter.number);
    Ok(found)
}

/// The entities of a shard that have a dead letter that waits, of a number after this one.
pub(crate) fn parked(
    connection: &Connection,
    layout: &Layout,
    (shard, after): (ShardName, u64),
) -> Read<Parked> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let mut statement = connection.prepare_cached(&tables.letter.parked)?;
    let mut rows = statement.query(params![index, integer(after)?])?;
    let mut found = Parked { last: after, ..Parked::default() };
    while let Some(row) = rows.next()? {
        found.entities.insert(row.get::<_, i64>(0)?.cast_unsigned());
        found.last = found.last.max(number(row, 1)?);
    }
    Ok(found)
}

pub(crate) fn still_parked(
    connection: &Connection,
    layout: &Layout,
    (shard, entities): (ShardName, &[u64]),
) -> Read<Vec<u64>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let mut found = Vec::new();
    for id in entities {
        if is_parked(connection, tables, (index, *id))? {
            found.push(*id);
        }
    }
    Ok(found)
}

pub(crate) fn is_parked(
    connection: &Connection,
    tables: &Tables,
    (shard, entity_id): (i64, u64),
) -> Read<bool> {
    let mut statement = connection.prepare_cached(&tables.letter.is_parked)?;
    Ok(statement.exists(params![shard, entity_id.cast_signed()])?)
}

pub(crate) fn dead_letters_counted(
    connection: &Connection,
    layout: &Layout,
    (shard, side): (ShardName, Side),
) -> Read<u64> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let sql = match side {
        Side::Waiting => &tables.letter.look.shard_waiting,
        Side::PassedOver => &tables.letter.look.shard_skipped,
    };
    Ok(connection.prepare_cached(sql)?.query_row([index], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

pub(crate) fn numbers_waiting(
    connection: &Connection,
    layout: &Layout,
    (shard, entity_id): (ShardName, u64),
) -> Read<Vec<u64>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let mut statement = connection.prepare_cached(&tables.letter.look.numbers_waiting)?;
    let mut rows = statement.query([index, entity_id.cast_signed()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(number(row, 0)?);
    }
    Ok(found)
}

fn dead_letter_of(row: &Row<'_>) -> Read<DeadLetter> {
    let parcel: String = row.get(2)?;
    let entity_id: i64 = row.get(1)?;
    let skipped_at: Option<i64> = row.get(7)?;
    let skipped = match skipped_at {
        None => None,
        Some(at) => Some(Skip { by: row.get(5)?, reason: row.get(6)?, at: Timestamp(at) }),
    };
    Ok(DeadLetter {
        number: number(row, 0)?,
        // A dead letter may be about an id that nothing else may have, so all 64 bits are kept.
        entity_id: entity_id.cast_unsigned(),
        parcel: serde_json::from_str(&parcel)
            .map_err(|error| Failure::Broken(format!("a dead letter: {error}")))?,
        reason: row.get(3)?,
        at: Timestamp(row.get(4)?),
        skipped,
    })
}

pub(crate) fn passed_over(
    connection: &Connection,
    layout: &Layout,
    shard: ShardName,
) -> Read<Vec<(Source, u64)>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let mut statement = connection.prepare_cached(&tables.letter.passed_over)?;
    let mut rows = statement.query([index])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let log: String = row.get(0)?;
        let log = log.parse().map_err(Failure::Broken)?;
        let source = Source { log, service: Cow::Owned(row.get(1)?), shard: small(row, 2)? };
        found.push((source, number(row, 3)?));
    }
    Ok(found)
}

/// What is to be done in a service: each figure from one end of an index, and no further than is counted.
pub(crate) fn backlog(connection: &Connection, tables: &Tables, overdue_before: Timestamp) -> Read<Backlog> {
    let most = BACKLOG_COUNTED_MAX.cast_signed();
    let count = |sql: &str| -> Read<u64> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([most])?;
        rows.next()?.map_or(Ok(0), |row| number(row, 0))
    };
    let mut backlog = Backlog {
        effects_open: count(&tables.effect.open)?,
        letters_waiting: count(&tables.letter.count_waiting)?,
        letters_skipped: count(&tables.letter.count_skipped)?,
        ..Backlog::default()
    };
    for kind in &tables.kinds {
        let mut statement = connection.prepare_cached(&kind.overdue)?;
        let mut rows = statement.query([overdue_before.0, most])?;
        backlog.timers_overdue += rows.next()?.map_or(Ok(0), |row| number(row, 0))?;
        let mut statement = connection.prepare_cached(&kind.first_due)?;
        let first: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
        let first = first.map(Timestamp);
        backlog.timer_first_due = backlog.timer_first_due.into_iter().chain(first).min();
    }
    let mut statement = connection.prepare_cached(&tables.effect.oldest)?;
    let oldest: Option<i64> = statement.query_row([BACKLOG_AGED_MAX.cast_signed()], |row| row.get(0))?;
    backlog.effect_oldest = oldest.map(Timestamp);
    Ok(backlog)
}

pub(crate) fn counts(connection: &Connection, tables: &Tables, kind: &str) -> Read<Vec<(String, u64)>> {
    let kind = tables.kind(kind)?;
    let mut statement = connection.prepare_cached(&tables.counter.all)?;
    let mut rows = statement.query([kind.code])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, number(row, 1)?));
    }
    Ok(found)
}

/// Found kind by kind, then put in the order of the time.
pub(crate) fn timers_due(
    connection: &Connection,
    tables: &Tables,
    (shard, now, limit): (ShardName, Timestamp, usize),
) -> Read<Vec<DueTimer>> {
    let mut found = Vec::new();
    for kind in &tables.kinds {
        let mut statement = connection.prepare_cached(&kind.due)?;
        let mut rows = statement.query([now.0])?;
        let full = found.len().saturating_add(limit);
        while found.len() < full
            && let Some(row) = rows.next()?
        {
            let id = number(row, 0)?;
            if shard_of(id, tables.schema.shards) == shard.index {
                let timer = Timer { name: Cow::Owned(row.get(1)?), due: Timestamp(row.get(2)?) };
                let key = EntityKey { kind: kind.name, id };
                found.push(DueTimer { key, timer });
            }
        }
    }
    found.sort_by_key(|due| (due.timer.due, due.key));
    found.truncate(limit);
    Ok(found)
}

pub(crate) fn effects_due(
    connection: &Connection,
    tables: &Tables,
    (shard, now, limit): (ShardName, Timestamp, usize),
) -> Read<Vec<Effect>> {
    let mut statement = connection.prepare_cached(&tables.effect.due)?;
    let mut rows = statement.query([now.0])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        if shard_of(number(row, 1)?, tables.schema.shards) == shard.index {
            found.push(effect_of(row, tables)?);
        }
    }
    Ok(found)
}

/// Checks what was decided on without being changed.
pub(crate) fn version(connection: &Connection, tables: &Tables, key: EntityKey) -> Read<u64> {
    let kind = tables.kind(key.kind)?;
    let mut statement = connection.prepare_cached(&kind.version)?;
    let mut rows = statement.query([integer(key.id)?])?;
    rows.next()?.map_or(Ok(0), |row| number(row, 0))
}

#[cfg(test)]
mod tests {
    use engine::store::Schema;

    /// Each figure of a backlog is read off an index or off the head of a table, however much there is.
    #[test]
    fn no_backlog_is_a_scan_of_what_is_done() {
        let schema = Schema { service: "order", kinds: &["order"], shards: 1 };
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let kind = super::Kind::new("order", "order", 1);
        connection.execute_batch(&super::Tables::create("order")).unwrap();
        connection.execute_batch(&kind.create()).unwrap();
        let tables = super::Tables::new(schema, vec![kind], crate::FORMAT);
        let kind = &tables.kinds[0];
        for (sql, expected) in [
            (&kind.overdue, "USING COVERING INDEX order_entity_order_by_due (due<?)"),
            (&kind.first_due, "USING COVERING INDEX order_entity_order_by_due"),
            (&tables.letter.count_waiting, "INDEX order_dead_letter_by_entity"),
            (&tables.letter.count_skipped, "INDEX order_dead_letter_by_skip"),
            (&tables.letter.waiting, "INDEX order_dead_letter_by_entity (shard=?)"),
            (&tables.letter.parked, "USING INDEX order_dead_letter_by_entity (shard=?)"),
            (&tables.letter.is_parked, "INDEX order_dead_letter_by_entity (shard=? AND entity_id=?)"),
            (&tables.letter.later, "USING INTEGER PRIMARY KEY (rowid>?)"),
            (&tables.log.published_last, "INDEX order_event_by_entity (kind=? AND id=?)"),
            (&tables.log.trace, "INDEX order_event_by_entity (kind=? AND id=? AND version<?)"),
            (&tables.letter.of_entity, "INDEX order_dead_letter_by_entity (shard=? AND entity_id=?)"),
            (&tables.letter.look.first_waiting, "SCAN order_dead_letter"),
            (&tables.letter.look.first_skipped, "SCAN order_dead_letter"),
            (&tables.letter.look.shard_waiting, "INDEX order_dead_letter_by_entity (shard=?)"),
            (&tables.letter.look.shard_skipped, "INDEX order_dead_letter_by_skip"),
            (
                &tables.letter.look.every_of_entity,
                "INDEX order_dead_letter_by_entity (shard=? AND entity_id=?)",
            ),
            (&tables.letter.look.every_of_entity, "INDEX order_dead_letter_by_skip"),
            (
                &tables.letter.look.numbers_waiting,
                "INDEX order_dead_letter_by_entity (shard=? AND entity_id=?)",
            ),
            (&tables.letter.prune, "INDEX order_dead_letter_by_skip (skipped_at<?)"),
            (&tables.effect.oldest, "INDEX order_event_by_entity (kind=? AND id=? AND version=?)"),
            (&kind.drop_some, "SEARCH order_entity_order USING INTEGER PRIMARY KEY (rowid<?)"),
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let values = vec![1_i64; statement.parameter_count()];
            let steps =
                statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3));
            let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
            let plan = steps.join("; ");
            assert!(plan.contains(expected), "{sql}: {plan}");
        }
    }
}
