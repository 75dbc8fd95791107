//! Rows back into the engine's types: what the writer, the readers and the snapshots have in common.

use crate::failure::{Answer, Failure};
use crate::layout::Layout;
use crate::read_sql::POSITION;
use crate::session::{Call, Parameter, Session};
use crate::tables::{Kind, Tables};
use crate::value::{column, integer, number, small, text, text_if_any, unsigned};
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parked, Side, Skip};
use engine::effect::Effect;
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{BACKLOG_AGED_MAX, BACKLOG_COUNTED_MAX, Backlog, EntityRow, InboxKey, Visit};
use engine::timer::{DueTimer, Timer};
use std::borrow::Cow;
use std::collections::HashMap;
use tokio_postgres::Row;

/// Rows that are read in one go where all of a table is walked: no more need fit in memory.
pub(crate) const ROWS_AT_ONCE: i64 = 500;

/// A limit as PostgreSQL takes it.
pub(crate) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The rows of entities in the order asked; one question for each kind, all in one go.
pub(crate) fn entities_asked(
    session: &Session,
    tables: &Tables,
    keys: &[EntityKey],
) -> Answer<Vec<Option<EntityRow>>> {
    let mut ids: Vec<Vec<i64>> = tables.kinds.iter().map(|_| Vec::new()).collect();
    for key in keys {
        tables.kind(key.kind)?;
        // An id that cannot be stored is the id of nothing.
        if let (Some(place), Ok(id)) = (place_of(tables, key.kind), i64::try_from(key.id)) {
            ids[place].push(id);
        }
    }
    let asked: Vec<(&Kind, Vec<i64>)> =
        tables.kinds.iter().zip(ids).filter(|(_, ids)| !ids.is_empty()).collect();
    let calls: Vec<Call<'_>> =
        asked.iter().map(|(kind, ids)| Call::new(&kind.load, vec![Box::new(ids)])).collect();
    let mut found = HashMap::new();
    for ((kind, _), rows) in asked.iter().zip(session.ask(&calls)?) {
        for row in rows {
            let row = entity_of(&row, kind)?;
            found.insert(row.key, row);
        }
    }
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

fn place_of(tables: &Tables, name: &str) -> Option<usize> {
    tables.kinds.iter().position(|kind| kind.name == name)
}

pub(crate) fn entity(session: &Session, tables: &Tables, key: EntityKey) -> Answer<Option<EntityRow>> {
    Ok(entities_asked(session, tables, &[key])?.pop().flatten())
}

pub(crate) fn entity_of(row: &Row, kind: &Kind) -> Answer<EntityRow> {
    let timer = match text_if_any(row, 3)? {
        None => None,
        Some(name) => Some(Timer { name: Cow::Owned(name), due: Timestamp(column(row, 4)?) }),
    };
    let open: Vec<i64> = column(row, 5)?;
    Ok(EntityRow {
        key: EntityKey { kind: kind.name, id: number(row, 0)? },
        version: number(row, 1)?,
        tag: Cow::Owned(text(row, 2)?),
        timer,
        effects_open: open.into_iter().map(i64::cast_unsigned).collect(),
        state: text(row, 6)?,
    })
}

pub(crate) fn entities(
    session: &Session,
    tables: &Tables,
    visit: &mut dyn FnMut(EntityRow) -> Visit,
) -> Answer<()> {
    for kind in tables.kinds_in_order() {
        let mut last = -1_i64;
        loop {
            let rows = session.query(&kind.page, vec![Box::new(last), Box::new(ROWS_AT_ONCE)])?;
            for row in &rows {
                last = column(row, 0)?;
                match visit(entity_of(row, kind)?) {
                    Visit::On => {}
                    Visit::Enough => return Ok(()),
                }
            }
            if rows.len() < rows_at_once() {
                break;
            }
        }
    }
    Ok(())
}

pub(crate) fn rows_at_once() -> usize {
    usize::try_from(ROWS_AT_ONCE).expect("it is a small number")
}

fn event_of(row: &Row, tables: &Tables, log: LogId) -> Answer<Recorded> {
    let kind = tables.kind_of_code(column(row, 2)?)?;
    Ok(Recorded {
        source: Source { log, service: Cow::Borrowed(tables.schema.service), shard: small(row, 0)? },
        position: number(row, 1)?,
        entity_kind: Cow::Borrowed(kind.name),
        entity_id: number(row, 3)?,
        version: number(row, 4)?,
        event_type: Cow::Owned(text(row, 5)?),
        schema: small(row, 6)?,
        published: column(row, 7)?,
        at: Timestamp(column(row, 8)?),
        actor: Cow::Owned(text(row, 9)?),
        cause: text(row, 10)?,
        trace: text_if_any(row, 11)?,
        body: text(row, 12)?,
    })
}

pub(crate) fn events_after(
    session: &Session,
    layout: &Layout,
    (shard, position, limit): (ShardName, u64, usize),
) -> Answer<Vec<Recorded>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let Ok(position) = i64::try_from(position) else {
        return Ok(Vec::new());
    };
    let sql = &tables.read.events_after;
    let rows = session.query(sql, vec![Box::new(index), Box::new(position), Box::new(at_most(limit))])?;
    rows.iter().map(|row| event_of(row, tables, layout.log)).collect()
}

/// Every event of a shard, as long as they are wanted.
pub(crate) fn events(
    session: &Session,
    layout: &Layout,
    shard: ShardName,
    visit: &mut dyn FnMut(Recorded) -> Visit,
) -> Answer<()> {
    let mut last = 0;
    loop {
        let events = events_after(session, layout, (shard, last, rows_at_once()))?;
        let is_last = events.len() < rows_at_once();
        for event in events {
            last = event.position;
            match visit(event) {
                Visit::On => {}
                Visit::Enough => return Ok(()),
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

pub(crate) fn events_by_entity(
    session: &Session,
    (tables, log): (&Tables, LogId),
    visit: &mut dyn FnMut(Recorded) -> Visit,
) -> Answer<()> {
    for kind in tables.kinds_in_order() {
        let (mut id, mut version) = (-1_i64, 0_i64);
        loop {
            let sql = &tables.read.events_of_kind;
            let rows = session.query(
                sql,
                vec![Box::new(kind.code), Box::new(id), Box::new(version), Box::new(ROWS_AT_ONCE)],
            )?;
            for row in &rows {
                (id, version) = (column(row, 3)?, column(row, 4)?);
                match visit(event_of(row, tables, log)?) {
                    Visit::On => {}
                    Visit::Enough => return Ok(()),
                }
            }
            if rows.len() < rows_at_once() {
                break;
            }
        }
    }
    Ok(())
}

pub(crate) fn story(session: &Session, (tables, log): (&Tables, LogId), id: u64) -> Answer<Vec<Recorded>> {
    let Ok(id) = i64::try_from(id) else {
        return Ok(Vec::new());
    };
    let kinds = tables.kinds_in_order();
    let calls: Vec<Call<'_>> = kinds
        .iter()
        .map(|kind| Call::new(&tables.read.events_of_entity, vec![Box::new(kind.code), Box::new(id)]))
        .collect();
    let rows = session.ask(&calls)?;
    rows.iter().flatten().map(|row| event_of(row, tables, log)).collect()
}

pub(crate) fn last_position(session: &Session, layout: &Layout, shard: ShardName) -> Answer<u64> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let rows = session.query(POSITION, vec![Box::new(tables.code), Box::new(index)])?;
    let row = rows.first().ok_or_else(|| Failure::Broken(format!("the row of {shard} is missing")))?;
    number(row, 0)
}

pub(crate) fn inbox(session: &Session, layout: &Layout, shard: ShardName) -> Answer<Vec<(InboxKey, u64)>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let rows = session.query(&tables.read.inbox, vec![Box::new(index)])?;
    let found = rows.iter().map(|row| {
        let source = Source {
            log: text(row, 1)?.parse().map_err(Failure::Broken)?,
            service: Cow::Owned(text(row, 2)?),
            shard: small(row, 3)?,
        };
        Ok((InboxKey { partition: unsigned(row, 0)?, source }, number(row, 4)?))
    });
    found.collect()
}

/// Some of those rows, in the order asked; 0 for one that is not there.
pub(crate) fn inbox_rows(
    session: &Session,
    layout: &Layout,
    (shard, keys): (ShardName, &[InboxKey]),
) -> Answer<Vec<u64>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let partitions: Vec<i64> = keys.iter().map(|key| i64::from(key.partition)).collect();
    let logs: Vec<String> = keys.iter().map(|key| key.source.log.to_string()).collect();
    let services: Vec<&str> = keys.iter().map(|key| &*key.source.service).collect();
    let sources: Vec<i32> = keys.iter().map(|key| i32::from(key.source.shard)).collect();
    let parameters = vec![
        Box::new(index) as Parameter<'_>,
        Box::new(partitions),
        Box::new(logs),
        Box::new(services),
        Box::new(sources),
    ];
    let rows = session.query(&tables.read.inbox_rows, parameters)?;
    rows.iter().map(|row| number(row, 0)).collect()
}

fn effect_of(row: &Row, tables: &Tables) -> Answer<Effect> {
    let kind = tables.kind_of_code(column(row, 0)?)?;
    Ok(Effect {
        key: EntityKey { kind: kind.name, id: number(row, 1)? },
        sequence: number(row, 2)?,
        name: Cow::Owned(text(row, 3)?),
        body: text(row, 4)?,
        attempts: unsigned(row, 5)?,
        claimed_until: Timestamp(column(row, 6)?),
        trace: None,
    })
}

pub(crate) fn effects(session: &Session, tables: &Tables) -> Answer<Vec<Effect>> {
    let kinds = tables.kinds_in_order();
    let calls: Vec<Call<'_>> =
        kinds.iter().map(|kind| Call::new(&tables.read.effects, vec![Box::new(kind.code)])).collect();
    let rows = session.ask(&calls)?;
    rows.iter().flatten().map(|row| effect_of(row, tables)).collect()
}

pub(crate) fn effects_due(
    session: &Session,
    tables: &Tables,
    (shard, now, limit): (ShardName, Timestamp, usize),
) -> Answer<Vec<Effect>> {
    let index = tables.own_shard(shard)?;
    let sql = &tables.read.effects_due;
    let rows = session.query(sql, vec![Box::new(index), Box::new(now.0), Box::new(at_most(limit))])?;
    rows.iter().map(|row| effect_of(row, tables)).collect()
}

/// Found kind by kind, then put in the order of the time.
pub(crate) fn timers_due(
    session: &Session,
    tables: &Tables,
    (shard, now, limit): (ShardName, Timestamp, usize),
) -> Answer<Vec<DueTimer>> {
    let index = tables.own_shard(shard)?;
    let of_kind = |kind| {
        let kind: &Kind = kind;
        Call::new(&kind.due, vec![Box::new(index), Box::new(now.0), Box::new(at_most(limit))])
    };
    let calls: Vec<Call<'_>> = tables.kinds.iter().map(of_kind).collect();
    let mut found = Vec::new();
    for (kind, rows) in tables.kinds.iter().zip(session.ask(&calls)?) {
        for row in rows {
            let timer = Timer { name: Cow::Owned(text(&row, 1)?), due: Timestamp(column(&row, 2)?) };
            let key = EntityKey { kind: kind.name, id: number(&row, 0)? };
            found.push(DueTimer { key, timer });
        }
    }
    found.sort_by_key(|due| (due.timer.due, due.key));
    found.truncate(limit);
    Ok(found)
}

/// Which dead letters of a shard are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Letters {
    Every,
    Waiting,
    FirstOfEntity(u64, usize),
    Numbered(u64),
    First(Side, usize),
    EveryOfEntity(u64),
}

pub(crate) fn dead_letters(
    session: &Session,
    layout: &Layout,
    shard: ShardName,
    which: Letters,
) -> Answer<Vec<DeadLetter>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let sql = &tables.read.letter;
    let (sql, which, limit) = match which {
        Letters::Every => (&sql.every, None, usize::MAX),
        Letters::Waiting => (&sql.waiting, None, usize::MAX),
        Letters::FirstOfEntity(id, limit) => (&sql.of_entity, Some(id), limit),
        Letters::Numbered(number) => (&sql.one, Some(number), usize::MAX),
        Letters::First(Side::Waiting, limit) => (&sql.first_waiting, None, limit),
        Letters::First(Side::PassedOver, limit) => (&sql.first_skipped, None, limit),
        Letters::EveryOfEntity(id) => (&sql.every_of_entity, Some(id), usize::MAX),
    };
    let mut call = Call::new(sql, vec![Box::new(index), Box::new(at_most(limit))]);
    if let Some(which) = which {
        call.parameters.push(Box::new(which.cast_signed()));
    }
    let rows = session.ask(&[call])?;
    rows.iter().flatten().map(dead_letter_of).collect()
}

/// The entities of a shard that have a dead letter that waits, of a number after this one.
pub(crate) fn parked(session: &Session, layout: &Layout, (shard, after): (ShardName, u64)) -> Answer<Parked> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let sql = &tables.read.letter.parked;
    let mut parked = Parked { last: after, ..Parked::default() };
    for row in session.query(sql, vec![Box::new(index), Box::new(integer(after)?)])? {
        parked.entities.insert(column::<i64>(&row, 0)?.cast_unsigned());
        parked.last = parked.last.max(number(&row, 1)?);
    }
    Ok(parked)
}

pub(crate) fn still_parked(
    session: &Session,
    layout: &Layout,
    (shard, entities): (ShardName, &[u64]),
) -> Answer<Vec<u64>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let asked: Vec<i64> = entities.iter().map(|id| id.cast_signed()).collect();
    let sql = &tables.read.letter.still_parked;
    let rows = session.query(sql, vec![Box::new(index), Box::new(asked)])?;
    rows.iter().map(|row| Ok(column::<i64>(row, 0)?.cast_unsigned())).collect()
}

pub(crate) fn dead_letters_counted(
    session: &Session,
    layout: &Layout,
    (shard, side): (ShardName, Side),
) -> Answer<u64> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let sql = match side {
        Side::Waiting => &tables.read.letter.shard_waiting,
        Side::PassedOver => &tables.read.letter.shard_skipped,
    };
    first_number(&session.query(sql, vec![Box::new(index)])?)
}

pub(crate) fn numbers_waiting(
    session: &Session,
    layout: &Layout,
    (shard, entity_id): (ShardName, u64),
) -> Answer<Vec<u64>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let sql = &tables.read.letter.numbers_waiting;
    let rows = session.query(sql, vec![Box::new(index), Box::new(entity_id.cast_signed())])?;
    rows.iter().map(|row| number(row, 0)).collect()
}

fn dead_letter_of(row: &Row) -> Answer<DeadLetter> {
    let entity_id: i64 = column(row, 1)?;
    let skipped_at: Option<i64> = column(row, 7)?;
    let skipped = match skipped_at {
        None => None,
        Some(at) => Some(Skip {
            by: text_if_any(row, 5)?.unwrap_or_default(),
            reason: text_if_any(row, 6)?.unwrap_or_default(),
            at: Timestamp(at),
        }),
    };
    Ok(DeadLetter {
        number: number(row, 0)?,
        // A dead letter may be about an id that nothing else may have, so all 64 bits are kept.
        entity_id: entity_id.cast_unsigned(),
        parcel: serde_json::from_str(&text(row, 2)?)
            .map_err(|error| Failure::Broken(format!("a dead letter: {error}")))?,
        reason: text(row, 3)?,
        at: Timestamp(column(row, 4)?),
        skipped,
    })
}

pub(crate) fn passed_over(
    session: &Session,
    layout: &Layout,
    shard: ShardName,
) -> Answer<Vec<(Source, u64)>> {
    let tables = layout.tables(shard.service)?;
    let index = tables.own_shard(shard)?;
    let rows = session.query(&tables.read.passed_over, vec![Box::new(index)])?;
    let found = rows.iter().map(|row| {
        let log = text(row, 0)?.parse().map_err(Failure::Broken)?;
        let source = Source { log, service: Cow::Owned(text(row, 1)?), shard: small(row, 2)? };
        Ok((source, number(row, 3)?))
    });
    found.collect()
}

fn first_number(rows: &[Row]) -> Answer<u64> {
    rows.first().map_or(Ok(0), |row| number(row, 0))
}

/// What is to be done in a service: each figure from one end of an index, and no further than is counted. All in one go.
pub(crate) fn backlog(session: &Session, tables: &Tables, overdue_before: Timestamp) -> Answer<Backlog> {
    let most = BACKLOG_COUNTED_MAX.cast_signed();
    let shards = i32::from(tables.schema.shards);
    let sql = &tables.read;
    let mut calls = vec![
        Call::new(&sql.effects_open, vec![Box::new(most)]),
        Call::new(&sql.letter.count_waiting, vec![Box::new(most)]),
        Call::new(&sql.letter.count_skipped, vec![Box::new(most)]),
        Call::new(&sql.effect_oldest, vec![Box::new(BACKLOG_AGED_MAX.cast_signed())]),
    ];
    for kind in &tables.kinds {
        let overdue = vec![Box::new(shards) as _, Box::new(overdue_before.0) as _, Box::new(most) as _];
        calls.push(Call::new(&kind.overdue, overdue));
        calls.push(Call::new(&kind.first_due, vec![Box::new(shards)]));
    }
    let answers = session.ask(&calls)?;
    let time = |rows: &[Row]| -> Answer<Option<Timestamp>> {
        let at: Option<Option<i64>> = rows.first().map(|row| column(row, 0)).transpose()?;
        Ok(at.flatten().map(Timestamp))
    };
    let mut backlog = Backlog {
        effects_open: first_number(&answers[0])?,
        letters_waiting: first_number(&answers[1])?,
        letters_skipped: first_number(&answers[2])?,
        effect_oldest: time(&answers[3])?,
        ..Backlog::default()
    };
    for of_kind in answers[4..].chunks(2) {
        backlog.timers_overdue += first_number(&of_kind[0])?;
        let first = time(&of_kind[1])?;
        backlog.timer_first_due = backlog.timer_first_due.into_iter().chain(first).min();
    }
    Ok(backlog)
}

pub(crate) fn armed(session: &Session, tables: &Tables, limit: u32) -> Answer<Vec<EntityRow>> {
    let shards = i32::from(tables.schema.shards);
    let mut found = Vec::new();
    for kind in &tables.kinds {
        let rows = session.query(&kind.armed, vec![Box::new(shards), Box::new(i64::from(limit))])?;
        for row in &rows {
            found.push(entity_of(row, kind)?);
        }
    }
    Ok(found)
}

pub(crate) fn counts(session: &Session, tables: &Tables, kind: &str) -> Answer<Vec<(String, u64)>> {
    let kind = tables.kind(kind)?;
    let rows = session.query(&tables.read.counts, vec![Box::new(kind.code)])?;
    rows.iter().map(|row| Ok((text(row, 0)?, number(row, 1)?))).collect()
}
