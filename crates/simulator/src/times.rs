//! The time of a world: mostly a moment later, now and then far ahead, and now and then set back.

use crate::world::World;

/// The furthest that the clock is set back.
const SET_BACK_MS_MAX: u64 = 2 * 60 * 60 * 1_000;

/// A moment later, and what may run out in it.
const STEPS_MS: [(u64, (u64, u64)); 3] = [(5, (1, 50)), (3, (50, 1_000)), (1, (1_000, 3_000))];
const LEAPS_MS: [(u64, (u64, u64)); 4] =
    [(4, (2_000, 12_000)), (3, (15_000, 70_000)), (2, (300_000, 660_000)), (1, (3_600_000, 90_000_000))];

/// Longer than that no commit is on its way.
const LATE_MS_MAX: u64 = 10_000;

impl World {
    pub(crate) fn move_clock(&mut self) {
        let leaps = self.ground.plan.leaps_per_mille;
        let (least, most) = if self.chance.per_mille(leaps) {
            self.chance.weighed(&LEAPS_MS)
        } else {
            self.chance.weighed(&STEPS_MS)
        };
        let span = self.chance.between(least, most);
        self.wait(span);
        if self.chance.per_mille(leaps / 4) {
            self.set_back();
        }
    }

    /// Somebody corrects the machine's clock.
    fn set_back(&mut self) {
        let span_ms = self.chance.between(1, SET_BACK_MS_MAX);
        self.ground.clock.advance_ms(-i64::try_from(span_ms).unwrap_or(0));
        self.set_back_ms += span_ms;
        self.tally.add("times the clock was set back", 1);
        self.trace(|| format!("the clock is set back by {span_ms} ms"));
    }

    pub(crate) fn wait(&mut self, span_ms: u64) {
        if span_ms > LATE_MS_MAX {
            self.arrive();
        }
        self.ground.clock.advance_ms(i64::try_from(span_ms).unwrap_or(i64::MAX));
        let now = self.now().0;
        self.people.expire_keys(now);
        self.trace(|| format!("{span_ms} ms later"));
    }

    /// What a dead writer had sent arrives at last.
    pub(crate) fn arrive(&mut self) {
        self.ground.stores.iter().for_each(|(_, store)| store.arrive());
    }
}
