//! How the edge reaches a service: it gives commands, gets replies after the commit, and may watch an entity.

use crate::Service;
use crate::dead_letter::Parcel;
use crate::effect::Effect;
use crate::figures::{Heard, HeardByShard};
use crate::gate::Gate;
use crate::idempotency::Idempotency;
use crate::letters::{Asked, AskedRetry, AskedSkip, Retried, Skipped};
use crate::log::{EntityKey, Origin, Position, shard_of};
use crate::progress::{Progress, Reading};
use crate::projection::{Anew, Rebuilding, Rebuilt};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Commands that may wait for a shard; past it they are turned away with [`Overloaded`].
pub const COMMANDS_WAITING_MAX: usize = 20_000;

/// Numbers that are drawn from the store at once.
pub const NUMBERS_BLOCK: u32 = 40_000;

/// Watches that may be open on a service at once.
pub const WATCHES_MAX: usize = 100_000;

/// Said to an operator whose wish cannot be taken.
const BUSY: &str = "too much is asked already, or the engine is stopping";
const ELSEWHERE: &str = "the service runs in another process";

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of a command, told after its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<State, Refusal> {
    /// Carried out, now or earlier under the same key; `state` is the entity as it stands after it.
    Done { key: EntityKey, state: Option<State>, position: Position, repeated: bool },
    /// Refused by the business, now or earlier under the same key.
    Refused { refusal: Refusal, repeated: bool },
    /// The idempotency key was used before with another body.
    KeyReused,
    /// Nothing of it is stored; the same command may be given again.
    NotStored(String),
    /// The process has no room for more, and its key was not used before: nothing of it is stored.
    NoRoom,
    /// The code failed on it; nothing of it is stored.
    Bug(String),
}

pub type ReplyTo<S> = Box<dyn FnOnce(Reply<<S as Service>::State, <S as Service>::Refusal>) + Send>;

/// A command on its way to a shard.
pub struct Request<S: Service> {
    pub command: S::Command,
    pub origin: Origin,
    pub idempotency: Option<Idempotency>,
    pub reply: ReplyTo<S>,
}

/// A command that waits.
pub(crate) struct Queued<S: Service> {
    pub(crate) request: Request<S>,
    /// It came while the gate was shut: all that it may have is the answer that its key was given before.
    pub(crate) only_if_known: bool,
}

impl<S: Service> Deref for Queued<S> {
    type Target = Request<S>;

    fn deref(&self) -> &Request<S> {
        &self.request
    }
}

/// Too many commands wait already, or the service is shutting down: nothing was stored, try later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overloaded {
    QueueFull,
    ShuttingDown,
    /// The process has said that it has no room for more.
    NoRoom,
}

/// Wakes the loop that serves a shard.
#[derive(Default)]
pub struct Doorbell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl Doorbell {
    pub fn ring(&self) {
        let mut rung = lock(&self.rung);
        if !*rung {
            *rung = true;
            self.wake.notify_one();
        }
    }

    /// Waits until it is rung or the time is over; a ring while nobody waited counts.
    pub fn wait(&self, at_most: Duration) {
        let rung = lock(&self.rung);
        let waited = self.wake.wait_timeout_while(rung, at_most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// What waits for one shard.
pub(crate) struct Queue<S: Service> {
    pub(crate) commands: Mutex<VecDeque<Queued<S>>>,
    pub(crate) parcels: Mutex<VecDeque<Parcel>>,
    /// Entities whose dead letters are to be taken up again.
    pub(crate) retries: Mutex<BTreeSet<u64>>,
    pub(crate) asked: Mutex<Asked>,
    pub(crate) heard: HeardByShard,
    pub(crate) closed: AtomicBool,
    doorbell: Arc<Doorbell>,
}

impl<S: Service> Queue<S> {
    pub(crate) fn new(doorbell: Arc<Doorbell>) -> Self {
        Self {
            commands: Mutex::default(),
            parcels: Mutex::default(),
            retries: Mutex::default(),
            asked: Mutex::default(),
            heard: HeardByShard::default(),
            closed: AtomicBool::new(false),
            doorbell,
        }
    }
}

type Watcher<S> = Box<dyn FnMut(&<S as Service>::State) -> bool + Send>;
type Waiting<S> = HashMap<EntityKey, Vec<(u64, Watcher<S>)>>;

/// Those who wait for an entity to come to something.
pub(crate) struct Watches<S: Service> {
    waiting: Mutex<Waiting<S>>,
    next: Mutex<u64>,
    /// Rung for the lookout, where there is one.
    doorbell: OnceLock<Arc<Doorbell>>,
}

impl<S: Service> Default for Watches<S> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), next: Mutex::default(), doorbell: OnceLock::new() }
    }
}

impl<S: Service> Watches<S> {
    /// A service has one lookout; only the first one counts.
    pub(crate) fn wake_with(&self, doorbell: Arc<Doorbell>) {
        let _ = self.doorbell.set(doorbell);
    }

    /// Entities that are watched, at most `limit`; where there are more, those after `last` in a circle.
    pub(crate) fn some(&self, last: Option<EntityKey>, limit: usize) -> Vec<EntityKey> {
        let mut keys: Vec<EntityKey> = lock(&self.waiting).keys().copied().collect();
        if keys.len() > limit {
            keys.sort_unstable();
            let first = keys.partition_point(|key| Some(*key) <= last);
            keys.rotate_left(first);
            keys.truncate(limit);
        }
        keys
    }

    pub(crate) fn notify<'a>(&self, changed: impl Iterator<Item = (EntityKey, &'a S::State)>) {
        let mut waiting = lock(&self.waiting);
        for (key, state) in changed {
            if waiting.is_empty() {
                return;
            }
            if let Some(watchers) = waiting.get_mut(&key) {
                watchers.retain_mut(|(_, watcher)| !watcher(state));
                if watchers.is_empty() {
                    waiting.remove(&key);
                }
            }
        }
    }
}

/// Numbers for new entities, drawn from the store in blocks so that the edge can take one without asking it.
#[derive(Default)]
pub(crate) struct Numbers {
    blocks: Mutex<VecDeque<Range<u64>>>,
    /// The least number that is wanted; 0 while none is.
    least: AtomicU64,
}

impl Numbers {
    /// The least number wanted, when another block is due.
    pub(crate) fn run_low(&self) -> Option<u64> {
        let least = Some(self.least.load(Ordering::Relaxed)).filter(|least| *least > 0)?;
        let left: u64 = lock(&self.blocks).iter().map(|block| block.end - block.start).sum();
        (left < u64::from(NUMBERS_BLOCK) / 2).then_some(least)
    }

    pub(crate) fn add(&self, first: u64) {
        lock(&self.blocks).push_back(first..first + u64::from(NUMBERS_BLOCK));
    }

    fn draw(&self) -> Option<u64> {
        let mut blocks = lock(&self.blocks);
        let block = blocks.front_mut()?;
        let number = block.start;
        block.start += 1;
        if block.is_empty() {
            blocks.pop_front();
        }
        Some(number)
    }
}

/// A place from which commands are given to a service, whichever shard they belong to.
pub struct Handle<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) queues: Vec<Arc<Queue<S>>>,
    pub(crate) watches: Arc<Watches<S>>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) anew: Arc<Anew>,
    gate: Arc<Gate>,
    is_elsewhere: bool,
}

impl<S: Service> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            queues: self.queues.clone(),
            watches: self.watches.clone(),
            numbers: self.numbers.clone(),
            progress: self.progress.clone(),
            anew: self.anew.clone(),
            gate: self.gate.clone(),
            is_elsewhere: self.is_elsewhere,
        }
    }
}

impl<S: Service> Handle<S> {
    pub(crate) fn new(service: S, queues: Vec<Arc<Queue<S>>>) -> Self {
        Self {
            service: Arc::new(service),
            queues,
            watches: Arc::new(Watches::default()),
            numbers: Arc::default(),
            progress: Arc::default(),
            anew: Arc::default(),
            gate: Arc::default(),
            is_elsewhere: false,
        }
    }

    /// A service that runs in another process: whatever is given to it here is turned away, as by one that is shutting
    /// down; nothing of it waits, and nothing of it was heard.
    pub fn elsewhere(service: S) -> Self {
        let queue = Queue::new(Arc::default());
        queue.closed.store(true, Ordering::SeqCst);
        Self { is_elsewhere: true, ..Self::new(service, vec![Arc::new(queue)]) }
    }

    /// Whether the service runs in another process.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    pub fn service(&self) -> &S {
        &self.service
    }

    /// The same, but commands that are given from here are turned away while the gate is shut.
    #[must_use]
    pub fn gated_by(self, gate: Arc<Gate>) -> Self {
        Self { gate, ..self }
    }

    /// Has numbers for new entities kept ready from now on, none of them below `least`, which is 1 or more.
    pub fn keep_numbers(&self, least: u64) {
        self.numbers.least.store(least.max(1), Ordering::Relaxed);
    }

    /// A number that no entity has; `None` while the store has not given more.
    pub fn draw_number(&self) -> Option<u64> {
        self.numbers.draw()
    }

    /// Whether the service has read up to `position`: every shard of it, or, where it hears a topic, the shard that what
    /// the position is about belongs to.
    pub fn has_read(&self, position: &Position) -> bool {
        !self.is_elsewhere && self.progress.has_read(position, self.shards())
    }

    /// Calls `tell` once the service has read up to `position`, at once if it has. Dropping what is returned ends the
    /// waiting; `None` when too many wait already, or the service runs elsewhere.
    pub fn when_read(&self, position: Position, tell: impl FnOnce() + Send + 'static) -> Option<Reading> {
        if self.is_elsewhere {
            return None;
        }
        self.progress.when_read(position, self.shards(), Box::new(tell))
    }

    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.queues.len()).expect("a service has at most u16::MAX shards")
    }

    fn queue(&self, entity_id: u64) -> &Queue<S> {
        &self.queues[usize::from(shard_of(entity_id, self.shards()))]
    }

    /// Queues a command; its reply is called exactly once, after the commit, on the thread that committed. While the gate
    /// is shut only one under a key is taken, in case it was answered before: that was stored, and is to be told.
    pub fn submit(&self, request: Request<S>) -> Result<(), Overloaded> {
        let keys = self.service.entities(&request.command);
        let key = keys.first().expect("a command names the entity it is about");
        let queue = self.queue(key.id);
        let only_if_known = self.gate.is_shut();
        if only_if_known && request.idempotency.is_none() {
            return Err(Overloaded::NoRoom);
        }
        {
            let mut commands = lock(&queue.commands);
            if queue.closed.load(Ordering::SeqCst) {
                return Err(Overloaded::ShuttingDown);
            }
            if commands.len() >= COMMANDS_WAITING_MAX {
                return Err(Overloaded::QueueFull);
            }
            commands.push_back(Queued { request, only_if_known });
        }
        queue.doorbell.ring();
        Ok(())
    }

    /// Gives the outcome of an effect. It is not bounded: effects are, by those who want them.
    pub fn answer(&self, effect: &Effect, outcome: String) {
        if self.is_elsewhere {
            return;
        }
        let queue = self.queue(effect.key.id);
        lock(&queue.parcels).push_back(Parcel::answer(effect, outcome));
        queue.doorbell.ring();
    }

    /// Takes the dead letters of a key up again, in their order.
    pub fn retry_dead_letters(&self, entity_id: u64) {
        if self.is_elsewhere {
            return;
        }
        let queue = self.queue(entity_id);
        lock(&queue.retries).insert(entity_id);
        queue.doorbell.ring();
    }

    /// Takes one dead letter up again: those of its key that were put aside before it come first, in their order, and
    /// those that wait behind it after it. `tell` is called once, after the commit.
    pub fn retry_dead_letter(&self, shard: u16, number: u64, tell: impl FnOnce(Retried) + Send + 'static) {
        let Some(queue) = self.queues.get(usize::from(shard)) else {
            return tell(Retried::NoSuchLetter);
        };
        {
            let mut asked = lock(&queue.asked);
            if asked.has_room() && !queue.closed.load(Ordering::SeqCst) {
                asked.retries.push(AskedRetry { number, tell: Box::new(tell) });
                return queue.doorbell.ring();
            }
        }
        tell(Retried::NotNow(BUSY.to_owned()));
    }

    /// Passes one dead letter over, for good: it stays on record with who and why, is not taken up again, and what
    /// waits behind it goes on. `tell` is called once, after the commit.
    pub fn skip_dead_letter(
        &self,
        (shard, number): (u16, u64),
        by_whom: &str,
        reason: &str,
        tell: impl FnOnce(Skipped) + Send + 'static,
    ) {
        let Some(queue) = self.queues.get(usize::from(shard)) else {
            return tell(Skipped::NoSuchLetter);
        };
        {
            let mut asked = lock(&queue.asked);
            if asked.has_room() && !queue.closed.load(Ordering::SeqCst) {
                let (by, reason) = (by_whom.to_owned(), reason.to_owned());
                asked.skips.push(AskedSkip { number, by, reason, tell: Box::new(tell) });
                return queue.doorbell.ring();
            }
        }
        tell(Skipped::NotNow(BUSY.to_owned()));
    }

    /// Makes a projection anew while everything runs. `tell` is called once it has begun; from before that until it has
    /// read all that there was, [`Handle::rebuilding`] says how far it is, and what stands in it is not whole. One that
    /// is broken off by the end of the process goes on at the next start.
    pub fn rebuild(&self, tell: impl FnOnce(Rebuilt) + Send + 'static) {
        if !self.service.is_projection() {
            return tell(Rebuilt::NoProjection);
        }
        if self.is_elsewhere {
            return tell(Rebuilt::NotNow(ELSEWHERE.to_owned()));
        }
        if let Err(tell) = self.anew.ask(Box::new(tell)) {
            return tell(Rebuilt::NotNow(BUSY.to_owned()));
        }
        self.queues.iter().for_each(|queue| queue.doorbell.ring());
    }

    /// How far the making anew of the projection is; `None` while it is whole.
    pub fn rebuilding(&self) -> Option<Rebuilding> {
        self.anew.progress()
    }

    /// How many times the making anew of the projection has begun in this process. Who finds it whole before and after a
    /// read has seen all of it only if this is the same: asked first before the read, and last after it.
    pub fn rebuilds(&self) -> u64 {
        self.anew.begun()
    }

    /// How many commands wait to be decided, and how many answers to effects.
    pub fn waiting(&self) -> (u64, u64) {
        let commands: usize = self.queues.iter().map(|queue| lock(&queue.commands).len()).sum();
        let answers: usize = self.queues.iter().map(|queue| lock(&queue.parcels).len()).sum();
        (commands as u64, answers as u64)
    }

    /// How far the service has got with what others say.
    pub fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        self.queues.iter().for_each(|queue| queue.heard.add_to(&mut heard));
        heard
    }

    /// Calls `watcher` with every committed state of the entity until it says `true`. Begin to watch before the
    /// command is given, and nothing is missed. Returns what ends the watch, `None` when too many are open.
    pub fn watch(
        &self,
        key: EntityKey,
        watcher: impl FnMut(&S::State) -> bool + Send + 'static,
    ) -> Option<Watch<S>> {
        let number = {
            let mut next = lock(&self.watches.next);
            *next += 1;
            *next
        };
        let mut waiting = lock(&self.watches.waiting);
        if waiting.len() >= WATCHES_MAX || self.is_elsewhere {
            return None;
        }
        waiting.entry(key).or_default().push((number, Box::new(watcher)));
        drop(waiting);
        if let Some(doorbell) = self.watches.doorbell.get() {
            doorbell.ring();
        }
        Some(Watch { watches: self.watches.clone(), key, number })
    }
}

/// An open watch; dropping it ends it.
pub struct Watch<S: Service> {
    watches: Arc<Watches<S>>,
    key: EntityKey,
    number: u64,
}

impl<S: Service> Drop for Watch<S> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.watches.waiting);
        if let Some(watchers) = waiting.get_mut(&self.key) {
            watchers.retain(|(number, _)| *number != self.number);
            if watchers.is_empty() {
                waiting.remove(&self.key);
            }
        }
    }
}
