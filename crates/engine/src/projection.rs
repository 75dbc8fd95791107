//! Projections: services whose state follows from others' events alone, and can be dropped and read anew while all runs.
//!
//! What a projection holds is dropped a slice a turn, with the rest of the system going on between the slices; then
//! its lanes read every log from the beginning. That it is under way is noted in the store, so that a process that is
//! started in the middle of it goes on. Why so: docs/decisions/0013-rebuild-while-running.md.

use crate::bus::Bus;
use crate::clock::{Timestamp, is_over, is_time};
use crate::handle::lock;
use crate::lane::AnyLane;
use crate::log::{LogId, ShardName};
use crate::progress::Progress;
use crate::store::{InboxKey, Rebuild, Schema, Store, Stored};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Entities that one turn drops; everything else waits for it.
pub const DROPPED_PER_TURN_MAX: usize = 5_000;

/// How often the store is asked, where others write it too, whether one of them makes a projection anew.
pub const LOOK_EVERY_MS: i64 = 1_000;

/// How long after it was begun a projection that several replicas show stands still before anything of it is dropped:
/// by then each of them knows, and none shows the half of it.
pub const DROP_AFTER_MS: i64 = 2_500;

/// How often it is counted how far all replicas have come.
const COUNT_EVERY_MS: i64 = 250;

/// Who may wait to hear that a projection is being made anew.
pub const ASKED_MAX: usize = 1_000;

/// What came of asking for a projection to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// It has begun.
    Begun,
    /// It had begun before, and goes on.
    UnderWay,
    /// The service has a history of its own, which nobody else can tell.
    NoProjection,
    /// The store or the engine is away: it has not begun.
    NotNow(String),
}

/// How far a projection that is made anew has come: in events, over all of its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rebuilding {
    pub read: u64,
    /// 0 while what was there is still being dropped.
    pub to_read: u64,
}

type Tell = Box<dyn FnOnce(Rebuilt) + Send>;

/// What a service's handle and its runner share about making it anew.
#[derive(Default)]
pub(crate) struct Anew {
    asked: Mutex<Vec<Tell>>,
    progress: Mutex<Option<Rebuilding>>,
    /// Grows whenever one begins, under the lock of the progress.
    begun: AtomicU64,
}

impl Anew {
    pub(crate) fn ask(&self, tell: Tell) -> Result<(), Tell> {
        let mut asked = lock(&self.asked);
        if asked.len() >= ASKED_MAX {
            return Err(tell);
        }
        asked.push(tell);
        Ok(())
    }

    pub(crate) fn progress(&self) -> Option<Rebuilding> {
        *lock(&self.progress)
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    fn set(&self, progress: Option<Rebuilding>) {
        let mut known = lock(&self.progress);
        if known.is_none() && progress.is_some() {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        *known = progress;
    }

    fn is_asked(&self) -> bool {
        !lock(&self.asked).is_empty()
    }

    fn tell(&self, came_of: &Rebuilt) {
        let asked = std::mem::take(&mut *lock(&self.asked));
        for tell in asked {
            tell(came_of.clone());
        }
    }
}

/// What a projection that is made anew has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Aim {
    /// The topic that it is read from, if it is.
    topic: Option<LogId>,
    until: Vec<(InboxKey, u64)>,
}

/// Where a projection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The store was not asked yet.
    Unknown,
    Whole,
    Dropping {
        since: Timestamp,
    },
    /// Up to there, once that is known; it is the rebuild of this number.
    Reading {
        number: u64,
        aim: Option<Aim>,
    },
}

/// A projection of a runner.
pub(crate) struct Projection {
    schema: Schema,
    anew: Arc<Anew>,
    progress: Arc<Progress>,
    stage: Stage,
    /// When the store is asked next, and when what was read is counted next.
    next_look: Timestamp,
    next_count: Timestamp,
}

/// What a projection works on in a turn.
pub(crate) struct Ground<'a> {
    pub(crate) store: &'a mut dyn Store,
    pub(crate) bus: &'a Bus,
    pub(crate) lanes: &'a mut [Box<dyn AnyLane>],
    pub(crate) now: Timestamp,
}

impl Projection {
    /// Until the store was asked it counts as one that is not whole.
    pub(crate) fn new(schema: Schema, anew: Arc<Anew>, progress: Arc<Progress>) -> Self {
        anew.set(Some(Rebuilding::default()));
        let (next_look, next_count) = (Timestamp(i64::MIN), Timestamp(i64::MIN));
        Self { schema, anew, progress, stage: Stage::Unknown, next_look, next_count }
    }

    /// Somebody fenced a commit: another replica may have begun to make it anew.
    pub(crate) fn look_soon(&mut self) {
        self.next_look = Timestamp(i64::MIN);
    }

    /// One step, between two batches. Says whether anything was done.
    pub(crate) fn turn(&mut self, ground: &mut Ground<'_>) -> Stored<bool> {
        let is_shared = !ground.store.is_exclusive();
        if self.stage == Stage::Unknown || (is_shared && is_time(ground.now, self.next_look, LOOK_EVERY_MS)) {
            self.look(ground)?;
        }
        let has_worked = match &self.stage {
            Stage::Unknown => false,
            Stage::Whole if self.anew.is_asked() => {
                ground.store.begin_rebuild(self.schema.service)?;
                self.begin(ground);
                self.anew.tell(&Rebuilt::Begun);
                true
            }
            Stage::Whole => return Ok(false),
            Stage::Dropping { since } => {
                let topic = ground.bus.topic(self.schema.service);
                if topic.is_some() && !is_over(ground.now, *since, DROP_AFTER_MS) {
                    false
                } else {
                    self.drop_some(ground)?;
                    true
                }
            }
            Stage::Reading { .. } => self.read(ground)?,
        };
        if self.stage != Stage::Whole {
            self.anew.tell(&Rebuilt::UnderWay);
        }
        Ok(has_worked)
    }

    /// What the store says of it, at the first turn, and now and then where others write it as well.
    pub(crate) fn look(&mut self, ground: &mut Ground<'_>) -> Stored<()> {
        let stored = ground.store.rebuild(self.schema.service)?;
        self.next_look = ground.now.plus_ms(LOOK_EVERY_MS);
        match (stored, &self.stage) {
            (Some((_, Rebuild::Dropping)), Stage::Dropping { .. }) | (None, Stage::Whole) => {}
            (Some((stored, Rebuild::Reading)), Stage::Reading { number, .. }) if stored == *number => {}
            (Some((_, Rebuild::Dropping)), Stage::Unknown | Stage::Whole | Stage::Reading { .. }) => {
                self.begin(ground)
            }
            // Also one that was begun and dropped by another since it was looked last.
            (
                Some((number, Rebuild::Reading)),
                Stage::Unknown | Stage::Whole | Stage::Dropping { .. } | Stage::Reading { .. },
            ) => self.start_over(ground, number)?,
            (None, Stage::Unknown | Stage::Reading { .. }) => self.be_whole(),
            (None, Stage::Dropping { .. }) => {
                self.start_over(ground, 0)?;
                self.be_whole();
            }
        }
        Ok(())
    }

    fn begin(&mut self, ground: &mut Ground<'_>) {
        tracing::info!(service = self.schema.service, "the projection is being made anew");
        self.anew.set(Some(Rebuilding::default()));
        self.own(ground.lanes).for_each(|lane| lane.pause());
        self.progress.forget();
        if let Some(topic) = ground.bus.topic(self.schema.service) {
            topic.forget_ends();
        }
        self.stage = Stage::Dropping { since: ground.now };
    }

    fn drop_some(&mut self, ground: &mut Ground<'_>) -> Stored<()> {
        match ground.store.drop_some(self.schema.service, DROPPED_PER_TURN_MAX)? {
            Rebuild::Dropping => Ok(()),
            // Which it is now the store knows: another may have been faster, by more than one.
            Rebuild::Reading => self.look(ground),
        }
    }

    /// What it held is dropped, here or by another replica.
    fn start_over(&mut self, ground: &mut Ground<'_>, number: u64) -> Stored<()> {
        if self.stage == Stage::Whole
            && let Some(topic) = ground.bus.topic(self.schema.service)
        {
            // They may be older than what was shown before.
            topic.forget_ends();
        }
        self.anew.set(Some(Rebuilding::default()));
        self.progress.forget();
        self.own(ground.lanes).for_each(|lane| lane.start_over());
        self.aim(ground, number)
    }

    /// What there is to read now is what has to be read; what comes later is read as always. How far a topic goes may
    /// have to be asked first.
    fn aim(&mut self, ground: &mut Ground<'_>, number: u64) -> Stored<()> {
        self.stage = Stage::Reading { number, aim: None };
        let aim = match ground.bus.topic(self.schema.service) {
            Some(topic) => topic.until().map(|(id, until)| Aim { topic: Some(id), until }),
            None => {
                let mut until = Vec::new();
                let service = self.schema.service;
                for tail in ground.bus.tails().iter().filter(|tail| tail.shard().service != service) {
                    let key = InboxKey { partition: 0, source: tail.source().clone() };
                    until.push((key, tail.last()?));
                }
                Some(Aim { topic: None, until })
            }
        };
        let Some(aim) = aim else {
            self.anew.set(Some(Rebuilding::default()));
            return Ok(());
        };
        let (read, to_read) = self.count(&aim, ground)?;
        self.anew.set(Some(Rebuilding { read, to_read }));
        self.stage = Stage::Reading { number, aim: Some(aim) };
        Ok(())
    }

    fn read(&mut self, ground: &mut Ground<'_>) -> Stored<bool> {
        let Stage::Reading { number, aim } = &self.stage else { return Ok(false) };
        let number = *number;
        let topic = ground.bus.topic(self.schema.service);
        let id = topic.as_ref().and_then(|topic| topic.identity()).map(|identity| identity.id);
        let Some(aim) = aim.as_ref().filter(|aim| topic.is_none() || aim.topic == id) else {
            // A topic that was made anew has other ends.
            self.aim(ground, number)?;
            return Ok(false);
        };
        if topic.is_some() && !is_time(ground.now, self.next_count, COUNT_EVERY_MS) {
            return Ok(false);
        }
        self.next_count = ground.now.plus_ms(COUNT_EVERY_MS);
        let (read, to_read) = self.count(aim, ground)?;
        self.anew.set(Some(Rebuilding { read, to_read }));
        if read < to_read {
            return Ok(false);
        }
        let is_over = ground.store.end_rebuild(self.schema.service, number)?;
        self.look_soon();
        if is_over {
            self.be_whole();
        }
        Ok(true)
    }

    fn be_whole(&mut self) {
        if self.stage != Stage::Unknown {
            tracing::info!(service = self.schema.service, "the projection is whole again");
        }
        self.anew.set(None);
        self.stage = Stage::Whole;
    }

    /// Over a topic each replica reads some of the partitions, so how far all have come stands in the store.
    fn count(&self, aim: &Aim, ground: &mut Ground<'_>) -> Stored<(u64, u64)> {
        let Aim { topic: id, until } = aim;
        let shards = self.schema.shards;
        let to_read = until.iter().map(|(_, position)| *position).sum::<u64>() * u64::from(shards);
        let topic = ground.bus.topic(self.schema.service);
        let Some(topic) = topic.filter(|_| id.is_some()) else {
            return Ok((self.progress.read_of(until, shards), to_read));
        };
        let mut read = 0;
        for index in 0..shards {
            let rows = ground.store.inbox(ShardName { service: self.schema.service, index })?;
            for (key, end) in until {
                let row = rows.iter().find(|(known, _)| known == key).map_or(0, |(_, row)| *row);
                // What the topic has forgotten nobody reads any more: a partition may be empty and not begin at 0.
                read += row.max(topic.begin(key.partition)).min(*end);
            }
        }
        Ok((read, to_read))
    }

    fn own<'l>(
        &self,
        lanes: &'l mut [Box<dyn AnyLane>],
    ) -> impl Iterator<Item = &'l mut Box<dyn AnyLane>> + use<'l> {
        let service = self.schema.service;
        lanes.iter_mut().filter(move |lane| lane.shard().service == service)
    }

    /// Who has asked is told that it will not begin soon; what has begun goes on.
    pub(crate) fn turn_away(&self, why: &str) {
        self.anew.tell(&Rebuilt::NotNow(why.to_owned()));
    }
}

impl Drop for Projection {
    fn drop(&mut self) {
        self.turn_away("the engine has stopped");
    }
}

/// Drops a projection while its lanes are not running, so that they read every log from the beginning again.
pub fn reset(store: &mut dyn Store, service: &'static str) -> Stored<()> {
    store.begin_rebuild(service)?;
    while store.drop_some(service, DROPPED_PER_TURN_MAX)? == Rebuild::Dropping {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::store::{Commit, InboxMove, WriteSet};
    use crate::topic::{Identity, Topic, read_key};

    const BOARD: Schema = Schema { service: "board", kinds: &["line"], shards: 2 };
    const TOPIC_ID: LogId = LogId(7);

    /// A projection over a topic of two partitions, several replicas of which may be turned.
    struct World {
        store: MemoryStore,
        bus: Bus,
        topic: Arc<Topic>,
        now: Timestamp,
    }

    impl World {
        fn new() -> Self {
            let (store, bus) = (MemoryStore::new(&[BOARD], LogId(1)), Bus::default());
            let topic = Topic::new(BOARD.service, BOARD.shards);
            topic.identify(Identity { id: TOPIC_ID, partitions: 2 });
            bus.set_topic(topic.clone());
            Self { store, bus, topic, now: Timestamp(1_000_000) }
        }

        fn projection() -> Projection {
            Projection::new(BOARD, Arc::default(), Arc::default())
        }

        fn turn(&mut self, projection: &mut Projection) {
            self.now = self.now.plus_ms(COUNT_EVERY_MS);
            let (store, bus, now) = (&mut *self.store.writer(), &self.bus, self.now);
            projection.turn(&mut Ground { store, bus, lanes: &mut [], now }).expect("it can be read");
        }

        /// The first partition is read by all shards up to there.
        fn read(&self, from: u64, to: u64) {
            for index in 0..BOARD.shards {
                let mut set = WriteSet::new(ShardName { service: BOARD.service, index }, to);
                set.inbox.push(InboxMove { key: read_key(TOPIC_ID, 0), from, to });
                assert!(matches!(self.store.writer().commit(&[set]), Commit::Done(_)));
            }
        }
    }

    #[test]
    fn a_partition_that_is_empty_and_does_not_begin_at_0_is_read() {
        let mut world = World::new();
        let mut projection = World::projection();
        reset(&mut *world.store.writer(), BOARD.service).expect("it is dropped");
        world.topic.note_span(0, 3..9);
        world.topic.note_span(1, 5..5);
        world.turn(&mut projection);
        world.turn(&mut projection);
        assert_eq!(projection.anew.progress(), Some(Rebuilding { read: 16, to_read: 28 }));
        world.read(0, 8);
        world.turn(&mut projection);
        assert_eq!(projection.anew.progress(), Some(Rebuilding { read: 26, to_read: 28 }));
        world.topic.note_span(0, 9..9);
        world.turn(&mut projection);
        assert_eq!(projection.anew.progress(), None, "the topic has forgotten the rest meanwhile");
    }

    /// One replica has read all of a projection, and stands still while another makes it anew once more.
    #[test]
    fn nobody_ends_a_later_one_than_he_has_read() {
        let mut world = World::new();
        let (mut early, mut late) = (World::projection(), World::projection());
        world.topic.note_span(0, 0..4);
        world.topic.note_span(1, 0..0);
        reset(&mut *world.store.writer(), BOARD.service).expect("it is dropped");
        world.turn(&mut early);
        world.read(0, 4);
        // It has looked a moment ago, and does not look again before it ends.
        early.next_look = world.now.plus_ms(LOOK_EVERY_MS);
        let mut store = world.store.writer();
        reset(&mut *store, BOARD.service).expect("it is dropped again");
        world.read(0, 4);
        world.turn(&mut early);
        assert!(early.anew.progress().is_some(), "what it has read is dropped");
        assert!(matches!(store.rebuild(BOARD.service), Ok(Some((2, Rebuild::Reading)))));
        world.turn(&mut late);
        world.turn(&mut late);
        assert_eq!(store.rebuild(BOARD.service), Ok(None));
        world.turn(&mut early);
        assert_eq!((early.anew.progress(), late.anew.progress()), (None, None));
    }
}
