//! What a lane does about conflicts with others who write the same entities, so that these do not hold up the rest.

use crate::Service;
use crate::lane::{Input, Lane};
use std::collections::VecDeque;

impl<S: Service> Lane<S> {
    /// What conflicts again is decided by halves, so that a part of it gets through; so is what a store that is there
    /// cannot take, since it may be too much at once.
    pub(crate) fn halvings(&self) -> u32 {
        let again = self.conflicts.max(self.unavailable).saturating_sub(1);
        again.min(usize::BITS - 1)
    }

    /// While others write the same entities, what conflicts with them is decided again and again; the rest must not
    /// wait for that. What a batch may have only once, or alone, does.
    pub(crate) fn has_room_beside(&self) -> bool {
        let is_alone = |input: &Input<S>| matches!(input, Input::Skip(_) | Input::Due(_) | Input::Begin(_));
        self.conflicts > 0
            && self.narrowed.is_none()
            && self.pending.len() < self.settings.batch_max
            && self.asked().skips.is_empty()
            && !self.pending.iter().any(is_alone)
    }

    /// What conflicts by itself, with somebody who is faster every time, must not hold up what came after it. Events keep
    /// their order among themselves, and so do commands but for the one.
    pub(crate) fn let_others_by(&mut self) {
        if matches!(self.pending.front(), Some(Input::Command(_))) {
            self.pending.rotate_left(1);
            return;
        }
        let (commands, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|input| matches!(input, Input::Command(_)));
        self.pending = commands;
        self.pending.extend(rest);
    }
}
