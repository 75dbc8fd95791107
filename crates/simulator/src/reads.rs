//! Those who wrote read the view: once it is said to be as new as what they wrote, it is.

use crate::failure::{Breach, Kind, must, readable};
use crate::lock;
use crate::people::{Answer, Wish};
use crate::setup::Defence;
use crate::world::World;
use engine::log::EntityKey;
use taxi::call::Call;
use taxi::status::CallStatus;
use taxi::view::CallView;
use wiring::{call, view};

impl World {
    /// One who was told of a call may want to see it in the view. Where order does not matter, no position tells how
    /// much was read.
    pub(crate) fn wish_to_read(&mut self, submission: usize, answer: &Answer) -> Result<(), Breach> {
        let Answer::Done { service: call::NAME, id, state: Some(written), position, .. } = answer else {
            return Ok(());
        };
        let start = self.people.submissions[submission].start;
        let up = self.replicas.iter().flatten().find(|replica| replica.start == start);
        let Some(replica) = up.filter(|_| self.ground.plan.defence == Defence::Inbox) else {
            return Ok(());
        };
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
            self.tally.add("reads of one's own write", 1);
            self.people.wishes[number].is_told = true;
            let Wish { call, written, position, .. } = &self.people.wishes[number];
            let key = EntityKey { kind: view::NAME, id: *call };
            let row = readable(self.observer.readers().view.get(view::NAME, key))?;
            let seen = row.as_ref().and_then(|row| serde_json::from_str::<CallView>(&row.state).ok());
            let written = serde_json::from_str::<Call>(written).ok();
            let written = written.as_ref().map(told_by_call);
            let is_as_new = seen.is_some_and(|view| view.call_status >= written);
            must(is_as_new, Kind::View, || {
                format!(
                    "the view has read up to {position}, and shows call {call} as {row:?}, not {written:?}"
                )
            })?;
        }
        Ok(())
    }

    /// An operator has the view made anew, in the midst of everything. Only one replica knows of it, so it is the only
    /// one there is; and where order does not matter, the road would have to tell everything again.
    pub(crate) fn make_view_anew(&mut self, place: usize) {
        let is_alone = self.replicas.len() == 1 && self.ground.plan.defence == Defence::Inbox;
        let Some(replica) = self.replicas[place].as_ref().filter(|_| is_alone) else {
            return;
        };
        let view = &replica.assembly.handles.view;
        view.rebuild(|_| ());
        let name = if view.rebuilding().is_some() {
            "views to be made anew while they are being"
        } else {
            "views made anew while all runs"
        };
        self.tally.add(name, 1);
        self.trace(|| format!("the view of replica {place} is to be made anew"));
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
