//! Whether what a client was told is so: stored, once under its key, and refused only for a reason.

use crate::failure::{Breach, Kind, must};
use crate::observer::Observer;
use crate::people::{Answer, Fate, Key, People, What};
use engine::log::Position;
use wiring::{call, drive, payment};

const UNKNOWN: &str = "\"Unknown\"";

/// Looked at after the logs are: whatever was told must be in them by then.
pub(crate) fn check_answer(
    people: &mut People,
    observer: &Observer,
    submission: usize,
    answer: Answer,
) -> Result<(), Breach> {
    let sent = &mut people.submissions[submission];
    let (what, is_misuse, was_known) = (sent.what, sent.is_misuse, sent.was_known);
    let was_lost = sent.fate == Fate::Lost;
    must(sent.fate != Fate::Answered, Kind::Reply, || format!("{what:?} was answered again: {answer:?}"))?;
    if answer == Answer::Dropped {
        return must(was_lost, Kind::Unanswered, || format!("{what:?} was dropped by a replica that lives"));
    }
    sent.fate = Fate::Answered;
    if matches!(answer, Answer::NotStored(_)) {
        // It never came so far that its key was looked at.
        return Ok(());
    }
    let key = sent.key.and_then(|key| people.keys.get_mut(key));
    let is_expired = key.as_ref().is_some_and(|key| key.is_expired);
    let is_reused = answer == Answer::KeyReused;
    must(is_reused == is_misuse || is_expired, Kind::Key, || {
        format!("{what:?} under a key that had come with another body: {is_misuse}; it was told {answer:?}")
    })?;
    match answer {
        Answer::Done { service, id, state, position, repeated } => {
            check_position(observer, (service, id), &position)?;
            check_done(observer, (service, id), state.as_deref(), &what, repeated)?;
            if service == call::NAME && !people.calls.contains(&id) {
                people.calls.push(id);
            }
            check_key(key, &Ok(id), repeated)
        }
        Answer::Refused { refusal, repeated } => {
            must(refusal != UNKNOWN || repeated || !was_known, Kind::Reply, || {
                format!("{what:?} was refused as unknown")
            })?;
            check_refused(observer, &what, &refusal)?;
            check_key(key, &Err(refusal), repeated)
        }
        Answer::Bug(why) => must(false, Kind::DeadLetter, || format!("{what:?} failed: {why}")),
        Answer::KeyReused | Answer::NotStored(_) | Answer::Dropped => Ok(()),
    }
}

/// One answer for ever, and one call for all requests.
fn check_key(key: Option<&mut Key>, verdict: &Result<u64, String>, repeated: bool) -> Result<(), Breach> {
    let Some(key) = key else {
        return must(!repeated, Kind::Key, || format!("{verdict:?} was told as repeated without a key"));
    };
    if key.is_expired {
        return Ok(());
    }
    if matches!(verdict, Err(refusal) if refusal == UNKNOWN) {
        return must(!repeated, Kind::Key, || "that there is none yet was kept under a key".to_owned());
    }
    key.fresh += u32::from(!repeated);
    must(key.fresh <= 1, Kind::Key, || format!("{key:?} was carried out again"))?;
    let first = key.verdict.get_or_insert_with(|| verdict.clone());
    must(first == verdict, Kind::Key, || format!("{first:?} was told before, and {verdict:?} now"))
}

/// The position lies in the log of what was written, so that whoever has read up to it has read that.
fn check_position(
    observer: &Observer,
    (service, id): (&'static str, u64),
    position: &Position,
) -> Result<(), Breach> {
    let shard = observer.shard(service, id);
    let source = &position.source;
    let is_there = source.service == shard.service && source.shard == shard.index;
    let last = observer.last(shard);
    must(is_there && position.number <= last, Kind::Reply, || {
        format!("a reply about {service}/{id} says {position}, and {shard} ends at {last}")
    })?;
    // Over a topic only what was published of it is ever read.
    let is_right =
        position.about.is_none_or(|about| about == id && observer.is_published(shard, position.number, id));
    must(is_right, Kind::Reply, || {
        format!("a reply about {service}/{id} says {position}, where nothing of it was published")
    })
}

fn check_done(
    observer: &Observer,
    (service, id): (&'static str, u64),
    state: Option<&str>,
    what: &What,
    repeated: bool,
) -> Result<(), Breach> {
    let history = observer.history(service, id);
    let Some(state) = state else {
        // Nobody has to give up what nobody began.
        let may_be_nothing = matches!(what, What::GiveUp(_));
        return must(may_be_nothing, Kind::Reply, || format!("{what:?} was done, and there is nothing"));
    };
    must(history.iter().any(|known| known == state), Kind::Reply, || {
        format!("{what:?} was shown {service}/{id} as {state}, which it never was")
    })?;
    let shows = match what {
        What::Request { .. } if !repeated => "\"callStatus\":\"payRequest\"",
        What::Cancel(_) if !repeated => "\"callStatus\":\"requestCancel\"",
        What::End(_) => "\"driveStatus\":\"end\"",
        What::Request { .. } | What::Cancel(_) | What::PayNow { .. } | What::GiveUp(_) => "",
    };
    must(state.contains(shows), Kind::Reply, || format!("{what:?} was done, and shown {state}"))
}

/// A refusal names a state that the entity was really in.
fn check_refused(observer: &Observer, what: &What, refusal: &str) -> Result<(), Breach> {
    let named = refusal.split_once("\"status\":\"").and_then(|(_, rest)| rest.split_once('"'));
    let Some((status, _)) = named else { return Ok(()) };
    let field = match what {
        What::End(_) => format!("\"driveStatus\":\"{status}\""),
        What::Request { .. } | What::Cancel(_) | What::PayNow { .. } | What::GiveUp(_) => {
            format!("\"callStatus\":\"{status}\"")
        }
    };
    let history = about(what).map(|(service, id)| observer.history(service, id));
    let was_so = history.is_some_and(|history| history.iter().any(|state| state.contains(&field)));
    must(was_so, Kind::Reply, || format!("{what:?} was refused by {refusal}, which it never was"))
}

/// The entity that is meant, unless it is still to come.
pub(crate) fn about(what: &What) -> Option<(&'static str, u64)> {
    match what {
        What::Request { .. } => None,
        What::Cancel(id) => Some((call::NAME, *id)),
        What::End(id) => Some((drive::NAME, *id)),
        What::PayNow { call, .. } => Some((payment::NAME, *call)),
        What::GiveUp(id) => Some((payment::NAME, *id)),
    }
}
