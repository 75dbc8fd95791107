//! Those who wrote read the view: once it is said to be as new as what they wrote, it is.

use crate::broker::TOPICS_REMADE;
use crate::failure::{Breach, Kind, must, readable};
use crate::lock;
use crate::people::{Answer, Watching, Wish};
use crate::setup::Defence;
use crate::world::World;
use engine::log::{EntityKey, Position};
use engine::topic::{logs_of, topics_of};
use std::sync::atomic::Ordering;
use taxi::call::Call;
use taxi::status::CallStatus;
use taxi::view::CallView;
use wiring::{call, view};

const VIEWS_REMADE: &str = "views made anew while all runs";

impl World {
    /// One who was told of a call may want to see it in the view. Where order does not matter, no position tells how
    /// much was read.
    pub(crate) fn wish_to_read(&mut self, submission: usize, answer: &Answer) -> Result<(), Breach> {
        let Answer::Done { service: call::NAME, id, state: Some(written), position, .. } = answer else {
            return Ok(());
        };
        let start = self.people.submissions[submission].start;
        let place = self
            .replicas
            .iter()
            .position(|replica| replica.as_ref().is_some_and(|replica| replica.start == start));
        let place = place.and_then(|place| self.place_of(view::NAME, place));
        let is_told = self.ground.plan.defence == Defence::Inbox || self.road.is_some();
        let up = place.and_then(|place| self.replicas[place].as_ref());
        let Some(replica) = up.filter(|_| is_told) else { return Ok(()) };
        let start = replica.start;
        let (told, number) = (self.people.told.clone(), self.people.wishes.len());
        self.people.wishes.push(Wish {
            start,
            call: *id,
            written: written.clone(),
            position: position.clone(),
            is_told: false,
        });
        let view = &replica.assembly.handles.view;
        let taken = view.when_read(position.clone(), move || lock(&told).push(number));
        must(taken.is_some(), Kind::Unanswered, || "too many wait for the view".to_owned())?;
        self.people.readings.extend(taken);
        Ok(())
    }

    /// Looks at the view for those who were told that they may.
    pub(crate) fn check_reads(&mut self) -> Result<(), Breach> {
        let told = std::mem::take(&mut *lock(&self.people.told));
        for number in told {
            self.people.wishes[number].is_told = true;
            let stage = readable(self.observer.readers().view.snapshot())?;
            if readable(stage.rebuild(view::NAME))?.is_some() {
                // Whoever asks before and after knows that it is not whole.
                self.tally.add("reads while the view is made anew", 1);
                continue;
            }
            drop(stage);
            self.tally.add("reads of one's own write", 1);
            let Wish { call, written, position, .. } = &self.people.wishes[number];
            let key = EntityKey { kind: view::NAME, id: *call };
            let row = readable(self.observer.readers().view.get(view::NAME, key))?;
            let seen = row.as_ref().and_then(|row| serde_json::from_str::<CallView>(&row.state).ok());
            let written = serde_json::from_str::<Call>(written).ok();
            let written = written.as_ref().map(told_by_call);
            let is_as_new = seen.is_some_and(|view| view.call_status >= written);
            if !is_as_new && self.is_yet_to_be_told(*call, position)? {
                self.tally.add("reads of what is yet to be told to a topic that was made anew", 1);
                continue;
            }
            must(is_as_new, Kind::View, || {
                format!(
                    "the view has read up to {position}, and shows call {call} as {row:?}, not {written:?}"
                )
            })?;
        }
        Ok(())
    }

    /// A topic that is made anew holds nothing until all is told to it again, so a view that is made anew of it shows as
    /// little; and a replica that stands still since before knows of neither. That the view has read it since it was
    /// dropped is seen in its rows, which are dropped with it.
    fn is_yet_to_be_told(&self, call: u64, position: &Position) -> Result<bool, Breach> {
        let is_remade = self.road.as_ref().is_some_and(|road| road.broker.tally.count(TOPICS_REMADE) > 0);
        if !is_remade || self.tally.count(VIEWS_REMADE) == 0 {
            return Ok(false);
        }
        let shard = self.observer.shard(view::NAME, call);
        let rows = readable(readable(self.observer.readers().view.snapshot())?.inbox(shard))?;
        let topics = topics_of(&rows);
        let source = &position.source;
        let has_read = rows.iter().any(|(key, read)| {
            let is_of = (&key.source.service, key.source.shard) == (&source.service, source.shard);
            is_of && *read >= position.number && logs_of(key.source.log, &topics).any(|log| log == source.log)
        });
        Ok(!has_read)
    }

    /// An operator has the view made anew, in the midst of everything. Only one replica knows of it, so it is the only
    /// one there is; and where order does not matter, the road would have to tell everything again.
    pub(crate) fn make_view_anew(&mut self, place: usize) {
        let is_alone = self.replicas.len() == 1 && self.ground.plan.defence == Defence::Inbox;
        let is_alone = is_alone || self.road.is_some();
        let Some(place) = self.place_of(view::NAME, place) else { return };
        let Some(replica) = self.replicas[place].as_ref().filter(|_| is_alone) else {
            return;
        };
        let view = &replica.assembly.handles.view;
        view.rebuild(|_| ());
        let name = if view.rebuilding().is_some() {
            "views to be made anew while they are being"
        } else {
            VIEWS_REMADE
        };
        self.tally.add(name, 1);
        self.trace(|| format!("the view of replica {place} is to be made anew"));
    }

    /// Nor does anybody who watches a call that has come further. What another replica commits is looked for over a topic
    /// alone: without one, a store has one process.
    pub(crate) fn unseen(&self) -> Option<&Watching> {
        if self.road.is_none() && self.ground.plan.replicas > 1 {
            return None;
        }
        let is_up = |start| self.replicas.iter().flatten().any(|replica| replica.start == start);
        let has_come = |id: &u64| {
            let known = self.observer.call.known.get(id).and_then(|known| known.state.as_ref());
            known.is_some_and(|call| call.call_status > CallStatus::PayRequest)
        };
        self.people.watching.iter().find(|watching| {
            let has_seen = watching.has_seen.load(Ordering::SeqCst);
            !has_seen && is_up(watching.start) && has_come(&watching.call)
        })
    }

    /// Nobody waits for ever at a replica that lives.
    pub(crate) fn unread(&self) -> Option<&Wish> {
        let is_up = |start| self.replicas.iter().flatten().any(|replica| replica.start == start);
        self.people.wishes.iter().find(|wish| !wish.is_told && is_up(wish.start))
    }
}

/// How far the call's own published events take the view; the rest of its state comes from what others say.
fn told_by_call(call: &Call) -> CallStatus {
    match call.call_status {
        CallStatus::RequestCancel => CallStatus::RequestCancel,
        CallStatus::PayRequest
        | CallStatus::DriveRequest
        | CallStatus::DriveStart
        | CallStatus::PayFail
        | CallStatus::DriveComplete => {
            if call.placed {
                CallStatus::DriveRequest
            } else {
                CallStatus::PayRequest
            }
        }
    }
}
