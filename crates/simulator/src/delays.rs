//! The provider's answers on their way: they wait in virtual time, and die with the replica that asked.

use crate::lock;
use engine::clock::{Clock, ManualClock};
use std::sync::{Arc, Mutex};
use wiring::provider::Delay;

type Then = Box<dyn FnOnce() + Send>;

pub(crate) struct Delays {
    clock: Arc<ManualClock>,
    waiting: Mutex<Vec<(i64, Then)>>,
}

impl Delays {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, waiting: Mutex::default() }
    }

    /// How many are due by now.
    pub(crate) fn due(&self) -> usize {
        let now = self.clock.now().0;
        lock(&self.waiting).iter().filter(|(due, _)| *due <= now).count()
    }

    /// Lets one of those arrive that are due.
    pub(crate) fn arrive(&self, which: usize) {
        let now = self.clock.now().0;
        let taken = {
            let mut waiting = lock(&self.waiting);
            let place = waiting.iter().enumerate().filter(|(_, (due, _))| *due <= now).nth(which);
            place.map(|(place, _)| place).map(|place| waiting.remove(place))
        };
        if let Some((_, then)) = taken {
            then();
        }
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<i64> {
        lock(&self.waiting).iter().map(|(due, _)| *due).min()
    }
}

impl Delay for Delays {
    fn after(&self, delay_ms: u64, then: Then) {
        let delay_ms = i64::try_from(delay_ms).unwrap_or(i64::MAX);
        let due = self.clock.now().plus_ms(delay_ms).0;
        lock(&self.waiting).push((due, then));
    }
}
