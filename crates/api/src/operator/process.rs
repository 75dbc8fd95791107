//! The process itself: how much it logs, and what is configured.

use axum::body::Body;
use axum::response::Response;
use serde::Serialize;
use taxi::actor::Actor;

use crate::asked::{Answered, Asked};
use crate::body;
use crate::detail::Detail;
use crate::hal::{Form, json_only, respond, to_json};
use crate::problem::{Kind, Problem};

const LEVEL: &str = "level";

/// How much the process logs.
pub trait LogLevel: Send + Sync + 'static {
    /// A level (`info`), or directives (`info,engine=debug`).
    fn get(&self) -> String;

    /// From now on; else why not.
    fn set(&self, directives: &str) -> Result<(), String>;
}

#[derive(Serialize)]
struct Level {
    level: String,
}

/// `GET /operator/log`.
pub(super) async fn log(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    Ok(level(&asked))
}

/// `PUT /operator/log`, `{"level":"debug"}`.
pub(super) async fn set_log(asked: Asked, body: Body) -> Answered {
    json_only(&asked.head.headers)?;
    let bytes = asked.read(body).await?;
    let fields = body::fields(&bytes)?;
    let wanted = body::text(&fields, LEVEL)?
        .ok_or_else(|| Problem::malformed(Detail::Missing(LEVEL)).of_field(LEVEL))?;
    asked.api.operator.log.set(wanted).map_err(|why| {
        tracing::debug!(why, "a log level was refused");
        Problem::new(Kind::Impossible, Detail::NoLevel).of_field(LEVEL)
    })?;
    tracing::info!(
        target: "operator",
        directives = wanted,
        actor = Actor::Operator.as_str(),
        request_id = asked.request_id(),
        "the log level is set"
    );
    Ok(level(&asked))
}

/// `GET /operator/config`.
pub(super) async fn config(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    Ok(respond(http::StatusCode::OK, Form::Json, to_json(&(asked.api.operator.config)())))
}

/// `GET /operator/doctor`.
pub(super) async fn doctor(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    let look = asked.api.operator.doctor.clone();
    let found = asked.api.operator_desk.read(move || Ok(look())).await?;
    Ok(respond(http::StatusCode::OK, Form::Json, to_json(&found)))
}

fn level(asked: &Asked) -> Response {
    let level = Level { level: asked.api.operator.log.get() };
    respond(http::StatusCode::OK, Form::Json, to_json(&level))
}
