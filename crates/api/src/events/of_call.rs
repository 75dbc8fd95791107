//! `GET /events/calls/{id}`: what happened to one call, and who wanted it.

use engine::log::Recorded;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use taxi::id::CallId;

use super::on_the_wire;
use crate::asked::{Answered, Asked, last_segment};
use crate::detail::Detail;
use crate::hal::{Form, json_only, respond, to_json};
use crate::late::starting;
use crate::problem::{Kind, Problem};

/// Those that everybody may hear of, causes before what they led to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    call_id: u64,
    events: Vec<Box<RawValue>>,
}

pub(crate) async fn list(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    let segment = last_segment(&asked.head)?;
    let unknown = || Problem::new(Kind::NotFound, Detail::NoSuchCall);
    let call_id: CallId = segment.parse().map_err(|_| unknown())?;
    asked.note_call(call_id);
    if asked.api.bus.tails().is_empty() {
        // The logs are elsewhere, and where is not known yet.
        return Err(starting());
    }
    let api = asked.api.clone();
    let events = asked.api.desk.read(move || {
        operator::events::of_call(&api.readers, call_id).map_err(|error| Problem::unreadable(&error))
    });
    let events = events.await?.ok_or_else(unknown)?;
    let told = Told { call_id: call_id.get(), events: events.iter().filter_map(tell).collect() };
    Ok(respond(StatusCode::OK, Form::Json, to_json(&told)))
}

/// The fields of the stream, to the letter, and behind them on whose behalf it was.
fn tell(event: &Recorded) -> Option<Box<RawValue>> {
    let data = on_the_wire(event)?;
    let fields = data.strip_suffix('}').expect("an event is told as an object");
    let actor = serde_json::to_string(&event.actor).expect("a text is JSON");
    let told = format!(r#"{fields},"actor":{actor}}}"#);
    Some(RawValue::from_string(told).expect("an object with one more field is an object"))
}
