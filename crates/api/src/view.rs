//! The view over HTTP: all that is known of a call, in one place.

use engine::store::EntityRow;
use http::StatusCode;
use serde::Serialize;
use taxi::event::FailReason;
use taxi::id::{CallId, DriveId};
use taxi::money::Won;
use taxi::rider::Personal;
use taxi::status::{CallStatus, DriveStatus, PayStatus};
use taxi::time::Timestamp;
use taxi::view::CallView;
use wiring::view::NAME;

use crate::asked::{Answered, Asked};
use crate::detail::Detail;
use crate::hal::{Base, PageLinks, SelfLinks, respond, to_json};
use crate::problem::Problem;
use crate::read::{Collection, catch_up, embed, key, refuse_changed};
use crate::time::Rfc3339;

pub(crate) const CALL_VIEWS: Collection = Collection {
    service: NAME,
    path: "/callViews",
    embedded: "callViews",
    ids: &["id", "callId"],
    fields: &[
        "id",
        "callId",
        "driveId",
        "callStatus",
        "userId",
        "userName",
        "driverName",
        "taxiNum",
        "driveStatus",
        "distance",
        "fare",
        "payStatus",
        "payReason",
        "requestedAt",
        "paidAt",
        "startedAt",
        "endedAt",
        "cancelledAt",
        "refundedAt",
        "updatedAt",
    ],
    status: "callStatus",
    statuses: || CallStatus::ALL.map(CallStatus::as_str).to_vec(),
    reader: |readers| &readers.view,
    when_read: |handles, position, tell| handles.view.when_read(position, tell),
    render: |row, base| Ok(to_json(&Resource::of(&state(row)?, base))),
};

/// A view, as the contract names its fields; what was not heard yet is null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    id: CallId,
    call_id: CallId,
    drive_id: Option<DriveId>,
    call_status: Option<CallStatus>,
    user_id: Option<&'a str>,
    user_name: Option<&'a str>,
    driver_name: Option<&'a str>,
    taxi_num: Option<&'a str>,
    drive_status: Option<DriveStatus>,
    distance: Option<f64>,
    fare: Option<Won>,
    pay_status: Option<PayStatus>,
    pay_reason: Option<FailReason>,
    requested_at: Option<Rfc3339>,
    paid_at: Option<Rfc3339>,
    started_at: Option<Rfc3339>,
    ended_at: Option<Rfc3339>,
    cancelled_at: Option<Rfc3339>,
    refunded_at: Option<Rfc3339>,
    updated_at: Rfc3339,
    #[serde(rename = "_links")]
    links: SelfLinks<'a>,
}

impl<'a> Resource<'a> {
    fn of(view: &'a CallView, base: &'a Base) -> Self {
        let time = |at: Option<Timestamp>| at.map(Rfc3339);
        Self {
            id: view.id,
            call_id: view.call_id,
            drive_id: view.drive_id,
            call_status: view.call_status,
            user_id: view.user_id.as_ref().map(Personal::as_str),
            user_name: view.user_name.as_ref().map(Personal::as_str),
            driver_name: view.driver_name.as_deref(),
            taxi_num: view.taxi_num.as_deref(),
            drive_status: view.drive_status,
            distance: view.meters.map(taxi::distance::Meters::kilometers),
            fare: view.fare,
            pay_status: view.pay_status,
            pay_reason: view.pay_reason,
            requested_at: time(view.requested_at),
            paid_at: time(view.paid_at),
            started_at: time(view.started_at),
            ended_at: time(view.ended_at),
            cancelled_at: time(view.cancelled_at),
            refunded_at: time(view.refunded_at),
            updated_at: Rfc3339(view.updated_at),
            links: SelfLinks { base, path: CALL_VIEWS.path, name: "callView", id: view.call_id.get() },
        }
    }
}

/// `GET /callViews/search/findByCallId?callId=`: as in the original a list, of one view or none.
pub(crate) async fn find_by_call_id(asked: Asked) -> Answered {
    const FIELD: &str = "callId";
    let (form, base) = (asked.form()?, asked.base()?);
    let call_id: CallId = {
        let query = asked.query()?;
        let text =
            query.get(FIELD)?.ok_or_else(|| Problem::malformed(Detail::Missing(FIELD)).of_field(FIELD))?;
        text.parse().map_err(|error| Problem::malformed(Detail::not_an_id(FIELD, error)).of_field(FIELD))?
    };
    asked.note_call(call_id);
    let seen = catch_up(&asked, &CALL_VIEWS).await?;
    let api = &asked.api;
    let row = api.desk.row(&api.readers.view, NAME, key(&CALL_VIEWS, call_id)).await?;
    let rows: Vec<EntityRow> = row.into_iter().collect();
    let href = format!("{}{}/search/findByCallId?callId={call_id}", base.as_str(), CALL_VIEWS.path);
    let mut body = embed(&CALL_VIEWS, &rows, &base)?;
    body.extend_from_slice(b",\"_links\":");
    body.extend_from_slice(&to_json(&PageLinks(vec![("self", href)])));
    body.push(b'}');
    refuse_changed(api, &CALL_VIEWS, seen)?;
    Ok(respond(StatusCode::OK, form, body))
}

fn state(row: &EntityRow) -> Result<CallView, serde_json::Error> {
    serde_json::from_str(&row.state)
}
