//! What every commit suffers: one luck for all stores of a world.

use crate::chance::Chance;
use crate::tally::Tally;
use engine::memory::Fault;

const FAULTS: [(u64, Fault); 8] = [
    (25, Fault::Conflict),
    (15, Fault::Fenced),
    (15, Fault::Unavailable),
    (12, Fault::UnknownStored),
    (10, Fault::UnknownLost),
    (12, Fault::UnknownLate),
    (5, Fault::CrashBefore),
    (6, Fault::CrashAfter),
];

pub(crate) struct Fate {
    chance: Chance,
    faults_per_mille: u64,
    is_calm: bool,
    recent: Vec<Fault>,
    pub(crate) tally: Tally,
}

impl Fate {
    pub(crate) fn new(chance: Chance, faults_per_mille: u64) -> Self {
        Self { chance, faults_per_mille, is_calm: false, recent: Vec::new(), tally: Tally::default() }
    }

    pub(crate) fn draw(&mut self) -> Option<Fault> {
        self.tally.add("commits", 1);
        if self.is_calm || !self.chance.per_mille(self.faults_per_mille) {
            return None;
        }
        let fault = self.chance.weighed(&FAULTS);
        self.tally.add(name(fault), 1);
        self.recent.push(fault);
        Some(fault)
    }

    /// Nothing fails any more.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// What struck since this was asked last.
    pub(crate) fn take_recent(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.recent)
    }
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Conflict => "commits refused as conflicts",
        Fault::Fenced => "commits refused as fenced",
        Fault::Unavailable => "commits refused for want of the store",
        Fault::UnknownStored => "commits unknown, and stored",
        Fault::UnknownLost => "commits unknown, and lost",
        Fault::UnknownLate => "commits unknown, and stored late",
        Fault::CrashBefore => "crashes right before a commit",
        Fault::CrashAfter => "crashes right after a commit",
    }
}
