//! How the edge reaches a service: it gives commands, gets replies after the commit, and may watch an entity.

use crate::Service;
use crate::dead_letter::Parcel;
use crate::effect::Effect;
use crate::idempotency::Idempotency;
use crate::log::{EntityKey, Origin, Position, shard_of};
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Commands that may wait for a shard; past it they are turned away with [`Overloaded`].
pub const COMMANDS_WAITING_MAX: usize = 20_000;

/// Watches that may be open on a service at once.
pub const WATCHES_MAX: usize = 100_000;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of a command, told after its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<State, Refusal> {
    /// Carried out, now or earlier under the same key; `state` is the entity as it stands after it.
    Done {
        key: EntityKey,
        state: Option<State>,
        position: Position,
        repeated: bool,
    },
    /// Refused by the business, now or earlier under the same key.
    Refused { refusal: Refusal, repeated: bool },
    /// The idempotency key was used before with another body.
    KeyReused,
    /// Nothing of it is stored; the same command may be given again.
    NotStored(String),
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

/// Too many commands wait already, or the service is shutting down: nothing was stored, try later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overloaded {
    QueueFull,
    ShuttingDown,
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
    pub(crate) commands: Mutex<VecDeque<Request<S>>>,
    pub(crate) parcels: Mutex<VecDeque<Parcel>>,
    pub(crate) retries: Mutex<Vec<u64>>,
    pub(crate) closed: AtomicBool,
    doorbell: Arc<Doorbell>,
}

impl<S: Service> Queue<S> {
    pub(crate) fn new(doorbell: Arc<Doorbell>) -> Self {
        Self {
            commands: Mutex::default(),
            parcels: Mutex::default(),
            retries: Mutex::default(),
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
}

impl<S: Service> Default for Watches<S> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            next: Mutex::default(),
        }
    }
}

impl<S: Service> Watches<S> {
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

/// A place from which commands are given to a service, whichever shard they belong to.
pub struct Handle<S: Service> {
    pub(crate) service: Arc<S>,
    pub(crate) queues: Vec<Arc<Queue<S>>>,
    pub(crate) watches: Arc<Watches<S>>,
}

impl<S: Service> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            queues: self.queues.clone(),
            watches: self.watches.clone(),
        }
    }
}

impl<S: Service> Handle<S> {
    pub fn service(&self) -> &S {
        &self.service
    }

    fn queue(&self, entity_id: u64) -> &Queue<S> {
        let shards = u16::try_from(self.queues.len()).expect("a service has at most u16::MAX shards");
        &self.queues[usize::from(shard_of(entity_id, shards))]
    }

    /// Queues a command; its reply is called exactly once, after the commit, on the thread that committed.
    pub fn submit(&self, request: Request<S>) -> Result<(), Overloaded> {
        let keys = self.service.entities(&request.command);
        let key = keys.first().expect("a command names the entity it is about");
        let queue = self.queue(key.id);
        {
            let mut commands = lock(&queue.commands);
            if queue.closed.load(Ordering::SeqCst) {
                return Err(Overloaded::ShuttingDown);
            }
            if commands.len() >= COMMANDS_WAITING_MAX {
                return Err(Overloaded::QueueFull);
            }
            commands.push_back(request);
        }
        queue.doorbell.ring();
        Ok(())
    }

    /// Gives the outcome of an effect. It is not bounded: effects are, by those who want them.
    pub fn answer(&self, effect: &Effect, outcome: String) {
        let queue = self.queue(effect.key.id);
        lock(&queue.parcels).push_back(Parcel::answer(effect, outcome));
        queue.doorbell.ring();
    }

    /// Takes the dead letters of a key up again, in their order.
    pub fn retry_dead_letters(&self, entity_id: u64) {
        let queue = self.queue(entity_id);
        lock(&queue.retries).push(entity_id);
        queue.doorbell.ring();
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
        if waiting.len() >= WATCHES_MAX {
            return None;
        }
        waiting.entry(key).or_default().push((number, Box::new(watcher)));
        drop(waiting);
        Some(Watch {
            watches: self.watches.clone(),
            key,
            number,
        })
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
