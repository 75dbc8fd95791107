//! Every statement that only looks at the tables of one service.

use engine::effect::EFFECTS_PER_VERSION_MAX;

pub(crate) const POSITION: &str = "SELECT position FROM engine.shard WHERE service = $1 AND shard = $2";

#[derive(Debug)]
pub(crate) struct ReadSql {
    pub(crate) events_after: String,
    pub(crate) events_of_kind: String,
    pub(crate) events_of_entity: String,
    pub(crate) published_last: String,
    pub(crate) traces: String,
    pub(crate) inbox: String,
    pub(crate) inbox_rows: String,
    pub(crate) effects_due: String,
    pub(crate) effects: String,
    pub(crate) effects_open: String,
    pub(crate) effect_oldest: String,
    pub(crate) answers: String,
    pub(crate) answers_page: String,
    pub(crate) answered_last: String,
    pub(crate) passed_over: String,
    pub(crate) counts: String,
    pub(crate) letter: LetterSql,
}

impl ReadSql {
    pub(crate) fn new(s: &str) -> Self {
        let event =
            "shard, position, kind, id, version, type, schema, published, at, actor, cause, trace, body";
        let effect = "kind, id, sequence, name, body, attempts, claimed_until";
        Self {
            events_after: format!(
                "SELECT {event} FROM engine.\"{s}_event\" WHERE shard = $1 AND position > $2 ORDER BY position LIMIT $3"
            ),
            events_of_kind: format!(
                "SELECT {event} FROM engine.\"{s}_event\" WHERE kind = $1 AND (id, version) > ($2, $3) \
                 ORDER BY id, version LIMIT $4"
            ),
            events_of_entity: format!(
                "SELECT {event} FROM engine.\"{s}_event\" WHERE kind = $1 AND id = $2 ORDER BY version"
            ),
            published_last: format!(
                "SELECT coalesce((SELECT e.position FROM engine.\"{s}_event\" AS e WHERE e.kind = u.kind AND e.id = u.id \
                 AND e.published ORDER BY e.kind DESC, e.id DESC, e.version DESC LIMIT 1), 0) \
                 FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS u (kind, id, place) ORDER BY u.place"
            ),
            traces: format!(
                "SELECT (SELECT e.trace FROM engine.\"{s}_event\" AS e WHERE e.kind = u.kind AND e.id = u.id \
                 AND e.version <= u.version ORDER BY e.kind DESC, e.id DESC, e.version DESC LIMIT 1) \
                 FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS u (kind, id, version, place) \
                 ORDER BY u.place"
            ),
            inbox: format!(
                "SELECT partition, log, service, source_shard, position FROM engine.\"{s}_inbox\" WHERE shard = $1 \
                 ORDER BY partition, log, service, source_shard"
            ),
            inbox_rows: format!(
                "SELECT coalesce(i.position, 0) FROM unnest($2::bigint[], $3::text[], $4::text[], $5::integer[]) \
                 WITH ORDINALITY AS u (partition, log, service, source_shard, place) LEFT JOIN engine.\"{s}_inbox\" AS i \
                 ON i.shard = $1 AND i.partition = u.partition AND i.log = u.log AND i.service = u.service \
                 AND i.source_shard = u.source_shard ORDER BY u.place"
            ),
            effects_due: format!(
                "SELECT {effect} FROM engine.\"{s}_effect\" AS due WHERE shard = $1 AND claimed_until <= $2 \
                 AND NOT EXISTS (SELECT 1 FROM engine.\"{s}_effect\" AS earlier WHERE earlier.kind = due.kind \
                 AND earlier.id = due.id AND earlier.sequence < due.sequence) \
                 ORDER BY claimed_until, kind, id, sequence LIMIT $3"
            ),
            effects: format!(
                "SELECT {effect} FROM engine.\"{s}_effect\" WHERE kind = $1 ORDER BY id, sequence"
            ),
            effects_open: format!("SELECT count(*) FROM (SELECT 1 FROM engine.\"{s}_effect\" LIMIT $1) AS c"),
            effect_oldest: format!(
                "SELECT min(e.at) FROM (SELECT kind, id, sequence FROM engine.\"{s}_effect\" \
                 ORDER BY kind, id, sequence LIMIT $1) AS o JOIN engine.\"{s}_event\" AS e ON e.kind = o.kind \
                 AND e.id = o.id AND e.version = o.sequence / {EFFECTS_PER_VERSION_MAX}"
            ),
            answers: format!(
                "SELECT route, key, fingerprint, kind, id, refusal, at FROM engine.\"{s}_idempotency\" \
                 WHERE digest = ANY($1::uuid[])"
            ),
            answers_page: format!(
                "SELECT route, key, fingerprint, kind, id, refusal, at, digest FROM engine.\"{s}_idempotency\" \
                 WHERE digest > $1::uuid ORDER BY digest LIMIT $2"
            ),
            answered_last: format!("SELECT at FROM engine.\"{s}_idempotency\" ORDER BY at DESC LIMIT 1"),
            passed_over: format!(
                "SELECT log, service, source_shard, position FROM engine.\"{s}_passed_over\" WHERE shard = $1 \
                 ORDER BY log, service, source_shard, position"
            ),
            counts: format!(
                "SELECT tag, sum(count)::bigint FROM engine.\"{s}_counter\" WHERE kind = $1 GROUP BY tag \
                 HAVING sum(count) <> 0 ORDER BY tag"
            ),
            letter: LetterSql::new(s),
        }
    }
}

/// Dead letters as they are looked up, some of very many.
#[derive(Debug)]
pub(crate) struct LetterSql {
    pub(crate) every: String,
    pub(crate) waiting: String,
    pub(crate) of_entity: String,
    pub(crate) every_of_entity: String,
    pub(crate) one: String,
    pub(crate) parked: String,
    pub(crate) still_parked: String,
    pub(crate) first_waiting: String,
    pub(crate) first_skipped: String,
    pub(crate) shard_waiting: String,
    pub(crate) shard_skipped: String,
    pub(crate) numbers_waiting: String,
    pub(crate) count_waiting: String,
    pub(crate) count_skipped: String,
}

impl LetterSql {
    fn new(s: &str) -> Self {
        let table = format!("engine.\"{s}_dead_letter\"");
        let (waits, skipped) = ("skipped_at IS NULL", "skipped_at IS NOT NULL");
        let letters = |condition: &str| {
            format!(
                "SELECT number, entity_id, parcel, reason, at, skipped_by, skipped_why, skipped_at FROM {table} \
                 WHERE shard = $1 AND {condition} ORDER BY number LIMIT $2"
            )
        };
        // Said as a range, the order is that of one index alone: of two that would do, a plan made while there are few
        // letters takes either, and keeps it when there are many.
        let one_entity = |id: &str| format!("entity_id BETWEEN {id} AND {id}");
        let of_entity = |side: &str| {
            letters(&format!("{} AND {side}", one_entity("$3"))).replace("BY number", "BY entity_id, number")
        };
        let in_shard = |side: &str| format!("SELECT count(*) FROM {table} WHERE shard = $1 AND {side}");
        let counted =
            |side: &str| format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {side} LIMIT $1) AS c");
        Self {
            every: letters("TRUE"),
            waiting: letters(waits),
            of_entity: of_entity(waits),
            every_of_entity: of_entity("TRUE"),
            one: letters("number = $3"),
            parked: format!(
                "SELECT entity_id, max(number) FROM {table} WHERE shard = $1 AND number > $2 AND {waits} GROUP BY entity_id"
            ),
            still_parked: format!(
                "SELECT u.entity_id FROM unnest($2::bigint[]) AS u (entity_id) WHERE EXISTS (SELECT 1 FROM {table} AS l \
                 WHERE l.shard = $1 AND l.entity_id = u.entity_id AND l.{waits})"
            ),
            first_waiting: letters(waits),
            first_skipped: letters(skipped),
            shard_waiting: in_shard(waits),
            shard_skipped: in_shard(skipped),
            numbers_waiting: format!(
                "SELECT number FROM {table} WHERE shard = $1 AND {} AND {waits} ORDER BY entity_id, number",
                one_entity("$2"),
            ),
            count_waiting: counted(waits),
            count_skipped: counted(skipped),
        }
    }
}
