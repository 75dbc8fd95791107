//! What every commit suffers: one luck for all stores of a world.

use crate::chance::Chance;
use crate::plan::Plan;
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

/// What is left where a process has its store to itself: nobody is in its way, and no commit is on a wire.
const FAULTS_OF_AN_OWNER: [(u64, Fault); 3] =
    [(60, Fault::Unavailable), (20, Fault::CrashBefore), (20, Fault::CrashAfter)];

pub(crate) struct Fate {
    chance: Chance,
    faults_per_mille: u64,
    reads_fail_per_mille: u64,
    is_exclusive: bool,
    is_calm: bool,
    recent: Vec<Fault>,
    pub(crate) tally: Tally,
}

impl Fate {
    pub(crate) fn new(chance: Chance, plan: &Plan) -> Self {
        Self {
            chance,
            faults_per_mille: plan.faults_per_mille,
            reads_fail_per_mille: plan.reads_fail_per_mille,
            is_exclusive: plan.is_exclusive,
            is_calm: false,
            recent: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Whether the store cannot be read just now.
    pub(crate) fn draw_read(&mut self) -> bool {
        let fails = !self.is_calm && self.chance.per_mille(self.reads_fail_per_mille);
        self.tally.add("reads refused for want of the store", u64::from(fails));
        fails
    }

    pub(crate) fn draw(&mut self) -> Option<Fault> {
        self.tally.add("commits", 1);
        if self.is_calm || !self.chance.per_mille(self.faults_per_mille) {
            return None;
        }
        let faults: &[(u64, Fault)] = if self.is_exclusive { &FAULTS_OF_AN_OWNER } else { &FAULTS };
        let fault = self.chance.weighed(faults);
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
