//! The books are compared while the system runs: nothing is wrong with a healthy one at any moment, and five won that somebody
//! writes by hand are found wherever they are written.

use crate::system::{COMPLETED, REFUSED, System, TOO_FAR, UNDER_WAY, busy};
use engine::clock::Timestamp;
use engine::log::{EntityKey, LogId, Recorded, ShardName};
use engine::store::{Backlog, EntityRow, Query, Reader, Snapshot, Stored};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wiring::books::{Books, Seen};

/// Longer than a round over a handful of payments takes.
const PATIENCE: Duration = Duration::from_secs(10);

type Forge = fn(&mut Value);

/// A reader of a database into which somebody wrote by hand.
struct Forged {
    reader: Arc<dyn Reader>,
    kind: &'static str,
    id: u64,
    forge: Forge,
    mended: Arc<AtomicBool>,
}

impl Forged {
    fn forged(&self, mut row: EntityRow) -> EntityRow {
        if row.key.kind == self.kind && row.key.id == self.id && !self.mended.load(Ordering::Relaxed) {
            let mut state: Value = serde_json::from_str(&row.state).unwrap();
            (self.forge)(&mut state);
            row.state = state.to_string();
        }
        row
    }
}

impl Reader for Forged {
    fn log(&self) -> LogId {
        self.reader.log()
    }

    fn apart(&self) -> Arc<dyn Reader> {
        self.reader.apart()
    }

    fn get(&self, service: &'static str, key: EntityKey) -> Stored<Option<EntityRow>> {
        Ok(self.reader.get(service, key)?.map(|row| self.forged(row)))
    }

    fn list(&self, query: &Query) -> Stored<Vec<EntityRow>> {
        Ok(self.reader.list(query)?.into_iter().map(|row| self.forged(row)).collect())
    }

    fn counts(&self, service: &'static str, kind: &'static str) -> Stored<Vec<(String, u64)>> {
        self.reader.counts(service, kind)
    }

    fn events_after(&self, shard: ShardName, position: u64, limit: usize) -> Stored<Vec<Recorded>> {
        self.reader.events_after(shard, position, limit)
    }

    fn last_position(&self, shard: ShardName) -> Stored<u64> {
        self.reader.last_position(shard)
    }

    fn backlog(&self, service: &'static str, overdue_before: Timestamp) -> Stored<Backlog> {
        self.reader.backlog(service, overdue_before)
    }

    fn armed(&self, service: &'static str, limit: u32) -> Stored<Vec<EntityRow>> {
        self.reader.armed(service, limit)
    }

    fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
        self.reader.snapshot()
    }
}

/// Twice, since what is wrong must be so twice.
fn look_twice(reader: Arc<dyn Reader>) -> Seen {
    let mut books = Books::new(reader);
    books.look(PATIENCE).unwrap();
    books.look(PATIENCE).unwrap()
}

#[test]
fn nothing_is_wrong_with_a_healthy_system_at_any_moment() {
    let look = |system: &System| assert_eq!(look_twice(system.reader().clone()).wrong, 0);
    let system = busy(look);
    let seen = look_twice(system.reader().clone());
    assert_eq!(seen.wrong, 0);
    let sums = seen.sums.expect("a round is over");
    assert!(sums.held > 0 && sums.earned > 0 && sums.returned > 0, "{sums:?}");
    assert!((sums.held + sums.earned - sums.at_provider).abs() <= sums.in_flight, "{sums:?}");
}

fn add(place: &mut Value, won: i64) {
    *place = Value::from(place.as_i64().expect("it is a number") + won);
}

#[test]
fn five_won_are_found_wherever_they_are_written() {
    let check = |kind: &'static str, id: u64, forge: Forge| {
        let reader = busy(|_| ()).reader().clone();
        let seen = look_twice(Arc::new(Forged { reader, kind, id, forge, mended: Arc::default() }));
        assert_eq!(seen.wrong, 1, "{kind} {id}");
    };
    check("payment", UNDER_WAY, |state| {
        add(&mut state["accounts"]["held"], 5);
    });
    // So that its postings still sum to zero.
    check("payment", COMPLETED, |state| {
        add(&mut state["accounts"]["earned"], 5);
        add(&mut state["accounts"]["rider"], -5);
        add(&mut state["fare"], 5);
    });
    check("account", UNDER_WAY, |state| add(&mut state["fare"], 5));
    check("account", TOO_FAR, |state| state["back"] = Value::from(false));
    check("account", REFUSED, |state| state["take"] = Value::from("taken"));
}

/// A newer program's row is no theft: it is counted apart, and nobody is told of money.
#[test]
fn what_cannot_be_read_is_counted_apart() {
    let check = |kind: &'static str| {
        let reader = busy(|_| ()).reader().clone();
        let forge: Forge = |state| *state = Value::from("nonsense");
        let seen =
            look_twice(Arc::new(Forged { reader, kind, id: UNDER_WAY, forge, mended: Arc::default() }));
        assert_eq!((seen.wrong, seen.sums.expect("a round is over").unreadable), (0, 1), "{kind}");
    };
    check("payment");
    check("account");
}

/// Also what contradicts itself: the first look alone tells of nothing.
#[test]
fn what_is_wrong_is_so_twice() {
    let reader = busy(|_| ()).reader().clone();
    let forge: Forge = |state| add(&mut state["accounts"]["held"], 5);
    let forged = Forged { reader, kind: "payment", id: UNDER_WAY, forge, mended: Arc::default() };
    let mut books = Books::new(Arc::new(forged));
    assert_eq!(books.look(Duration::ZERO).unwrap().wrong, 0);
    assert_eq!(books.look(Duration::ZERO).unwrap().wrong, 1);
}

/// What is mended is forgotten.
#[test]
fn what_was_written_back_is_wrong_no_more() {
    let reader = busy(|_| ()).reader().clone();
    let mended = Arc::new(AtomicBool::new(false));
    let forge: Forge = |state| add(&mut state["fare"], 5);
    let forged = Forged { reader, kind: "account", id: COMPLETED, forge, mended: mended.clone() };
    let mut books = Books::new(Arc::new(forged));
    books.look(PATIENCE).unwrap();
    assert_eq!(books.look(PATIENCE).unwrap().wrong, 1);
    mended.store(true, Ordering::Relaxed);
    assert_eq!(books.look(PATIENCE).unwrap().wrong, 0);
}
