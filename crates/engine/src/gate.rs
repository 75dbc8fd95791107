//! The switch by which a process says that it has no room for new commands, while what is under way goes on.

use std::sync::atomic::{AtomicBool, Ordering};

/// Open at first. Handles that share it turn new commands away while it is shut, and answer
/// those whose key was answered before; events, timers, effects and what is
/// queued already are decided and stored all the same, for they finish what was begun.
#[derive(Debug, Default)]
pub struct Gate {
    is_shut: AtomicBool,
}

impl Gate {
    pub fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        self.is_shut.store(false, Ordering::SeqCst);
    }

    pub fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::SeqCst)
    }
}
