//! `/operator/views/rebuild`: the view made anew from the events, while everything else runs.

use axum::body::Body;
use http::{HeaderValue, StatusCode, header};
use operator::acts::{self, CameOf, Outcome, Progress};
use serde::Serialize;
use taxi::actor::Actor;

use super::letters::{not_now, outcome};
use crate::asked::{Answered, Asked};
use crate::hal::{Form, json_only, respond, to_json};

pub(super) const PATH: &str = "/operator/views/rebuild";

#[derive(Serialize)]
struct Begun {
    #[serde(flatten)]
    came_of: CameOf,
    #[serde(flatten)]
    progress: Progress,
}

/// `GET`: how far it is.
pub(super) async fn progress(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    let progress = acts::view_progress(&asked.api.handles);
    Ok(respond(StatusCode::OK, Form::Json, to_json(&progress)))
}

/// `POST`: begins it; asked again meanwhile, it goes on.
pub(super) async fn rebuild(asked: Asked, _: Body) -> Answered {
    json_only(&asked.head.headers)?;
    let came_of = outcome(&asked, acts::rebuild_view).await?;
    if came_of.outcome == Outcome::NotNow {
        return Err(not_now(&came_of));
    }
    tracing::info!(
        target: "operator",
        actor = Actor::Operator.as_str(),
        request_id = asked.request_id(),
        "the view is being made anew"
    );
    let progress = acts::view_progress(&asked.api.handles);
    let body = to_json(&Begun { came_of, progress });
    let mut response = respond(StatusCode::ACCEPTED, Form::Json, body);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(PATH));
    Ok(response)
}
