//! What is under way of one shard's log: the cursor moves only over an unbroken run of acknowledgements.

use engine::clock::Timestamp;
use std::collections::VecDeque;

/// Events of one shard that may be on their way at once.
pub(crate) const UNDER_WAY_MAX: usize = 4_096;

struct Step {
    position: u64,
    at: Timestamp,
    is_settled: bool,
}

/// A run begins at an acknowledged position, and goes on in the order of the log.
pub(crate) struct Run {
    /// Everything up to here is acknowledged, or is nothing to be told.
    cursor: u64,
    /// From the first that is not settled to the last that was given.
    steps: VecDeque<Step>,
    unsettled: usize,
}

impl Run {
    pub(crate) fn from(cursor: u64) -> Self {
        Self { cursor, steps: VecDeque::new(), unsettled: 0 }
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The position up to which the log was given, whether acknowledged or not.
    pub(crate) fn given(&self) -> u64 {
        self.steps.back().map_or(self.cursor, |step| step.position)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.unsettled
    }

    pub(crate) fn has_room(&self) -> bool {
        self.steps.len() < UNDER_WAY_MAX
    }

    /// When the oldest event was recorded that is not acknowledged.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.steps.front().map(|step| step.at)
    }

    /// The next event of the log is on its way.
    pub(crate) fn tell(&mut self, position: u64, at: Timestamp) {
        debug_assert!(position > self.given(), "a log is told in its order");
        self.steps.push_back(Step { position, at, is_settled: false });
        self.unsettled += 1;
    }

    /// The next event of the log is private: it counts as told once all before it are.
    pub(crate) fn pass_over(&mut self, position: u64) {
        debug_assert!(position > self.given(), "a log is told in its order");
        if self.steps.is_empty() {
            self.cursor = position;
            return;
        }
        self.steps.push_back(Step { position, at: Timestamp::default(), is_settled: true });
    }

    /// The topic has this one. What it was not given, or has acknowledged before, changes nothing.
    pub(crate) fn acknowledge(&mut self, position: u64) {
        let Ok(index) = self.steps.binary_search_by_key(&position, |step| step.position) else { return };
        let step = &mut self.steps[index];
        if step.is_settled {
            return;
        }
        step.is_settled = true;
        self.unsettled -= 1;
        while self.steps.front().is_some_and(|step| step.is_settled) {
            let settled = self.steps.pop_front().expect("there is one in front");
            self.cursor = settled.position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does what is written to a run at 10 and returns where its cursor is: `t` and `p` give the next event, published or
    /// private, a number acknowledges that position.
    fn check(script: &str, cursor: u64) {
        let mut run = Run::from(10);
        for word in script.split_whitespace() {
            let next = run.given() + 1;
            match word {
                "t" => run.tell(next, Timestamp(0)),
                "p" => run.pass_over(next),
                number => run.acknowledge(number.parse().unwrap()),
            }
        }
        assert_eq!(run.cursor(), cursor, "{script}");
    }

    #[test]
    fn the_cursor_stands_before_the_first_that_is_not_acknowledged() {
        check("", 10);
        check("t t t", 10);
        check("t t t 11", 11);
        check("t t t 12 13", 10);
        check("t t t 12 13 11", 13);
        check("t t 11 11 11", 11);
        check("t 7 99", 10);
    }

    #[test]
    fn a_private_event_counts_once_all_before_it_do() {
        check("p p", 12);
        check("t p p", 10);
        check("t p p 11", 13);
        check("t p t 13", 10);
        check("t p t 13 11", 13);
        check("p t p 12 p", 14);
    }

    #[test]
    fn what_is_under_way_is_counted_without_private_events() {
        let mut run = Run::from(0);
        run.tell(1, Timestamp(5));
        run.pass_over(2);
        run.tell(3, Timestamp(6));
        assert_eq!((run.under_way(), run.given(), run.oldest()), (2, 3, Some(Timestamp(5))));
        run.acknowledge(1);
        assert_eq!((run.under_way(), run.cursor(), run.oldest()), (1, 2, Some(Timestamp(6))));
    }
}
