//! What waits behind dead letters: what a shard knows of them, and how it learns what other replicas did about them.
//!
//! What others put aside later is not looked for, since nearly always there is nothing: a commit says which dead letter
//! was the last that was known, and conflicts when a later one waits. What others took up is looked for where it
//! matters. Why so: docs/decisions/0030-dead-letters-of-several-replicas.md.

use crate::Service;
use crate::clock::{Timestamp, is_time};
use crate::dead_letter::DeadLetter;
use crate::decide::Batch;
use crate::lane::{Input, Lane};
use crate::store::{Store, Stored};
use rustc_hash::FxHashSet;

/// How often it is looked whether what is due and passed by waits behind a dead letter still.
const LOOK_EVERY_MS: i64 = 1_000;

/// What a shard knows of its dead letters that wait.
#[derive(Default)]
pub(crate) struct Aside {
    /// Entities with a dead letter: their later messages wait behind it.
    pub(crate) entities: FxHashSet<u64>,
    /// The number of the last dead letter that is known, and whether others may have come since.
    last: u64,
    may_be_more: bool,
    next_look: Timestamp,
}

impl Aside {
    /// What was put aside just now; the numbers are the store's.
    pub(crate) fn note(&mut self, letters: &[DeadLetter]) {
        self.entities.extend(letters.iter().map(|letter| letter.entity_id));
        self.may_be_more |= !letters.is_empty();
    }

    /// Another replica may have put something aside.
    pub(crate) fn may_be_more(&mut self) {
        self.may_be_more = true;
    }
}

impl<S: Service> Lane<S> {
    /// Learns what was put aside since it looked last, by whomever.
    pub(crate) fn learn_of_letters(&mut self, store: &mut dyn Store) -> Stored<()> {
        if self.aside.may_be_more {
            let parked = store.parked(self.shard, self.aside.last)?;
            self.aside.entities.extend(parked.entities);
            self.aside.last = parked.last;
            self.aside.may_be_more = false;
        }
        Ok(())
    }

    /// Looks which of these wait still; others may have taken up what they waited behind.
    fn look_again(&mut self, store: &mut dyn Store, mut ids: Vec<u64>) -> Stored<()> {
        ids.retain(|id| self.aside.entities.contains(id));
        if ids.is_empty() || !self.is_shared {
            return Ok(());
        }
        ids.sort_unstable();
        ids.dedup();
        let parked = store.still_parked(self.shard, &ids)?;
        for id in ids.iter().filter(|id| !parked.contains(id)) {
            self.aside.entities.remove(id);
        }
        Ok(())
    }

    /// Those of parked entities are passed by, and stay due: they must not stand in the way of the others.
    pub(crate) fn gather_due(&mut self, store: &mut dyn Store, now: Timestamp) -> Stored<()> {
        let limit = self.settings.batch_max + self.aside.entities.len();
        let timers = store.timers_due(self.shard, now, limit)?;
        let effects = store.effects_due(self.shard, now, limit)?;
        if is_time(now, self.aside.next_look, LOOK_EVERY_MS) {
            self.aside.next_look = now.plus_ms(LOOK_EVERY_MS);
            let ids = timers.iter().map(|due| due.key.id).chain(effects.iter().map(|effect| effect.key.id));
            self.look_again(store, ids.collect())?;
        }
        let is_free = |id: u64| !self.aside.entities.contains(&id);
        let timers = timers.into_iter().filter(|due| is_free(due.key.id)).map(Input::Due);
        let effects = effects.into_iter().filter(|effect| is_free(effect.key.id)).map(Input::Begin);
        self.pending.extend(timers.chain(effects));
        Ok(())
    }
}

impl<S: Service> Batch<S> {
    /// Makes sure that what is about to wait behind a dead letter has to, and has the store make sure that what is about
    /// to be decided has not.
    pub(crate) fn look_at_aside(&mut self, lane: &mut Lane<S>, store: &mut dyn Store) -> Stored<()> {
        let may_wait = |input: &&Input<S>| !matches!(input, Input::Again(_));
        let ids: Vec<u64> = self.inputs.iter().filter(may_wait).filter_map(parcel_id).collect();
        if !ids.is_empty() && lane.is_shared {
            self.set.letters_known = Some(lane.aside.last);
        }
        lane.look_again(store, ids)
    }

    pub(crate) fn is_parked(&self, lane: &Lane<S>, id: u64, input: &Input<S>) -> bool {
        match input {
            // A letter that is taken up again waits only behind one that failed again just now.
            Input::Again(_) => self.parked.contains(&id),
            Input::Command(_) | Input::Passed { .. } | Input::Skip(_) => false,
            Input::Event { .. } | Input::Due(_) | Input::Answer(_) | Input::Begin(_) => {
                self.parked.contains(&id) || lane.aside.entities.contains(&id)
            }
        }
    }

    /// A message is put aside only since an earlier one is, which may be gone by the commit.
    pub(crate) fn wait_behind(&mut self, lane: &Lane<S>, id: u64) {
        if lane.is_shared && !self.parked.contains(&id) {
            self.set.behind.push(id);
        }
    }
}

/// The entity that a message from inside the system is about.
pub(crate) fn parcel_id<S: Service>(input: &Input<S>) -> Option<u64> {
    match input {
        Input::Command(_) | Input::Passed { .. } | Input::Begin(_) | Input::Skip(_) => None,
        Input::Event { event, .. } => Some(event.entity_id),
        Input::Due(due) => Some(due.key.id),
        Input::Answer(parcel) => Some(parcel.entity_id()),
        Input::Again(letter) => Some(letter.entity_id),
    }
}
