//! `GET /operator/audit`: does everything add up, beside the running system.

use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wiring::audit::{self, Report};

use crate::asked::{Answered, Asked};
use crate::detail::Detail;
use crate::hal::{Form, json_only, respond, to_json};
use crate::problem::Problem;

/// It reads everything there is, so one at a time is enough for anybody.
pub(crate) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    is_clean: bool,
    #[serde(flatten)]
    report: Report,
}

pub(super) async fn look(asked: Asked) -> Answered {
    json_only(&asked.head.headers)?;
    let place = asked.api.audits.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::too_busy(Detail::AuditRuns))?;
    let api = asked.api.clone();
    let report = asked.api.operator_desk.read(move || {
        // Held until it is done, also when whoever asked has gone.
        let _place = place;
        let options = (api.operator.audited)();
        let report = audit::audit_readers(&api.readers, Some(api.operator.clock.now()), &options);
        report.map_err(|error| Problem::unreadable(&error))
    });
    let report = report.await?;
    let told = Told { is_clean: report.is_clean(), report };
    Ok(respond(StatusCode::OK, Form::Json, to_json(&told)))
}
