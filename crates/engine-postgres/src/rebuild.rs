//! A projection that is made anew: how far that is, in a row of its own, and its entities dropped slice by slice.

use crate::failure::{Answer, Failure};
use crate::session::{Call, Session};
use crate::tables::{Tables, common};
use crate::value::{number, text};
use engine::store::Rebuild;

const DROPPING: &str = "dropping";
const READING: &str = "reading";

pub(crate) fn stage(session: &Session, tables: &Tables) -> Answer<Option<Rebuild>> {
    let rows = session.query(common::REBUILD, vec![Box::new(tables.code)])?;
    match rows.first().map(|row| text(row, 0)).transpose()?.as_deref() {
        None => Ok(None),
        Some(DROPPING) => Ok(Some(Rebuild::Dropping)),
        Some(READING) => Ok(Some(Rebuild::Reading)),
        Some(unknown) => {
            Err(Failure::Broken(format!("the rebuild of {} is {unknown:?}", tables.schema.service)))
        }
    }
}

/// Begins, after every commit that is on its way: from then on none is stored.
pub(crate) fn begin(session: &Session, tables: &Tables) -> Answer<()> {
    let lock = Call::new(common::LOCK_SERVICE, vec![Box::new(tables.code)]);
    session.transact(&[lock, noted(tables, Rebuild::Dropping)], "COMMIT").map(drop)
}

pub(crate) fn end(session: &Session, tables: &Tables) -> Answer<()> {
    session.query(common::END_REBUILD, vec![Box::new(tables.code)]).map(drop)
}

fn noted<'a>(tables: &Tables, stage: Rebuild) -> Call<'a> {
    Call::new(common::NOTE_REBUILD, vec![Box::new(tables.code), Box::new(word(stage))])
}

fn word(stage: Rebuild) -> &'static str {
    match stage {
        Rebuild::Dropping => DROPPING,
        Rebuild::Reading => READING,
    }
}

/// A slice of the entities, in one transaction; with the last of them everything else that it is to read anew. All shards
/// are locked meanwhile, as by every commit. Where nothing is to be dropped any more, another replica was faster.
pub(crate) fn drop_some(session: &Session, tables: &Tables, limit: i64) -> Answer<Rebuild> {
    session.run("BEGIN")?;
    match lock_and_drop(session, tables, limit) {
        Ok(stage) => session.run("COMMIT").map(|()| stage),
        Err(failure) => {
            session.run("ROLLBACK")?;
            Err(failure)
        }
    }
}

fn lock_and_drop(session: &Session, tables: &Tables, limit: i64) -> Answer<Rebuild> {
    session.query(common::LOCK_SERVICE, vec![Box::new(tables.code)])?;
    if stage(session, tables)? != Some(Rebuild::Dropping) {
        return Ok(Rebuild::Reading);
    }
    let mut left = limit;
    for kind in &tables.kinds {
        if left > 0 {
            let rows = session.query(&kind.drop_some, vec![Box::new(left)])?;
            let dropped = rows.first().map_or(Ok(0), |row| number(row, 0))?;
            left = left.saturating_sub_unsigned(dropped);
        }
    }
    // A full slice may have been the last one; the next will find that.
    if left == 0 {
        return Ok(Rebuild::Dropping);
    }
    let mut calls: Vec<Call<'_>> = tables.write.clear.iter().map(|sql| Call::new(sql, Vec::new())).collect();
    calls.push(noted(tables, Rebuild::Reading));
    session.ask(&calls)?;
    Ok(Rebuild::Reading)
}
