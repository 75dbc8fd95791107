//! The same board over a topic: what it takes for heard already.

use crate::board::{BOARD, BOARD_SHARDS, Board};
use engine::bus::Bus;
use engine::clock::{ManualClock, Timestamp};
use engine::effect::NoPerformer;
use engine::handle::Handle;
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

/// A board over one partition of a topic, which is read here from an offset on.
struct Rig {
    topic: Arc<Topic>,
    clock: Arc<ManualClock>,
    runner: Runner,
    board: Handle<Board>,
}

impl Rig {
    fn from(next: u64) -> Self {
        let store = MemoryStore::new(&[BOARD], LogId(1));
        let topic = Topic::new(BOARD.service, BOARD_SHARDS);
        topic.identify(Identity { id: TOPIC_ID, partitions: 5 });
        topic.hold(0, next);
        let bus = Bus::default();
        bus.set_topic(topic.clone());
        let clock = Arc::new(ManualClock::starting_at(Timestamp(1_000_000)));
        let parts = Parts {
            store: store.writer(),
            bus: Arc::new(bus),
            clock: clock.clone(),
            replica: 1,
            settings: LaneSettings::default(),
        };
        let mut runner = Runner::new(parts);
        let board = runner.add(Board::default(), BOARD, |_| Box::new(NoPerformer));
        Self { topic, clock, runner, board }
    }

    fn push(&self, offset: u64) {
        let spread = Spread { partitions: 5, after: 0 };
        let event = Some(Arc::new(departure(offset + 1)));
        self.topic
            .push(TOPIC_ID, &[Message { partition: 0, after: offset, next: offset + 1, event, spread }]);
    }

    /// After so long: how much a shard has not read, and how old it is, in seconds.
    fn unread_after(&mut self, duration_ms: i64) -> (u64, u64) {
        self.clock.advance_ms(duration_ms);
        while self.runner.turn().expect("no crash is planned here") != Turn::Idle {}
        let heard = self.board.heard();
        (heard.unread / u64::from(BOARD_SHARDS), heard.behind_ms / 1_000)
    }
}

/// Somebody's open transaction holds up a partition, and the process was started again.
#[test]
fn what_is_there_and_does_not_come_grows_old_also_where_nothing_has_come_before() {
    let mut rig = Rig::from(0);
    rig.topic.note_end(0, 3);
    assert_eq!(rig.unread_after(0), (3, 0));
    assert_eq!(rig.unread_after(15_000), (3, 15));
    rig.topic.note_end(0, 5);
    assert_eq!(rig.unread_after(15_000), (5, 30));
    (0..5).for_each(|offset| rig.push(offset));
    assert_eq!(rig.unread_after(0), (0, 0));
}

#[test]
fn what_has_just_been_said_is_not_old_because_nothing_was_said_before_it() {
    let mut rig = Rig::from(0);
    rig.topic.note_end(0, 1);
    rig.push(0);
    assert_eq!(rig.unread_after(0), (0, 0));
    rig.topic.note_end(0, 2);
    assert_eq!(rig.unread_after(3 * 3_600_000), (1, 0), "after a quiet night");
    assert_eq!(rig.unread_after(4_000), (1, 4));
    rig.push(1);
    assert_eq!(rig.unread_after(0), (0, 0));
}

/// What was said last night is read this morning.
#[test]
fn what_is_read_late_is_as_old_as_what_was_read_last() {
    let mut rig = Rig::from(0);
    rig.clock.advance_ms(8 * 3_600_000);
    rig.topic.note_end(0, 3);
    rig.push(0);
    assert_eq!(rig.unread_after(0), (2, 8 * 3_600));
    rig.push(1);
    rig.push(2);
    assert_eq!(rig.unread_after(0), (0, 0));
}

#[test]
fn what_another_has_read_before_is_not_unread() {
    let mut rig = Rig::from(40);
    rig.topic.note_end(0, 40);
    assert_eq!(rig.unread_after(60_000), (0, 0));
    rig.topic.note_span(0, 45..47);
    assert_eq!(rig.unread_after(0), (2, 0), "what is gone is not to be read");
}
