//! Answers that are remembered under keys, read back.

use crate::failure::{Answer, Failure};
use crate::read::{ROWS_AT_ONCE, rows_at_once};
use crate::session::Session;
use crate::tables::Tables;
use crate::value::{Digest, column, number, text, text_if_any};
use engine::carry::interned;
use engine::clock::Timestamp;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::EntityKey;
use engine::store::Visit;
use tokio_postgres::Row;

/// Every answer that is remembered, in the order of what stands for its key.
pub(crate) fn every(
    session: &Session,
    tables: &Tables,
    visit: &mut dyn FnMut(IdempotencyRow) -> Visit,
) -> Answer<()> {
    let mut last = Digest::FIRST;
    loop {
        let rows = session.query(&tables.read.answers_page, vec![Box::new(last), Box::new(ROWS_AT_ONCE)])?;
        for row in &rows {
            last = column(row, 7)?;
            let request = RequestKey { route: interned(&text(row, 0)?), key: text(row, 1)? };
            match visit(of_row(row, tables, request)?) {
                Visit::On => {}
                Visit::Enough => return Ok(()),
            }
        }
        if rows.len() < rows_at_once() {
            return Ok(());
        }
    }
}

/// An answer whose key was read already.
pub(crate) fn of_row(row: &Row, tables: &Tables, request: RequestKey) -> Answer<IdempotencyRow> {
    let fingerprint: &[u8] = column(row, 2)?;
    let fingerprint =
        fingerprint.try_into().map_err(|_| Failure::Broken("a fingerprint is not of 16 bytes".into()))?;
    let kind = tables.kind_of_code(column(row, 3)?)?.name;
    Ok(IdempotencyRow {
        request,
        fingerprint,
        key: EntityKey { kind, id: number(row, 4)? },
        refusal: text_if_any(row, 5)?,
        at: Timestamp(column(row, 6)?),
    })
}
