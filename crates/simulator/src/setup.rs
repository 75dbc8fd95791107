//! Which world to run: its seed, and what is planted in it.

use engine::store::Store;
use std::fmt;
use wiring::business::Business;

/// Which of the two defences against doubled messages stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defence {
    /// The inbox: messages come in each producer's order, doubled and late.
    Inbox,
    /// The rules of the business: the inbox lets everything through, and messages come in any order at all.
    Business,
}

/// A store with something broken in it, around one that is sound.
pub type Tamper = fn(Box<dyn Store>) -> Box<dyn Store>;

/// One world.
#[derive(Clone)]
pub struct Setup {
    pub seed: u64,
    pub defence: Defence,
    /// The real rules, or ones with a planted bug.
    pub business: Business,
    /// A planted bug of the store.
    pub tamper: Option<Tamper>,
    /// Print every step as it happens.
    pub is_traced: bool,
}

impl Setup {
    /// The world of a seed: the inbox alone under even seeds, the business alone under odd ones.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            defence: if seed.is_multiple_of(2) { Defence::Inbox } else { Defence::Business },
            business: Business::default(),
            tamper: None,
            is_traced: false,
        }
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {} with {:?} alone", self.seed, self.defence)
    }
}
