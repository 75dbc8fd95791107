//! Bugs planted into the store's own statements, each of which the engine's suite has to catch.

use crate::database::OwnDatabase;
use crate::locking;
use engine::clock::Timestamp;
use engine::conformance::{Fixture, LOG, ORDER, STOCK, due, letters, model, reading, several, writing};
use engine::dead_letter::{DeadLetter, Parcel, Skip};
use engine::effect::Effect;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName, Source};
use engine::store::{
    Commit, EntityRow, EntityWrite, InboxKey, InboxMove, LetterSkip, NewEvent, Schema, Store, WriteSet,
};
use engine::timer::Timer;
use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Wherever a statement says the first, it says the second instead.
#[derive(Debug, Clone, Copy)]
struct Bug {
    instead_of: &'static str,
    says: &'static str,
    /// Only in statements that say this.
    within: &'static str,
    caught_by: Caught,
}

/// What catches it.
#[derive(Debug, Clone, Copy)]
enum Caught {
    /// A check of the engine's.
    Suite(fn(Fixture)),
    /// One of this store's own.
    Own(fn(&OwnDatabase)),
}

thread_local! {
    static PLANTED: RefCell<Vec<Bug>> = const { RefCell::new(Vec::new()) };
}

/// The statement with the bugs of this thread in it.
pub(crate) fn altered(sql: &str) -> String {
    PLANTED.with_borrow(|planted| {
        let within = planted.iter().filter(|bug| sql.contains(bug.within));
        within.fold(sql.to_owned(), |sql, bug| sql.replace(bug.instead_of, bug.says))
    })
}

const fn bug(
    within: &'static str,
    instead_of: &'static str,
    says: &'static str,
    caught_by: fn(Fixture),
) -> Bug {
    Bug { instead_of, says, within, caught_by: Caught::Suite(caught_by) }
}

/// Each check of a commit is left out, each key is not unique, each order is another, each edge is off by one.
const BUGS: &[Bug] = &[
    // Compare-and-set.
    bug(
        "'EN001') FROM changed",
        "'EN001') FROM changed",
        "'EN001') FROM changed WHERE FALSE",
        writing::a_stale_version_is_a_conflict,
    ),
    bug("'EN001') FROM changed", "AND e.version = u.replaces", "", writing::a_stale_version_is_a_conflict),
    bug(
        "coalesce(e.version, 0) = u.version",
        "coalesce(e.version, 0) = u.version",
        "TRUE",
        writing::what_was_only_read_is_checked_too,
    ),
    bug(
        "coalesce(e.version, 0) = u.version",
        "coalesce(e.version, 0)",
        "coalesce(e.version, u.version)",
        writing::what_was_only_read_is_checked_too,
    ),
    bug(
        "AND i.position = u.from_position",
        "AND i.position = u.from_position",
        "",
        writing::the_inbox_moves_only_from_where_it_stands,
    ),
    bug(
        "WHERE i.position = 0",
        "WHERE i.position = 0",
        "",
        writing::the_inbox_moves_only_from_where_it_stands,
    ),
    bug("'EN002') FROM moved", "'EN002'", "'EN001'", writing::the_inbox_moves_only_from_where_it_stands),
    bug(
        "AND e.attempts = u.attempts",
        "AND e.attempts = u.attempts",
        "",
        due::an_effect_is_claimed_once_and_answered_once,
    ),
    bug("'EN001') FROM claimed", "$6::bigint", "count(*)", due::an_effect_is_claimed_once_and_answered_once),
    bug(
        "'EN001') FROM gone",
        "engine.expect(count(*), $4::bigint",
        "engine.expect($4::bigint, $4::bigint",
        due::an_effect_is_claimed_once_and_answered_once,
    ),
    bug(
        "'EN001') FROM moved",
        "AND e.due IS NOT DISTINCT FROM u.due",
        "",
        letters::a_timer_is_moved_only_from_where_it_stands,
    ),
    bug(
        "'EN001') FROM moved",
        "AND e.timer = u.timer",
        "",
        letters::a_timer_is_moved_only_from_where_it_stands,
    ),
    bug(
        "SET skipped_by",
        "AND l.skipped_at IS NULL",
        "",
        letters::a_dead_letter_is_passed_over_once_and_stays_on_record,
    ),
    bug(
        "SELECT engine.expect(count(*), $3::bigint, 'EN001') FROM gone",
        "AND l.skipped_at IS NULL",
        "",
        letters::a_dead_letter_is_passed_over_once_and_stays_on_record,
    ),
    bug(
        "SELECT engine.expect(count(*), $3::bigint, 'EN001') FROM gone",
        "engine.expect(count(*)",
        "engine.expect($3::bigint",
        several::what_is_to_be_done_is_done_by_one,
    ),
    bug(
        "AND stage = 'dropping'), 0, 'EN002'",
        "AND stage = 'dropping'",
        "AND FALSE",
        several::a_projection_that_is_dropped_takes_nothing_in,
    ),
    // Keys.
    bug(
        "_idempotency_key",
        "PRIMARY KEY (digest)",
        "CHECK (TRUE)",
        writing::a_key_is_answered_once_in_a_service,
    ),
    bug("_entity_key", "PRIMARY KEY (id)", "CHECK (TRUE)", writing::a_stale_version_is_a_conflict),
    // Positions and locks.
    bug(
        "ends.position - u.before_end",
        "ends.position - u.before_end",
        "ends.position - u.before_end + 1",
        writing::positions_have_no_gap_and_follow_the_commits,
    ),
    bug(
        "SET position = s.position + u.count",
        "s.position + u.count",
        "s.position + u.count + 1",
        writing::positions_have_no_gap_and_follow_the_commits,
    ),
    // Batches, numbers, rebuilds.
    bug(
        "UPDATE engine.number",
        "greatest(next, $2::bigint) + $3::bigint",
        "greatest(next, $2::bigint) + $3::bigint - 1",
        writing::numbers_are_given_once,
    ),
    bug("UPDATE engine.number", "greatest(next, $2::bigint)", "next", writing::numbers_are_given_once),
    bug(
        "DELETE FROM engine.rebuild",
        "AND stage = 'reading'",
        "",
        several::a_projection_that_is_dropped_takes_nothing_in,
    ),
    bug(
        "_inbox\"",
        "DELETE FROM engine.\"order_inbox\"",
        "SELECT 1 FROM engine.\"order_inbox\"",
        writing::a_projection_is_dropped_alone,
    ),
    bug(
        "_counter\"",
        "DELETE FROM engine.\"order_counter\"",
        "SELECT 1 FROM engine.\"order_counter\"",
        writing::a_projection_is_dropped_alone,
    ),
    bug(
        "_passed_over\"",
        "DELETE FROM engine.\"order_passed_over\"",
        "SELECT 1 FROM engine.\"order_passed_over\"",
        letters::a_projection_is_dropped_slice_by_slice,
    ),
    bug(
        "DELETE FROM engine.\"order_dead_letter\" WHERE skipped_at IS NULL",
        "WHERE skipped_at IS NULL",
        "",
        letters::a_projection_is_dropped_slice_by_slice,
    ),
    // What is due, and in which order.
    bug(
        "claimed_until <= $2",
        "AND NOT EXISTS (",
        "AND EXISTS (SELECT 1) OR EXISTS (",
        due::effects_are_begun_in_order_one_by_one,
    ),
    bug(
        "claimed_until <= $2",
        "claimed_until <= $2",
        "claimed_until < $2",
        due::effects_are_begun_in_order_one_by_one,
    ),
    bug(
        "AND due <= $2",
        "shard = $1 AND due <= $2",
        "$1 = $1 AND due <= $2",
        due::timers_are_due_in_order_and_in_their_shard,
    ),
    bug("AND due <= $2", "ORDER BY due, id", "ORDER BY id", due::timers_are_due_in_order_and_in_their_shard),
    bug(
        "WITH ORDINALITY AS u (shard, entity_id",
        "ORDER BY place",
        "ORDER BY place DESC",
        due::dead_letters_keep_their_order,
    ),
    // Reading.
    bug(
        "position > $2 ORDER BY position",
        "position > $2",
        "position >= $2",
        reading::events_are_read_on_from_a_position,
    ),
    bug("AND e.published ORDER BY", "AND e.published", "", reading::the_last_that_was_published_is_found),
    bug(
        "AND e.version <= u.version",
        "AND e.version <= u.version",
        "",
        reading::the_trace_that_an_entity_came_by_is_found,
    ),
    bug(
        "AND e.published ORDER BY",
        "e.version DESC",
        "e.version",
        reading::the_last_that_was_published_is_found,
    ),
    bug(
        "ISOLATION LEVEL REPEATABLE READ",
        "REPEATABLE READ",
        "READ COMMITTED",
        reading::a_moment_stands_still,
    ),
    bug(
        "; SELECT count(*) FROM engine.meta",
        "; SELECT count(*) FROM engine.meta",
        "",
        reading::a_moment_stands_still,
    ),
    bug(
        "(id, version) > ($2, $3)",
        "(id, version) > ($2, $3)",
        "id > $2 AND $3 = $3",
        model::whatever_is_committed_matches_a_model,
    ),
    bug(
        "c.count + excluded.count",
        "c.count + excluded.count",
        "excluded.count",
        model::whatever_is_committed_matches_a_model,
    ),
    bug("left(tag, 200), id) <=", "<=", "<", reading::pages_are_cut_from_the_whole_list),
    bug(
        "COLLATE \"C\" NOT NULL, timer",
        "tag text COLLATE \"C\"",
        "tag text COLLATE \"und-x-icu\"",
        reading::pages_are_cut_from_the_whole_list,
    ),
    bug("WHERE at < $1", "WHERE at < $1", "WHERE at <= $1", writing::answers_are_forgotten_by_age),
    bug(
        "WHERE skipped_at < $1",
        "WHERE skipped_at < $1",
        "WHERE skipped_at <= $1",
        letters::letters_that_were_passed_over_are_forgotten_by_age,
    ),
    bug(
        "AS e WHERE e.shard = s AND e.due < $2",
        "e.due < $2",
        "e.due <= $2",
        letters::what_is_to_be_done_is_counted,
    ),
];

/// Bugs that only this store can have.
const OWN_BUGS: &[Bug] = &[
    Bug {
        within: "FOR NO KEY UPDATE OF s",
        instead_of: "FOR NO KEY UPDATE OF s",
        says: "",
        caught_by: Caught::Own(locking::a_commit_waits_for_its_shard),
    },
    Bug {
        within: "FOR NO KEY UPDATE OF s",
        instead_of: "ORDER BY s.service, s.shard",
        says: "ORDER BY s.shard DESC",
        caught_by: Caught::Own(locking::shards_are_locked_in_one_order),
    },
    Bug {
        within: "SELECT shard FROM engine.shard WHERE service = $1",
        instead_of: "FOR NO KEY UPDATE",
        says: "",
        caught_by: Caught::Own(locking::a_rebuild_begins_after_every_commit),
    },
];

fn fixture(schemas: &'static [Schema], own: Rc<OwnDatabase>) -> Fixture {
    let database = own.open(schemas, LOG);
    Fixture {
        schemas,
        writer: database.store(),
        other: Some(database.store()),
        reader: database.reader(),
        reopen: Some(Box::new(move || fixture(schemas, own))),
    }
}

fn is_caught(bug: Bug) -> bool {
    PLANTED.with_borrow_mut(|planted| *planted = vec![bug]);
    let own = OwnDatabase::new();
    let check = || match bug.caught_by {
        Caught::Suite(check) => check(fixture(&[ORDER, STOCK], own)),
        Caught::Own(check) => check(&own),
    };
    let caught = catch_unwind(AssertUnwindSafe(check)).is_err();
    PLANTED.with_borrow_mut(Vec::clear);
    caught
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn every_planted_bug_is_caught() {
    let missed: Vec<&Bug> = BUGS.iter().chain(OWN_BUGS).filter(|bug| !is_caught(**bug)).collect();
    assert!(
        missed.is_empty(),
        "{} of {} are not caught: {missed:#?}",
        missed.len(),
        BUGS.len() + OWN_BUGS.len()
    );
}

/// Something in every table, all about the entity 1 of a shard.
pub(crate) fn fill(writer: &mut dyn Store, shard: ShardName) {
    let key = EntityKey { kind: "order", id: 1 };
    let source = Source { log: LogId(3), service: Cow::Borrowed("far"), shard: 0 };
    let event = |version| NewEvent {
        key,
        version,
        event_type: "Changed",
        schema: 1,
        published: true,
        at: Timestamp(5),
        actor: Cow::Borrowed("system"),
        cause: "request 1".into(),
        trace: Some("00-1-2-01".into()),
        body: "{}".into(),
    };
    let timer = Timer { name: Cow::Borrowed("deadline"), due: Timestamp(4) };
    let parcel = Parcel::Due { kind: "order".into(), id: 1, timer };
    let letter = DeadLetter {
        number: 0,
        entity_id: 1,
        parcel,
        reason: "scrawl".into(),
        at: Timestamp(6),
        skipped: None,
    };
    let mut set = WriteSet::new(shard, 1);
    set.events = vec![event(1), event(2)];
    let timer = Some(Timer { name: Cow::Borrowed("deadline"), due: Timestamp(50) });
    let row = EntityRow {
        key,
        version: 2,
        tag: Cow::Borrowed("open"),
        timer,
        effects_open: vec![256],
        state: "{}".into(),
    };
    set.entities.push(EntityWrite { row, replaces: 0 });
    set.effects_new.push(Effect {
        key,
        sequence: 256,
        name: Cow::Borrowed("ask"),
        body: "{}".into(),
        attempts: 0,
        claimed_until: Timestamp(0),
        trace: None,
    });
    set.inbox.push(InboxMove { key: InboxKey { partition: 1, source: source.clone() }, from: 0, to: 4 });
    set.idempotency.push(IdempotencyRow {
        request: RequestKey { route: "POST /orders", key: "k".into() },
        fingerprint: [7; 16],
        key,
        refusal: None,
        at: Timestamp(77),
    });
    set.dead_letters = vec![letter.clone(), letter];
    set.counts.push((("order", Cow::Borrowed("open")), 1));
    assert_eq!(writer.commit(&[set]), Commit::Done(vec![2]));
    let number = writer.dead_letters(shard, None).expect("read")[0].number;
    let mut set = WriteSet::new(shard, 2);
    let skip = Skip { by: "operator".into(), reason: "no".into(), at: Timestamp(8) };
    set.dead_letters_skipped.push(LetterSkip { number, skip, passed_over: Some((source, 4)) });
    assert_eq!(writer.commit(&[set]), Commit::Done(vec![2]));
    assert_eq!(writer.reserve("order", 40, 1), Ok(1));
    assert_eq!(writer.rebuild("order"), Ok(None));
}
