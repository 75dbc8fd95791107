//! Projections: services whose state follows from others' events alone, and can be dropped and read anew while all runs.
//!
//! What a projection holds is dropped a slice a turn, with the rest of the system going on between the slices; then
//! its lanes read every log from the beginning. That it is under way is noted in the store, so that a process that is
//! started in the middle of it goes on. Why so: docs/decisions/0013-rebuild-while-running.md.

use crate::bus::Bus;
use crate::handle::lock;
use crate::lane::AnyLane;
use crate::progress::Progress;
use crate::store::{InboxKey, Rebuild, Schema, Store, Stored};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Entities that one turn drops; everything else waits for it.
pub const DROPPED_PER_TURN_MAX: usize = 5_000;

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

/// Where a projection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The store was not asked yet.
    Unknown,
    Whole,
    Dropping,
    /// Up to these positions.
    Reading(Vec<(InboxKey, u64)>),
}

/// A projection of a runner.
pub(crate) struct Projection {
    schema: Schema,
    anew: Arc<Anew>,
    progress: Arc<Progress>,
    stage: Stage,
}

impl Projection {
    /// Until the store was asked it counts as one that is not whole.
    pub(crate) fn new(schema: Schema, anew: Arc<Anew>, progress: Arc<Progress>) -> Self {
        anew.set(Some(Rebuilding::default()));
        Self { schema, anew, progress, stage: Stage::Unknown }
    }

    /// One step, between two batches. Says whether anything was done.
    pub(crate) fn turn(
        &mut self,
        store: &mut dyn Store,
        bus: &Bus,
        lanes: &mut [Box<dyn AnyLane>],
    ) -> Stored<bool> {
        match &self.stage {
            Stage::Unknown => self.look(store, bus, lanes)?,
            Stage::Whole if self.anew.is_asked() => {
                store.begin_rebuild(self.schema.service)?;
                self.begin(lanes);
                self.anew.tell(&Rebuilt::Begun);
            }
            Stage::Whole => return Ok(false),
            Stage::Dropping => match store.drop_some(self.schema.service, DROPPED_PER_TURN_MAX)? {
                Rebuild::Dropping => {}
                Rebuild::Reading => {
                    self.own(lanes).for_each(|lane| lane.start_over());
                    self.aim(bus)?;
                }
            },
            Stage::Reading(until) => {
                let (read, to_read) = self.count(until);
                self.anew.set(Some(Rebuilding { read, to_read }));
                if read < to_read {
                    self.anew.tell(&Rebuilt::UnderWay);
                    return Ok(false);
                }
                store.end_rebuild(self.schema.service)?;
                tracing::info!(service = self.schema.service, "the projection is whole again");
                self.anew.set(None);
                self.stage = Stage::Whole;
            }
        }
        if self.stage != Stage::Whole {
            self.anew.tell(&Rebuilt::UnderWay);
        }
        Ok(true)
    }

    /// What the store says of it, at the first turn.
    pub(crate) fn look(
        &mut self,
        store: &mut dyn Store,
        bus: &Bus,
        lanes: &mut [Box<dyn AnyLane>],
    ) -> Stored<()> {
        match store.rebuild(self.schema.service)? {
            None => {
                self.anew.set(None);
                self.stage = Stage::Whole;
            }
            Some(Rebuild::Dropping) => self.begin(lanes),
            Some(Rebuild::Reading) => self.aim(bus)?,
        }
        Ok(())
    }

    fn begin(&mut self, lanes: &mut [Box<dyn AnyLane>]) {
        tracing::info!(service = self.schema.service, "the projection is being made anew");
        self.anew.set(Some(Rebuilding::default()));
        self.own(lanes).for_each(|lane| lane.pause());
        self.progress.forget();
        self.stage = Stage::Dropping;
    }

    /// What there is to read now is what has to be read; what comes later is read as always.
    fn aim(&mut self, bus: &Bus) -> Stored<()> {
        let mut until = Vec::new();
        for tail in bus.tails().iter().filter(|tail| tail.shard().service != self.schema.service) {
            until.push((InboxKey { partition: 0, source: tail.source().clone() }, tail.last()?));
        }
        let (read, to_read) = self.count(&until);
        self.anew.set(Some(Rebuilding { read, to_read }));
        self.stage = Stage::Reading(until);
        Ok(())
    }

    fn count(&self, until: &[(InboxKey, u64)]) -> (u64, u64) {
        let to_read: u64 = until.iter().map(|(_, position)| *position).sum();
        (self.progress.read_of(until, self.schema.shards), to_read * u64::from(self.schema.shards))
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
