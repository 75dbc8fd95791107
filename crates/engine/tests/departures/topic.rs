//! The same board over a topic: what it takes for heard already.

use crate::board::{BOARD, BOARD_SHARDS, Board};
use engine::bus::Bus;
use engine::clock::{ManualClock, Timestamp};
use engine::effect::NoPerformer;
use engine::lane::LaneSettings;
use engine::log::{EntityKey, LogId, Recorded, Source};
use engine::memory::MemoryStore;
use engine::runner::{Parts, Runner, Turn};
use engine::topic::{Identity, Message, Spread, Topic};
use std::sync::Arc;

const TOPIC_ID: LogId = LogId(7);
const TRAIN: u64 = 1;

fn departure(position: u64) -> Recorded {
    Recorded {
        source: Source { log: LogId(3), service: "street".into(), shard: 0 },
        position,
        entity_kind: "train".into(),
        entity_id: TRAIN,
        version: position,
        event_type: "Departed".into(),
        schema: 1,
        published: true,
        at: Timestamp(1_000_000),
        actor: "driver".into(),
        cause: "request r".into(),
        trace: None,
        body: "{}".into(),
    }
}

/// These messages of one partition, each by how many partitions its log was told, after which position, and its own: how many
/// of them count.
#[track_caller]
fn check(messages: &[(u32, u64, u64)], expected: u64) {
    let store = MemoryStore::new(&[BOARD], LogId(1));
    let topic = Topic::new(BOARD.service, BOARD_SHARDS);
    topic.identify(Identity { id: TOPIC_ID, partitions: 5 });
    let bus = Bus::default();
    bus.set_topic(topic.clone());
    let mut runner = Runner::new(Parts {
        store: store.writer(),
        bus: Arc::new(bus),
        clock: Arc::new(ManualClock::starting_at(Timestamp(1_000_000))),
        replica: 1,
        settings: LaneSettings::default(),
    });
    let _board = runner.add(Board::default(), BOARD, |_| Box::new(NoPerformer));
    for ((partitions, after, position), offset) in messages.iter().zip(0..) {
        let spread = Spread { partitions: *partitions, after: *after };
        let event = Some(Arc::new(departure(*position)));
        topic.push(TOPIC_ID, &[Message { partition: 0, after: offset, next: offset + 1, event, spread }]);
        while runner.turn().expect("no crash is planned here") != Turn::Idle {}
    }
    let row = store.reader().get(BOARD.service, EntityKey { kind: "line", id: TRAIN });
    let row = row.expect("a store in memory can be read").expect("the board shows it");
    assert_eq!(row.state, expected.to_string(), "{messages:?}");
}

#[test]
fn what_was_told_by_other_counts_of_partitions_makes_nothing_old() {
    check(&[(5, 0, 12), (5, 0, 12), (5, 0, 11)], 1);
    check(&[(4, 0, 12), (5, 10, 11), (4, 0, 12), (5, 10, 11)], 2);
    // Who does not say it has rows of his own.
    check(&[(5, 0, 12), (0, 0, 11), (0, 0, 11)], 2);
}

/// A topic has lost what it had, and is told everything again by as many partitions as it has now, from the beginning.
#[test]
fn what_is_told_by_as_many_partitions_from_further_back_is_no_old_one() {
    check(&[(5, 10, 12), (5, 0, 3), (5, 0, 12)], 2);
}
