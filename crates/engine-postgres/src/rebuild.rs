//! A projection that is made anew: how far that is, in a row of its own, and its entities dropped slice by slice.

use crate::failure::{Answer, Failure};
use crate::session::{Call, Session};
use crate::tables::{Tables, common};
use crate::value::{integer, number, text};
use engine::store::Rebuild;

const DROPPING: &str = "dropping";
const READING: &str = "reading";

/// How far it is, and the number of the time that it is made anew.
pub(crate) fn stage(session: &Session, tables: &Tables) -> Answer<Option<(u64, Rebuild)>> {
    let rows = session.query(common::REBUILD, vec![Box::new(tables.code)])?;
    let Some(row) = rows.first() else { return Ok(None) };
    match text(row, 0)?.as_str() {
        DROPPING => Ok(Some((number(row, 1)?, Rebuild::Dropping))),
        READING => Ok(Some((number(row, 1)?, Rebuild::Reading))),
        unknown => Err(Failure::Broken(format!("the rebuild of {} is {unknown:?}", tables.schema.service))),
    }
}

/// Begins, after every commit that is on its way: from then on none is stored.
pub(crate) fn begin(session: &Session, tables: &Tables) -> Answer<u64> {
    let code = tables.code;
    let calls = [common::LOCK_SERVICE, common::BEGIN_REBUILD].map(|sql| Call::new(sql, vec![Box::new(code)]));
    let answers = session.transact(&calls, "COMMIT")?;
    let row = answers.get(1).and_then(|rows| rows.first());
    row.map_or_else(|| Err(Failure::Broken("a rebuild has no number".into())), |row| number(row, 0))
}

pub(crate) fn end(session: &Session, tables: &Tables, number: u64) -> Answer<bool> {
    let parameters = vec![Box::new(tables.code) as _, Box::new(integer(number)?) as _];
    Ok(!session.query(common::END_REBUILD, parameters)?.is_empty())
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
    if !matches!(stage(session, tables)?, Some((_, Rebuild::Dropping))) {
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
    calls.push(Call::new(common::READ_REBUILD, vec![Box::new(tables.code)]));
    session.ask(&calls)?;
    Ok(Rebuild::Reading)
}
