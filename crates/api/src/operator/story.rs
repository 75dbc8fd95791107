//! `GET /operator/calls/{id}`: a call's whole story, for programs and for people.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use language::Language;
use operator::explain::{Explanation, explain};
use taxi::id::CallId;

use crate::asked::{Answered, Asked, last_segment};
use crate::detail::Detail;
use crate::hal::{Form, liking, not_acceptable, respond, to_json};
use crate::problem::{Kind, Problem};

const PLAIN: &str = "text/plain";
const FORMS: &[&str] = &["application/json", PLAIN];

enum Told {
    AsData,
    AsText(Language),
}

pub(super) async fn tell(asked: Asked) -> Answered {
    let told = told(&asked)?;
    let segment = last_segment(&asked.head)?;
    let unknown = || Problem::new(Kind::NotFound, Detail::NoSuchCall);
    let call_id: CallId = segment.parse().map_err(|_| unknown())?;
    asked.note_call(call_id);
    let api = asked.api.clone();
    let explanation = asked.api.operator_desk.read(move || {
        let rules = &api.handles.call.service().rules;
        let explanation = explain(&api.readers, call_id, api.operator.clock.now(), rules);
        explanation.map_err(|error| Problem::unreadable(&error))
    });
    let explanation = explanation.await?.ok_or_else(unknown)?;
    Ok(match told {
        Told::AsData => vary(respond(StatusCode::OK, Form::Json, to_json(&explanation))),
        Told::AsText(language) => vary(text(&explanation, language)),
    })
}

/// The form that the client likes best; data when it does not mind.
fn told(asked: &Asked) -> Result<Told, Problem> {
    let language = asked.language_or_asked()?;
    let headers = &asked.head.headers;
    match (liking(headers, "application/json"), liking(headers, PLAIN)) {
        (None, None) => Err(not_acceptable(FORMS)),
        (data, text) if text > data => Ok(Told::AsText(language)),
        _ => Ok(Told::AsData),
    }
}

fn text(explanation: &Explanation, language: Language) -> Response {
    let mut response = Response::new(Body::from(explanation.text(language)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn vary(mut response: Response) -> Response {
    let names = HeaderValue::from_static("accept, accept-language");
    response.headers_mut().insert(header::VARY, names);
    response
}
