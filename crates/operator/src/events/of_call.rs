//! What everybody may hear of one call, read by the call and never by looking through a log.

use super::order::in_order;
use crate::moment::{Moment, reader};
use engine::log::{EntityKey, Recorded};
use engine::store::Stored;
use std::collections::VecDeque;
use taxi::id::CallId;
use wiring::{Readers, TELLING, view};

/// The published events of a call, causes before what they led to; nothing when nobody has heard of it.
pub fn of_call(readers: &Readers, call_id: CallId) -> Stored<Option<Vec<Recorded>>> {
    let id = call_id.get();
    let moment = Moment::take_of_logs(readers)?;
    let mut logs: Vec<VecDeque<Recorded>> = Vec::new();
    for service in TELLING {
        let story = moment.of(service).story(service, id)?;
        logs.push(story.into_iter().filter(|event| event.entity_kind == service).collect());
    }
    if logs.iter().all(VecDeque::is_empty) && !is_viewed(readers, id)? {
        return Ok(None);
    }
    // A private note may be what lies between two that are published.
    let mut events = in_order(logs);
    events.retain(|event| event.published);
    Ok(Some(events))
}

/// The view hears of calls that another's services have, too.
fn is_viewed(readers: &Readers, id: u64) -> Stored<bool> {
    let row = reader(readers, view::NAME).get(view::NAME, EntityKey { kind: view::NAME, id })?;
    Ok(row.is_some())
}
