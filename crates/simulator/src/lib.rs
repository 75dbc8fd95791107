//! The whole system in one thread under one seed: every fault drawn, every step checked, every failure replayed.
//!
//! A [`Setup`] says which world to run; [`run`] runs it to its end and answers what was survived, or the [`Failure`].
//! The services, the engine and the memory store are the real ones; people, time, delivery and luck are made here.

pub mod failure;
pub mod setup;
pub mod tally;

mod accounts;
mod broker;
mod chance;
mod courier;
mod delays;
mod fate;
mod finish;
mod flaky;
mod line;
mod observer;
mod people;
mod plan;
mod reads;
mod replica;
mod road;
mod said;
mod steps;
mod times;
mod verdicts;
mod world;

use crate::chance::Chance;
use crate::failure::{Breach, Failure, Kind};
use crate::plan::Plan;
use crate::setup::Setup;
use crate::tally::Tally;
use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs one world from its first step to its audit.
pub fn run(setup: &Setup) -> Result<Tally, Box<Failure>> {
    let mut world = World::new(setup);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let breach = match ran {
        Ok(Ok(())) => return Ok(world.into_tally()),
        Ok(Err(breach)) => breach,
        Err(_) => Breach { kind: Kind::Panic, what: "the code panicked".to_owned() },
    };
    Err(Box::new(world.into_failure(breach)))
}

/// Whether the topic of this world is never made anew and never gets more partitions: only then the rows of an inbox know
/// of everything that is told.
pub fn tells_once_by_one_count(setup: &Setup) -> bool {
    let plan = Plan::draw(setup, &mut Chance::new(setup.seed));
    plan.topic.is_none_or(|topic| !topic.grows && !topic.is_remade)
}

/// A world runs in one thread, so a poisoned lock only tells of a panic that is reported anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
