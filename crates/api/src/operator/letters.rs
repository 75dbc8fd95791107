//! `/operator/dead-letters/**`: messages that were put aside, looked at, taken up again, passed over.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use operator::acts::{self, CameOf, Outcome};
use operator::letters::{self, InFull, Letter, Wanted};
use taxi::actor::Actor;
use taxi::rider::check_text;
use tokio::sync::oneshot;
use wiring::Handles;

use crate::asked::{Answered, Asked};
use crate::body;
use crate::detail::Detail;
use crate::hal::{Form, json_only, respond, to_json};
use crate::paging;
use crate::problem::{Kind, Problem};

const REASON: &str = "reason";
/// A list of more would be too large for whoever shows it.
const LIMIT_MAX: usize = 10_000;

/// `GET /operator/dead-letters`.
pub(super) async fn list(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    let wanted = Wanted { skipped: true, limit: limit(&asked)? };
    let readers = asked.api.readers.clone();
    let read = asked.api.operator_desk.read(move || {
        let found = letters::list(&readers, wanted).map_err(|error| Problem::unreadable(&error))?;
        Ok(to_json(&found))
    });
    Ok(respond(StatusCode::OK, Form::Json, read.await?))
}

fn limit(asked: &Asked) -> Result<usize, Problem> {
    const NAME: &str = "limit";
    let limit = paging::number(&asked.query()?, NAME, u64::MAX)?;
    Ok(limit.map_or(letters::LISTED, |limit| usize::try_from(limit).unwrap_or(usize::MAX).min(LIMIT_MAX)))
}

/// `GET /operator/dead-letters/{service}/{number}`.
pub(super) async fn show(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    let found = find(&asked).await?;
    Ok(respond(StatusCode::OK, Form::Json, to_json(&found)))
}

/// `POST /operator/dead-letters/{service}/{number}/retry`.
pub(super) async fn retry(asked: Asked, _: Body) -> Answered {
    json_only(&asked.head.headers)?;
    let letter = find(&asked).await?.letter;
    note(&asked, &letter, "a dead letter is taken up again");
    let came_of = outcome(&asked, |handles, tell| acts::retry(handles, &letter, tell)).await?;
    if came_of.outcome == Outcome::AlreadySkipped {
        return Err(Problem::new(Kind::NotAllowedNow, Detail::LetterSkipped));
    }
    conclude(&came_of)
}

/// `POST /operator/dead-letters/{service}/{number}/skip`, `{"reason":"…"}`.
pub(super) async fn skip(asked: Asked, body: Body) -> Answered {
    json_only(&asked.head.headers)?;
    let bytes = asked.read(body).await?;
    let fields = body::fields(&bytes)?;
    let reason = body::required(&fields, REASON)?;
    check_text(reason)
        .map_err(|fault| Problem::new(Kind::Impossible, Detail::of_text(REASON, fault)).of_field(REASON))?;
    let letter = find(&asked).await?.letter;
    note(&asked, &letter, "a dead letter is passed over");
    let said = (Actor::Operator.as_str(), reason);
    let came_of = outcome(&asked, |handles, tell| acts::skip(handles, &letter, said, tell)).await?;
    conclude(&came_of)
}

/// The letter that the path names: `/operator/dead-letters/<service>/<number>`, whatever follows.
async fn find(asked: &Asked) -> Result<InFull, Problem> {
    let unknown = || Problem::new(Kind::NotFound, Detail::NoSuchLetter);
    let mut segments = asked.head.uri.path().split('/').skip(3).map(str::to_owned);
    let (Some(service), Some(number)) = (segments.next(), segments.next()) else { return Err(unknown()) };
    let number: u64 = number.parse().map_err(|_| unknown())?;
    let readers = asked.api.readers.clone();
    let read = asked
        .api
        .operator_desk
        .read(move || letters::show(&readers, &service, number).map_err(|error| Problem::unreadable(&error)));
    read.await?.ok_or_else(unknown)
}

/// Does it, and waits for what came of it.
pub(super) async fn outcome(
    asked: &Asked,
    act: impl FnOnce(&Handles, Box<dyn FnOnce(CameOf) + Send>),
) -> Result<CameOf, Problem> {
    let (tell, told) = oneshot::channel();
    let tell = Box::new(move |came_of| {
        // Whoever asked may have gone; what was done stays so.
        let _ = tell.send(came_of);
    });
    act(&asked.api.handles, tell);
    match tokio::time::timeout(asked.api.settings().reply_wait_max, told).await {
        Ok(Ok(came_of)) => Ok(came_of),
        Ok(Err(_)) => Err(Problem::new(Kind::OutcomeUnknown, Detail::ActStopped)),
        Err(_) => Err(Problem::new(Kind::OutcomeUnknown, Detail::ActLate)),
    }
}

fn conclude(came_of: &CameOf) -> Result<Response, Problem> {
    match came_of.outcome {
        Outcome::CarriedOut
        | Outcome::NotWanted
        | Outcome::StillWaits
        | Outcome::Skipped
        | Outcome::AlreadySkipped
        | Outcome::Begun
        | Outcome::UnderWay => Ok(respond(StatusCode::OK, Form::Json, to_json(came_of))),
        // It was there a moment ago.
        Outcome::NoSuchLetter => Err(Problem::new(Kind::NotAllowedNow, Detail::LetterGone)),
        Outcome::NotNow => Err(not_now(came_of)),
    }
}

pub(super) fn not_now(came_of: &CameOf) -> Problem {
    tracing::warn!(why = came_of.words.english, "what an operator wants is not done");
    Problem::not_stored(Detail::NotStored)
}

fn note(asked: &Asked, letter: &Letter, what: &'static str) {
    tracing::info!(
        target: "operator",
        service = letter.service,
        number = letter.number,
        call = letter.call_id,
        actor = Actor::Operator.as_str(),
        request_id = asked.request_id(),
        "{what}"
    );
}
