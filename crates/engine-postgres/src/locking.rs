//! Who waits for whom: shards are locked first, in one order, by everybody who changes anything.

use crate::database::OwnDatabase;
use engine::conformance::{LOG, ORDER};
use engine::log::{LogId, ShardName};
use engine::store::{Commit, InboxMove, StoreError, WriteSet};
use engine::topic::told_key;
use postgres::Client;

fn set(index: u16, batch: u64) -> WriteSet {
    let mut set = WriteSet::new(ShardName { service: "order", index }, batch);
    set.inbox.push(InboxMove { key: told_key(LogId(batch), 12), from: 0, to: 1 });
    set
}

/// Somebody else who holds a shard, until he is dropped.
fn holding(own: &OwnDatabase, shard: i32) -> Client {
    let mut client = own.client();
    client.batch_execute("BEGIN").expect("it can begin");
    let lock = "SELECT 1 FROM engine.shard WHERE shard = $1 FOR NO KEY UPDATE";
    client.query_one(lock, &[&shard]).expect("nobody has it");
    client
}

fn is_free(client: &mut Client, shard: i32) -> bool {
    let look = "SELECT 1 FROM engine.shard WHERE shard = $1 FOR NO KEY UPDATE SKIP LOCKED";
    !client.query(look, &[&shard]).expect("it can look").is_empty()
}

fn is_waiting(client: &mut Client) -> bool {
    let look = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    client.query_one(look, &[]).expect("it can look").get::<_, i64>(0) > 0
}

pub(crate) fn a_commit_waits_for_its_shard(own: &OwnDatabase) {
    let database = own.open(&[ORDER], LOG);
    let mut writer = database.store();
    let holder = holding(own, 2);
    let answer = writer.commit(&[set(2, 1)]);
    assert!(matches!(&answer, Commit::Unavailable(why) if why.contains("55P03")), "{answer:?}");
    assert_eq!(writer.commit(&[set(1, 2)]), Commit::Done(vec![0]), "another's shard stands in nobody's way");
    let answer = writer.resolve(&[set(2, 1)]);
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    drop(holder);
    assert_eq!(writer.commit(&[set(2, 1)]), Commit::Done(vec![0]));
}

pub(crate) fn shards_are_locked_in_one_order(own: &OwnDatabase) {
    let database = own.open(&[ORDER], LOG);
    for (batch, sets) in [[1, 2], [2, 1]].iter().enumerate() {
        let sets = sets.map(|index| set(index, batch as u64 * 10 + u64::from(index)));
        for (held, before) in [(2, true), (1, false)] {
            let holder = holding(own, held);
            let mut client = own.client();
            let looking = std::thread::spawn(move || {
                while !is_waiting(&mut client) {
                    std::thread::yield_now();
                }
                let is_other_free = is_free(&mut client, 3 - held);
                drop(holder);
                is_other_free
            });
            let answer = database.store().commit(&sets);
            assert!(matches!(answer, Commit::Done(_) | Commit::Fenced), "{answer:?}");
            // Whoever waits for the later one has the earlier one; who waits for the earlier one has nothing.
            assert_eq!(looking.join().expect("it ends"), !before, "{held} is held");
        }
    }
}

pub(crate) fn a_rebuild_begins_after_every_commit(own: &OwnDatabase) {
    let database = own.open(&[ORDER], LOG);
    let holder = holding(own, 3);
    let begun = database.store().begin_rebuild("order");
    assert!(matches!(begun, Err(StoreError::Unavailable(_))), "{begun:?}");
    drop(holder);
    assert!(database.store().begin_rebuild("order").is_ok());
    assert_eq!(database.store().commit(&[set(0, 1)]), Commit::Fenced);
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_shard_is_waited_for() {
    a_commit_waits_for_its_shard(&OwnDatabase::new());
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn there_is_one_order() {
    shards_are_locked_in_one_order(&OwnDatabase::new());
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_rebuild_waits_as_well() {
    a_rebuild_begins_after_every_commit(&OwnDatabase::new());
}
