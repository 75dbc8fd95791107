//! What an operator asks of dead letters: to take one up again, or to pass it over; and what came of it.
//!
//! To pass over is: an event stays without consequence in this shard, a timer runs out again a while later, and an
//! answer is thrown away, so that its effect is asked again. Why so: docs/decisions/0012-skipping-dead-letters.md.

use crate::Service;
use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parcel, Skip, own_key};
use crate::decide::Batch;
use crate::lane::{Input, Lane};
use crate::store::{LetterSkip, Store, Stored, TimerMove, WriteSet};
use rustc_hash::FxHashSet;
use std::collections::HashMap;

/// What operators have asked of a shard and is not done yet; past it they are told to come again.
pub const LETTERS_ASKED_MAX: usize = 1_000;

/// When a timer that was passed over runs out again.
pub const TIMER_AGAIN_MS: i64 = 60 * 60 * 1_000;

/// What came of taking a dead letter up again. Those of the same key that were put aside before it are taken up
/// before it, and those that wait behind it after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// Carried out: it is gone.
    CarriedOut,
    /// Understood, and the business does not want it: it is gone.
    NotWanted(String),
    /// What it was about is over: it is gone.
    OfThePast,
    /// It cannot be carried out yet, or waits behind one that cannot: it is where it was.
    StillWaits(String),
    NoSuchLetter,
    /// It was passed over before, and stays so.
    WasSkipped(Skip),
    /// The store or the engine is away; it is taken up again by itself at the next start.
    NotNow(String),
}

/// What came of passing a dead letter over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// It stands on record as passed over, and what waited behind it is taken up again.
    Done(Box<DeadLetter>),
    /// It was passed over before, and stands as it did.
    Already(Box<DeadLetter>),
    NoSuchLetter,
    /// The store or the engine is away: nothing was stored.
    NotNow(String),
}

/// Said of what an earlier one of the same key stands before.
pub(crate) const BEHIND: &str = "an earlier message of the same key waits";

type TellRetried = Box<dyn FnOnce(Retried) + Send>;

/// What waits to be done about dead letters of a shard.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) retries: Vec<AskedRetry>,
    pub(crate) skips: Vec<AskedSkip>,
}

pub(crate) struct AskedRetry {
    pub(crate) number: u64,
    pub(crate) tell: TellRetried,
}

pub(crate) struct AskedSkip {
    pub(crate) number: u64,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) tell: Box<dyn FnOnce(Skipped) + Send>,
}

impl Asked {
    pub(crate) fn has_room(&self) -> bool {
        self.retries.len() + self.skips.len() < LETTERS_ASKED_MAX
    }
}

/// Who is to be told what comes of a letter that is taken up again.
#[derive(Default)]
pub(crate) struct Watchers(HashMap<u64, (u64, Vec<TellRetried>)>);

impl Watchers {
    pub(crate) fn add(&mut self, entity_id: u64, asked: AskedRetry) {
        self.0.entry(asked.number).or_insert_with(|| (entity_id, Vec::new())).1.push(asked.tell);
    }

    /// Those who wait for later letters of an entity whose first ones stay.
    fn tell_behind(&mut self, entity_id: u64) {
        let came_of = Retried::StillWaits(BEHIND.to_owned());
        for (_, (_, tells)) in self.0.extract_if(|_, (of, _)| *of == entity_id) {
            tells.into_iter().for_each(|tell| tell(came_of.clone()));
        }
    }

    /// Those who wait for letters of an entity that are there no longer.
    fn tell_gone(&mut self, entity_id: u64, is_gone: impl Fn(u64) -> bool) {
        for (_, (_, tells)) in self.0.extract_if(|number, (of, _)| *of == entity_id && is_gone(*number)) {
            tells.into_iter().for_each(|tell| tell(Retried::NoSuchLetter));
        }
    }

    pub(crate) fn tell(&mut self, number: u64, came_of: &Retried) {
        for tell in self.0.remove(&number).map(|(_, tells)| tells).unwrap_or_default() {
            tell(came_of.clone());
        }
    }

    pub(crate) fn tell_all(&mut self, came_of: &Retried) {
        for tell in std::mem::take(&mut self.0).into_values().flat_map(|(_, tells)| tells) {
            tell(came_of.clone());
        }
    }
}

impl<S: Service> Lane<S> {
    /// Takes in what operators ask; letters that are to be passed over are a batch of their own.
    pub(crate) fn gather_asked(&mut self, store: &mut dyn Store) -> Stored<bool> {
        let skips = std::mem::take(&mut self.asked().skips);
        self.pending.extend(skips.into_iter().map(|asked| Input::Skip(Box::new(asked))));
        if !self.pending.is_empty() {
            return Ok(true);
        }
        loop {
            let Some(number) = self.asked().retries.last().map(|asked| asked.number) else {
                return Ok(false);
            };
            let letter = store.dead_letter(self.shard, number)?;
            let Some(asked) = self.asked().retries.pop() else {
                return Ok(false);
            };
            match letter {
                None => (asked.tell)(Retried::NoSuchLetter),
                Some(DeadLetter { skipped: Some(skip), .. }) => (asked.tell)(Retried::WasSkipped(skip)),
                Some(letter) => {
                    self.watchers.add(letter.entity_id, asked);
                    self.soon.push_back(letter.entity_id);
                }
            }
        }
    }

    /// Takes in dead letters that are to be taken up, no more than a batch has room for: there may be more of them than
    /// the memory, or the disk, can take at once. Of an entity always the first, so that their order stays.
    pub(crate) fn gather_letters(&mut self, store: &mut dyn Store) -> Stored<()> {
        let mut left = self.settings.batch_max;
        let mut gathered: FxHashSet<u64> = FxHashSet::default();
        // Behind those that went in the last turn there is mostly nothing, which must not be all that a turn finds.
        let looks_max = 2 * self.settings.batch_max;
        while left > 0 && gathered.len() < looks_max {
            let soon = self.soon.front().copied();
            let Some(entity_id) = soon.or_else(|| self.retries().last().copied()) else { break };
            if !gathered.contains(&entity_id) {
                let letters = store.dead_letters_first(self.shard, entity_id, left)?;
                if letters.is_empty() {
                    self.aside.entities.remove(&entity_id);
                }
                // Another replica may have taken it up meanwhile.
                let is_all = letters.len() < left;
                self.watchers.tell_gone(entity_id, |number| {
                    let is_there = letters.iter().any(|letter| letter.number == number);
                    let is_before = is_all || letters.last().is_some_and(|last| number < last.number);
                    is_before && !is_there
                });
                left -= letters.len();
                gathered.insert(entity_id);
                self.pending.extend(letters.into_iter().map(Input::Again));
            }
            match soon {
                Some(_) => drop(self.soon.pop_front()),
                None => drop(self.retries().remove(&entity_id)),
            }
        }
        Ok(())
    }

    /// Tells operators what came of what they asked, and takes up what waited behind what is gone.
    pub(crate) fn settle_letters(&mut self, batch: &mut Batch<S>) {
        for (number, came_of) in batch.came_of.drain() {
            self.watchers.tell(number, &came_of);
        }
        // What goes on is taken up further; behind what still waits nobody waits for more to come.
        for input in &batch.inputs {
            if let Input::Again(letter) = input
                && batch.parked.contains(&letter.entity_id)
                && !batch.freed.contains(&letter.entity_id)
            {
                self.watchers.tell_behind(letter.entity_id);
            }
        }
        for key in batch.stale.drain(..) {
            self.cache.remove(key);
        }
        for entity_id in batch.freed.drain() {
            self.soon.push_back(entity_id);
        }
        let outcomes = batch.skipped.drain(..);
        let skips = batch.inputs.extract_if(.., |input| matches!(input, Input::Skip(_)));
        for (input, came_of) in skips.zip(outcomes) {
            if let Input::Skip(asked) = input {
                (asked.tell)(came_of);
            }
        }
    }

    /// Nothing of what operators asked will be done soon.
    pub(crate) fn turn_letters_away(&mut self, why: &str) {
        let asked = std::mem::take(&mut *self.asked());
        for retry in asked.retries {
            (retry.tell)(Retried::NotNow(why.to_owned()));
        }
        for skip in asked.skips {
            (skip.tell)(Skipped::NotNow(why.to_owned()));
        }
        self.watchers.tell_all(&Retried::NotNow(why.to_owned()));
    }
}

impl<S: Service> Batch<S> {
    /// Decides what is passed over, on the letters as they stand.
    pub(crate) fn decide_skips(
        &mut self,
        lane: &Lane<S>,
        store: &mut dyn Store,
        now: Timestamp,
    ) -> Stored<()> {
        for input in &self.inputs {
            let Input::Skip(asked) = input else { continue };
            let came_of = match store.dead_letter(lane.shard, asked.number)? {
                None => Skipped::NoSuchLetter,
                Some(letter) if letter.skipped.is_some() => Skipped::Already(Box::new(letter)),
                Some(letter) => {
                    match self.set.dead_letters_skipped.iter().find(|skip| skip.number == letter.number) {
                        Some(known) => Skipped::Already(Box::new(DeadLetter {
                            skipped: Some(known.skip.clone()),
                            ..letter
                        })),
                        None => {
                            let skip = Skip { by: asked.by.clone(), reason: asked.reason.clone(), at: now };
                            pass_over(&mut self.set, lane, store, (&letter, &skip))?;
                            self.freed.insert(letter.entity_id);
                            Skipped::Done(Box::new(DeadLetter { skipped: Some(skip), ..letter }))
                        }
                    }
                }
            };
            self.skipped.push(came_of);
        }
        self.stale.extend(self.set.timers_moved.iter().map(|moved| moved.key));
        Ok(())
    }
}

/// What passing a letter over changes. The entity's row is not among it: of its state nothing changes, and it may be
/// its very state that cannot be read.
fn pass_over<S: Service>(
    set: &mut WriteSet,
    lane: &Lane<S>,
    store: &mut dyn Store,
    (letter, skip): (&DeadLetter, &Skip),
) -> Stored<()> {
    let mut passed_over = None;
    match &letter.parcel {
        Parcel::Event(event) => passed_over = Some((event.source.clone(), event.position)),
        Parcel::Due { kind, id, timer } => {
            let key = own_key(lane.service.kinds(), kind, *id);
            let row = match key {
                Some(key) => store.load(lane.shard.service, &[key])?.pop().flatten(),
                None => None,
            };
            // One that was armed anew, or moved by a letter before this one, runs out when it is to.
            if let Some(row) = row
                && row.timer.as_ref() == Some(timer)
                && set.timers_moved.iter().all(|moved| moved.key != row.key)
            {
                let due = skip.at.plus_ms(TIMER_AGAIN_MS);
                set.timers_moved.push(TimerMove { key: row.key, from: timer.clone(), due });
            }
        }
        // Its effect is open still, and is asked again once its claim runs out.
        Parcel::Answer { .. } => {}
    }
    set.dead_letters_skipped.push(LetterSkip { number: letter.number, skip: skip.clone(), passed_over });
    Ok(())
}
