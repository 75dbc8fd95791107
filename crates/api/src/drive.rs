//! The drive service over HTTP: rides, and the driver's word that one is over.

use axum::body::Body;
use axum::response::Response;
use engine::store::EntityRow;
use http::StatusCode;
use serde::Serialize;
use taxi::actor::Actor;
use taxi::drive::{Command, Drive, Refusal};
use taxi::id::{CallId, DriveId};
use taxi::money::Won;
use taxi::status::DriveStatus;
use wiring::drive::NAME;

use crate::asked::{Answered, Asked};
use crate::body;
use crate::hal::{Base, Form, SelfLinks, respond, to_json};
use crate::problem::{Kind, Problem};
use crate::read::Collection;
use crate::time::Rfc3339;
use crate::wait::{Order, give};

pub(crate) const DRIVES: Collection = Collection {
    service: NAME,
    path: "/drives",
    embedded: "drives",
    ids: &["driveId", "callId"],
    fields: &["driveId", "driverName", "callId", "driveStatus", "taxiNum", "fare", "openedAt", "updatedAt"],
    status: "driveStatus",
    statuses: || DriveStatus::ALL.map(DriveStatus::as_str).to_vec(),
    reader: |readers| &readers.drive,
    when_read: |handles, position, tell| handles.drive.when_read(position, tell),
    render: |row, base| Ok(to_json(&Resource::of(&state(row)?, base))),
};

const END: &str = "POST /drives/end";

/// A drive, as the contract names its fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    drive_id: DriveId,
    driver_name: &'a str,
    call_id: CallId,
    drive_status: DriveStatus,
    taxi_num: &'a str,
    fare: Won,
    opened_at: Rfc3339,
    updated_at: Rfc3339,
    #[serde(rename = "_links")]
    links: SelfLinks<'a>,
}

impl<'a> Resource<'a> {
    fn of(drive: &'a Drive, base: &'a Base) -> Self {
        Self {
            drive_id: drive.drive_id,
            driver_name: &drive.driver_name,
            call_id: drive.call_id,
            drive_status: drive.drive_status,
            taxi_num: &drive.taxi_num,
            fare: drive.fare,
            opened_at: Rfc3339(drive.opened_at),
            updated_at: Rfc3339(drive.updated_at),
            links: SelfLinks { base, path: DRIVES.path, name: NAME, id: drive.call_id.get() },
        }
    }
}

/// `POST /drives/end`.
pub(crate) async fn end(asked: Asked, body: Body) -> Answered {
    end_by(asked, body, (Actor::Driver, END)).await
}

/// The same for whoever wants it.
pub(crate) async fn end_by(asked: Asked, body: Body, (actor, route): (Actor, &'static str)) -> Answered {
    let (form, base) = (asked.form()?, asked.base()?);
    let body = asked.read(body).await?;
    let call_id = body::call_id(&body::fields(&body)?, "driveId")?;
    asked.note_call(call_id);
    let order = Order {
        command: Command::End(call_id),
        origin: asked.origin(actor),
        idempotency: asked.idempotency(route, &body)?,
    };
    let done = give(&asked.api.handles.drive, order, asked.api.settings().reply_wait_max, refused).await?;
    Ok(done.mark(answer(form, &done.state, &base)))
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown => Problem::new(Kind::NotFound, refusal).of_field("driveId"),
        Refusal::NotUnderWay { status } => {
            Problem::new(Kind::NotAllowedNow, refusal).in_state(DRIVES.status, status.as_str())
        }
    }
}

fn answer(form: Form, drive: &Drive, base: &Base) -> Response {
    respond(StatusCode::OK, form, to_json(&Resource::of(drive, base)))
}

fn state(row: &EntityRow) -> Result<Drive, serde_json::Error> {
    serde_json::from_str(&row.state)
}
