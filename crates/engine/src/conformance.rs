//! What every store must keep, as one suite: each check gets a new, empty database and panics where it is let down.
//!
//! `engine::conformance!(one_file);` makes a test of each, where `fn one_file() -> Fixture` makes the database.

pub mod due;
pub mod letters;
pub mod model;
pub mod reading;
pub mod several;
pub mod writing;

use crate::clock::Timestamp;
use crate::log::{EntityKey, LogId, ShardName, shard_of};
use crate::store::{Commit, EntityRow, EntityWrite, NewEvent, Reader, Schema, Store, WriteSet};
use std::borrow::Cow;
use std::sync::Arc;

/// A service with two kinds and several shards, whose name means something to SQL.
pub const ORDER: Schema = Schema { service: "order", kinds: &["order", "basket"], shards: 4 };

/// A service with one of each.
pub const STOCK: Schema = Schema { service: "stock", kinds: &["item"], shards: 1 };

/// The log that a new fixture is to have.
pub const LOG: LogId = LogId(0x00c0_ffee_0000_0001);

/// An open database, empty at first.
pub struct Fixture {
    /// What it holds: [`ORDER`], [`STOCK`] or both.
    pub schemas: &'static [Schema],
    pub writer: Box<dyn Store>,
    /// A second writer of the same database, where there can be one.
    pub other: Option<Box<dyn Store>>,
    pub reader: Arc<dyn Reader>,
    /// Opens the same database again after the rest of the fixture was dropped, where that means something.
    pub reopen: Option<Box<dyn FnOnce() -> Fixture>>,
}

/// Makes one test of each check, in a module of the name of the function that makes the database; attributes before the
/// name are those of each test.
#[macro_export]
macro_rules! conformance {
    ($(#[$attribute:meta])* $make:ident) => {
        $crate::conformance!(
            $(#[$attribute])* $make;
            writing::an_empty_store_holds_nothing,
            writing::what_is_stored_comes_back_as_it_was,
            writing::positions_have_no_gap_and_follow_the_commits,
            writing::several_write_sets_are_stored_together_or_not_at_all,
            writing::a_stale_version_is_a_conflict,
            writing::what_was_only_read_is_checked_too,
            writing::the_inbox_moves_only_from_where_it_stands,
            writing::a_key_is_answered_once_in_a_service,
            writing::answers_are_forgotten_by_age,
            writing::numbers_are_given_once,
            writing::a_batch_is_found_again,
            writing::a_projection_is_dropped_alone,
            writing::everything_is_still_there_after_reopening,
            writing::two_writers_do_not_overwrite_each_other,
            due::timers_are_due_in_order_and_in_their_shard,
            due::effects_are_begun_in_order_one_by_one,
            due::an_effect_is_claimed_once_and_answered_once,
            due::dead_letters_keep_their_order,
            due::nothing_goes_past_a_dead_letter_that_was_not_known,
            letters::a_dead_letter_is_passed_over_once_and_stays_on_record,
            letters::dead_letters_are_found_without_reading_all,
            letters::letters_that_were_passed_over_are_forgotten_by_age,
            letters::a_timer_is_moved_only_from_where_it_stands,
            letters::a_projection_is_dropped_slice_by_slice,
            letters::what_is_to_be_done_is_counted,
            reading::pages_are_cut_from_the_whole_list,
            reading::ids_that_cannot_be_stored_are_those_of_nothing,
            reading::events_are_read_on_from_a_position,
            reading::the_last_that_was_published_is_found,
            reading::the_trace_that_an_entity_came_by_is_found,
            reading::rows_and_inboxes_are_read_together,
            reading::a_moment_stands_still,
            reading::many_read_while_one_writes,
            reading::services_do_not_see_each_other,
            several::what_another_has_changed_is_seen_and_conflicts,
            several::an_inbox_that_another_has_moved_is_fenced,
            several::a_key_is_answered_once_whoever_is_asked,
            several::what_is_to_be_done_is_done_by_one,
            several::a_batch_of_another_is_found,
            several::a_projection_that_is_dropped_takes_nothing_in,
            several::two_at_once_lose_nothing,
            model::whatever_is_committed_matches_a_model,
        );
    };
    (@each $attributes:tt $make:ident; $($module:ident::$check:ident),+) => {
        mod $make {
            $($crate::conformance!(@one $attributes $make; $module::$check);)+
        }
    };
    (@one [$(#[$attribute:meta])*] $make:ident; $module:ident::$check:ident) => {
        #[test]
        $(#[$attribute])*
        fn $check() {
            $crate::conformance::$module::$check(super::$make());
        }
    };
    ($(#[$attribute:meta])* $make:ident; $($module:ident::$check:ident),+ $(,)?) => {
        $crate::conformance!(@each [$(#[$attribute])*] $make; $($module::$check),+);
    };
}

impl Fixture {
    /// The service that a check is about, where one is enough.
    fn main(&self) -> Schema {
        self.schemas[0]
    }

    fn reopened(self) -> Option<Self> {
        let Self { writer, other, reader, reopen, .. } = self;
        drop((writer, other, reader));
        reopen.map(|reopen| reopen())
    }

    /// Commits and expects it to be done; returns the positions.
    fn done(&mut self, sets: &[WriteSet]) -> Vec<u64> {
        let answer = self.writer.commit(sets);
        let Commit::Done(positions) = answer else {
            panic!("not stored: {answer:?}");
        };
        positions
    }

    /// Commits new entities, each with its first event, in the write sets of their shards.
    fn put(&mut self, schema: Schema, rows: &[EntityRow]) {
        let sets: Vec<WriteSet> = shards(schema)
            .map(|shard| {
                let mut set = WriteSet::new(shard, batch_of(rows.len() as u64, shard));
                let own = rows.iter().filter(|row| shard_of(row.key.id, schema.shards) == shard.index);
                for row in own {
                    set.events.push(event(row.key, row.version));
                    set.counts.push(((row.key.kind, row.tag.clone()), 1));
                    set.entities.push(EntityWrite { row: row.clone(), replaces: 0 });
                }
                set
            })
            .collect();
        self.done(&sets);
    }
}

fn batch_of(number: u64, shard: ShardName) -> u64 {
    crate::log::shard_seed(number, shard)
}

fn shards(schema: Schema) -> impl Iterator<Item = ShardName> {
    let service = schema.service;
    (0..schema.shards).map(move |index| ShardName { service, index })
}

/// The first ids of a shard.
fn ids_in(schema: Schema, index: u16) -> impl Iterator<Item = u64> {
    (1..).filter(move |id| shard_of(*id, schema.shards) == index)
}

fn first_shard(schema: Schema) -> ShardName {
    let service = schema.service;
    ShardName { service, index: 0 }
}

/// An entity of the service's first kind.
fn key(schema: Schema, id: u64) -> EntityKey {
    let kind = schema.kinds[0];
    EntityKey { kind, id }
}

fn row(key: EntityKey, version: u64, tag: &str) -> EntityRow {
    EntityRow {
        key,
        version,
        tag: Cow::Owned(tag.to_owned()),
        timer: None,
        effects_open: Vec::new(),
        state: format!("{{\"version\":{version}}}"),
    }
}

fn write(row: EntityRow, replaces: u64) -> EntityWrite {
    EntityWrite { row, replaces }
}

fn event(key: EntityKey, version: u64) -> NewEvent {
    NewEvent {
        key,
        version,
        event_type: "Changed",
        schema: 1,
        published: true,
        at: Timestamp(1_000),
        actor: Cow::Borrowed("system"),
        cause: "request 1".into(),
        trace: None,
        body: format!("{{\"id\":{},\"version\":{version}}}", key.id),
    }
}

/// A write set that makes or changes one entity and records it.
fn change(shard: ShardName, batch: u64, key: EntityKey, version: u64) -> WriteSet {
    let mut set = WriteSet::new(shard, batch);
    set.events.push(event(key, version));
    set.entities.push(write(row(key, version, "open"), version - 1));
    set
}
