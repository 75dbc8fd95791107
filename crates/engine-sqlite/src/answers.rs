//! Answers that are remembered under keys, read back.

use crate::failure::number;
use crate::read::Read;
use crate::tables::Tables;
use engine::carry::interned;
use engine::clock::Timestamp;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::EntityKey;
use engine::store::Visit;
use rusqlite::Connection;

/// Every answer that is remembered, the oldest first.
pub(crate) fn every(
    connection: &Connection,
    tables: &Tables,
    visit: &mut dyn FnMut(IdempotencyRow) -> Visit,
) -> Read<()> {
    let sql = format!(
        "SELECT route, key, fingerprint, kind, id, refusal, at FROM \"{}_idempotency\" ORDER BY number",
        tables.schema.service
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let route: String = row.get(0)?;
        let answer = IdempotencyRow {
            request: RequestKey { route: interned(&route), key: row.get(1)? },
            fingerprint: row.get(2)?,
            key: EntityKey { kind: tables.kind_of_code(row.get(3)?)?.name, id: number(row, 4)? },
            refusal: row.get(5)?,
            at: Timestamp(row.get(6)?),
        };
        if visit(answer) == Visit::Enough {
            break;
        }
    }
    Ok(())
}
