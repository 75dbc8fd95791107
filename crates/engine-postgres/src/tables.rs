//! The tables of one service, and every statement that a writer runs on them.

use crate::ddl::TAG_CHARACTERS;
use crate::failure::{Answer, CONFLICT, FENCED, Failure};
use crate::read_sql::ReadSql;
use engine::log::ShardName;
use engine::store::Schema;

/// What all services of a database share: the rows that are locked, and what a commit leaves behind.
pub(crate) mod common {
    /// The rows of shards in the order of their keys, which is the order in which everybody locks them.
    pub(crate) const LOCK: &str = "SELECT s.service, s.shard, s.position FROM unnest($1::smallint[], $2::integer[]) \
        AS u (service, shard) JOIN engine.shard AS s USING (service, shard) ORDER BY s.service, s.shard \
        FOR NO KEY UPDATE OF s";
    /// The same, of all shards of one service.
    pub(crate) const LOCK_SERVICE: &str = "SELECT shard FROM engine.shard WHERE service = $1 ORDER BY shard \
        FOR NO KEY UPDATE";
    pub(crate) const STEP: &str = "UPDATE engine.shard AS s SET position = s.position + u.count \
        FROM unnest($1::smallint[], $2::integer[], $3::bigint[]) AS u (service, shard, count) \
        WHERE s.service = u.service AND s.shard = u.shard";
    /// Leaves a batch behind, unless this writer has gone on in a later session: then this one is a straggler of one that
    /// was given up, and somebody has been told that it is not stored.
    pub(crate) const LEAVE: &str = "WITH left_behind AS (INSERT INTO engine.batch AS b \
        (service, shard, writer, session, batch, position) SELECT s.service, s.shard, $4, $5, u.batch, s.position \
        FROM unnest($1::smallint[], $2::integer[], $3::bigint[]) AS u (service, shard, batch) \
        JOIN engine.shard AS s ON s.service = u.service AND s.shard = u.shard \
        ON CONFLICT (service, shard, writer) DO UPDATE SET session = excluded.session, batch = excluded.batch, \
          position = excluded.position, at = excluded.at WHERE b.session <= excluded.session RETURNING 1) \
        SELECT engine.expect(count(*), $6::bigint, 'EN001') FROM left_behind";
    /// No straggler of an earlier session of this writer is stored from now on.
    pub(crate) const GIVE_UP: &str = "INSERT INTO engine.batch AS b \
        (service, shard, writer, session, batch, position) SELECT DISTINCT u.service, u.shard, $3::bigint, $4::bigint, 0, -1 \
        FROM unnest($1::smallint[], $2::integer[]) AS u (service, shard) \
        ON CONFLICT (service, shard, writer) DO UPDATE SET session = greatest(b.session, excluded.session)";
    pub(crate) const FIND: &str = "SELECT b.service, b.shard, b.batch, b.position \
        FROM unnest($1::smallint[], $2::integer[], $3::bigint[]) AS u (service, shard, batch) \
        JOIN engine.batch AS b ON b.service = u.service AND b.shard = u.shard AND b.batch = u.batch \
        AND b.position >= 0";
    /// What writers left behind that are gone for long.
    pub(crate) const FORGET: &str =
        "DELETE FROM engine.batch WHERE at < clock_timestamp() - interval '7 days'";
    pub(crate) const WRITER: &str = "SELECT nextval('engine.writer')";
    pub(crate) const CLOCK: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    pub(crate) const RESERVE: &str = "UPDATE engine.number SET next = greatest(next, $2::bigint) + $3::bigint \
        WHERE service = $1 AND greatest(next, $2::bigint) <= 9223372036854775807 - $3::bigint RETURNING next - $3::bigint";
    pub(crate) const SKIP_NUMBERS: &str =
        "UPDATE engine.number SET next = greatest(next, $2::bigint) WHERE service = $1";
    pub(crate) const REBUILD: &str = "SELECT stage, number FROM engine.rebuild WHERE service = $1";
    /// The number is drawn anew with every beginning, since a row that is put in draws one.
    pub(crate) const BEGIN_REBUILD: &str = "INSERT INTO engine.rebuild (service, stage) VALUES ($1, 'dropping') \
        ON CONFLICT (service) DO UPDATE SET stage = excluded.stage, number = excluded.number RETURNING number";
    pub(crate) const READ_REBUILD: &str = "UPDATE engine.rebuild SET stage = 'reading' WHERE service = $1";
    pub(crate) const END_REBUILD: &str =
        "DELETE FROM engine.rebuild WHERE service = $1 AND stage = 'reading' AND number = $2 RETURNING 1";
    /// Nothing is written to a projection whose entities are being dropped.
    pub(crate) const NOT_DROPPING: &str = "SELECT engine.expect((SELECT count(*) FROM engine.rebuild \
        WHERE service = ANY($1::smallint[]) AND stage = 'dropping'), 0, 'EN002')";
}

/// One service of a database.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) schema: Schema,
    /// Stands for the name in the tables that all services share.
    pub(crate) code: i16,
    /// In the order of the schema.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) write: WriteSql,
    pub(crate) read: ReadSql,
}

/// One kind of entity of a service.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Stands for the name in the service's other tables; given once and never changed.
    pub(crate) code: i16,
    pub(crate) table: String,
    pub(crate) read: String,
    pub(crate) insert: String,
    pub(crate) update: String,
    pub(crate) move_timer: String,
    pub(crate) drop_some: String,
    pub(crate) load: String,
    pub(crate) due: String,
    pub(crate) page: String,
    pub(crate) overdue: String,
    pub(crate) first_due: String,
    pub(crate) armed: String,
}

pub(crate) const ENTITY_COLUMNS: &str = "id, version, tag, timer, due, effects_open, state";

impl Kind {
    pub(crate) fn new(service: &str, name: &'static str, code: i16) -> Self {
        let table = format!("engine.\"{service}_entity_{name}\"");
        Self {
            name,
            code,
            read: format!(
                "SELECT engine.expect((SELECT count(*) FROM unnest($1::bigint[], $2::bigint[]) AS u (id, version) \
                 LEFT JOIN {table} AS e ON e.id = u.id WHERE coalesce(e.version, 0) = u.version), $3::bigint, '{CONFLICT}')"
            ),
            insert: format!(
                "INSERT INTO {table} (shard, {ENTITY_COLUMNS}) SELECT u.shard, u.id, u.version, u.tag, u.timer, u.due, \
                 u.effects_open::bigint[], u.state FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::text[], \
                 $5::text[], $6::bigint[], $7::text[], $8::text[]) \
                 AS u (shard, id, version, tag, timer, due, effects_open, state)"
            ),
            update: format!(
                "WITH changed AS (UPDATE {table} AS e SET version = u.version, tag = u.tag, timer = u.timer, \
                 due = u.due, effects_open = u.effects_open::bigint[], state = u.state FROM unnest($1::bigint[], \
                 $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[]) \
                 AS u (id, version, tag, timer, due, effects_open, state, replaces) \
                 WHERE e.id = u.id AND e.version = u.replaces RETURNING 1) \
                 SELECT engine.expect(count(*), $9::bigint, '{CONFLICT}') FROM changed"
            ),
            // Compared so that no index is used for it: all that are armed would be looked through for each.
            move_timer: format!(
                "WITH moved AS (UPDATE {table} AS e SET due = u.to_due FROM unnest($1::bigint[], $2::text[], \
                 $3::bigint[], $4::bigint[]) AS u (id, timer, due, to_due) WHERE e.id = u.id AND e.timer = u.timer \
                 AND e.due IS NOT DISTINCT FROM u.due RETURNING 1) SELECT engine.expect(count(*), $5::bigint, '{CONFLICT}') FROM moved"
            ),
            drop_some: format!(
                "WITH dropped AS (DELETE FROM {table} WHERE id <= (SELECT max(id) FROM (SELECT id FROM {table} \
                 ORDER BY id LIMIT $1) AS first) RETURNING 1) SELECT count(*) FROM dropped"
            ),
            load: format!("SELECT {ENTITY_COLUMNS} FROM {table} WHERE id = ANY($1::bigint[])"),
            due: format!(
                "SELECT id, timer, due FROM {table} WHERE shard = $1 AND due <= $2 ORDER BY due, id LIMIT $3"
            ),
            page: format!("SELECT {ENTITY_COLUMNS} FROM {table} WHERE id > $1 ORDER BY id LIMIT $2"),
            overdue: format!(
                "SELECT count(*) FROM (SELECT 1 FROM generate_series(0, $1::integer - 1) AS s, \
                 LATERAL (SELECT 1 FROM {table} AS e WHERE e.shard = s AND e.due < $2 LIMIT $3) AS d LIMIT $3) AS c"
            ),
            first_due: format!(
                "SELECT min(d.due) FROM generate_series(0, $1::integer - 1) AS s, LATERAL (SELECT e.due FROM {table} \
                 AS e WHERE e.shard = s AND e.due IS NOT NULL ORDER BY e.due, e.id LIMIT 1) AS d"
            ),
            armed: format!(
                "SELECT d.* FROM generate_series(0, $1::integer - 1) AS s, LATERAL (SELECT {ENTITY_COLUMNS} FROM {table} \
                 AS e WHERE e.shard = s AND e.due IS NOT NULL ORDER BY e.due, e.id LIMIT $2) AS d ORDER BY d.due, d.id LIMIT $2"
            ),
            table,
        }
    }
}

/// What lists are ordered by when they are ordered by tag.
pub(crate) fn tag_order() -> String {
    format!("left(tag, {TAG_CHARACTERS})")
}

impl Tables {
    pub(crate) fn new(schema: Schema, code: i16, kinds: Vec<Kind>) -> Self {
        let service = schema.service;
        Self { schema, code, kinds, write: WriteSql::new(service), read: ReadSql::new(service) }
    }

    pub(crate) fn kind(&self, name: &str) -> Answer<&Kind> {
        let found = self.kinds.iter().find(|kind| kind.name == name);
        found.ok_or_else(|| Failure::Refused(format!("{} owns no {name}", self.schema.service)))
    }

    pub(crate) fn kind_of_code(&self, code: i16) -> Answer<&Kind> {
        let found = self.kinds.iter().find(|kind| kind.code == code);
        found.ok_or_else(|| Failure::Broken(format!("{} has no kind numbered {code}", self.schema.service)))
    }

    /// The kinds by name, which is the order of entity keys.
    pub(crate) fn kinds_in_order(&self) -> Vec<&Kind> {
        let mut kinds: Vec<&Kind> = self.kinds.iter().collect();
        kinds.sort_unstable_by_key(|kind| kind.name);
        kinds
    }

    pub(crate) fn own_shard(&self, shard: ShardName) -> Answer<i32> {
        if shard.index >= self.schema.shards {
            return Err(Failure::Broken(format!("{shard} is not one of {}", self.schema.shards)));
        }
        Ok(i32::from(shard.index))
    }
}

/// What a commit does to the tables of a service besides those of its kinds; each once, for all rows of all shards.
#[derive(Debug)]
pub(crate) struct WriteSql {
    pub(crate) inbox_begin: String,
    pub(crate) inbox_advance: String,
    pub(crate) events: String,
    pub(crate) effects: String,
    pub(crate) effects_claim: String,
    pub(crate) effects_done: String,
    pub(crate) answers: String,
    pub(crate) letters: String,
    pub(crate) letters_known: String,
    pub(crate) behind: String,
    pub(crate) letters_done: String,
    pub(crate) letters_skip: String,
    pub(crate) passed_over: String,
    pub(crate) counters: String,
    pub(crate) prune_answers: String,
    pub(crate) prune_skipped: String,
    pub(crate) clear: [String; 4],
    pub(crate) forget_told: String,
}

impl WriteSql {
    #[expect(clippy::too_many_lines, reason = "a list of statements")]
    fn new(s: &str) -> Self {
        let inbox = "shard, partition, log, service, source_shard";
        let same_row = "i.shard = u.shard AND i.partition = u.partition AND i.log = u.log AND i.service = u.service \
            AND i.source_shard = u.source_shard";
        let inbox_arrays = "$1::integer[], $2::bigint[], $3::text[], $4::text[], $5::integer[], $6::bigint[]";
        Self {
            inbox_begin: format!(
                "WITH moved AS (INSERT INTO engine.\"{s}_inbox\" AS i ({inbox}, position) SELECT * FROM \
                 unnest({inbox_arrays}) ON CONFLICT ({inbox}) DO UPDATE SET position = excluded.position \
                 WHERE i.position = 0 RETURNING 1) SELECT engine.expect(count(*), $7::bigint, '{FENCED}') FROM moved"
            ),
            inbox_advance: format!(
                "WITH moved AS (UPDATE engine.\"{s}_inbox\" AS i SET position = u.to_position FROM \
                 unnest({inbox_arrays}, $7::bigint[]) AS u ({inbox}, to_position, from_position) WHERE {same_row} \
                 AND i.position = u.from_position RETURNING 1) \
                 SELECT engine.expect(count(*), $8::bigint, '{FENCED}') FROM moved"
            ),
            // The shard's counter was moved on before, so each event stands so far before its end.
            events: format!(
                "WITH ends AS MATERIALIZED (SELECT shard, position FROM engine.shard WHERE service = $1 \
                 AND shard = ANY($2::integer[])) INSERT INTO engine.\"{s}_event\" (shard, position, kind, id, version, \
                 type, schema, published, at, actor, cause, trace, body) SELECT u.shard, ends.position - u.before_end, \
                 u.kind, u.id, u.version, u.type, u.schema, u.published, u.at, u.actor, u.cause, u.trace, u.body \
                 FROM unnest($3::integer[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[], $8::text[], \
                 $9::integer[], $10::boolean[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[]) \
                 AS u (shard, before_end, kind, id, version, type, schema, published, at, actor, cause, trace, body) \
                 JOIN ends ON ends.shard = u.shard"
            ),
            effects: format!(
                "INSERT INTO engine.\"{s}_effect\" (shard, kind, id, sequence, name, body, attempts, claimed_until) \
                 SELECT * FROM unnest($1::integer[], $2::smallint[], $3::bigint[], $4::bigint[], $5::text[], \
                 $6::text[], $7::bigint[], $8::bigint[])"
            ),
            effects_claim: format!(
                "WITH claimed AS (UPDATE engine.\"{s}_effect\" AS e SET attempts = e.attempts + 1, \
                 claimed_until = u.until FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], \
                 $5::bigint[]) AS u (kind, id, sequence, attempts, until) WHERE e.kind = u.kind AND e.id = u.id \
                 AND e.sequence = u.sequence AND e.attempts = u.attempts RETURNING 1) \
                 SELECT engine.expect(count(*), $6::bigint, '{CONFLICT}') FROM claimed"
            ),
            effects_done: format!(
                "WITH gone AS (DELETE FROM engine.\"{s}_effect\" AS e USING unnest($1::smallint[], $2::bigint[], \
                 $3::bigint[]) AS u (kind, id, sequence) WHERE e.kind = u.kind AND e.id = u.id \
                 AND e.sequence = u.sequence RETURNING 1) \
                 SELECT engine.expect(count(*), $4::bigint, '{CONFLICT}') FROM gone"
            ),
            // In the order of the array, which is that of the digests: two commits never wait for each other.
            answers: format!(
                "INSERT INTO engine.\"{s}_idempotency\" (digest, route, key, fingerprint, kind, id, refusal, at) \
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::smallint[], $6::bigint[], \
                 $7::text[], $8::bigint[])"
            ),
            letters: format!(
                "INSERT INTO engine.\"{s}_dead_letter\" (shard, entity_id, parcel, reason, at) \
                 SELECT shard, entity_id, parcel, reason, at FROM unnest($1::integer[], $2::bigint[], $3::text[], \
                 $4::text[], $5::bigint[]) WITH ORDINALITY AS u (shard, entity_id, parcel, reason, at, place) \
                 ORDER BY place"
            ),
            letters_known: format!(
                "SELECT engine.expect(count(*), 0, '{CONFLICT}') FROM unnest($1::integer[], $2::bigint[]) AS u (shard, last), \
                 LATERAL (SELECT 1 FROM engine.\"{s}_dead_letter\" AS l WHERE l.shard = u.shard AND l.number > u.last \
                 AND l.skipped_at IS NULL LIMIT 1) AS later"
            ),
            behind: format!(
                "SELECT engine.expect(count(*), $3::bigint, '{CONFLICT}') FROM unnest($1::integer[], $2::bigint[]) \
                 AS u (shard, entity_id), LATERAL (SELECT 1 FROM engine.\"{s}_dead_letter\" AS l \
                 WHERE l.shard = u.shard AND l.entity_id = u.entity_id AND l.skipped_at IS NULL LIMIT 1) AS first"
            ),
            letters_done: format!(
                "WITH gone AS (DELETE FROM engine.\"{s}_dead_letter\" AS l USING unnest($1::integer[], $2::bigint[]) \
                 AS u (shard, number) WHERE l.number = u.number AND l.shard = u.shard AND l.skipped_at IS NULL \
                 RETURNING 1) SELECT engine.expect(count(*), $3::bigint, '{CONFLICT}') FROM gone"
            ),
            letters_skip: format!(
                "WITH skipped AS (UPDATE engine.\"{s}_dead_letter\" AS l SET skipped_by = u.skipped_by, \
                 skipped_why = u.skipped_why, skipped_at = u.skipped_at FROM unnest($1::integer[], $2::bigint[], \
                 $3::text[], $4::text[], $5::bigint[]) AS u (shard, number, skipped_by, skipped_why, skipped_at) \
                 WHERE l.number = u.number AND l.shard = u.shard AND l.skipped_at IS NULL RETURNING 1) \
                 SELECT engine.expect(count(*), $6::bigint, '{CONFLICT}') FROM skipped"
            ),
            passed_over: format!(
                "INSERT INTO engine.\"{s}_passed_over\" (shard, log, service, source_shard, position) SELECT * FROM \
                 unnest($1::integer[], $2::text[], $3::text[], $4::integer[], $5::bigint[]) ON CONFLICT DO NOTHING"
            ),
            counters: format!(
                "INSERT INTO engine.\"{s}_counter\" AS c (shard, kind, tag, count) SELECT * FROM \
                 unnest($1::integer[], $2::smallint[], $3::text[], $4::bigint[]) \
                 ON CONFLICT (kind, tag, shard) DO UPDATE SET count = c.count + excluded.count"
            ),
            prune_answers: format!(
                "WITH gone AS (DELETE FROM engine.\"{s}_idempotency\" WHERE digest = ANY(ARRAY(SELECT digest FROM \
                 engine.\"{s}_idempotency\" WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
                 SELECT count(*) FROM gone"
            ),
            prune_skipped: format!(
                "WITH gone AS (DELETE FROM engine.\"{s}_dead_letter\" WHERE number = ANY(ARRAY(SELECT number FROM \
                 engine.\"{s}_dead_letter\" WHERE skipped_at < $1 ORDER BY skipped_at LIMIT $2 \
                 FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone"
            ),
            clear: [
                format!("DELETE FROM engine.\"{s}_inbox\""),
                format!("DELETE FROM engine.\"{s}_counter\""),
                format!("DELETE FROM engine.\"{s}_dead_letter\" WHERE skipped_at IS NULL"),
                format!("DELETE FROM engine.\"{s}_passed_over\""),
            ],
            forget_told: format!("DELETE FROM engine.\"{s}_inbox\" WHERE service = $1"),
        }
    }
}
