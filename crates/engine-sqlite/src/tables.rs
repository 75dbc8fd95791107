//! The tables of one service, and every statement that is ever run on them.

use crate::failure::Failure;
use engine::effect::EFFECTS_PER_VERSION_MAX;
use engine::log::ShardName;
use engine::store::Schema;

/// An event's row id: its shard in the upper 16 bits, its position in the lower 48. So each log grows at its own end
/// of one B-tree, and reading on from a position is a range of row ids.
pub(crate) const POSITION_BITS: u32 = 48;
pub(crate) const POSITION_MAX: u64 = (1 << POSITION_BITS) - 1;

/// One service of a file.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) schema: Schema,
    /// In the order of the schema.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) log: LogSql,
    pub(crate) inbox: InboxSql,
    pub(crate) effect: EffectSql,
    pub(crate) answer: AnswerSql,
    pub(crate) letter: LetterSql,
    pub(crate) counter: CounterSql,
}

/// One kind of entity of a service; a table of its own, so that the id is the row id.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Stands for the name in the service's other tables; given once and never changed.
    pub(crate) code: i64,
    pub(crate) table: String,
    pub(crate) insert: String,
    pub(crate) update: String,
    pub(crate) get: String,
    pub(crate) version: String,
    pub(crate) due: String,
    pub(crate) all: String,
    pub(crate) id_max: String,
    pub(crate) move_timer: String,
    pub(crate) overdue: String,
    pub(crate) first_due: String,
    pub(crate) drop_some: String,
}

pub(crate) const ENTITY_COLUMNS: &str = "id, version, tag, timer, due, effects_open, state";

impl Kind {
    pub(crate) fn new(service: &str, name: &'static str, code: i64) -> Self {
        let table = format!("\"{service}_entity_{name}\"");
        Self {
            name,
            code,
            insert: format!(
                "INSERT INTO {table} ({ENTITY_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"
            ),
            update: format!(
                "UPDATE {table} SET version = ?2, tag = ?3, timer = ?4, due = ?5, effects_open = ?6, state = ?7 \
                 WHERE id = ?1 AND version = ?8"
            ),
            get: format!("SELECT {ENTITY_COLUMNS} FROM {table} WHERE id = ?1"),
            version: format!("SELECT version FROM {table} WHERE id = ?1"),
            due: format!("SELECT id, timer, due FROM {table} WHERE due <= ?1 ORDER BY due, id"),
            all: format!("SELECT {ENTITY_COLUMNS} FROM {table} ORDER BY id"),
            id_max: format!("SELECT max(id) FROM {table}"),
            move_timer: format!("UPDATE {table} SET due = ?4 WHERE id = ?1 AND timer = ?2 AND due = ?3"),
            overdue: format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE due < ?1 LIMIT ?2)"),
            first_due: format!("SELECT due FROM {table} WHERE due IS NOT NULL ORDER BY due LIMIT 1"),
            drop_some: format!(
                "DELETE FROM {table} WHERE id <= (SELECT max(id) FROM (SELECT id FROM {table} ORDER BY id LIMIT ?1))"
            ),
            table,
        }
    }

    pub(crate) fn create(&self) -> String {
        let table = &self.table;
        let index = |what: &str| format!("{}_by_{what}\"", table.trim_end_matches('"'));
        format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, tag TEXT NOT NULL, timer TEXT, \
               due INTEGER, effects_open TEXT NOT NULL, state TEXT NOT NULL) STRICT; \
             CREATE INDEX {by_tag} ON {table} (tag); \
             CREATE INDEX {by_due} ON {table} (due) WHERE due IS NOT NULL;",
            by_tag = index("tag"),
            by_due = index("due"),
        )
    }
}

impl Tables {
    pub(crate) fn new(schema: Schema, kinds: Vec<Kind>, format: u32) -> Self {
        let service = schema.service;
        Self {
            schema,
            kinds,
            log: LogSql::new(service),
            inbox: InboxSql::new(service),
            effect: EffectSql::new(service),
            answer: AnswerSql::new(service),
            letter: LetterSql::new(service, format),
            counter: CounterSql::new(service),
        }
    }

    /// What makes a service's tables of format 1 those of format 2: letters that were passed over stay on record.
    pub(crate) fn to_format_2(service: &str) -> String {
        let s = service;
        format!(
            "ALTER TABLE \"{s}_dead_letter\" ADD COLUMN skipped_by TEXT; \
             ALTER TABLE \"{s}_dead_letter\" ADD COLUMN skipped_why TEXT; \
             ALTER TABLE \"{s}_dead_letter\" ADD COLUMN skipped_at INTEGER; \
             DROP INDEX \"{s}_dead_letter_by_entity\"; \
             {letters}",
            letters = Self::create_for_letters(s),
        )
    }

    fn create_for_letters(s: &str) -> String {
        format!(
            "CREATE INDEX \"{s}_dead_letter_by_entity\" ON \"{s}_dead_letter\" (shard, entity_id) \
               WHERE skipped_at IS NULL; \
             CREATE INDEX \"{s}_dead_letter_by_skip\" ON \"{s}_dead_letter\" (skipped_at) \
               WHERE skipped_at IS NOT NULL; \
             CREATE TABLE \"{s}_passed_over\" (shard INTEGER NOT NULL, log TEXT NOT NULL, service TEXT NOT NULL, \
               source_shard INTEGER NOT NULL, position INTEGER NOT NULL, \
               PRIMARY KEY (shard, log, service, source_shard, position)) STRICT, WITHOUT ROWID;"
        )
    }

    /// What makes the service's tables, except those of its kinds.
    pub(crate) fn create(service: &str) -> String {
        let s = service;
        format!(
            "CREATE TABLE \"{s}_shard\" (shard INTEGER PRIMARY KEY, position INTEGER NOT NULL, \
               batch INTEGER NOT NULL) STRICT; \
             CREATE TABLE \"{s}_event\" (place INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id INTEGER NOT NULL, \
               version INTEGER NOT NULL, type TEXT NOT NULL, schema INTEGER NOT NULL, published INTEGER NOT NULL, \
               at INTEGER NOT NULL, actor TEXT NOT NULL, cause TEXT NOT NULL, trace TEXT, body TEXT NOT NULL) STRICT; \
             CREATE UNIQUE INDEX \"{s}_event_by_entity\" ON \"{s}_event\" (kind, id, version); \
             CREATE TABLE \"{s}_inbox\" (shard INTEGER NOT NULL, partition INTEGER NOT NULL, log TEXT NOT NULL, \
               service TEXT NOT NULL, source_shard INTEGER NOT NULL, position INTEGER NOT NULL, \
               PRIMARY KEY (shard, partition, log, service, source_shard)) STRICT, WITHOUT ROWID; \
             CREATE TABLE \"{s}_effect\" (kind INTEGER NOT NULL, id INTEGER NOT NULL, sequence INTEGER NOT NULL, \
               name TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL, claimed_until INTEGER NOT NULL, \
               PRIMARY KEY (kind, id, sequence)) STRICT, WITHOUT ROWID; \
             CREATE INDEX \"{s}_effect_by_claim\" ON \"{s}_effect\" (claimed_until); \
             CREATE TABLE \"{s}_idempotency\" (number INTEGER PRIMARY KEY, route TEXT NOT NULL, key TEXT NOT NULL, \
               fingerprint BLOB NOT NULL, kind INTEGER NOT NULL, id INTEGER NOT NULL, refusal TEXT, \
               at INTEGER NOT NULL) STRICT; \
             CREATE TABLE \"{s}_dead_letter\" (number INTEGER PRIMARY KEY AUTOINCREMENT, shard INTEGER NOT NULL, \
               entity_id INTEGER NOT NULL, parcel TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, \
               skipped_by TEXT, skipped_why TEXT, skipped_at INTEGER) STRICT; \
             {letters} \
             CREATE TABLE \"{s}_counter\" (kind INTEGER NOT NULL, tag TEXT NOT NULL, count INTEGER NOT NULL, \
               PRIMARY KEY (kind, tag)) STRICT, WITHOUT ROWID;",
            letters = Self::create_for_letters(s),
        )
    }

    pub(crate) fn kind(&self, name: &str) -> Result<&Kind, Failure> {
        self.place_of_kind(name).map(|place| &self.kinds[place])
    }

    pub(crate) fn place_of_kind(&self, name: &str) -> Result<usize, Failure> {
        let found = self.kinds.iter().position(|kind| kind.name == name);
        found.ok_or_else(|| Failure::Refused(format!("{} owns no {name}", self.schema.service)))
    }

    pub(crate) fn kind_of_code(&self, code: i64) -> Result<&Kind, Failure> {
        let found = self.kinds.iter().find(|kind| kind.code == code);
        found.ok_or_else(|| Failure::Broken(format!("{} has no kind numbered {code}", self.schema.service)))
    }

    /// The kinds by name, which is the order of entity keys.
    pub(crate) fn kinds_in_order(&self) -> Vec<&Kind> {
        let mut kinds: Vec<&Kind> = self.kinds.iter().collect();
        kinds.sort_unstable_by_key(|kind| kind.name);
        kinds
    }

    pub(crate) fn own_shard(&self, shard: ShardName) -> Result<i64, Failure> {
        if shard.index >= self.schema.shards {
            return Err(Failure::Broken(format!("{shard} is not one of {}", self.schema.shards)));
        }
        Ok(i64::from(shard.index))
    }
}

/// The log and the counter of a shard.
#[derive(Debug)]
pub(crate) struct LogSql {
    pub(crate) insert: String,
    pub(crate) after: String,
    pub(crate) of_kind: String,
    pub(crate) of_entity: String,
    pub(crate) published_last: String,
    pub(crate) trace: String,
    pub(crate) step: String,
    pub(crate) position: String,
    pub(crate) batch: String,
}

impl LogSql {
    fn new(s: &str) -> Self {
        let event = "place, kind, id, version, type, schema, published, at, actor, cause, trace, body";
        Self {
            insert: format!(
                "INSERT INTO \"{s}_event\" ({event}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            ),
            after: format!(
                "SELECT {event} FROM \"{s}_event\" WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3"
            ),
            of_kind: format!("SELECT {event} FROM \"{s}_event\" WHERE kind = ?1 ORDER BY id, version"),
            published_last: format!(
                "SELECT place FROM \"{s}_event\" WHERE kind = ?1 AND id = ?2 AND published ORDER BY version DESC LIMIT 1"
            ),
            trace: format!(
                "SELECT trace FROM \"{s}_event\" WHERE kind = ?1 AND id = ?2 AND version <= ?3 \
                 ORDER BY version DESC LIMIT 1"
            ),
            of_entity: format!(
                "SELECT {event} FROM \"{s}_event\" WHERE kind = ?1 AND id = ?2 ORDER BY version"
            ),
            step: format!(
                "UPDATE \"{s}_shard\" SET position = position + ?2, batch = ?3 WHERE shard = ?1 RETURNING position"
            ),
            position: format!("SELECT position FROM \"{s}_shard\" WHERE shard = ?1"),
            batch: format!("SELECT position, batch FROM \"{s}_shard\" WHERE shard = ?1"),
        }
    }
}

/// How far other logs were read.
#[derive(Debug)]
pub(crate) struct InboxSql {
    pub(crate) insert: String,
    pub(crate) advance: String,
    pub(crate) all: String,
    pub(crate) clear: String,
}

impl InboxSql {
    fn new(s: &str) -> Self {
        let inbox = "shard, partition, log, service, source_shard";
        Self {
            insert: format!(
                "INSERT INTO \"{s}_inbox\" ({inbox}, position) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT DO UPDATE SET position = excluded.position WHERE position = 0"
            ),
            advance: format!(
                "UPDATE \"{s}_inbox\" SET position = ?6 WHERE shard = ?1 AND partition = ?2 AND log = ?3 \
                 AND service = ?4 AND source_shard = ?5 AND position = ?7"
            ),
            all: format!(
                "SELECT partition, log, service, source_shard, position FROM \"{s}_inbox\" WHERE shard = ?1 \
                 ORDER BY partition, log, service, source_shard"
            ),
            clear: format!("DELETE FROM \"{s}_inbox\""),
        }
    }
}

/// Effects that are not answered.
#[derive(Debug)]
pub(crate) struct EffectSql {
    pub(crate) insert: String,
    pub(crate) claim: String,
    pub(crate) delete: String,
    pub(crate) due: String,
    pub(crate) all: String,
    pub(crate) open: String,
    pub(crate) oldest: String,
}

impl EffectSql {
    fn new(s: &str) -> Self {
        let effect = "kind, id, sequence, name, body, attempts, claimed_until";
        Self {
            insert: format!("INSERT INTO \"{s}_effect\" ({effect}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
            claim: format!(
                "UPDATE \"{s}_effect\" SET attempts = attempts + 1, claimed_until = ?5 \
                 WHERE kind = ?1 AND id = ?2 AND sequence = ?3 AND attempts = ?4"
            ),
            delete: format!("DELETE FROM \"{s}_effect\" WHERE kind = ?1 AND id = ?2 AND sequence = ?3"),
            due: format!(
                "SELECT {effect} FROM \"{s}_effect\" AS due WHERE claimed_until <= ?1 AND NOT EXISTS (\
                   SELECT 1 FROM \"{s}_effect\" AS earlier WHERE earlier.kind = due.kind AND earlier.id = due.id \
                   AND earlier.sequence < due.sequence) ORDER BY claimed_until, kind, id, sequence"
            ),
            all: format!("SELECT {effect} FROM \"{s}_effect\" WHERE kind = ?1 ORDER BY id, sequence"),
            open: format!("SELECT count(*) FROM (SELECT 1 FROM \"{s}_effect\" LIMIT ?1)"),
            oldest: format!(
                "SELECT min(at) FROM (SELECT kind AS k, id AS i, sequence FROM \"{s}_effect\" \
                   ORDER BY kind, id, sequence LIMIT ?1) \
                 JOIN \"{s}_event\" ON kind = k AND id = i AND version = sequence / {EFFECTS_PER_VERSION_MAX}"
            ),
        }
    }
}

/// What was answered under idempotency keys.
#[derive(Debug)]
pub(crate) struct AnswerSql {
    pub(crate) insert: String,
    pub(crate) get: String,
    pub(crate) keys: String,
    pub(crate) oldest: String,
    pub(crate) last: String,
    pub(crate) delete: String,
}

impl AnswerSql {
    fn new(s: &str) -> Self {
        Self {
            insert: format!(
                "INSERT INTO \"{s}_idempotency\" (route, key, fingerprint, kind, id, refusal, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            ),
            get: format!(
                "SELECT route, key, fingerprint, kind, id, refusal, at FROM \"{s}_idempotency\" WHERE number = ?1"
            ),
            keys: format!("SELECT number, route, key FROM \"{s}_idempotency\""),
            oldest: format!(
                "SELECT number, route, key, at FROM \"{s}_idempotency\" ORDER BY number LIMIT ?1"
            ),
            last: format!("SELECT at FROM \"{s}_idempotency\" ORDER BY number DESC LIMIT 1"),
            delete: format!("DELETE FROM \"{s}_idempotency\" WHERE number <= ?1"),
        }
    }
}

/// Dead letters, and the events that were passed over.
#[derive(Debug)]
pub(crate) struct LetterSql {
    pub(crate) insert: String,
    pub(crate) delete: String,
    pub(crate) every: String,
    pub(crate) waiting: String,
    pub(crate) parked: String,
    pub(crate) is_parked: String,
    pub(crate) later: String,
    pub(crate) of_entity: String,
    pub(crate) one: String,
    pub(crate) look: LetterLookSql,
    pub(crate) skip: String,
    pub(crate) pass_over: String,
    pub(crate) passed_over: String,
    pub(crate) prune: String,
    pub(crate) count_waiting: String,
    pub(crate) count_skipped: String,
    pub(crate) clear_waiting: String,
    pub(crate) clear_passed_over: String,
}

impl LetterSql {
    /// A file of format 1 that may only be looked at knows of no letter that was passed over.
    fn new(s: &str, format: u32) -> Self {
        let is_first = format == 1;
        let letter = if is_first {
            "number, entity_id, parcel, reason, at, NULL, NULL, NULL"
        } else {
            "number, entity_id, parcel, reason, at, skipped_by, skipped_why, skipped_at"
        };
        let (waits, skipped) =
            if is_first { ("TRUE", "FALSE") } else { ("skipped_at IS NULL", "skipped_at IS NOT NULL") };
        let passed_over = "log, service, source_shard, position";
        Self {
            look: LetterLookSql::new(s, letter, (waits, skipped)),
            insert: format!(
                "INSERT INTO \"{s}_dead_letter\" (shard, entity_id, parcel, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)"
            ),
            delete: format!("DELETE FROM \"{s}_dead_letter\" WHERE shard = ?1 AND number = ?2 AND {waits}"),
            every: format!("SELECT {letter} FROM \"{s}_dead_letter\" WHERE shard = ?1 ORDER BY number"),
            waiting: format!(
                "SELECT {letter} FROM \"{s}_dead_letter\" WHERE shard = ?1 AND {waits} ORDER BY number"
            ),
            of_entity: format!(
                "SELECT {letter} FROM \"{s}_dead_letter\" WHERE shard = ?1 AND entity_id = ?2 AND {waits} \
                 ORDER BY number"
            ),
            parked: format!(
                "SELECT entity_id, max(number) FROM \"{s}_dead_letter\" WHERE shard = ?1 AND number > ?2 AND {waits} \
                 GROUP BY entity_id"
            ),
            is_parked: format!(
                "SELECT 1 FROM \"{s}_dead_letter\" WHERE shard = ?1 AND entity_id = ?2 AND {waits} LIMIT 1"
            ),
            later: format!(
                "SELECT 1 FROM \"{s}_dead_letter\" NOT INDEXED WHERE number > ?2 AND shard = ?1 AND {waits} LIMIT 1"
            ),
            one: format!("SELECT {letter} FROM \"{s}_dead_letter\" WHERE shard = ?1 AND number = ?2"),
            skip: format!(
                "UPDATE \"{s}_dead_letter\" SET skipped_by = ?3, skipped_why = ?4, skipped_at = ?5 \
                 WHERE shard = ?1 AND number = ?2 AND skipped_at IS NULL"
            ),
            pass_over: format!(
                "INSERT INTO \"{s}_passed_over\" (shard, {passed_over}) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT DO NOTHING"
            ),
            passed_over: if is_first {
                format!("SELECT NULL, NULL, NULL, NULL WHERE ?1 IS NULL AND '{s}' IS NULL")
            } else {
                format!(
                    "SELECT {passed_over} FROM \"{s}_passed_over\" WHERE shard = ?1 \
                     ORDER BY log, service, source_shard, position"
                )
            },
            prune: format!("DELETE FROM \"{s}_dead_letter\" WHERE skipped_at < ?1"),
            count_waiting: format!(
                "SELECT count(*) FROM (SELECT 1 FROM \"{s}_dead_letter\" WHERE {waits} LIMIT ?1)"
            ),
            count_skipped: format!(
                "SELECT count(*) FROM (SELECT 1 FROM \"{s}_dead_letter\" WHERE {skipped} LIMIT ?1)"
            ),
            clear_waiting: format!("DELETE FROM \"{s}_dead_letter\" WHERE {waits}"),
            clear_passed_over: format!("DELETE FROM \"{s}_passed_over\""),
        }
    }
}

/// Dead letters as they are looked up, some of very many.
#[derive(Debug)]
pub(crate) struct LetterLookSql {
    pub(crate) first_waiting: String,
    pub(crate) first_skipped: String,
    pub(crate) shard_waiting: String,
    pub(crate) shard_skipped: String,
    pub(crate) every_of_entity: String,
    pub(crate) numbers_waiting: String,
}

impl LetterLookSql {
    fn new(s: &str, letter: &str, (waits, skipped): (&str, &str)) -> Self {
        // In the order of the table, and no further than needed: by an index, all of that side would be sorted.
        let first = |side: &str| {
            format!(
                "SELECT {letter} FROM \"{s}_dead_letter\" NOT INDEXED WHERE shard = ?1 AND {side} \
                 ORDER BY number LIMIT ?2"
            )
        };
        let counted =
            |side: &str| format!("SELECT count(*) FROM \"{s}_dead_letter\" WHERE shard = ?1 AND {side}");
        Self {
            first_waiting: first(waits),
            first_skipped: first(skipped),
            shard_waiting: counted(waits),
            shard_skipped: counted(skipped),
            // Each half by its index; with an order they would be merged, for which one of them is scanned.
            every_of_entity: format!(
                "SELECT {letter} FROM \"{s}_dead_letter\" WHERE shard = ?1 AND entity_id = ?2 AND {waits} UNION ALL \
                 SELECT {letter} FROM \"{s}_dead_letter\" WHERE shard = ?1 AND entity_id = ?2 AND {skipped}"
            ),
            numbers_waiting: format!(
                "SELECT number FROM \"{s}_dead_letter\" WHERE shard = ?1 AND entity_id = ?2 AND {waits} \
                 ORDER BY number"
            ),
        }
    }
}

/// How many entities there are of a kind under a tag.
#[derive(Debug)]
pub(crate) struct CounterSql {
    pub(crate) add: String,
    pub(crate) all: String,
    pub(crate) clear: String,
}

impl CounterSql {
    fn new(s: &str) -> Self {
        Self {
            add: format!(
                "INSERT INTO \"{s}_counter\" (kind, tag, count) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count"
            ),
            all: format!(
                "SELECT tag, count FROM \"{s}_counter\" WHERE kind = ?1 AND count <> 0 ORDER BY tag"
            ),
            clear: format!("DELETE FROM \"{s}_counter\""),
        }
    }
}

/// The row id of the event at a position of a shard.
pub(crate) fn place(shard: u16, position: u64) -> Result<i64, Failure> {
    if position > POSITION_MAX {
        return Err(Failure::Refused(format!("a log has no position {position}")));
    }
    Ok((u64::from(shard) << POSITION_BITS | position).cast_signed())
}

pub(crate) fn position_of(place: i64) -> u64 {
    place.cast_unsigned() & POSITION_MAX
}

pub(crate) fn shard_of_place(place: i64) -> u16 {
    u16::try_from(place.cast_unsigned() >> POSITION_BITS).expect("16 bits are left")
}
